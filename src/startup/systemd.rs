//! Notifies systemd, or another service manager that sets `NOTIFY_SOCKET`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sd_notify::NotifyState;

/// Sends these states. Does nothing without `NOTIFY_SOCKET`.
pub(super) fn notify(states: &[NotifyState]) -> io::Result<()> {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let mut message = String::new();
    for state in states {
        // Writing to a `String` does not fail.
        let _ = writeln!(message, "{state}");
    }
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address(&socket)?)?;
    Ok(())
}

/// Parses a path, or `@` and the name of an abstract socket (unix(7)). The library `sd_notify` treats both as paths.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(socket),
    }
}
