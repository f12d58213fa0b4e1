//! The account of a command that root runs with the settings of an env file: as systemd does for the service, root reads the
//! file, and the account `strongroom` does the work. So Postgres' peer authentication knows the command, and no object of the store
//! ever belongs to root.
//!
//! The command keeps root's rights in reserve (as saved ids) for the files that the caller names: those it reads or writes as root.

use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User, getresgid, getresuid, initgroups, setegid, seteuid, setgid, setuid};

use super::exit::Failure;

/// The account of the service, as in the unit.
const NAME: &str = "strongroom";

#[derive(Debug)]
pub struct Account {
    uid: Uid,
    gid: Gid,
    pub home: PathBuf,
}

impl Account {
    /// Returns the account of the service, if this process is root's and there is such an account. A machine without it has no
    /// unit, and its commands go on as root.
    pub fn for_root() -> Result<Option<Self>, Failure> {
        if !is_root() {
            return Ok(None);
        }
        let user = User::from_name(NAME)
            .map_err(|error| Failure::Refused(format!("could not look up the account {NAME}: {error}")))?;
        Ok(user.map(|user| Self { uid: user.uid, gid: user.gid, home: user.dir }))
    }

    /// Returns the variables that systemd sets for a service with this account. libpq looks for certificates in HOME.
    pub fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [("HOME", self.home.clone()), ("USER", NAME.into()), ("LOGNAME", NAME.into())]
    }

    /// Makes this process one of the account, without a way back.
    pub fn become_for_good(&self) -> Result<(), Failure> {
        let done = initgroups(c"strongroom", self.gid)
            .and_then(|()| setgid(self.gid))
            .and_then(|()| setuid(self.uid));
        done.map_err(cannot_become)
    }

    /// Lets the rest of the command run as the account, except for what [`as_caller`] runs.
    pub fn become_for_command(&self) -> Result<(), Failure> {
        let done = initgroups(c"strongroom", self.gid)
            .and_then(|()| setegid(self.gid))
            .and_then(|()| seteuid(self.uid));
        done.map_err(cannot_become)
    }
}

/// Whether this process has root's rights now.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

fn cannot_become(error: nix::Error) -> Failure {
    Failure::Refused(format!("could not become the account {NAME}: {error}"))
}

/// Runs something with the rights of the caller, for the files that the caller names.
///
/// The rights are the whole process's, also those of other threads: use it for single calls that open, read or remove a file.
pub fn as_caller<T>(run: impl FnOnce() -> T) -> T {
    let _rights = Rights::of_caller();
    run()
}

/// The caller's rights, until this value is dropped.
struct Rights(Option<(Uid, Gid)>);

impl Rights {
    fn of_caller() -> Self {
        let (Ok(users), Ok(groups)) = (getresuid(), getresgid()) else { return Self(None) };
        if users.effective == users.real {
            return Self(None);
        }
        // If this fails, the file is opened with the account's rights, and the system refuses it.
        let _ = seteuid(users.real).and_then(|()| setegid(groups.real));
        Self(Some((users.effective, groups.effective)))
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        let Some((user, group)) = self.0 else { return };
        if setegid(group).and_then(|()| seteuid(user)).is_err() {
            // Objects must not be changed as root.
            std::process::abort();
        }
    }
}
