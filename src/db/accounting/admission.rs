//! Admits uploads, and grants open uploads more bytes.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::super::DbError;
use super::super::schema::backups;
use super::change::NewAdmission;
use super::locked_systems::SystemIndex;
use super::operation::{Admission, Growth, OperationOutcome};
use super::transaction::Transaction;
use crate::domain::accounting::{self, QuotaExceeded};
use crate::domain::rate_window::{self, RateDecision};
use crate::domain::row_state::BackupState;

impl Transaction<'_> {
    pub(super) fn admit(&mut self, index: SystemIndex, op: &Admission) -> Result<OperationOutcome, DbError> {
        let system = &self.systems[index];
        if !system.is_active() {
            return Ok(OperationOutcome::Revoked);
        }
        let id = op.backup.uuid();
        if system.upload(id).is_some() {
            return Ok(OperationOutcome::Admitted { at: self.db_time });
        }
        self.clamp_window(index)?;
        let system = &self.systems[index];
        let rate = self.policy.rate;
        let (entry, entries) =
            match rate_window::decide(&system.row.recent_admissions, system.row.db_time, rate) {
                RateDecision::Admit { entry, entries } => (entry, entries),
                RateDecision::Refuse { retry_after_seconds } => {
                    return Ok(OperationOutcome::RateLimited { retry_after_seconds });
                }
            };
        if system.uploads.len() >= accounting::MAX_OPEN_UPLOADS {
            return Ok(OperationOutcome::TooManyOpen);
        }
        let after = match accounting::admit(&self.usage(index), self.limits(index), id, op.wanted_bytes) {
            Ok(after) => after,
            Err(QuotaExceeded { refused_below_bytes, blocked_by_reservations }) => {
                return Ok(OperationOutcome::QuotaExceeded { refused_below_bytes, blocked_by_reservations });
            }
        };
        // Later than all that was sent before, even if the clock was set back: the times of admissions order the uploads of a
        // system.
        let after_all = system.last_sent_at().map(|last| last + TimeDelta::microseconds(1));
        let at = after_all.map_or(entry, |after_all| entry.max(after_all));
        self.set_usage(index, after);
        self.decisions.admitted.push(NewAdmission { op: op.clone(), entry, at });
        self.systems[index].admitted_at = Some(at);
        self.note_seen(index, op.remote_addr);
        // The next entry of this transaction is later.
        self.systems[index].row.db_time = entry + TimeDelta::microseconds(1);
        // The window is kept only for a rate limit.
        if !rate.are_off() {
            self.set_admissions(index, entries);
        }
        Ok(OperationOutcome::Admitted { at })
    }

    /// If the database's clock was set back, moves the window's entries that lie in the future back to it. The moved entries
    /// are written even if the upload is refused: otherwise the next admission would find them in the future again.
    fn clamp_window(&mut self, index: SystemIndex) -> Result<(), DbError> {
        let system = &self.systems[index].row;
        let (id, mut entries) = (system.id, system.recent_admissions.clone());
        let moved = rate_window::clamp_to_clock(&mut entries, system.db_time);
        if moved.is_empty() {
            return Ok(());
        }
        let conn = self.flushed_connection()?;
        for (from, to) in &moved {
            // An open upload's row names its entry, so that its slot can be released. The row is locked.
            let of_entry = backups::system_id.eq(id).and(backups::window_entry.eq(from));
            diesel::update(backups::table.filter(of_entry.and(backups::state.eq(BackupState::Receiving))))
                .set(backups::window_entry.eq(to))
                .execute(conn)?;
        }
        for row in &mut self.systems[index].rows {
            let to = moved.iter().find(|(from, _)| row.window_entry == Some(*from));
            row.window_entry = to.map_or(row.window_entry, |(_, to)| Some(*to));
        }
        self.set_admissions(index, entries);
        self.changed = true;
        Ok(())
    }

    pub(super) fn set_admissions(&mut self, index: SystemIndex, entries: Vec<DateTime<Utc>>) {
        let system = &mut self.systems[index];
        system.row.recent_admissions = entries;
        (system.changed, system.window_changed) = (true, true);
    }

    pub(super) fn grow(&mut self, index: SystemIndex, op: &Growth) -> OperationOutcome {
        let id = op.backup.uuid();
        let system = &self.systems[index];
        if system.upload(id).is_none() {
            return if system.is_active() {
                OperationOutcome::NotUnderWay
            } else {
                OperationOutcome::Revoked
            };
        }
        match accounting::grow(&self.usage(index), self.limits(index), id, op.wanted_bytes) {
            Ok(after) => {
                self.set_usage(index, after);
                OperationOutcome::Granted
            }
            Err(QuotaExceeded { refused_below_bytes, blocked_by_reservations }) => {
                OperationOutcome::QuotaExceeded { refused_below_bytes, blocked_by_reservations }
            }
        }
    }
}
