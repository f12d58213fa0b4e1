//! The reports of appliances that their configuration is unchanged: `systems.unchanged_at`.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::prepared::prepared;
use super::super::{Conn, DbError};

/// The result of [`note_unchanged`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnchangedReport {
    Noted,
    /// The report does not count: the configuration that is unchanged is not stored.
    NotStored,
    /// The system is not active.
    Inactive,
}

#[derive(QueryableByName)]
struct Noted {
    #[diesel(sql_type = Bool)]
    noted: bool,
}

/// Records that the system has reported its configuration as unchanged, if its last upload is stored, and that backup is neither
/// damaged nor deleted.
pub fn note_unchanged(conn: &mut Conn, system: Uuid) -> Result<UnchangedReport, DbError> {
    let sql = "WITH given (id) AS (SELECT $*), noted AS ( \
             UPDATE systems AS s SET unchanged_at = clock_timestamp() FROM given \
             WHERE s.id = given.id AND s.standing = 'stored' \
                 AND EXISTS (SELECT FROM backups b WHERE b.id = s.last_backup_id AND b.seq = s.last_seq) RETURNING s.id) \
         SELECT EXISTS (SELECT FROM noted) AS noted FROM systems s JOIN given USING (id) WHERE s.state = 'active'";
    let row: Option<Noted> = prepared(sql, system.into_sql::<SqlUuid>()).get_result(conn).optional()?;
    Ok(match row {
        Some(Noted { noted: true }) => UnchangedReport::Noted,
        Some(Noted { noted: false }) => UnchangedReport::NotStored,
        None => UnchangedReport::Inactive,
    })
}
