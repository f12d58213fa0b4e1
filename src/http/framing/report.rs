//! Counts the requests that are not HTTP, and logs a few of them: anybody can send as many as they like.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::fault::Fault;
use crate::domain::origin::Origin;
use crate::domain::ttl_map::TtlMap;
use crate::http::Api;
use crate::telemetry::Metrics;

/// How often a host's broken requests are logged.
const EVERY: Duration = Duration::from_mins(1);
/// Hosts that are remembered. Those of others are only counted.
const HOSTS: usize = 10_000;

/// The broken requests of a listener.
pub struct BrokenRequests {
    api: Api,
    metrics: Metrics,
    logged: Mutex<TtlMap<Origin, bool>>,
}

impl BrokenRequests {
    pub fn new(api: Api, metrics: Metrics) -> Self {
        Self { api, metrics, logged: Mutex::new(TtlMap::new(EVERY, HOSTS)) }
    }

    pub(super) fn report(&self, fault: Fault, peer: IpAddr) {
        self.metrics.broken_request(self.api.name(), fault.reason());
        let origin = Origin::of(Some(peer));
        if self.is_first_of_the_minute(origin, Instant::now()) {
            let (api, key, message) = (self.api, fault.key(), fault.message());
            log::info!(
                "broken request to the {api} API from {origin}: {key}: {message}; \
                 others from there are only counted for a minute"
            );
        }
    }

    fn is_first_of_the_minute(&self, origin: Origin, now: Instant) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.entry(origin, now).is_some_and(|logged| !std::mem::replace(logged, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_is_logged_once_a_minute_and_hosts_without_room_are_not() {
        let broken = BrokenRequests::new(Api::Collect, Metrics::new().unwrap());
        let start = Instant::now();
        let at = |n: u32, seconds| {
            let host = Origin::of(Some(IpAddr::V4(n.into())));
            broken.is_first_of_the_minute(host, start + Duration::from_secs(seconds))
        };
        assert!(at(0, 0) && !at(0, 59) && at(0, 60));
        let logged = (1..=20_000).filter(|n| at(*n, 61)).count();
        assert_eq!(logged, HOSTS - 1);
    }
}
