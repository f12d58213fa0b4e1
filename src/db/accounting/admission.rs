//! Letting uploads in, and granting them more.

use chrono::{DateTime, Utc};

use super::batch::Batch;
use super::operation::{Admission, Growth, Outcome};
use crate::domain::accounting::{self, QuotaExceeded};
use crate::domain::window::{self, Window};

/// Uploads of one system that may be under way at once.
const MAX_OPEN_UPLOADS: usize = 4;

impl Batch<'_> {
    pub(super) fn admit(&mut self, index: usize, op: &Admission) -> Outcome {
        let system = &self.systems[index];
        if !system.is_active() {
            return Outcome::Revoked;
        }
        let id = op.backup.uuid();
        if system.upload(id).is_some() {
            return Outcome::Admitted;
        }
        let rate = self.policy.rate;
        let (entry, entries) = match window::decide(&system.row.recent_admissions, system.row.clock, rate) {
            Window::Open { entry, entries } => (entry, entries),
            Window::Closed { retry_after_seconds } => {
                return Outcome::RateLimited { retry_after_seconds };
            }
        };
        if system.uploads.len() >= MAX_OPEN_UPLOADS {
            return Outcome::TooManyOpen;
        }
        let after = match accounting::admit(&self.ledger(index), self.limits, id, op.want) {
            Ok(after) => after,
            Err(QuotaExceeded { below, crowded }) => return Outcome::QuotaExceeded { below, crowded },
        };
        self.settle(index, after);
        self.facts.admitted.push((op.clone(), entry));
        // The next one of this batch is later: for an earlier clock this entry would be of the future.
        self.systems[index].row.clock = entry;
        // A window that nobody looks at need not be kept.
        if !rate.are_off() {
            self.set_admissions(index, entries);
        }
        Outcome::Admitted
    }

    pub(super) fn set_admissions(&mut self, index: usize, entries: Vec<DateTime<Utc>>) {
        let system = &mut self.systems[index];
        system.row.recent_admissions = entries;
        (system.changed, system.slides) = (true, true);
    }

    pub(super) fn grow(&mut self, index: usize, op: &Growth) -> Outcome {
        let id = op.backup.uuid();
        if self.systems[index].upload(id).is_none() {
            return Outcome::TakenBack;
        }
        match accounting::grow(&self.ledger(index), self.limits, id, op.want) {
            Ok(after) => {
                self.settle(index, after);
                Outcome::Granted
            }
            Err(QuotaExceeded { below, crowded }) => Outcome::QuotaExceeded { below, crowded },
        }
    }
}
