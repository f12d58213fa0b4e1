//! A row of `backups`, as a transaction has read it while its system is locked.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use ipnet::IpNet;
use uuid::Uuid;

use super::super::from_bigint;
use super::super::schema::backups;
use crate::domain::accounting::{OpenUpload, StoredBackup};
use crate::domain::row_state::BackupState;

/// A row of a stored backup or an open upload as it was read.
#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = backups)]
pub(super) struct LockedBackup {
    pub id: Uuid,
    pub system_id: Uuid,
    pub state: BackupState,
    pub extension: String,
    pub filename: String,
    pub remote_addr: Option<IpNet>,
    pub admitted_at: DateTime<Utc>,
    pub window_entry: Option<DateTime<Utc>>,
    want_bytes: i64,
    reserved_bytes: i64,
    pub pledged_to: Option<Uuid>,
    pub seq: Option<i64>,
    size_bytes: Option<i64>,
    pub uploaded_at: Option<DateTime<Utc>>,
    pub damage: Option<String>,
}

impl LockedBackup {
    pub fn as_upload(&self) -> OpenUpload {
        OpenUpload {
            id: self.id,
            wanted_bytes: from_bigint(self.want_bytes),
            reserved: from_bigint(self.reserved_bytes),
        }
    }

    pub fn as_backup(&self) -> StoredBackup {
        let size = from_bigint(self.size_bytes.unwrap_or(0));
        StoredBackup { id: self.id, size, pledged_to: self.pledged_to }
    }
}
