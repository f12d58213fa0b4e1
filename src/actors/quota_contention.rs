//! The organizations in which uploads are refused because open uploads have reserved the space. There an open upload needs a
//! higher rate (`domain::body_rate`): otherwise a few slow uploads could block the rest of a fleet for hours.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::ids::OrgId;

/// How long a refused client is expected to try its upload again.
const RETRIED_FOR: Duration = Duration::from_mins(1);

/// The time of the last such refusal, by organization.
#[derive(Default)]
pub(super) struct QuotaContention(Mutex<HashMap<OrgId, Instant>>);

impl QuotaContention {
    pub fn record(&self, org: &OrgId, now: Instant) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, at| now.duration_since(*at) < RETRIED_FOR);
        refused.insert(org.clone(), now);
    }

    pub fn is_contended(&self, org: &OrgId, now: Instant) -> bool {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(org).is_some_and(|at| now.duration_since(*at) < RETRIED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_for_a_minute_and_for_its_organization() {
        let (contention, start) = (QuotaContention::default(), Instant::now());
        let org = |name| OrgId::parse(name).unwrap();
        contention.record(&org("full"), start);
        for (name, seconds, contended) in
            [("full", 0, true), ("full", 59, true), ("full", 60, false), ("other", 0, false)]
        {
            assert_eq!(
                contention.is_contended(&org(name), start + Duration::from_secs(seconds)),
                contended,
                "{name} {seconds}"
            );
        }
    }
}
