//! Addresses with which anybody can get one backup for a short time.
//!
//! With an S3 store the address is a presigned URL, and the client gets the backup from the engine. With the local store
//! the service serves it itself, at an address that carries an HMAC-SHA256 over the backup's id and the second at which
//! the address expires. The key for that is in the database, so any process accepts what another one has signed.
//!
//! Either way the download is recorded when the address is given out, because an engine does not tell us when somebody
//! uses it.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::json;
use sha2::Sha256;

use super::{Backup, ManagedSystem, READ_PATIENCE, ReadError, Vault};
use crate::db::{DbError, Lane, backups, signing_keys};
use crate::domain::filename::Filename;
use crate::domain::ids::BackupId;

/// How long the key is kept in memory, so that made-up addresses cost no queries.
const KEY_KEPT: Duration = Duration::from_mins(1);

/// How long addresses are valid, and the key that they are signed with.
pub struct Links {
    valid_for: Duration,
    key: Mutex<Option<(Instant, SecretSlice<u8>)>>,
}

impl Links {
    pub fn new(valid_for: Duration) -> Self {
        Self { valid_for, key: Mutex::default() }
    }

    fn kept(&self) -> Option<SecretSlice<u8>> {
        self.lock().as_ref().filter(|(at, _)| at.elapsed() < KEY_KEPT).map(|(_, key)| key.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, SecretSlice<u8>)>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a backup can be fetched.
pub enum Link {
    /// At the store's engine, by this presigned URL.
    Store(String),
    /// At the service, by an address with this signature in it.
    Own(Signed),
}

/// The parts of a signed address: whoever shows them is given the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub backup: BackupId,
    /// Seconds since the Unix epoch.
    pub expires: u64,
    /// HMAC-SHA256.
    pub signature: Vec<u8>,
}

impl Signed {
    fn new(key: &[u8], backup: BackupId, expires: u64) -> Option<Self> {
        let signature = mac(key, backup, expires)?.finalize().into_bytes().to_vec();
        Some(Self { backup, expires, signature })
    }

    /// Whether it was signed with this key and has not expired. The signature is compared in constant time.
    fn holds(&self, key: &[u8], now: u64) -> bool {
        let signed = mac(key, self.backup, self.expires);
        signed.is_some_and(|mac| mac.verify_slice(&self.signature).is_ok()) && now < self.expires
    }
}

fn mac(key: &[u8], backup: BackupId, expires: u64) -> Option<Hmac<Sha256>> {
    // A key of any length will do.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(format!("strongroom download\n{backup}\n{expires}").as_bytes());
    Some(mac)
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
        let valid_for = self.links.valid_for;
        let filename = system.name_of(row);
        let link = if let Some(url) = self.store.presign(&row.object_key, valid_for, filename.as_str()) {
            Link::Store(url)
        } else {
            let expires = now() + valid_for.as_secs();
            let signed = Signed::new(self.signing_key().await?.expose_secret(), row.id, expires);
            Link::Own(signed.ok_or_else(|| DbError::Failed("a signing key that can't be used".to_owned()))?)
        };
        self.record_download(row, system.reader(remote_addr), json!({ "by": "address" })).await;
        Ok((link, valid_for.as_secs()))
    }

    /// The backup that a signed address leads to, and the file name of the download.
    ///
    /// # Errors
    /// [`ReadError::BadLink`] if we have not signed the address, or it has expired.
    pub async fn follow(&self, signed: &Signed) -> Result<(Backup, Filename), ReadError> {
        if !signed.holds(self.signing_key().await?.expose_secret(), now()) {
            return Err(ReadError::BadLink);
        }
        let id = signed.backup;
        let query = move |conn: &mut _| backups::find_named(conn, id);
        let found = self.db.run(Lane::Reads, READ_PATIENCE, query).await?;
        let (row, system) = found.ok_or(ReadError::NotFound)?;
        if row.damage.is_some() {
            return Err(ReadError::Damaged);
        }
        let filename = Filename::for_download(&system, row.uploaded_at.date_naive(), &row.filename);
        Ok((row, filename))
    }

    async fn signing_key(&self) -> Result<SecretSlice<u8>, ReadError> {
        if let Some(key) = self.links.kept() {
            return Ok(key);
        }
        let key = self.db.run(Lane::Reads, READ_PATIENCE, signing_keys::downloads).await?;
        *self.links.lock() = Some((Instant::now(), key.clone()));
        Ok(key)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> BackupId {
        BackupId::parse(text).unwrap()
    }

    #[test]
    fn an_address_holds_for_its_backup_its_time_and_its_key() {
        let one = id("018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg");
        let key = [7; 32];
        let signed = Signed::new(&key, one, 1000).unwrap();
        assert!(signed.holds(&key, 0) && signed.holds(&key, 999));
        assert!(!signed.holds(&key, 1000) && !signed.holds(&key, u64::MAX), "its time is over");
        assert!(!signed.holds(&[8; 32], 999), "another key");
        let mut flipped = signed.signature.clone();
        flipped[31] ^= 1;
        let mut longer = signed.signature.clone();
        longer.push(0);
        let forged = [
            Signed { expires: 1001, ..signed.clone() },
            Signed { backup: id("018f3a5c-7b1e-7c3d-9a2b-0123456789ab.bin"), ..signed.clone() },
            Signed { backup: id("018f3a5c-7b1e-7c3d-9a2b-0123456789ac.gpg"), ..signed.clone() },
            Signed { signature: flipped, ..signed.clone() },
            Signed { signature: signed.signature[..31].to_vec(), ..signed.clone() },
            Signed { signature: longer, ..signed.clone() },
            Signed { signature: vec![], ..signed.clone() },
        ];
        for forged in forged {
            assert!(!forged.holds(&key, 999), "{forged:?}");
        }
    }
}
