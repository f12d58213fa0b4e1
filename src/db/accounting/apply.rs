//! Writes what the operations of a transaction have decided.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Double, Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use ipnet::IpNet;
use uuid::Uuid;

use super::super::prepared::{column, prepared};
use super::super::{Conn, DbError, to_bigint};
use super::change::{BackupChange, Decisions, RetireReason};
use super::locked_systems::LockedSystem;
use super::operation::Admission;
use super::org_totals::OrgTotals;
use super::parameters::parameters;
use crate::domain::accounting::OpenUpload;

/// A new row of `backups`.
struct NewUpload<'a> {
    admission: &'a Admission,
    org: &'a str,
    /// Its entry in the rate limit's window.
    entry: DateTime<Utc>,
    upload: OpenUpload,
}

parameters! {
    /// All that a transaction writes, but for its events.
    Written for "apply.sql" {
        values {
            writer: Uuid as SqlUuid,
            clock: DateTime<Utc> as Timestamptz,
        }
        rows org(totals: OrgTotals) {
            id: Text = totals.org_id.as_str(),
            stored: BigInt = to_bigint(totals.stored),
            reserved: BigInt = to_bigint(totals.reserved),
        }
        rows new(new: NewUpload<'a>) {
            id: SqlUuid = new.admission.backup.uuid(),
            system: SqlUuid = new.admission.system_id,
            org: Text = new.org,
            key: Text = new.admission.object_key.as_str(),
            extension: Text = new.admission.backup.ext().as_str(),
            filename: Text = new.admission.filename.as_str(),
            mimetype: Text = new.admission.mimetype.as_str(),
            addr: Nullable<Inet> = new.admission.remote_addr.map(IpNet::from),
            entry: Timestamptz = new.entry,
            want: BigInt = to_bigint(new.upload.want),
            reserved: BigInt = to_bigint(new.upload.reserved),
        }
        rows change(change: BackupChange<'a>) {
            id: SqlUuid = change.row.id,
            was: Text = change.row.state.as_str(),
            state: Text = change.state.as_str(),
            want: Nullable<BigInt> = change.want.map(to_bigint),
            reserved: BigInt = to_bigint(change.reserved),
            pledged_to: Nullable<SqlUuid> = change.pledged_to,
            seq: Nullable<BigInt> = change.stored.map(|stored| stored.seq),
            size: Nullable<BigInt> = change.stored.map(|stored| to_bigint(stored.size)),
            sha256: Nullable<Bytea> = change.stored.map(|stored| stored.sha256.as_slice()),
            encrypted: Nullable<Bool> = change.stored.map(|stored| stored.encrypted),
            reason: Nullable<Text> = change.retired.map(RetireReason::as_str),
            pause: Nullable<Double> = change.retired.map(RetireReason::pause),
        }
        rows system(system: &'a LockedSystem) {
            id: SqlUuid = system.row.id,
            last_seq: BigInt = system.row.last_seq,
            released_slots: BigInt = system.released_slots,
            slides: Bool = system.slides,
        }
        rows entry(entry: (Uuid, DateTime<Utc>)) {
            system: SqlUuid = entry.0,
            at: Timestamptz = entry.1,
        }
    }
}

/// Writes all that differs from what was read.
pub(super) fn all(
    conn: &mut Conn,
    (org, writer, clock): (&[OrgTotals], Uuid, DateTime<Utc>),
    systems: &[LockedSystem],
    decisions: &Decisions,
) -> Result<(), DbError> {
    let change = systems
        .iter()
        .flat_map(|system| system.rows.iter().map(move |row| BackupChange::of(row, system, decisions)))
        .filter_map(Result::transpose)
        .collect::<Result<Vec<_>, _>>()?;
    let new = decisions.admitted.iter().map(|(admission, entry)| {
        let id = admission.backup.uuid();
        let found = systems.iter().find_map(|system| Some((system.org, system.upload(id)?)));
        let missing = || DbError::Failed(format!("upload {id} was rolled back before it was written"));
        let (place, upload) = found.ok_or_else(missing)?;
        Ok(NewUpload { admission, org: &org[place].org_id, entry: *entry, upload })
    });
    let new = new.collect::<Result<Vec<_>, DbError>>()?;
    let system: Vec<_> = systems.iter().filter(|system| system.changed).collect();
    let slides = system.iter().filter(|system| system.slides);
    let entries = |system: &&LockedSystem| {
        let id = system.row.id;
        system.row.recent_admissions.iter().map(move |at| (id, *at)).collect::<Vec<_>>()
    };
    let entry: Vec<_> = slides.flat_map(entries).collect();
    let written = Written { writer, clock, org, new: &new, change: &change, system: &system, entry: &entry };
    let rows: Rows = prepared(Written::sql(), written.values()).get_result(conn)?;
    if rows.changed == i64::try_from(change.len()).unwrap_or(i64::MAX) {
        Ok(())
    } else {
        Err(DbError::Failed("a locked row was not as it had been read".to_owned()))
    }
}

#[derive(QueryableByName)]
struct Rows {
    #[diesel(sql_type = BigInt)]
    changed: i64,
}
