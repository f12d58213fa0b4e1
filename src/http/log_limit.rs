//! Keeps clients from filling the log: at most one line a minute for each client network, and for a limited number of
//! networks.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::client_network::ClientNetwork;
use crate::domain::ttl_map::TtlMap;

const INTERVAL: Duration = Duration::from_mins(1);
/// How many networks are logged in one interval. The lines about others are omitted.
const MAX_NETWORKS: usize = 100;

/// The networks that were logged recently, for one kind of line.
pub struct LogLimit(Mutex<TtlMap<ClientNetwork, ()>>);

impl Default for LogLimit {
    fn default() -> Self {
        Self(Mutex::new(TtlMap::new(INTERVAL, MAX_NETWORKS)))
    }
}

impl LogLimit {
    /// Whether a line about this network may be logged now. If so, the next one may be logged a minute later.
    pub fn admits(&self, network: ClientNetwork, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.get(&network, now).is_none() && logged.entry(network, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn each_network_is_logged_once_a_minute_and_only_a_limited_number_of_them() {
        let limit = LogLimit::default();
        let start = Instant::now();
        let at = |n: u32, seconds| {
            let host = ClientNetwork::of(Some(IpAddr::V4(n.into())));
            limit.admits(host, start + Duration::from_secs(seconds))
        };
        assert!(at(0, 0) && !at(0, 59) && at(0, 60));
        let logged = (1..=20_000).filter(|n| at(*n, 61)).count();
        assert_eq!(logged, MAX_NETWORKS - 1);
        assert!(at(20_000, 121));
    }
}
