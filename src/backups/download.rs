//! Giving a backup back.

use std::net::IpAddr;

use futures_util::{TryStreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use super::downloads::{Download, Right};
use super::error::Outage;
use super::{Backup, READ_PATIENCE, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::Lane;
use crate::db::backups;
use crate::db::events::{self, Event};
use crate::domain::ids::BackupId;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

/// Who reads a backup, for the history.
#[derive(Clone)]
pub enum Reader {
    /// The appliance itself.
    System { remote_addr: Option<IpAddr>, right: Right },
    /// A portal, by the subject of its token.
    Caller { sub: String, remote_addr: Option<IpAddr> },
    /// Whoever has a signed address. The download was recorded when the address was given out.
    Link(Right),
}

impl Reader {
    /// The system itself, at this address.
    pub fn system(who: &SystemIdentity, remote_addr: Option<IpAddr>) -> Self {
        Self::System { remote_addr, right: Right::Credential(who.secret_sha256().clone()) }
    }

    /// What permits the download.
    fn right(&self) -> Right {
        match self {
            Self::System { right, .. } | Self::Link(right) => right.clone(),
            Self::Caller { .. } => Right::Token,
        }
    }
}

/// The largest backup that is shown as text, in bytes.
const LARGEST_TEXT: u64 = 1 << 20;

impl Vault {
    /// The system's stored backup with this id.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] if it is known to be damaged: it can't be given back.
    pub async fn find(&self, who: &SystemIdentity, id: BackupId) -> Result<Backup, ReadError> {
        self.find_of(who.id(), id).await
    }

    pub(super) async fn find_of(&self, system: Uuid, id: BackupId) -> Result<Backup, ReadError> {
        let query = move |conn: &mut _| backups::find(conn, system, id);
        let row = self.db.run(Lane::Reads, READ_PATIENCE, query).await?.ok_or(ReadError::NotFound)?;
        if row.damage.is_some() { Err(ReadError::Damaged) } else { Ok(row) }
    }

    /// Opens the backup's object, or a part of it, and records the download.
    pub async fn open(
        &self,
        row: &Backup,
        range: Option<ByteRange>,
        reader: Reader,
    ) -> Result<Download, ReadError> {
        let id = row.id;
        let place = self.downloads.enter(row.system_id, reader.right())?;
        let body = self.object(row, range).await?;
        // The client sees a connection that breaks, and the HTTP library does not know which backup it was.
        let body =
            body.inspect_err(move |error| log::error!("the download of backup {id} breaks off: {error}"));
        // An appliance that fetches the rest of a download that broke off is recorded once. Of portals every part is
        // recorded: support wants to know who has read what.
        let first = range.is_none_or(|part| part.first == 0);
        if first || matches!(reader, Reader::Caller { .. }) {
            let part = range.map_or(json!({}), |part| json!({ "first": part.first, "last": part.last }));
            self.record_download(row, reader, part).await;
        }
        Ok(Download::new(Box::pin(body), place))
    }

    /// The backup as text, in one piece; `None` if it is not UTF-8, or larger than 1 MiB. Recorded if it is handed out.
    pub async fn open_text(
        &self,
        row: &Backup,
        reader: Reader,
        handed_out: bool,
    ) -> Result<Option<Download>, ReadError> {
        if row.size > LARGEST_TEXT {
            return Ok(None);
        }
        let place = self.downloads.enter(row.system_id, reader.right())?;
        let read = self.object(row, None).await?.try_fold(vec![], |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        });
        let bytes = read.await.map_err(|error| ReadError::Unavailable(Outage::store(&error)))?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
        if handed_out {
            self.record_download(row, reader, json!({ "as": "text" })).await;
        }
        let text: ObjectBody = Box::pin(stream::iter([Ok(text.into())]));
        Ok(Some(Download::new(text, place)))
    }

    async fn object(&self, row: &Backup, range: Option<ByteRange>) -> Result<ObjectBody, ReadError> {
        match self.store.get(&row.object_key, row.size, range).await {
            Ok(body) => Ok(body),
            Err(error) => Err(self.unreadable(row, error).await),
        }
    }

    /// Writes the download to the history. A restore is not refused because that fails.
    pub(super) async fn record_download(&self, row: &Backup, reader: Reader, mut detail: Value) {
        let (actor, remote_addr) = match reader {
            Reader::System { remote_addr, .. } => ("system".to_owned(), remote_addr),
            Reader::Caller { sub, remote_addr } => {
                detail["with"] = json!("token");
                (sub, remote_addr)
            }
            Reader::Link(_) => return,
        };
        let event = Event {
            kind: "downloaded",
            org_id: row.org_id.clone(),
            system_id: Some(row.system_id),
            backup_id: Some(row.id.uuid()),
            actor,
            remote_addr,
            detail,
        };
        let tell = move |conn: &mut _| events::write(conn, std::slice::from_ref(&event));
        if let Err(error) = self.db.run(Lane::Reads, READ_PATIENCE, tell).await {
            log::warn!("record the download of backup {}: {error}", row.id);
        }
    }

    /// Checks that the backup's object is there, with the size that it should have.
    pub async fn check_object(&self, row: &Backup) -> Result<(), ReadError> {
        match self.store.head(&row.object_key).await {
            Ok(size) if size == row.size => Ok(()),
            Ok(size) => {
                let what =
                    format!("{} has {size} bytes, and had {} when it was stored", row.object_key, row.size);
                Err(self.unreadable(row, StoreError::Damaged(what)).await)
            }
            Err(error) => Err(self.unreadable(row, error).await),
        }
    }

    /// Why the backup's object can't be given out.
    async fn unreadable(&self, row: &Backup, error: StoreError) -> ReadError {
        match error {
            StoreError::NotFound => self.missing(row).await,
            StoreError::Damaged(what) => {
                log::error!("the object of stored backup {} is damaged: {what}", row.id);
                ReadError::Damaged
            }
            error => ReadError::Unavailable(Outage::store(&error)),
        }
    }

    /// The object was not found. Either the backup was pruned or deleted since its row was read, or the object is lost.
    async fn missing(&self, row: &Backup) -> ReadError {
        match self.find_of(row.system_id, row.id).await {
            Ok(_) => {
                log::error!("the object of stored backup {} is missing: {}", row.id, row.object_key);
                ReadError::Damaged
            }
            Err(error) => error,
        }
    }
}
