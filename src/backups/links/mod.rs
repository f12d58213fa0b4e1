//! Links: addresses at which any client can download one backup for a short time.
//!
//! With an S3 store the link is a presigned URL, and the client downloads the backup from the S3 server. With the local
//! store the service serves it, at an address that contains a signature ([`signature`]).
//!
//! It is recorded who makes a link. The use of a link is recorded with the local store only: an S3 server does not report it.

mod keys;
mod signature;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

pub use keys::Links;
pub use signature::SignedLink;

use super::download::DownloadAuthorization;
use super::{Backup, READ_TIMEOUT, ReadError, Reader, Vault, VisibleSystem};
use crate::db::{DbError, Lane, access_state, backups, signing_keys};
use crate::domain::filename::Filename;

/// The largest difference between the clocks of the processes and of their database.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(30);

/// Where a backup can be downloaded.
pub enum Link {
    /// At the S3 server, by this presigned URL.
    Store(String),
    /// At the service, by an address with this signature in it.
    Own(SignedLink),
}

/// The target of a signed link.
pub struct ResolvedLink {
    pub row: Backup,
    /// The file name of the download.
    pub filename: Filename,
    pub reader: Reader,
}

impl Vault {
    /// Returns a new link to the backup, and the number of seconds for which it is valid.
    pub async fn link(
        &self,
        system: &VisibleSystem,
        row: &Backup,
        remote_addr: Option<IpAddr>,
    ) -> Result<(Link, u64), ReadError> {
        // Without the object, an S3 server would answer a client that follows the link with an error of its own.
        self.check_object(row).await?;
        let valid_for = self.links.valid_for();
        let filename = system.download_filename(row);
        let link = if let Some(url) = self.store.presign(&row.object_key, valid_for, filename.as_str()) {
            Link::Store(url)
        } else {
            Link::Own(self.sign(row, now() + valid_for.as_secs()).await?)
        };
        self.record_link(row, &system.reader(remote_addr)).await;
        Ok((link, valid_for.as_secs()))
    }

    async fn sign(&self, row: &Backup, expires: u64) -> Result<SignedLink, ReadError> {
        let system = row.system_id;
        // Read the keys: a link that is signed with a replaced key from memory would be valid for too short a time.
        let query = move |conn: &mut _| Ok((signing_keys::downloads(conn)?, access_state::of(conn, system)?));
        let (keys, access_state) = self.db.run(Lane::General, READ_TIMEOUT, query).await?;
        let access_state = access_state.ok_or(ReadError::NotFound)?;
        let signed = SignedLink::new(&keys.current, row.id, expires, &access_state);
        Ok(signed.ok_or_else(|| DbError::Failed("a signing key that can't be used".to_owned()))?)
    }

    /// Returns the backup that a signed link leads to.
    ///
    /// # Errors
    /// [`ReadError::InvalidLink`] if the service has not signed the link, the link has expired, its key was withdrawn, or
    /// since then its system was suspended, or the system's secret was replaced and is no longer valid.
    pub async fn resolve_link(
        &self,
        signed: &SignedLink,
        remote_addr: Option<IpAddr>,
    ) -> Result<ResolvedLink, ReadError> {
        // A forged link must not cost a query of its own.
        if now() >= signed.expires || !self.links.may_be_signed(signed, &self.db).await? {
            return Err(ReadError::InvalidLink);
        }
        let id = signed.backup;
        let query = move |conn: &mut _| Ok((signing_keys::downloads(conn)?, backups::find_named(conn, id)?));
        let (keys, found) = self.db.run(Lane::General, READ_TIMEOUT, query).await?;
        // Use the present keys: a withdrawn key ends its links at once.
        let key = self.links.find_signing_key(signed, &keys).ok_or(ReadError::InvalidLink)?;
        let (row, system, access) = found.ok_or(ReadError::NotFound)?;
        let access_state =
            access.states().find(|state| signed.is_for(key, state)).ok_or(ReadError::InvalidLink)?;
        if row.damage.is_some() {
            return Err(ReadError::Damaged);
        }
        let filename = Filename::for_download(&system, row.uploaded_at.date_naive(), &row.filename);
        let authorization = DownloadAuthorization::link(signed.signature.clone(), access_state);
        let reader = Reader::Link { remote_addr, authorization };
        Ok(ResolvedLink { row, filename, reader })
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
