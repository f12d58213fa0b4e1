//! Downloads: finds a stored backup, opens its object, and records the reader.
//!
//! [`authorization`]: what permits a download. [`open_downloads`]: the downloads under way. [`record`]: the history.
//! [`stream`]: the bytes that the client receives.

mod authorization;
mod open_downloads;
mod record;
mod stream;

use futures_util::{TryStreamExt, stream as streams};
use uuid::Uuid;

pub use authorization::{DownloadAuthorization, Reader};
pub use open_downloads::OpenDownloads;
pub use record::DownloadKey;
pub use stream::DownloadStream;

use super::error::Outage;
use super::{Backup, READ_TIMEOUT, ReadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::Lane;
use crate::db::backups;
use crate::domain::ids::BackupId;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

/// The largest backup that is shown as text, in bytes.
const MAX_TEXT_SIZE: u64 = 1 << 20;

impl Vault {
    /// Returns the system's stored backup with this id.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] if the backup is known to be damaged: it can't be downloaded.
    pub async fn find(&self, identity: &SystemIdentity, id: BackupId) -> Result<Backup, ReadError> {
        self.find_backup(identity.id(), id).await
    }

    pub(super) async fn find_backup(&self, system: Uuid, id: BackupId) -> Result<Backup, ReadError> {
        let query = move |conn: &mut _| backups::find(conn, system, id);
        let row = self.db.run(Lane::General, READ_TIMEOUT, query).await?.ok_or(ReadError::NotFound)?;
        if row.damage.is_some() { Err(ReadError::Damaged) } else { Ok(row) }
    }

    /// Opens the backup's object, or a part of it, and records the download.
    pub async fn open_download(
        &self,
        row: &Backup,
        range: Option<ByteRange>,
        reader: Reader,
    ) -> Result<DownloadStream, ReadError> {
        let id = row.id;
        let permit = self.downloads.acquire(row.system_id, reader.authorization())?;
        let body = self.open_object(row, range).await?;
        // The client sees a broken connection, and the HTTP library does not know the backup.
        let body =
            body.inspect_err(move |error| log::error!("the download of backup {id} broke off: {error}"));
        self.record_download(row, &reader, range).await;
        Ok(DownloadStream::new(Box::pin(body), permit))
    }

    /// Returns the backup as text, in one piece; `None` if it is not UTF-8, or larger than 1 MiB. Records the download if the
    /// text is `handed_out`.
    pub async fn open_text(
        &self,
        row: &Backup,
        reader: Reader,
        handed_out: bool,
    ) -> Result<Option<DownloadStream>, ReadError> {
        if row.size > MAX_TEXT_SIZE {
            return Ok(None);
        }
        let permit = self.downloads.acquire(row.system_id, reader.authorization())?;
        let read = self.open_object(row, None).await?.try_fold(vec![], |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        });
        let bytes = read.await.map_err(|error| ReadError::Unavailable(Outage::store(&error)))?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
        if handed_out {
            self.record_text(row, &reader).await;
        }
        let text: ObjectBody = Box::pin(streams::iter([Ok(text.into())]));
        Ok(Some(DownloadStream::new(text, permit)))
    }

    async fn open_object(&self, row: &Backup, range: Option<ByteRange>) -> Result<ObjectBody, ReadError> {
        match self.store.get(&row.object_key, row.size, range).await {
            Ok(body) => Ok(body),
            Err(error) => Err(self.read_error(row, error).await),
        }
    }

    /// Checks that the backup's object exists and has the size that it had when it was stored.
    pub async fn check_object(&self, row: &Backup) -> Result<(), ReadError> {
        match self.store.head(&row.object_key).await {
            Ok(size) if size == row.size => Ok(()),
            Ok(size) => {
                let what =
                    format!("{} has {size} bytes, and had {} when it was stored", row.object_key, row.size);
                Err(self.read_error(row, StoreError::Damaged(what)).await)
            }
            Err(error) => Err(self.read_error(row, error).await),
        }
    }

    /// Returns the reason why the backup's object can't be downloaded.
    async fn read_error(&self, row: &Backup, error: StoreError) -> ReadError {
        match error {
            StoreError::NotFound => self.missing_object(row).await,
            StoreError::Damaged(what) => {
                log::error!("the object of stored backup {} is damaged: {what}", row.id);
                ReadError::Damaged
            }
            error => ReadError::Unavailable(Outage::store(&error)),
        }
    }

    /// Returns the reason why the object was not found: the backup was pruned or deleted since its row was read, or the object
    /// is lost.
    async fn missing_object(&self, row: &Backup) -> ReadError {
        match self.find_backup(row.system_id, row.id).await {
            Ok(_) => {
                log::error!("the object of stored backup {} is missing: {}", row.id, row.object_key);
                ReadError::Damaged
            }
            Err(error) => error,
        }
    }
}
