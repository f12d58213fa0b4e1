//! The appliances that wait for a backup request. A waiter is an entry in a map with a [`Notify`]. A waiter needs no
//! database session, no thread, and only its own timer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The appliances that wait in this process; cheap to clone.
#[derive(Clone, Default)]
pub struct Waiters(Arc<WaiterTable>);

#[derive(Default)]
struct WaiterTable {
    systems: Mutex<HashMap<Uuid, WaitingSystem>>,
    closed: CancellationToken,
}

/// A waiting system, with one connection or several.
#[derive(Default)]
struct WaitingSystem {
    notify: Arc<Notify>,
    waiters: usize,
}

/// The registration of one connection of a waiting system. Dropping it ends the registration.
pub(super) struct Waiter {
    system: Uuid,
    pub notify: Arc<Notify>,
    table: Arc<WaiterTable>,
}

impl Waiters {
    pub(super) fn register(&self, system: Uuid) -> Waiter {
        let mut systems = self.0.lock();
        let entry = systems.entry(system).or_default();
        entry.waiters += 1;
        Waiter { system, notify: Arc::clone(&entry.notify), table: Arc::clone(&self.0) }
    }

    /// Wakes all connections on which this system waits, because it may have a new backup request.
    pub fn wake(&self, system: Uuid) {
        if let Some(entry) = self.0.lock().get(&system) {
            entry.notify.notify_waiters();
        }
    }

    /// Returns the number of waiting systems.
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// Returns the waiting systems.
    pub fn systems(&self) -> Vec<Uuid> {
        self.0.lock().keys().copied().collect()
    }

    /// Ends all waits, including later ones: the process is about to end.
    pub fn close(&self) {
        self.0.closed.cancel();
    }

    pub(super) async fn closed(&self) {
        self.0.closed.cancelled().await;
    }
}

impl WaiterTable {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, WaitingSystem>> {
        self.systems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut systems = self.table.lock();
        if let Some(entry) = systems.get_mut(&self.system) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                systems.remove(&self.system);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_waiters_of_a_system_are_woken_and_the_last_one_removes_its_entry() {
        let (waiters, one, other) = (Waiters::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let registered = [waiters.register(one), waiters.register(one), waiters.register(other)];
        let mut notified: Vec<_> =
            registered.iter().map(|waiter| Box::pin(waiter.notify.notified())).collect();
        for future in &mut notified {
            future.as_mut().enable();
        }
        waiters.wake(one);
        let mut woken = vec![];
        for future in &mut notified {
            woken.push(futures_util::poll!(future.as_mut()).is_ready());
        }
        assert_eq!(woken, [true, true, false]);
        drop(notified);
        assert_eq!(waiters.systems().len(), 2);
        drop(registered);
        assert!(waiters.systems().is_empty());
    }
}
