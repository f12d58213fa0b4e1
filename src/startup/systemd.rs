//! What the service tells systemd, or whatever else has started it and set `NOTIFY_SOCKET`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sd_notify::NotifyState;

/// Sends these states. Without `NOTIFY_SOCKET` nobody wants to hear them.
pub(super) fn notify(states: &[NotifyState]) -> io::Result<()> {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let mut message = String::new();
    for state in states {
        // A `String` takes everything.
        let _ = writeln!(message, "{state}");
    }
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address(&socket)?)?;
    Ok(())
}

/// A path, or the name of an abstract socket (unix(7)) behind an `@`. The library `sd_notify` takes both for paths.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(socket),
    }
}
