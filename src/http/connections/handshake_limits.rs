//! How many connections of one origin may be in their TLS handshake.
//!
//! A fleet behind one address may come back all at once, so who finds no slot waits for one, in the order of arrival.
//! Only a connection that has begun to speak takes a slot: one that is silent delays nobody, not even its neighbours.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::client_network::ClientNetwork;

/// Of one origin.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Handshakes at the same time.
    pub handshakes: usize,
    /// Connections whose handshake has not ended, with those that are silent or wait for a slot.
    pub connections: usize,
}

/// Counts for each origin. It holds as many entries as there are origins with a connection in it.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    origins: Mutex<HashMap<ClientNetwork, Entry>>,
}

#[derive(Debug)]
struct Entry {
    connections: usize,
    slots: Arc<Semaphore>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    origin: ClientNetwork,
    slots: Arc<Semaphore>,
}

impl Admission {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, origins: Mutex::default() })
    }

    /// Counts a connection; `None` if its origin has too many.
    pub fn admit(self: &Arc<Self>, origin: ClientNetwork) -> Option<Place> {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = || Arc::new(Semaphore::new(self.limits.handshakes));
        let entry = origins.entry(origin).or_insert_with(|| Entry { connections: 0, slots: slots() });
        if entry.connections >= self.limits.connections {
            return None;
        }
        entry.connections += 1;
        Some(Place { admission: Arc::clone(self), origin, slots: Arc::clone(&entry.slots) })
    }
}

impl Place {
    /// Waits for one of the origin's slots for handshakes.
    pub async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        // It fails if the semaphore is closed, which nobody does.
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut origins = self.admission.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = origins.get_mut(&self.origin) {
            entry.connections -= 1;
            if entry.connections == 0 {
                origins.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn origin(address: &str) -> ClientNetwork {
        ClientNetwork::of(Some(address.parse().unwrap()))
    }

    #[test]
    fn an_origin_has_its_own_number_of_connections_and_forgets_those_that_end() {
        let admission = Admission::new(Limits { handshakes: 1, connections: 2 });
        let (one, other) = (origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        let first = admission.admit(one).unwrap();
        let second = admission.admit(origin("2001:db8::2")).unwrap();
        assert!(admission.admit(one).is_none(), "the same /64");
        drop(admission.admit(other).unwrap());
        drop(first);
        let third = admission.admit(one).unwrap();
        assert!(admission.admit(one).is_none());
        drop((second, third));
        assert!(admission.origins.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn whoever_finds_no_slot_is_next_when_one_is_free() {
        let admission = Admission::new(Limits { handshakes: 1, connections: 9 });
        let places = [(); 3].map(|()| admission.admit(origin("192.0.2.1")).unwrap());
        let slot = places[0].slot().now_or_never().flatten().unwrap();
        let (mut second, mut third) = (Box::pin(places[1].slot()), Box::pin(places[2].slot()));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        let elsewhere = admission.admit(origin("192.0.2.2")).unwrap();
        assert!(elsewhere.slot().now_or_never().is_some(), "another address does not wait");
        drop(slot);
        assert!(third.as_mut().now_or_never().is_none(), "it came later");
        let slot = second.now_or_never().flatten().unwrap();
        drop(slot);
        assert!(third.now_or_never().flatten().is_some());
    }
}
