//! The moment at which a put's object becomes visible, and how that is undone.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use super::folder::Folder;
use super::folders::{make_below, parent_of};
use super::temp::{Removal, Temp, TempName};
use super::{Disk, lock};

/// How often a put creates its folder again when deletes keep removing it.
const FOLDER_TRIES: u32 = 1000;

/// The step that makes an object visible. The lock orders the blocking thread that publishes and the future that may be
/// dropped at any time: what has been retracted is never published afterwards.
pub(super) struct Publication {
    /// The object's name below the root.
    to: String,
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    /// Not published yet, or confirmed: either way there is nothing to retract.
    #[default]
    NothingToRetract,
    /// Renamed from this temporary file to this folder, and not confirmed yet. With both folders open it can be taken
    /// back even when there are no descriptors left.
    Published {
        from: TempName,
        folder: Arc<Folder>,
    },
    Retracted,
}

impl Publication {
    pub(super) fn new(to: &str) -> Self {
        Self { to: to.to_owned(), state: Mutex::default() }
    }

    /// The folder that the object gets its name in.
    pub(super) fn folder(&self) -> &str {
        parent_of(&self.to)
    }

    /// Its name there.
    fn file(&self) -> &str {
        self.to.rsplit_once('/').map_or(&*self.to, |(_, file)| file)
    }

    /// Renames a synced file to the object's path, durably. Blocks.
    pub(super) fn publish(&self, disk: &Disk, temp: &Temp) -> io::Result<()> {
        let root = disk.root_of(temp)?;
        let folder = self.place(&root, temp)?;
        // Not in `place`, which a probe of health runs as well.
        fail_point!("local.renamed");
        disk.settled.sync(&root, self.folder(), &folder)
    }

    /// The same without syncing any folder. Returns the object's folder. Blocks.
    pub(super) fn place(&self, root: &Folder, temp: &Temp) -> io::Result<Arc<Folder>> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_to_place(root, temp) {
                // A delete removed the folder in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < FOLDER_TRIES => {}
                result => return result,
            }
        }
    }

    fn try_to_place(&self, root: &Folder, temp: &Temp) -> io::Result<Arc<Folder>> {
        let folder = match root.folder(self.folder()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_below(root, self.folder())?;
                root.folder(self.folder())?
            }
            result => result?,
        };
        let folder = Arc::new(folder);
        self.rename(temp, &folder)?;
        Ok(folder)
    }

    fn rename(&self, temp: &Temp, folder: &Arc<Folder>) -> io::Result<()> {
        let mut state = lock(&self.state);
        if matches!(*state, State::Retracted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        temp.name().rename_to(folder, self.file())?;
        *state = State::Published { from: temp.name().clone(), folder: Arc::clone(folder) };
        Ok(())
    }
}

/// Retracts a publication when it is dropped unconfirmed: when the put's future is dropped, or a step has failed.
pub(super) struct Unconfirmed {
    publication: Arc<Publication>,
    blocking: Handle,
}

impl Unconfirmed {
    /// Of an object with this name.
    pub(super) fn new(disk: &Disk, to: &str) -> Self {
        Self { publication: Arc::new(Publication::new(to)), blocking: disk.blocking.clone() }
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
        let State::Published { from, folder } = before else {
            return;
        };
        // A rename hides the object at once. Removing the file may take long, and this may be a thread that serves the
        // network, so that is done elsewhere.
        match from.take_back(&folder, self.publication.file()) {
            Ok(()) => Removal::new(from).remove_on(&self.blocking),
            Err(error) => log::error!("could not remove an object that was not confirmed: {error}"),
        }
    }
}
