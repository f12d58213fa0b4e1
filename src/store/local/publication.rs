//! The moment at which a put's object becomes visible, and how that is undone.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use super::temp::{Removal, Temp};
use super::{Disk, folders, lock, parent_of};
use crate::domain::object_key::ObjectKey;

/// How often a put creates its folder again when deletes keep removing it.
const FOLDER_TRIES: u32 = 1000;

/// The step that makes an object visible. The lock orders the blocking thread that publishes and the future that may be
/// dropped at any time: what has been retracted is never published afterwards.
pub(super) struct Publication {
    /// The object's path.
    to: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    /// Not published yet, or confirmed: either way there is nothing to retract.
    #[default]
    NothingToRetract,
    /// Renamed from this temporary path, and not confirmed yet.
    Published {
        from: PathBuf,
    },
    Retracted,
}

impl Publication {
    /// Renames a synced file to the object's path, durably. Blocks.
    pub(super) fn publish(&self, disk: &Disk, temp: &Temp) -> io::Result<()> {
        let folder = parent_of(&self.to)?;
        let mut result = Ok(());
        for _ in 0..FOLDER_TRIES {
            result = folders::make_below(&disk.root, folder).and_then(|()| self.rename(temp));
            match &result {
                // A delete removed the folder in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => break,
            }
        }
        result.and_then(|()| disk.settled.sync(&disk.root, folder))
    }

    fn rename(&self, temp: &Temp) -> io::Result<()> {
        let mut state = lock(&self.state);
        if matches!(*state, State::Retracted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        fs::rename(temp.path(), &self.to)?;
        fail_point!("local.renamed");
        let from = temp.path().to_owned();
        *state = State::Published { from };
        Ok(())
    }
}

/// Retracts a publication when it is dropped unconfirmed: when the put's future is dropped, or a step has failed.
pub(super) struct Unconfirmed {
    publication: Arc<Publication>,
    blocking: Handle,
}

impl Unconfirmed {
    pub(super) fn new(disk: &Disk, key: &ObjectKey) -> Self {
        let publication = Publication { to: disk.path_of(key), state: Mutex::default() };
        Self { publication: Arc::new(publication), blocking: disk.blocking.clone() }
    }

    /// For the step that publishes.
    pub(super) fn publication(&self) -> Arc<Publication> {
        Arc::clone(&self.publication)
    }

    /// The put is done: the object stays.
    pub(super) fn confirm(self) {
        *lock(&self.publication.state) = State::NothingToRetract;
    }
}

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *lock(&self.publication.state), State::Retracted);
        let State::Published { from } = before else {
            return;
        };
        // A rename hides the object at once. Removing the file may take long, and this may be a thread that serves the
        // network, so that is done elsewhere.
        match fs::rename(&self.publication.to, &from) {
            Ok(()) => Removal::new(from).remove_on(&self.blocking),
            Err(error) => log::error!("take {} back: {error}", self.publication.to.display()),
        }
    }
}
