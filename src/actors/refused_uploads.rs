//! What was turned away, held until the next transaction takes it along: at most one a minute for
//! each system and reason, so that a flood writes nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::accounting::RefusedUpload;

const QUIET: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct RefusedUploads {
    told: HashMap<(Uuid, &'static str), Instant>,
    waiting: Vec<RefusedUpload>,
}

impl RefusedUploads {
    /// Takes it in, unless the same was told within the last minute.
    pub fn note(&mut self, refusal: RefusedUpload, now: Instant) {
        self.told.retain(|_, told| now.duration_since(*told) < QUIET);
        if let Entry::Vacant(untold) = self.told.entry((refusal.system_id, refusal.reason)) {
            untold.insert(now);
            self.waiting.push(refusal);
        }
    }

    /// What the next transaction has to write.
    pub fn take(&mut self) -> Vec<RefusedUpload> {
        std::mem::take(&mut self.waiting)
    }

    /// The transaction failed: they wait for the next.
    pub fn put_back(&mut self, refusals: Vec<RefusedUpload>) {
        self.waiting.extend(refusals);
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_minute_for_each_system_and_reason() {
        let start = Instant::now();
        let refusal =
            |system, reason| RefusedUpload { system_id: Uuid::from_u128(system), reason, remote_addr: None };
        let mut refusals = RefusedUploads::default();
        for (seconds, system, reason, waiting) in
            [(0, 1, "rate", 1), (1, 1, "rate", 1), (1, 1, "size", 2), (1, 2, "rate", 3), (61, 1, "rate", 4)]
        {
            refusals.note(refusal(system, reason), start + Duration::from_secs(seconds));
            assert_eq!(refusals.waiting.len(), waiting, "{seconds} {system} {reason}");
        }
        assert_eq!(refusals.take().len(), 4);
        assert!(refusals.is_empty());
    }
}
