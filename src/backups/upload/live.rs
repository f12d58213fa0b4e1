//! The uploads that this process is working on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// The ids of the uploads that this process is working on; the sweeper leaves them alone. Cheap to clone.
#[derive(Clone, Default)]
pub struct LiveUploads(Arc<Mutex<HashSet<Uuid>>>);

impl LiveUploads {
    pub fn ids(&self) -> Vec<Uuid> {
        self.lock().iter().copied().collect()
    }

    pub(super) fn insert(&self, upload: Uuid) {
        self.lock().insert(upload);
    }

    pub(super) fn remove(&self, upload: Uuid) {
        self.lock().remove(&upload);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
