//! Limits how many connections from one client network may be in their TLS handshake.
//!
//! A fleet behind one address may reconnect all at once, so a connection without a slot waits for one, in the order of
//! arrival. A connection takes a slot only when it has sent its first bytes. So a silent connection delays no other one,
//! not even from its own network.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::client_network::ClientNetwork;

/// The limits for each client network.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeLimits {
    /// Handshakes at the same time.
    pub handshakes: usize,
    /// Connections whose handshake has not ended, including silent ones and those that wait for a slot.
    pub connections: usize,
}

/// Counts the connections of each client network. Only networks with at least one connection have an entry.
#[derive(Debug)]
pub struct HandshakeAdmission {
    limits: HandshakeLimits,
    networks: Mutex<HashMap<ClientNetwork, Entry>>,
}

#[derive(Debug)]
struct Entry {
    connections: usize,
    slots: Arc<Semaphore>,
}

/// An admitted connection, which is counted until this value is dropped.
#[derive(Debug)]
pub struct AdmittedConnection {
    admission: Arc<HandshakeAdmission>,
    network: ClientNetwork,
    slots: Arc<Semaphore>,
}

impl HandshakeAdmission {
    pub fn new(limits: HandshakeLimits) -> Arc<Self> {
        Arc::new(Self { limits, networks: Mutex::default() })
    }

    /// Counts a connection; `None` if its network has too many.
    pub fn admit(self: &Arc<Self>, network: ClientNetwork) -> Option<AdmittedConnection> {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = || Arc::new(Semaphore::new(self.limits.handshakes));
        let entry = networks.entry(network).or_insert_with(|| Entry { connections: 0, slots: slots() });
        if entry.connections >= self.limits.connections {
            return None;
        }
        entry.connections += 1;
        Some(AdmittedConnection { admission: Arc::clone(self), network, slots: Arc::clone(&entry.slots) })
    }
}

impl AdmittedConnection {
    /// Waits for one of the network's slots for handshakes.
    pub async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        // Acquiring fails only if the semaphore is closed, which never happens.
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }
}

impl Drop for AdmittedConnection {
    fn drop(&mut self) {
        let mut networks = self.admission.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = networks.get_mut(&self.network) {
            entry.connections -= 1;
            if entry.connections == 0 {
                networks.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::of(Some(address.parse().unwrap()))
    }

    #[test]
    fn connections_are_limited_for_each_network_and_ended_ones_do_not_count() {
        let admission = HandshakeAdmission::new(HandshakeLimits { handshakes: 1, connections: 2 });
        let (one, other) = (network("2001:db8::1"), network("2001:db8:0:1::1"));
        let first = admission.admit(one).unwrap();
        let second = admission.admit(network("2001:db8::2")).unwrap();
        assert!(admission.admit(one).is_none(), "the same /64");
        drop(admission.admit(other).unwrap());
        drop(first);
        let third = admission.admit(one).unwrap();
        assert!(admission.admit(one).is_none());
        drop((second, third));
        assert!(
            admission.networks.lock().unwrap().is_empty(),
            "no entry is kept for a network without connections"
        );
    }

    #[test]
    fn slots_are_given_out_in_the_order_of_arrival() {
        let admission = HandshakeAdmission::new(HandshakeLimits { handshakes: 1, connections: 9 });
        let connections = [(); 3].map(|()| admission.admit(network("192.0.2.1")).unwrap());
        let slot = connections[0].slot().now_or_never().flatten().unwrap();
        let (mut second, mut third) = (Box::pin(connections[1].slot()), Box::pin(connections[2].slot()));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        let elsewhere = admission.admit(network("192.0.2.2")).unwrap();
        assert!(elsewhere.slot().now_or_never().is_some(), "a connection from another network does not wait");
        drop(slot);
        assert!(third.as_mut().now_or_never().is_none(), "it came later");
        let slot = second.now_or_never().flatten().unwrap();
        drop(slot);
        assert!(third.now_or_never().flatten().is_some());
    }
}
