//! Giving a backup back.

use std::net::IpAddr;

use serde_json::json;

use super::error::Outage;
use super::{READ_PATIENCE, ReadError, SystemIdentity, Vault};
use crate::db::Lane;
use crate::db::backups::{self, StoredRow};
use crate::db::events::{self, Event};
use crate::domain::ids::BackupId;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

impl Vault {
    /// The system's backup with this id, fit to be given back.
    pub async fn find(&self, who: &SystemIdentity, id: BackupId) -> Result<StoredRow, ReadError> {
        let system = who.id();
        let query = move |conn: &mut _| backups::find(conn, system, id);
        let row = self.db.run(Lane::Reads, READ_PATIENCE, query).await?.ok_or(ReadError::NotFound)?;
        if row.damage.is_some() { Err(ReadError::Damaged) } else { Ok(row) }
    }

    /// Opens the backup's object, or a part of it, and writes down that it was downloaded.
    pub async fn open(
        &self,
        who: &SystemIdentity,
        row: &StoredRow,
        range: Option<ByteRange>,
        remote_addr: Option<IpAddr>,
    ) -> Result<ObjectBody, ReadError> {
        let body = match self.store.get(&row.object_key, range).await {
            Ok(body) => body,
            Err(StoreError::NotFound) => return Err(self.missing(who, row).await),
            Err(error) => return Err(ReadError::Unavailable(Outage::store(&error))),
        };
        let detail = range.map_or(json!({}), |part| json!({ "first": part.first, "last": part.last }));
        let event = Event {
            kind: "downloaded",
            org_id: row.org_id.clone(),
            system_id: Some(row.system_id),
            backup_id: Some(row.id.uuid()),
            actor: "system".to_owned(),
            remote_addr,
            detail,
        };
        let tell = move |conn: &mut _| events::write(conn, std::slice::from_ref(&event));
        self.db.run(Lane::Reads, READ_PATIENCE, tell).await?;
        Ok(body)
    }

    /// No object: either the backup was pruned between the two looks, or it is lost.
    async fn missing(&self, who: &SystemIdentity, row: &StoredRow) -> ReadError {
        match self.find(who, row.id).await {
            Ok(_) => {
                log::error!("the object of stored backup {} is missing: {}", row.id, row.object_key);
                ReadError::Damaged
            }
            Err(error) => error,
        }
    }
}
