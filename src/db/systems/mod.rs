//! The table `systems`, for operators and portals. Authentication reads it in [`super::credentials`].

mod add;
mod change;
mod details;
mod find;
mod in_full;
mod page;
mod secret;
mod summary;
mod totals;
mod unchanged;

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use uuid::Uuid;

use super::schema::{backups, systems};
use super::{Conn, DbError};
use crate::domain::ids::{BackupId, Extension};
use crate::domain::row_state::{BackupState, SystemState};

pub use add::{NewSystem, add};
pub use change::{Changed, SystemChange, change};
pub use details::{SystemDetails, details};
pub use find::{contact_period_of_org, find, one, others_with_name, similar_names};
pub use in_full::{SystemInFull, in_full};
pub use page::{Position, Sort, SortKey, SystemFilter, SystemPage, page};
pub use secret::{Rotated, rotate};
pub use summary::SystemSummary;
pub use totals::{StatusCount, count_by_status};
pub use unchanged::{UnchangedReport, note_unchanged};

/// A system's organization and name: enough to decide who may see it.
#[derive(Debug, Clone, Queryable)]
pub struct SystemBrief {
    pub org_id: String,
    /// The organization and all above it.
    pub path: Vec<String>,
    pub name: String,
}

/// Returns the organization and name of a system; `None` also if the system is being destroyed.
pub fn brief(conn: &mut Conn, id: Uuid) -> Result<Option<SystemBrief>, DbError> {
    Ok(systems::table
        .find(id)
        .filter(systems::state.ne(SystemState::Destroying))
        .select((
            systems::org_id,
            diesel::dsl::sql::<Array<Text>>("org_and_above(systems.org_id)"),
            systems::name,
        ))
        .first(conn)
        .optional()?)
}

/// A backup that counts in the totals.
#[derive(Debug, Clone, Copy)]
pub enum OpenRow {
    Stored(BackupId),
    Receiving(Uuid),
}

/// Returns the backups of a system that count in the totals.
pub fn open_rows(conn: &mut Conn, system: Uuid) -> Result<Vec<OpenRow>, DbError> {
    let rows: Vec<(Uuid, String, BackupState)> = backups::table
        .filter(backups::system_id.eq(system).and(backups::state.ne(BackupState::Retired)))
        .select((backups::id, backups::extension, backups::state))
        .load(conn)?;
    let open = |(id, extension, state): (Uuid, String, BackupState)| {
        let broken = || DbError::Failed(format!("backup {id} has no valid extension"));
        Ok(match state {
            BackupState::Receiving => Some(OpenRow::Receiving(id)),
            BackupState::Stored => {
                let extension = Extension::parse(&extension).ok_or_else(broken)?;
                Some(OpenRow::Stored(BackupId::new(id, extension)))
            }
            BackupState::Retired => None,
        })
    };
    rows.into_iter().map(open).filter_map(Result::transpose).collect()
}
