//! Counts failed attempts, for a minute from the first one: per user name and client network, and per network.

use std::time::{Duration, Instant};

use crate::domain::client_network::ClientNetwork;
use crate::domain::ids::SystemKey;
use crate::domain::ttl_map::TtlMap;

/// Failed attempts per minute for one user name from one network, up to which each attempt has its own look-up.
const PER_KEY: u32 = 30;
/// The same limit for all user names from one network.
const PER_NETWORK: u32 = 300;
const MINUTE: Duration = Duration::from_secs(60);
/// Maximum entries of each table. Networks that do not fit are counted together.
const CAPACITY: usize = 10_000;

#[derive(Default)]
struct Tally {
    count: u32,
    warned: bool,
}

pub(super) struct FailedAttempts {
    networks: TtlMap<ClientNetwork, Tally>,
    keys: TtlMap<(ClientNetwork, SystemKey), u32>,
    /// Counts the networks that do not fit into `networks`.
    others: TtlMap<(), Tally>,
}

impl FailedAttempts {
    pub fn new() -> Self {
        Self {
            networks: TtlMap::new(MINUTE, CAPACITY),
            keys: TtlMap::new(MINUTE, CAPACITY),
            others: TtlMap::new(MINUTE, 1),
        }
    }

    /// Records an attempt whose credential is not known to be right, and returns whether there are too many.
    /// The attempt is recorded before the look-up: otherwise many concurrent attempts would all pass, because
    /// none has failed yet.
    pub fn record(&mut self, network: ClientNetwork, key: &SystemKey, now: Instant) -> bool {
        let Some(tally) = self.tally(network, now) else { return true };
        tally.count = tally.count.saturating_add(1);
        if tally.count > PER_NETWORK {
            return true;
        }
        // If the table has no space for this user name, only the network's count applies.
        let Some(count) = self.keys.entry((network, key.clone()), now) else { return false };
        *count += 1;
        *count > PER_KEY
    }

    /// Withdraws an attempt: its credential was right, or could not be checked.
    pub fn withdraw(&mut self, network: ClientNetwork, key: &SystemKey, now: Instant) {
        if let Some(tally) = self.tally(network, now) {
            tally.count = tally.count.saturating_sub(1);
        }
        if let Some(count) = self.keys.get_mut(&(network, key.clone()), now) {
            *count = count.saturating_sub(1);
        }
    }

    /// Returns whether to log that a network sends too many wrong credentials: once a minute.
    pub fn should_warn(&mut self, network: ClientNetwork, now: Instant) -> bool {
        self.tally(network, now).is_some_and(|tally| !std::mem::replace(&mut tally.warned, true))
    }

    fn tally(&mut self, network: ClientNetwork, now: Instant) -> Option<&mut Tally> {
        match self.networks.entry(network, now) {
            Some(tally) => Some(tally),
            None => self.others.entry((), now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::of(Some(address.parse().unwrap()))
    }

    fn key(name: &str) -> SystemKey {
        SystemKey::parse(name).unwrap()
    }

    #[test]
    fn the_31st_of_a_key_and_the_301st_of_a_network_are_too_many() {
        let (mut failed_attempts, start) = (FailedAttempts::new(), Instant::now());
        let (one, other) = (network("192.0.2.1"), network("192.0.2.2"));
        for _ in 0..30 {
            assert!(!failed_attempts.record(one, &key("fw"), start));
        }
        assert!(failed_attempts.record(one, &key("fw"), start));
        assert!(!failed_attempts.record(other, &key("fw"), start), "another address");
        for n in 0..269 {
            assert!(!failed_attempts.record(one, &key(&format!("k{n}")), start), "{n}");
        }
        assert!(failed_attempts.record(one, &key("another"), start));
        let later = start + Duration::from_secs(59);
        assert!(failed_attempts.record(one, &key("another"), later));
        assert!(!failed_attempts.record(one, &key("another"), start + MINUTE), "the minute is over");
    }

    #[test]
    fn right_credentials_do_not_count() {
        let (mut failed_attempts, now) = (FailedAttempts::new(), Instant::now());
        let fleet = network("192.0.2.1");
        for _ in 0..1000 {
            assert!(!failed_attempts.record(fleet, &key("fw"), now));
            failed_attempts.withdraw(fleet, &key("fw"), now);
        }
    }

    #[test]
    fn a_network_is_warned_of_once_a_minute() {
        let (mut failed_attempts, start) = (FailedAttempts::new(), Instant::now());
        let (one, other) = (network("192.0.2.1"), network("192.0.2.2"));
        assert!(failed_attempts.should_warn(one, start));
        assert!(!failed_attempts.should_warn(one, start));
        assert!(failed_attempts.should_warn(other, start));
        assert!(failed_attempts.should_warn(one, start + MINUTE));
    }

    #[test]
    fn the_tables_are_bounded_and_networks_that_do_not_fit_are_counted_together() {
        let (mut failed_attempts, now) = (FailedAttempts::new(), Instant::now());
        let many: u32 = 10_500;
        let too_many = (0..many)
            .filter(|n| {
                failed_attempts.record(ClientNetwork::of(Some(Ipv4Addr::from(*n).into())), &key("fw"), now)
            })
            .count();
        assert_eq!(too_many, 200, "300 of the 500 beyond the table are looked up");
    }
}
