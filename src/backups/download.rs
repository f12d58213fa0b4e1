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
        if range.is_none_or(|part| part.first == 0) {
            self.tell_downloaded(row, remote_addr).await;
        }
        Ok(body)
    }

    /// Once a download, however many parts it is fetched in. A restore is not refused because its
    /// event can't be written.
    async fn tell_downloaded(&self, row: &StoredRow, remote_addr: Option<IpAddr>) {
        let event = Event {
            kind: "downloaded",
            org_id: row.org_id.clone(),
            system_id: Some(row.system_id),
            backup_id: Some(row.id.uuid()),
            actor: "system".to_owned(),
            remote_addr,
            detail: json!({}),
        };
        let tell = move |conn: &mut _| events::write(conn, std::slice::from_ref(&event));
        if let Err(error) = self.db.run(Lane::Reads, READ_PATIENCE, tell).await {
            log::warn!("write down that backup {} was downloaded: {error}", row.id);
        }
    }

    /// Whether the backup's object is there and whole, as far as its size tells.
    pub async fn check_object(&self, who: &SystemIdentity, row: &StoredRow) -> Result<(), ReadError> {
        match self.store.head(&row.object_key).await {
            Ok(size) if size == row.size => Ok(()),
            Ok(_) => Err(ReadError::Damaged),
            Err(StoreError::NotFound) => Err(self.missing(who, row).await),
            Err(error) => Err(ReadError::Unavailable(Outage::store(&error))),
        }
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
