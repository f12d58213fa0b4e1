//! Writing what the operations of a batch have decided.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Double, Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use ipnet::IpNet;
use uuid::Uuid;

use super::super::prepared::{column, prepared};
use super::super::{Conn, DbError, to_bigint};
use super::batch::Books;
use super::ledger::{BackupRow, System};
use super::operation::Admission;

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

    /// After how many seconds the object may go.
    fn pause(self) -> f64 {
        if self == Self::Failed { TOMBSTONE_SECONDS } else { 0.0 }
    }
}

/// How long a failed upload's row stays: a paused process or an aborted PUT may still land late.
const TOMBSTONE_SECONDS: f64 = 3600.0;

/// What can't be told from the difference between the rows as they were read and as they are to be.
#[derive(Default)]
pub(super) struct Facts {
    /// New uploads, with their entries in the rate limit's window.
    pub admitted: Vec<(Admission, DateTime<Utc>)>,
    pub stored: Vec<Stored>,
    pub retired: Vec<(Uuid, Reason)>,
}

/// Of an upload that is complete.
pub(super) struct Stored {
    pub id: Uuid,
    pub seq: i64,
    pub size: u64,
    pub sha256: [u8; 32],
    pub encrypted: bool,
}

/// A row of `backups` as it has to be.
struct Change<'a> {
    row: &'a BackupRow,
    state: &'static str,
    want: Option<u64>,
    reserved: u64,
    pledged_to: Option<Uuid>,
    stored: Option<&'a Stored>,
    retired: Option<Reason>,
}

impl<'a> Change<'a> {
    /// `None` if there is nothing to write.
    fn of(row: &'a BackupRow, system: &System, facts: &'a Facts) -> Result<Option<Self>, DbError> {
        let stored = facts.stored.iter().find(|stored| stored.id == row.id);
        let change =
            Self { row, state: "retired", want: None, reserved: 0, pledged_to: None, stored, retired: None };
        if let Some(upload) = system.upload(row.id) {
            let (want, reserved) = (Some(upload.want), upload.reserved);
            let change = Self { state: "receiving", want, reserved, ..change };
            return Ok((upload != row.as_upload()).then_some(change));
        }
        if let Some(backup) = system.backups.iter().find(|backup| backup.id == row.id) {
            let pledged_to = backup.pledged_to;
            let change = Self { state: "stored", pledged_to, ..change };
            return Ok((stored.is_some() || pledged_to != row.pledged_to).then_some(change));
        }
        let reason = facts.retired.iter().find(|(id, _)| *id == row.id).map(|(_, reason)| *reason);
        let unknown = || DbError::Failed(format!("backup {} left the books for no reason", row.id));
        Ok(Some(Self { retired: Some(reason.ok_or_else(unknown)?), ..change }))
    }
}

/// Writes all that differs from what was read.
pub(super) fn all(
    conn: &mut Conn,
    (books, writer, clock): (&Books, Uuid, DateTime<Utc>),
    systems: &[System],
    facts: &Facts,
) -> Result<(), DbError> {
    let changes = systems
        .iter()
        .flat_map(|system| system.rows.iter().map(move |row| Change::of(row, system, facts)))
        .filter_map(Result::transpose)
        .collect::<Result<Vec<_>, _>>()?;
    let totals = (
        books.org_id.as_str().into_sql::<Text>(),
        to_bigint(books.stored).into_sql::<BigInt>(),
        to_bigint(books.reserved).into_sql::<BigInt>(),
        writer.into_sql::<SqlUuid>(),
        clock.into_sql::<Timestamptz>(),
    );
    let upload = |id| systems.iter().find_map(|system| system.upload(id));
    let new: Vec<_> = facts
        .admitted
        .iter()
        .filter_map(|(op, entry)| upload(op.backup.uuid()).map(|upload| (op, *entry, upload)))
        .collect();
    let new = &new;
    let admitted = (
        column(new, |(op, ..)| op.backup.uuid()).into_sql::<Array<SqlUuid>>(),
        column(new, |(op, ..)| op.system_id).into_sql::<Array<SqlUuid>>(),
        column(new, |(op, ..)| op.object_key.as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.backup.ext().as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.filename.as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.mimetype.as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.remote_addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
        column(new, |(_, entry, _)| *entry).into_sql::<Array<Timestamptz>>(),
        column(new, |(.., upload)| to_bigint(upload.want)).into_sql::<Array<BigInt>>(),
        column(new, |(.., upload)| to_bigint(upload.reserved)).into_sql::<Array<BigInt>>(),
    );
    let changed = (
        column(&changes, |c| c.row.id).into_sql::<Array<SqlUuid>>(),
        column(&changes, |c| c.row.state.as_str()).into_sql::<Array<Text>>(),
        column(&changes, |c| c.state).into_sql::<Array<Text>>(),
        column(&changes, |c| c.want.map(to_bigint)).into_sql::<Array<Nullable<BigInt>>>(),
        column(&changes, |c| to_bigint(c.reserved)).into_sql::<Array<BigInt>>(),
        column(&changes, |c| c.pledged_to).into_sql::<Array<Nullable<SqlUuid>>>(),
        column(&changes, |c| c.stored.map(|s| s.seq)).into_sql::<Array<Nullable<BigInt>>>(),
        column(&changes, |c| c.stored.map(|s| to_bigint(s.size))).into_sql::<Array<Nullable<BigInt>>>(),
        column(&changes, |c| c.stored.map(|s| s.sha256.as_slice())).into_sql::<Array<Nullable<Bytea>>>(),
        column(&changes, |c| c.stored.map(|s| s.encrypted)).into_sql::<Array<Nullable<Bool>>>(),
        column(&changes, |c| c.retired.map(Reason::as_str)).into_sql::<Array<Nullable<Text>>>(),
        column(&changes, |c| c.retired.map(Reason::pause)).into_sql::<Array<Nullable<Double>>>(),
    );
    let counted: Vec<_> = systems.iter().filter(|system| system.changed).collect();
    let entries: Vec<_> = counted
        .iter()
        .filter(|system| system.slides)
        .flat_map(|system| system.row.recent_admissions.iter().map(|at| (system.row.id, *at)))
        .collect();
    let counted = (
        column(&counted, |system| system.row.id).into_sql::<Array<SqlUuid>>(),
        column(&counted, |system| system.row.last_seq).into_sql::<Array<BigInt>>(),
        column(&counted, |system| system.given_back).into_sql::<Array<BigInt>>(),
        column(&counted, |system| system.slides).into_sql::<Array<Bool>>(),
        column(&entries, |(system, _)| *system).into_sql::<Array<SqlUuid>>(),
        column(&entries, |(_, at)| *at).into_sql::<Array<Timestamptz>>(),
    );
    let sql = include_str!("apply.sql");
    let written: Written = prepared(sql, (totals, admitted, changed, counted)).get_result(conn)?;
    if written.changed == i64::try_from(changes.len()).unwrap_or(i64::MAX) {
        Ok(())
    } else {
        Err(DbError::Failed("a locked row was not as it had been read".to_owned()))
    }
}

#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = BigInt)]
    changed: i64,
}
