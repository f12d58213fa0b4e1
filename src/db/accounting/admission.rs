//! Letting uploads in, and granting them more.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::super::DbError;
use super::super::schema::backups;
use super::batch::Batch;
use super::operation::{Admission, Growth, Outcome};
use crate::domain::accounting::{self, QuotaExceeded};
use crate::domain::state::BackupState;
use crate::domain::window::{self, Window};

/// Uploads of one system that may be under way at once.
const MAX_OPEN_UPLOADS: usize = 4;

impl Batch<'_> {
    pub(super) fn admit(&mut self, index: usize, op: &Admission) -> Result<Outcome, DbError> {
        let system = &self.systems[index];
        if !system.is_active() {
            return Ok(Outcome::Revoked);
        }
        let id = op.backup.uuid();
        if system.upload(id).is_some() {
            return Ok(Outcome::Admitted);
        }
        self.settle_window(index)?;
        let system = &self.systems[index];
        let rate = self.policy.rate;
        let (entry, entries) = match window::decide(&system.row.recent_admissions, system.row.clock, rate) {
            Window::Open { entry, entries } => (entry, entries),
            Window::Closed { retry_after_seconds } => {
                return Ok(Outcome::RateLimited { retry_after_seconds });
            }
        };
        if system.uploads.len() >= MAX_OPEN_UPLOADS {
            return Ok(Outcome::TooManyOpen);
        }
        let after = match accounting::admit(&self.ledger(index), self.limits(index), id, op.want) {
            Ok(after) => after,
            Err(QuotaExceeded { below, crowded }) => return Ok(Outcome::QuotaExceeded { below, crowded }),
        };
        self.settle(index, after);
        self.facts.admitted.push((op.clone(), entry));
        // The next one of this batch is later: for an earlier clock this entry would be of the future.
        self.systems[index].row.clock = entry;
        // A window that nobody looks at need not be kept.
        if !rate.are_off() {
            self.set_admissions(index, entries);
        }
        Ok(Outcome::Admitted)
    }

    /// Moves entries of the system's window that lie in the future: the clock was stepped back. Written even
    /// if nothing is let in, or they would be as far ahead the next time.
    fn settle_window(&mut self, index: usize) -> Result<(), DbError> {
        let system = &self.systems[index].row;
        let (id, mut entries) = (system.id, system.recent_admissions.clone());
        let moved = window::settle(&mut entries, system.clock);
        if moved.is_empty() {
            return Ok(());
        }
        let conn = self.look()?;
        for (from, to) in &moved {
            // An upload under way has to find its own again, should its slot be given back. Its row is locked.
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

    pub(super) fn set_admissions(&mut self, index: usize, entries: Vec<DateTime<Utc>>) {
        let system = &mut self.systems[index];
        system.row.recent_admissions = entries;
        (system.changed, system.slides) = (true, true);
    }

    pub(super) fn grow(&mut self, index: usize, op: &Growth) -> Outcome {
        let id = op.backup.uuid();
        let system = &self.systems[index];
        if system.upload(id).is_none() {
            return if system.is_active() { Outcome::TakenBack } else { Outcome::Revoked };
        }
        match accounting::grow(&self.ledger(index), self.limits(index), id, op.want) {
            Ok(after) => {
                self.settle(index, after);
                Outcome::Granted
            }
            Err(QuotaExceeded { below, crowded }) => Outcome::QuotaExceeded { below, crowded },
        }
    }
}
