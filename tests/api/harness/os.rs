//! The few calls to the operating system that the standard library does not have.

#![expect(unsafe_code, reason = "signals and socket options that std does not have")]

use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// How a client disconnects in the middle of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// Closes the connection: the server reads the end of the stream.
    Fin,
    /// Is killed or loses its address: the server receives a reset.
    Rst,
}

impl Disconnect {
    pub fn close(self, stream: TcpStream) {
        if self == Self::Rst {
            reset_on_close(&stream);
        }
        drop(stream);
    }
}

fn reset_on_close(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = libc::socklen_t::try_from(size_of::<libc::linger>()).expect("a small struct");
    // SAFETY: the descriptor is open, and the pointer and size are those of one initialised `linger`.
    let done = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            std::ptr::from_ref(&linger).cast(),
            size,
        )
    };
    assert_eq!(done, 0, "set SO_LINGER: {}", std::io::Error::last_os_error());
}

/// Sends a signal to a process that this test started.
pub fn signal(pid: u32, signal: i32) {
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    // SAFETY: kill takes two numbers.
    let done = unsafe { libc::kill(pid, signal) };
    assert_eq!(done, 0, "signal {pid}: {}", std::io::Error::last_os_error());
}

/// Ends the process with the thread that started it, so that a killed test run leaves nothing behind.
pub fn die_with_parent(command: &mut Command) {
    // SAFETY: prctl is safe to call between fork and exec; nothing is allocated.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

/// Limits the process's open descriptors from its start; it cannot raise the limit.
pub fn start_with_descriptors(command: &mut Command, most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: setrlimit is safe to call between fork and exec; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0 {
                return Ok(());
            }
            Err(std::io::Error::last_os_error())
        });
    }
}

/// Limits the open descriptors of a process; returns the limit before.
pub fn limit_descriptors(pid: u32, most: u64) -> u64 {
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both pointers are null or of one initialised `rlimit`.
    let read = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit) };
    assert_eq!(read, 0, "read the limit of {pid}: {}", std::io::Error::last_os_error());
    let before = std::mem::replace(&mut limit.rlim_cur, most);
    // SAFETY: as above.
    let set = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(set, 0, "limit {pid}: {}", std::io::Error::last_os_error());
    before
}

/// Lets this process have at least this many descriptors open.
pub fn allow_descriptors(least: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is of one initialised `rlimit`.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(read, 0, "read the limit: {}", std::io::Error::last_os_error());
    if limit.rlim_cur < least {
        limit.rlim_cur = least;
        // SAFETY: as above.
        let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        assert_eq!(set, 0, "raise the limit to {least}: {}", std::io::Error::last_os_error());
    }
}

pub fn is_root() -> bool {
    // SAFETY: geteuid has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
