//! Organizations in which uploads wait for what others have reserved: there a slow one is asked to be
//! faster (`domain::body_rate`), or a few that trickle in could keep the rest of a fleet out for hours.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::ids::OrgId;

/// Somebody who was turned away may be expected again for so long.
const WAITS: Duration = Duration::from_mins(1);

/// When an upload was last turned away, by organization.
#[derive(Default)]
pub(super) struct QuotaContention(Mutex<HashMap<OrgId, Instant>>);

impl QuotaContention {
    pub fn note(&self, org: &OrgId, now: Instant) {
        let mut contended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contended.retain(|_, at| now.duration_since(*at) < WAITS);
        contended.insert(org.clone(), now);
    }

    pub fn is(&self, org: &OrgId, now: Instant) -> bool {
        let contended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contended.get(org).is_some_and(|at| now.duration_since(*at) < WAITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_for_a_minute_and_for_its_organization() {
        let (contended, start) = (QuotaContention::default(), Instant::now());
        let org = |name| OrgId::parse(name).unwrap();
        contended.note(&org("full"), start);
        for (name, seconds, is) in
            [("full", 0, true), ("full", 59, true), ("full", 60, false), ("other", 0, false)]
        {
            assert_eq!(
                contended.is(&org(name), start + Duration::from_secs(seconds)),
                is,
                "{name} {seconds}"
            );
        }
    }
}
