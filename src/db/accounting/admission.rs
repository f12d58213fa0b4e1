//! Letting uploads in, and granting them more.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::super::DbError;
use super::super::schema::{backups, systems};
use super::batch::Batch;
use super::operation::{Admission, Growth, Outcome};
use super::{apply, ledger};
use crate::domain::accounting::{self, QuotaExceeded};
use crate::domain::window::{self, Window};

/// Uploads of one system that may be under way at once.
const MAX_OPEN_UPLOADS: usize = 4;

impl Batch<'_> {
    pub(super) fn admit(&mut self, index: usize, op: &Admission) -> Result<Outcome, DbError> {
        let system = self.systems[index].clone();
        if !system.is_active() {
            return Ok(Outcome::Revoked);
        }
        let before = ledger::read(self.conn, &self.books, system.id)?;
        if before.uploads.iter().any(|upload| upload.id == op.backup.uuid()) {
            return Ok(Outcome::Admitted);
        }
        let clock = ledger::clock(self.conn)?;
        let admissions: Vec<_> = system.recent_admissions.iter().flatten().copied().collect();
        let (entry, entries) = match window::decide(&admissions, clock, self.policy.rate) {
            Window::Open { entry, entries } => (entry, entries),
            Window::Closed { retry_after_seconds } => {
                return Ok(Outcome::RateLimited { retry_after_seconds });
            }
        };
        if before.uploads.len() >= MAX_OPEN_UPLOADS {
            return Ok(Outcome::TooManyOpen);
        }
        let limits = self.books.limits;
        let after = match accounting::admit(&before, limits, op.backup.uuid(), op.want) {
            Ok(after) => after,
            Err(QuotaExceeded { below }) => return Ok(Outcome::QuotaExceeded { below }),
        };
        self.insert_receiving(op, clock, entry)?;
        apply::changes(self.conn, &mut self.books, &before, &after)?;
        self.set_admissions(index, entries, false)?;
        Ok(Outcome::Admitted)
    }

    fn insert_receiving(
        &mut self,
        op: &Admission,
        now: DateTime<Utc>,
        entry: DateTime<Utc>,
    ) -> Result<(), DbError> {
        diesel::insert_into(backups::table)
            .values((
                backups::id.eq(op.backup.uuid()),
                backups::system_id.eq(op.system_id),
                backups::org_id.eq(&self.books.org_id),
                backups::object_key.eq(op.object_key.as_str()),
                backups::extension.eq(op.backup.ext().as_str()),
                backups::state.eq("receiving"),
                backups::filename.eq(op.filename.as_str()),
                backups::mimetype.eq(op.mimetype.as_str()),
                backups::writer.eq(self.policy.writer),
                backups::remote_addr.eq(op.remote_addr.map(ipnet::IpNet::from)),
                backups::admitted_at.eq(now),
                backups::window_entry.eq(entry),
                backups::want_bytes.eq(0),
                backups::reserved_bytes.eq(0),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    pub(super) fn set_admissions(
        &mut self,
        index: usize,
        entries: Vec<DateTime<Utc>>,
        given_back: bool,
    ) -> Result<(), DbError> {
        let system = &mut self.systems[index];
        system.recent_admissions = entries.into_iter().map(Some).collect();
        diesel::update(systems::table.find(system.id))
            .set((
                systems::recent_admissions.eq(&system.recent_admissions),
                systems::window_epoch.eq(systems::window_epoch + i64::from(given_back)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    pub(super) fn grow(&mut self, index: usize, op: &Growth) -> Result<Outcome, DbError> {
        let before = ledger::read(self.conn, &self.books, op.system_id)?;
        let id = op.backup.uuid();
        if !before.uploads.iter().any(|upload| upload.id == id) {
            let active = self.systems[index].is_active();
            return Ok(if active { Outcome::TakenBack } else { Outcome::Revoked });
        }
        match accounting::grow(&before, self.books.limits, id, op.want) {
            Ok(after) => {
                apply::changes(self.conn, &mut self.books, &before, &after)?;
                Ok(Outcome::Granted)
            }
            Err(QuotaExceeded { below }) => Ok(Outcome::QuotaExceeded { below }),
        }
    }
}
