//! Writing what the domain decided.

use diesel::prelude::*;
use diesel::sql_types::{Double, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::schema::{backups, org_usage};
use super::super::{Conn, DbError, to_bigint};
use super::ledger::Books;
use crate::domain::accounting::Ledger;

/// Why a backup is retired, as in `backups.retired_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Slots,
    Size,
    System,
    Operator,
    Failed,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Size => "size",
            Self::System => "system",
            Self::Operator => "operator",
            Self::Failed => "failed",
        }
    }
}

/// How long a failed upload's row stays: a paused process or an aborted PUT may still land late.
const TOMBSTONE_SECONDS: f64 = 3600.0;

/// Writes the rows that differ and takes the new totals into the books.
pub(super) fn changes(
    conn: &mut Conn,
    books: &mut Books,
    before: &Ledger,
    after: &Ledger,
) -> Result<(), DbError> {
    let changes = before.changes_to(after);
    for (backup, pledged_to) in changes.pledges {
        diesel::update(backups::table.find(backup)).set(backups::pledged_to.eq(pledged_to)).execute(conn)?;
    }
    for upload in changes.uploads {
        diesel::update(backups::table.find(upload.id))
            .set((
                backups::want_bytes.eq(to_bigint(upload.want)),
                backups::reserved_bytes.eq(to_bigint(upload.reserved)),
            ))
            .execute(conn)?;
    }
    books.stored = after.stored_bytes;
    books.reserved = after.reserved_bytes;
    Ok(())
}

/// Retires a row that is in state `from`; its object may go when `purge_after` has come.
pub(super) fn retire(conn: &mut Conn, id: Uuid, from: &str, reason: Reason) -> Result<bool, DbError> {
    let seconds = if reason == Reason::Failed { TOMBSTONE_SECONDS } else { 0.0 };
    let changed = diesel::sql_query(
        "UPDATE backups SET state = 'retired', retired_reason = $3, retired_at = clock_timestamp(), \
           purge_after = clock_timestamp() + make_interval(secs => $4), reserved_bytes = 0, pledged_to = NULL \
         WHERE id = $1 AND state = $2",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(from)
    .bind::<Text, _>(reason.as_str())
    .bind::<Double, _>(seconds)
    .execute(conn)?;
    Ok(changed == 1)
}

/// Writes the organization's totals.
pub(super) fn books(conn: &mut Conn, books: &Books) -> Result<(), DbError> {
    diesel::update(org_usage::table.find(&books.org_id))
        .set((
            org_usage::stored_bytes.eq(to_bigint(books.stored)),
            org_usage::reserved_bytes.eq(to_bigint(books.reserved)),
        ))
        .execute(conn)?;
    Ok(())
}
