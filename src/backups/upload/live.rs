//! The uploads that this process works on: the sweep leaves them alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// Removes an upload from the live ones when dropped.
pub(super) struct LiveUpload {
    live: LiveUploads,
    upload: Uuid,
}

impl Drop for LiveUpload {
    fn drop(&mut self) {
        self.live.remove(self.upload);
    }
}

/// The ids of the uploads that this process works on; cheap to clone.
#[derive(Clone, Default)]
pub struct LiveUploads(Arc<Mutex<HashSet<Uuid>>>);

impl LiveUploads {
    pub fn ids(&self) -> Vec<Uuid> {
        self.lock().iter().copied().collect()
    }

    pub(super) fn insert(&self, upload: Uuid) {
        self.lock().insert(upload);
    }

    /// Returns a guard that removes the upload when it is dropped.
    pub(super) fn remove_when_dropped(&self, upload: Uuid) -> LiveUpload {
        LiveUpload { live: self.clone(), upload }
    }

    pub(super) fn remove(&self, upload: Uuid) {
        self.lock().remove(&upload);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
