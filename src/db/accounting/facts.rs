//! Notes what the row of a system says of its refused uploads and its calls (`domain::refusal`).

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::locked_systems::{Contact, SystemIndex};
use super::operation::RefusedUpload;
use super::transaction::Transaction;
use crate::domain::refusal::{self, RefusalReason, RefusedAttempt};

impl Transaction<'_> {
    /// Notes that the appliance was heard of.
    pub(super) fn note_seen(&mut self, index: SystemIndex, from: Option<IpAddr>) {
        let system = &mut self.systems[index];
        (system.seen, system.changed) = (Some(Contact { from }), true);
    }

    /// Notes that an upload, which was admitted at `sent_at`, has failed.
    pub(super) fn note_failed(&mut self, index: SystemIndex, reason: RefusalReason, sent_at: DateTime<Utc>) {
        let refused_at = self.db_time;
        self.note(index, RefusedAttempt { reason, sent_at, refused_at });
    }

    /// Notes that an upload was refused.
    pub(super) fn note_refused(&mut self, index: SystemIndex, refused: &RefusedUpload) {
        let reason = refused.reason;
        if refused.is_event {
            let db_time = self.db_time;
            let system = &mut self.systems[index];
            (system.last_refusal, system.changed) = (Some((db_time, reason)), true);
            self.changed = true;
        }
        let Some(sent) = refused.instead_of_admission else { return };
        let system = &self.systems[index];
        // A flood of refusals writes the row once a minute, with its event. What comes in between matters only if an upload may
        // be stored that was admitted before.
        let is_known = system.refusal.is_some_and(|standing| standing.last.reason == reason);
        if is_known && !refused.is_event && system.uploads.is_empty() {
            return;
        }
        let age = TimeDelta::from_std(self.locked_at.duration_since(sent)).unwrap_or_default();
        let not_before = refused.not_before.map(|at| at + TimeDelta::microseconds(1));
        let refused_at = (self.db_time - age).max(not_before.unwrap_or(DateTime::UNIX_EPOCH));
        // If the clock was set back, what is stored may seem to come from the future: the refusal is later all the same.
        let from_future = system.last_admitted_at().filter(|admitted| *admitted > self.db_time);
        let sent_at = from_future.map_or(refused_at, |admitted| admitted + TimeDelta::microseconds(1));
        self.note(index, RefusedAttempt { reason, sent_at, refused_at });
    }

    /// Notes that a backup was stored, whose upload was admitted at `admitted`.
    pub(super) fn note_stored(&mut self, index: SystemIndex, admitted: DateTime<Utc>) {
        let system = &mut self.systems[index];
        system.refusal = refusal::after_backup(system.refusal, admitted);
    }

    fn note(&mut self, index: SystemIndex, attempt: RefusedAttempt) {
        let system = &mut self.systems[index];
        let standing = refusal::after_refusal(system.refusal, attempt, system.last_admitted_at());
        if standing != system.refusal {
            (system.refusal, system.changed) = (standing, true);
            self.changed = true;
        }
    }
}
