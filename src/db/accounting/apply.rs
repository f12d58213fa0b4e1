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
use super::new_upload::NewUpload;
use super::org_totals::OrgTotals;
use super::parameters::parameters;
use super::written_system::WrittenSystem;

parameters! {
    /// All that a transaction writes, except its events.
    Written for "apply.sql" {
        values {
            writer: Uuid as SqlUuid,
            db_time: DateTime<Utc> as Timestamptz,
        }
        rows org(totals: OrgTotals) {
            id: Text = totals.org_id.as_str(),
            stored: BigInt = to_bigint(totals.stored),
            reserved: BigInt = to_bigint(totals.reserved),
        }
        rows new(new: NewUpload<'a>) {
            id: SqlUuid = new.admission.op.backup.uuid(),
            system: SqlUuid = new.admission.op.system_id,
            org: Text = new.org,
            key: Text = new.admission.op.object_key.as_str(),
            extension: Text = new.admission.op.backup.ext().as_str(),
            filename: Text = new.admission.op.filename.as_str(),
            mimetype: Text = new.admission.op.mimetype.as_str(),
            addr: Nullable<Inet> = new.admission.op.remote_addr.map(IpNet::from),
            entry: Timestamptz = new.admission.entry,
            at: Timestamptz = new.admission.at,
            wanted_bytes: BigInt = to_bigint(new.upload.wanted_bytes),
            reserved: BigInt = to_bigint(new.upload.reserved),
            seq: Nullable<BigInt> = new.stored.map(|stored| stored.seq),
            size: Nullable<BigInt> = new.stored.map(|stored| to_bigint(stored.size)),
            sha256: Nullable<Bytea> = new.stored.map(|stored| stored.sha256.as_slice()),
            encrypted: Nullable<Bool> = new.stored.map(|stored| stored.encrypted),
        }
        rows change(change: BackupChange<'a>) {
            id: SqlUuid = change.row.id,
            was: Text = change.row.state.as_str(),
            state: Text = change.state.as_str(),
            wanted_bytes: Nullable<BigInt> = change.wanted_bytes.map(to_bigint),
            reserved: BigInt = to_bigint(change.reserved),
            pledged_to: Nullable<SqlUuid> = change.pledged_to,
            seq: Nullable<BigInt> = change.stored.map(|stored| stored.seq),
            size: Nullable<BigInt> = change.stored.map(|stored| to_bigint(stored.size)),
            sha256: Nullable<Bytea> = change.stored.map(|stored| stored.sha256.as_slice()),
            encrypted: Nullable<Bool> = change.stored.map(|stored| stored.encrypted),
            reason: Nullable<Text> = change.retired.map(RetireReason::as_str),
            purge_delay: Nullable<Double> = change.retired.map(RetireReason::purge_delay_seconds),
        }
        rows system(system: WrittenSystem<'a>) {
            id: SqlUuid = system.locked.row.id,
            last_seq: BigInt = system.locked.row.last_seq,
            released_slots: BigInt = system.locked.released_slots,
            window_changed: Bool = system.locked.window_changed,
            kept: BigInt = to_bigint(system.facts.kept),
            bytes: BigInt = to_bigint(system.facts.bytes),
            newest: Nullable<SqlUuid> = system.facts.newest.as_ref().map(|backup| backup.id),
            newest_at: Nullable<Timestamptz> = system.facts.newest.as_ref().map(|backup| backup.stored_at),
            has_last: Bool = system.has_last,
            damage: Nullable<Text> = system.facts.newest.as_ref().and_then(|backup| backup.damage.as_deref()),
            whole: Nullable<SqlUuid> = system.facts.newest_whole.as_ref().map(|backup| backup.id),
            whole_at: Nullable<Timestamptz> = system.facts.newest_whole.as_ref().map(|backup| backup.stored_at),
            refused_at: Nullable<Timestamptz> = system.locked.refusal.map(|refusal| refusal.last.refused_at),
            refused_reason: Nullable<Text> = system.locked.refusal.map(|refusal| refusal.last.reason.as_str()),
            refused_since: Nullable<Timestamptz> = system.locked.refusal.map(|refusal| refusal.since),
            refused_upload_at: Nullable<Timestamptz> = system.locked.refusal.map(|refusal| refusal.last.sent_at),
            last_refusal_at: Nullable<Timestamptz> = system.locked.last_refusal.map(|(at, _)| at),
            last_refusal_reason: Nullable<Text> = system.locked.last_refusal.map(|(_, reason)| reason.as_str()),
            seen: Bool = system.locked.seen.is_some(),
            seen_from: Nullable<Inet> = system.locked.seen.as_ref().and_then(|contact| contact.from).map(IpNet::from),
        }
        rows entry(entry: (Uuid, DateTime<Utc>)) {
            system: SqlUuid = entry.0,
            at: Timestamptz = entry.1,
        }
    }
}

/// Writes everything that differs from what was read.
pub(super) fn write_changes(
    conn: &mut Conn,
    (writer, db_time): (Uuid, DateTime<Utc>),
    totals: &[OrgTotals],
    systems: &[LockedSystem],
    decisions: &Decisions,
) -> Result<(), DbError> {
    let changes = systems
        .iter()
        .flat_map(|system| system.rows.iter().map(move |row| BackupChange::of(row, system, decisions)))
        .filter_map(Result::transpose)
        .collect::<Result<Vec<_>, _>>()?;
    let uploads = decisions.admitted.iter().map(|admission| NewUpload::of(admission, systems, decisions));
    let uploads = uploads.collect::<Result<Vec<_>, _>>()?;
    let changed_systems = systems.iter().filter(|system| system.changed);
    let changed_systems: Vec<_> =
        changed_systems.map(|system| WrittenSystem::of(system, decisions, db_time)).collect();
    let changed_windows = changed_systems.iter().filter(|system| system.locked.window_changed);
    let entries_of = |system: &WrittenSystem| {
        let (id, system) = (system.locked.row.id, system.locked);
        system.row.recent_admissions.iter().map(move |at| (id, *at)).collect::<Vec<_>>()
    };
    let entries: Vec<_> = changed_windows.flat_map(entries_of).collect();
    let written = Written {
        writer,
        db_time,
        org: totals,
        new: &uploads,
        change: &changes,
        system: &changed_systems,
        entry: &entries,
    };
    let rows: Rows = prepared(Written::sql(), written.values()).get_result(conn)?;
    if rows.changed == i64::try_from(changes.len()).unwrap_or(i64::MAX) {
        Ok(())
    } else {
        Err(DbError::Failed("a locked row has changed since it was read".to_owned()))
    }
}

#[derive(QueryableByName)]
struct Rows {
    #[diesel(sql_type = BigInt)]
    changed: i64,
}
