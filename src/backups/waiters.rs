//! The appliances that wait for somebody to request a backup. A waiter is an entry in a map and a bell. It has no
//! connection to the database and no thread, and no timer but its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Who waits in this process; cheap to clone.
#[derive(Clone, Default)]
pub struct Waiters(Arc<Shared>);

#[derive(Default)]
struct Shared {
    bells: Mutex<HashMap<Uuid, Bell>>,
    closed: CancellationToken,
}

/// Rings for one system, on however many connections it waits.
#[derive(Default)]
struct Bell {
    bell: Arc<Notify>,
    waiters: usize,
}

/// One who waits, until this is dropped.
pub(super) struct Waiting {
    system: Uuid,
    pub bell: Arc<Notify>,
    shared: Arc<Shared>,
}

impl Waiters {
    pub(super) fn enter(&self, system: Uuid) -> Waiting {
        let mut bells = self.0.lock();
        let entry = bells.entry(system).or_default();
        entry.waiters += 1;
        Waiting { system, bell: Arc::clone(&entry.bell), shared: Arc::clone(&self.0) }
    }

    /// Something may have come for this system: makes all who wait for it look.
    pub fn wake(&self, system: Uuid) {
        if let Some(entry) = self.0.lock().get(&system) {
            entry.bell.notify_waiters();
        }
    }

    /// How many systems wait.
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// The systems that are waited for.
    pub fn systems(&self) -> Vec<Uuid> {
        self.0.lock().keys().copied().collect()
    }

    /// Ends all waits, and those to come: the process is about to end.
    pub fn close(&self) {
        self.0.closed.cancel();
    }

    pub(super) async fn closed(&self) {
        self.0.closed.cancelled().await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Bell>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut bells = self.shared.lock();
        if let Some(entry) = bells.get_mut(&self.system) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                bells.remove(&self.system);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_for_a_system_are_woken_and_the_last_leaves_nothing_behind() {
        let (waiters, one, other) = (Waiters::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let places = [waiters.enter(one), waiters.enter(one), waiters.enter(other)];
        let mut bells: Vec<_> = places.iter().map(|place| Box::pin(place.bell.notified())).collect();
        for bell in &mut bells {
            bell.as_mut().enable();
        }
        waiters.wake(one);
        let mut rung = vec![];
        for bell in &mut bells {
            rung.push(futures_util::poll!(bell.as_mut()).is_ready());
        }
        assert_eq!(rung, [true, true, false]);
        drop(bells);
        assert_eq!(waiters.systems().len(), 2);
        drop(places);
        assert!(waiters.systems().is_empty());
    }
}
