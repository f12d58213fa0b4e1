//! Refused uploads that the next transaction writes to the history: at most one a minute for each system and reason, so that
//! a flood does not fill the history.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::accounting::RefusedUpload;

/// The least time between two recorded refusals of the same system and reason.
const RECORD_INTERVAL: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct RefusedUploads {
    /// When a refusal was last recorded, by system and reason.
    recorded: HashMap<(Uuid, &'static str), Instant>,
    waiting: Vec<RefusedUpload>,
}

impl RefusedUploads {
    /// Records a refused upload, unless one of the same system and reason was recorded within the last minute.
    pub fn record(&mut self, refusal: RefusedUpload, now: Instant) {
        self.recorded.retain(|_, at| now.duration_since(*at) < RECORD_INTERVAL);
        if let Entry::Vacant(vacant) = self.recorded.entry((refusal.system_id, refusal.reason)) {
            vacant.insert(now);
            self.waiting.push(refusal);
        }
    }

    /// Removes and returns the refusals that the next transaction has to write.
    pub fn take(&mut self) -> Vec<RefusedUpload> {
        std::mem::take(&mut self.waiting)
    }

    /// Puts back refusals that a failed transaction has not written.
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
    fn one_refused_upload_a_minute_is_recorded_for_each_system_and_reason() {
        let start = Instant::now();
        let refusal =
            |system, reason| RefusedUpload { system_id: Uuid::from_u128(system), reason, remote_addr: None };
        let mut refusals = RefusedUploads::default();
        for (seconds, system, reason, waiting) in
            [(0, 1, "rate", 1), (1, 1, "rate", 1), (1, 1, "size", 2), (1, 2, "rate", 3), (61, 1, "rate", 4)]
        {
            refusals.record(refusal(system, reason), start + Duration::from_secs(seconds));
            assert_eq!(refusals.waiting.len(), waiting, "{seconds} {system} {reason}");
        }
        assert_eq!(refusals.take().len(), 4);
        assert!(refusals.is_empty());
    }
}
