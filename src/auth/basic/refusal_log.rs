//! Logs why credentials are refused, at most once a minute for each system, and for each client network that uses unknown
//! keys. Nothing that was guessed is logged.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::identity::Refusal;
use crate::domain::client_network::ClientNetwork;
use crate::domain::ttl_map::TtlMap;

const INTERVAL: Duration = Duration::from_mins(1);
/// How many systems, and how many networks, are logged in one interval. The lines about others are omitted.
const MAX_LINES: usize = 100;

pub(super) struct RefusalLog {
    systems: Mutex<TtlMap<Uuid, ()>>,
    networks: Mutex<TtlMap<ClientNetwork, ()>>,
}

impl Default for RefusalLog {
    fn default() -> Self {
        Self {
            systems: Mutex::new(TtlMap::new(INTERVAL, MAX_LINES)),
            networks: Mutex::new(TtlMap::new(INTERVAL, MAX_LINES)),
        }
    }
}

impl RefusalLog {
    pub fn log(&self, network: ClientNetwork, refusal: &Refusal) {
        if let Some(line) = self.line(network, refusal, Instant::now()) {
            log::info!("{line}");
        }
    }

    /// Returns the line, unless there was one a short time ago.
    fn line(&self, network: ClientNetwork, refusal: &Refusal, now: Instant) -> Option<String> {
        let (is_due, what) = match refusal {
            Refusal::UnknownKey => {
                (is_due(&self.networks, network, now), "no system has this key".to_owned())
            }
            Refusal::WrongSecret { system } => {
                (is_due(&self.systems, *system, now), format!("the secret of system {system} is wrong"))
            }
            Refusal::Suspended { system } => (
                is_due(&self.systems, *system, now),
                format!("system {system} is suspended or being destroyed"),
            ),
        };
        is_due.then(|| {
            format!("credential from {network} refused: {what}; further ones are not logged for one minute")
        })
    }
}

fn is_due<K: std::hash::Hash + Eq + Clone>(logged: &Mutex<TtlMap<K, ()>>, key: K, now: Instant) -> bool {
    let mut logged = logged.lock().unwrap_or_else(PoisonError::into_inner);
    logged.get(&key, now).is_none() && logged.entry(key, now).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_and_each_network_is_logged_once_a_minute() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        let network = |n: u8| ClientNetwork::of(Some([192, 0, 2, n].into()));
        let wrong = |n: u128| Refusal::WrongSecret { system: Uuid::from_u128(n) };
        let line = |n, refusal: &Refusal, seconds| {
            log.line(network(n), refusal, start + Duration::from_secs(seconds)).is_some()
        };
        assert!(line(1, &wrong(1), 0) && !line(1, &wrong(1), 59) && !line(2, &wrong(1), 59));
        assert!(line(1, &wrong(2), 0), "another system behind the same address");
        assert!(line(1, &wrong(1), 60));
        assert!(line(1, &Refusal::UnknownKey, 0) && !line(1, &Refusal::UnknownKey, 1));
        assert!(line(2, &Refusal::UnknownKey, 1));
        let logged = (1000..2000).filter(|n| line(3, &wrong(*n), 200)).count();
        assert_eq!(logged, MAX_LINES);
        assert!(line(3, &Refusal::UnknownKey, 200), "systems do not use up the lines of networks");
    }
}
