//! Keeps strangers from filling the log: a line a minute about each host, and about no more than so many hosts.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::client_network::ClientNetwork;
use crate::domain::ttl_map::TtlMap;

const EVERY: Duration = Duration::from_mins(1);
/// Hosts that are logged in that time. The lines about others are left out.
const HOSTS: usize = 100;

/// The hosts that were logged lately, for one kind of line.
pub struct LogLimit(Mutex<TtlMap<ClientNetwork, ()>>);

impl Default for LogLimit {
    fn default() -> Self {
        Self(Mutex::new(TtlMap::new(EVERY, HOSTS)))
    }
}

impl LogLimit {
    /// Whether a line about this host may be logged. The next one may be logged a minute later.
    pub fn admits(&self, host: ClientNetwork, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.get(&host, now).is_none() && logged.entry(host, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn each_host_is_logged_once_a_minute_and_hosts_without_room_are_not() {
        let limit = LogLimit::default();
        let start = Instant::now();
        let at = |n: u32, seconds| {
            let host = ClientNetwork::of(Some(IpAddr::V4(n.into())));
            limit.admits(host, start + Duration::from_secs(seconds))
        };
        assert!(at(0, 0) && !at(0, 59) && at(0, 60));
        let logged = (1..=20_000).filter(|n| at(*n, 61)).count();
        assert_eq!(logged, HOSTS - 1);
        assert!(at(20_000, 121));
    }
}
