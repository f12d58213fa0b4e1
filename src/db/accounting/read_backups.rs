//! Reads the backups and uploads of locked systems.
//!
//! They need no lock of their own: whoever changes one that is not retired has locked its system. A lock would write each row once
//! more.
//!
//! Of a system with many backups only those are read on which a decision can depend: the oldest, which retention may choose, the
//! newest, and the open uploads with what is pledged to them. Its row says how many there are and how large they are
//! (`SystemRow::kept`), so [`SystemUsage`](crate::domain::accounting::SystemUsage) is exact without the others. If a transaction may
//! need more, all are read.

use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::prepared::prepared;
use super::super::schema::backups;
use super::super::{Conn, DbError};
use super::locked_backup::LockedBackup;
use super::locked_systems::LockedSystem;
use crate::domain::retention::{Retention, Unread, takes_only_oldest};
use crate::domain::row_state::BackupState;

/// A system with at most so many backups is read as a whole.
const MANY: u64 = 64;
macro_rules! oldest {
    () => {
        16
    };
}
/// How many of the oldest backups of a large system are read.
const OLDEST: usize = oldest!();

/// Reads the systems' backups and uploads, and stores them in `systems`.
pub(super) fn read(conn: &mut Conn, systems: &mut [LockedSystem], keep: Retention) -> Result<(), DbError> {
    let (mut large, mut whole): (Vec<_>, Vec<_>) =
        systems.iter_mut().partition(|system| system.row.kept().count > MANY && !system.needs.any_backup);
    if !large.is_empty() {
        let rows = prepared(ENDS, ids(&large).into_sql::<Array<SqlUuid>>()).load(conn)?;
        deal_out(rows, &mut large);
        whole.extend(large.into_iter().filter_map(|system| {
            let unread = unread_of(system, keep);
            system.unread = unread.unwrap_or_default();
            unread.is_none().then_some(system)
        }));
    }
    if !whole.is_empty() {
        let of_systems = backups::system_id.eq_any(ids(&whole));
        let query = backups::table.filter(of_systems.and(backups::state.ne(BackupState::Retired)));
        deal_out(query.select(LockedBackup::as_select()).load(conn)?, &mut whole);
    }
    Ok(())
}

/// The oldest backups of large systems, the newest, the newest one without damage, the open uploads, and what is pledged to those. A
/// row may come twice. (Only open uploads have no `seq`. With `state = 'receiving'` Postgres would read those of all systems.)
const ENDS: &str = concat!(
    "SELECT b.id, b.system_id, b.state, b.extension, b.filename, b.remote_addr, b.admitted_at, b.window_entry, b.want_bytes, \
         b.reserved_bytes, b.pledged_to, b.seq, b.size_bytes, b.uploaded_at, b.damage FROM unnest($*) AS large(id) CROSS JOIN LATERAL ( \
       (SELECT * FROM backups WHERE system_id = large.id AND state = 'stored' ORDER BY seq LIMIT ",
    oldest!(),
    ") \
       UNION ALL (SELECT * FROM backups WHERE system_id = large.id AND state = 'stored' AND seq IS NOT NULL ORDER BY seq DESC LIMIT 8) \
       UNION ALL SELECT * FROM backups WHERE id = (SELECT whole_backup_id FROM systems WHERE systems.id = large.id) AND state = 'stored' \
       UNION ALL SELECT * FROM backups WHERE system_id = large.id AND state <> 'retired' AND seq IS NULL \
       UNION ALL SELECT * FROM backups WHERE system_id = large.id AND state = 'stored' AND pledged_to IS NOT NULL \
         AND (SELECT EXISTS (SELECT FROM backups AS u WHERE u.system_id = large.id AND u.state <> 'retired' AND u.seq IS NULL)) \
     ) AS b"
);

/// Returns what was not read of a large system; `None` if a decision may depend on it, or if its row does not count right.
fn unread_of(system: &LockedSystem, keep: Retention) -> Option<Unread> {
    let (kept, read) = (system.row.kept(), &system.backups);
    let count = kept.count.checked_sub(read.len() as u64)?;
    let bytes = kept.bytes.checked_sub(read.iter().map(|backup| backup.size).sum())?;
    // The pledged ones are not there for other uploads.
    let oldest = read.iter().take(OLDEST).filter(|backup| backup.pledged_to.is_none());
    let oldest: Vec<u64> = oldest.map(|backup| backup.size).collect();
    let open = system.uploads.iter().map(|upload| upload.wanted_bytes);
    let wanted: Vec<u64> = open.chain(system.needs.wanted_bytes.iter().copied()).collect();
    takes_only_oldest(&oldest, kept, &wanted, keep).then_some(Unread { count, bytes })
}

fn ids(systems: &[&mut LockedSystem]) -> Vec<Uuid> {
    systems.iter().map(|system| system.row.id).collect()
}

/// Stores the rows in their systems. What was read before is replaced.
fn deal_out(mut rows: Vec<LockedBackup>, systems: &mut [&mut LockedSystem]) {
    rows.sort_by_key(|row| (row.seq, row.admitted_at, row.id));
    rows.dedup_by_key(|row| row.id);
    for system in systems {
        let (own, others) = rows.into_iter().partition(|row| row.system_id == system.row.id);
        (system.rows, rows) = (own, others);
        (system.uploads, system.backups, system.unread) = (vec![], vec![], Unread::default());
        for row in &system.rows {
            match row.state {
                BackupState::Receiving => system.uploads.push(row.as_upload()),
                BackupState::Stored => system.backups.push(row.as_backup()),
                // The query does not return retired rows.
                BackupState::Retired => {}
            }
        }
    }
}
