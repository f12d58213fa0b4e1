//! Makes the object of a put visible, and hides it again if the put is dropped or fails.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use super::disk::Disk;
use super::folder::Folder;
use super::folders::{in_folder, parent_of};
use super::mutex::lock;
use super::temp_file::{RemovalOnDrop, TempFile, TempName};

/// The step that makes an object visible. The lock orders the blocking thread that publishes and the future that may be
/// dropped at any time: after a retraction nothing is published.
pub(super) struct Publication {
    /// The object's name below the root.
    to: String,
    state: Mutex<PublicationState>,
}

#[derive(Default)]
enum PublicationState {
    /// The object is not published yet, or is confirmed: in both cases there is nothing to retract.
    #[default]
    NothingToRetract,
    /// The object was renamed from this temporary file to this folder, and is not confirmed yet. Both folders are open, so it can be renamed
    /// back even when no descriptors are left.
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

    /// The folder of the object.
    pub(super) fn folder(&self) -> &str {
        parent_of(&self.to)
    }

    /// The object's name in its folder.
    fn file(&self) -> &str {
        self.to.rsplit_once('/').map_or(&*self.to, |(_, file)| file)
    }

    /// Renames a synced file to the object's path, durably. Blocks.
    pub(super) fn publish(&self, disk: &Disk, temp: &TempFile) -> io::Result<()> {
        let root = disk.open_with(temp.name().folder())?;
        let folder = self.rename_into_place(&root, temp)?;
        // This is not in `rename_into_place`, which a probe calls as well.
        fail_point!("local.renamed");
        disk.durable_folders.sync(&root, self.folder(), &folder)
    }

    /// Renames the file like `publish`, but syncs no folder. Returns the object's folder. Blocks.
    pub(super) fn rename_into_place(&self, root: &Folder, temp: &TempFile) -> io::Result<Arc<Folder>> {
        in_folder(root, self.folder(), |folder| {
            let folder = Arc::new(folder);
            self.rename(temp, &folder)?;
            Ok(folder)
        })
    }

    fn rename(&self, temp: &TempFile, folder: &Arc<Folder>) -> io::Result<()> {
        let mut state = lock(&self.state);
        if matches!(*state, PublicationState::Retracted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        temp.name().rename_to(folder, self.file())?;
        *state = PublicationState::Published { from: temp.name().clone(), folder: Arc::clone(folder) };
        Ok(())
    }
}

/// Retracts a publication when this is dropped unconfirmed: when the put's future is dropped, or a step has failed.
pub(super) struct PublicationGuard {
    publication: Arc<Publication>,
    blocking: Handle,
}

impl PublicationGuard {
    /// Returns a guard for an object with this name.
    pub(super) fn new(disk: &Disk, to: &str) -> Self {
        Self { publication: Arc::new(Publication::new(to)), blocking: disk.blocking.clone() }
    }

    /// The publication, for the step that publishes.
    pub(super) fn publication(&self) -> Arc<Publication> {
        Arc::clone(&self.publication)
    }

    /// Confirms the object, because the put has succeeded: the object is not retracted.
    pub(super) fn confirm(self) {
        *lock(&self.publication.state) = PublicationState::NothingToRetract;
    }
}

impl Drop for PublicationGuard {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *lock(&self.publication.state), PublicationState::Retracted);
        let PublicationState::Published { from, folder } = before else {
            return;
        };
        // A rename hides the object at once. Removing the file may take long, so it is done on a blocking thread: this one
        // may serve the network.
        match from.rename_back(&folder, self.publication.file()) {
            Ok(()) => RemovalOnDrop::new(from).remove_on(&self.blocking),
            Err(error) => log::error!("could not remove an object that was not confirmed: {error}"),
        }
    }
}
