//! Addresses with which anybody can get one backup for a short time.
//!
//! With an S3 store the address is a presigned URL, and the client gets the backup from the engine. With the local store
//! the service serves it itself, at an address that carries a signature ([`signature`]).
//!
//! Either way the download is recorded when the address is given out, because an engine does not tell us when somebody
//! uses it.

mod keys;
mod signature;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::json;

pub use keys::Links;
pub use signature::Signed;

use super::downloads::Right;
use super::{Backup, ManagedSystem, READ_PATIENCE, ReadError, Reader, Vault};
use crate::db::{DbError, Lane, access_state, backups, signing_keys};
use crate::domain::filename::Filename;

/// By how much the clocks of the fleet and of its database may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(30);

/// Where a backup can be fetched.
pub enum Link {
    /// At the store's engine, by this presigned URL.
    Store(String),
    /// At the service, by an address with this signature in it.
    Own(Signed),
}

/// What a signed address leads to.
pub struct Followed {
    pub row: Backup,
    /// The file name of the download.
    pub filename: Filename,
    pub reader: Reader,
}

impl Vault {
    /// An address for the backup, and for how many seconds it is valid.
    pub async fn link(
        &self,
        system: &ManagedSystem,
        row: &Backup,
        remote_addr: Option<IpAddr>,
    ) -> Result<(Link, u64), ReadError> {
        // An engine would answer whoever follows the address with an error of its own, so look first.
        self.check_object(row).await?;
        let valid_for = self.links.valid_for();
        let filename = system.name_of(row);
        let link = if let Some(url) = self.store.presign(&row.object_key, valid_for, filename.as_str()) {
            Link::Store(url)
        } else {
            Link::Own(self.sign(row, now() + valid_for.as_secs()).await?)
        };
        self.record_download(row, system.reader(remote_addr), json!({ "by": "address" })).await;
        Ok((link, valid_for.as_secs()))
    }

    async fn sign(&self, row: &Backup, expires: u64) -> Result<Signed, ReadError> {
        let system = row.system_id;
        // Never with keys from memory: a link that is signed with a key that was replaced would hold for too short a time.
        let query = move |conn: &mut _| Ok((signing_keys::downloads(conn)?, access_state::of(conn, system)?));
        let (keys, standing) = self.db.run(Lane::Reads, READ_PATIENCE, query).await?;
        let standing = standing.ok_or(ReadError::NotFound)?;
        let signed = Signed::new(&keys.current, row.id, expires, &standing);
        Ok(signed.ok_or_else(|| DbError::Failed("a signing key that can't be used".to_owned()))?)
    }

    /// Finds out what a signed address leads to.
    ///
    /// # Errors
    /// [`ReadError::BadLink`] if we have not signed the address, it has expired, its key was withdrawn, or its system was
    /// suspended or its secret replaced since.
    pub async fn follow(&self, signed: &Signed) -> Result<Followed, ReadError> {
        // An address that anybody can make up costs no query of its own.
        if now() >= signed.expires || !self.links.may_be_signed(signed, &self.db).await? {
            return Err(ReadError::BadLink);
        }
        let id = signed.backup;
        let query = move |conn: &mut _| Ok((signing_keys::downloads(conn)?, backups::find_named(conn, id)?));
        let (keys, found) = self.db.run(Lane::Reads, READ_PATIENCE, query).await?;
        // With the keys as they are now: a withdrawn key ends its links at once.
        let key = self.links.key_of(signed, &keys).ok_or(ReadError::BadLink)?;
        let (row, system, standing) = found.ok_or(ReadError::NotFound)?;
        if !signed.is_for(key, &standing) {
            return Err(ReadError::BadLink);
        }
        if row.damage.is_some() {
            return Err(ReadError::Damaged);
        }
        let filename = Filename::for_download(&system, row.uploaded_at.date_naive(), &row.filename);
        let reader = Reader::Link(Right::link(signed, standing));
        Ok(Followed { row, filename, reader })
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
