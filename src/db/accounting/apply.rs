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
use super::change::{BackupChange, Decisions, RetireReason};
use super::locked_systems::LockedSystem;
use super::org_totals::OrgTotals;

/// Writes all that differs from what was read.
pub(super) fn all(
    conn: &mut Conn,
    (books, writer, clock): (&[OrgTotals], Uuid, DateTime<Utc>),
    systems: &[LockedSystem],
    decisions: &Decisions,
) -> Result<(), DbError> {
    let changes = systems
        .iter()
        .flat_map(|system| system.rows.iter().map(move |row| BackupChange::of(row, system, decisions)))
        .filter_map(Result::transpose)
        .collect::<Result<Vec<_>, _>>()?;
    let totals = (
        column(books, |books| books.org_id.as_str()).into_sql::<Array<Text>>(),
        column(books, |books| to_bigint(books.stored)).into_sql::<Array<BigInt>>(),
        column(books, |books| to_bigint(books.reserved)).into_sql::<Array<BigInt>>(),
        writer.into_sql::<SqlUuid>(),
        clock.into_sql::<Timestamptz>(),
    );
    let upload = |id| systems.iter().find_map(|system| Some((system.org, system.upload(id)?)));
    let new = decisions.admitted.iter().map(|(op, entry)| {
        let (org, upload) = upload(op.backup.uuid())?;
        Some((op, books[org].org_id.as_str(), *entry, upload))
    });
    let gone = || DbError::Failed("an upload was taken back before it was written".to_owned());
    let new = &new.collect::<Option<Vec<_>>>().ok_or_else(gone)?;
    let admitted = (
        column(new, |(op, ..)| op.backup.uuid()).into_sql::<Array<SqlUuid>>(),
        column(new, |(op, ..)| op.system_id).into_sql::<Array<SqlUuid>>(),
        column(new, |(_, org, ..)| *org).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.object_key.as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.backup.ext().as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.filename.as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.mimetype.as_str()).into_sql::<Array<Text>>(),
        column(new, |(op, ..)| op.remote_addr.map(IpNet::from)).into_sql::<Array<Nullable<Inet>>>(),
        column(new, |(.., entry, _)| *entry).into_sql::<Array<Timestamptz>>(),
        column(new, |(.., upload)| to_bigint(upload.want)).into_sql::<Array<BigInt>>(),
        column(new, |(.., upload)| to_bigint(upload.reserved)).into_sql::<Array<BigInt>>(),
    );
    let rewritten = (
        column(&changes, |c| c.row.id).into_sql::<Array<SqlUuid>>(),
        column(&changes, |c| c.row.state.as_str()).into_sql::<Array<Text>>(),
        column(&changes, |c| c.state.as_str()).into_sql::<Array<Text>>(),
        column(&changes, |c| c.want.map(to_bigint)).into_sql::<Array<Nullable<BigInt>>>(),
        column(&changes, |c| to_bigint(c.reserved)).into_sql::<Array<BigInt>>(),
        column(&changes, |c| c.pledged_to).into_sql::<Array<Nullable<SqlUuid>>>(),
        column(&changes, |c| c.stored.map(|s| s.seq)).into_sql::<Array<Nullable<BigInt>>>(),
        column(&changes, |c| c.stored.map(|s| to_bigint(s.size))).into_sql::<Array<Nullable<BigInt>>>(),
        column(&changes, |c| c.stored.map(|s| s.sha256.as_slice())).into_sql::<Array<Nullable<Bytea>>>(),
        column(&changes, |c| c.stored.map(|s| s.encrypted)).into_sql::<Array<Nullable<Bool>>>(),
        column(&changes, |c| c.retired.map(RetireReason::as_str)).into_sql::<Array<Nullable<Text>>>(),
        column(&changes, |c| c.retired.map(RetireReason::pause)).into_sql::<Array<Nullable<Double>>>(),
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
        column(&counted, |system| system.released_slots).into_sql::<Array<BigInt>>(),
        column(&counted, |system| system.slides).into_sql::<Array<Bool>>(),
        column(&entries, |(system, _)| *system).into_sql::<Array<SqlUuid>>(),
        column(&entries, |(_, at)| *at).into_sql::<Array<Timestamptz>>(),
    );
    let sql = include_str!("apply.sql");
    let written: Written = prepared(sql, (totals, admitted, rewritten, counted)).get_result(conn)?;
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
