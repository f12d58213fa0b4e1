//! The downloads under way in this process: limits their number, and ends downloads that are no longer permitted.
//!
//! A download holds a descriptor of the store for as long as its client takes. So each download needs a permit, which is
//! released when the body of its response is dropped, whether the body was sent, broke off, or was never begun. The
//! authorization of a download may be withdrawn meanwhile: `tasks::revoke` checks that every second, and ends the download.
//! (A client that reads nothing is ended by `http::connections::response_timeouts`.)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::authorization::DownloadAuthorization;
use crate::backups::{DownloadError, ReadError};
use crate::db::access_state::CurrentAccess;

/// Concurrent downloads of one system for each kind of authorization. The kinds are counted apart, so that neither a portal
/// nor the owner of a link can prevent the restore of an appliance.
const MAX_PER_KIND: usize = 8;
/// Concurrent downloads by one link.
const MAX_PER_LINK: usize = 4;

/// The downloads under way in this process; cheap to clone.
#[derive(Clone, Default)]
pub struct OpenDownloads(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    /// The downloads of each system; a system without a download has no entry.
    systems: HashMap<Uuid, Vec<Entry>>,
    next: u64,
}

/// The downloads that were under way at some moment.
pub struct DownloadsSnapshot {
    /// The systems that had a download, without duplicates.
    pub systems: Vec<Uuid>,
    /// The number of the next download after the snapshot.
    before: u64,
}

struct Entry {
    number: u64,
    authorization: DownloadAuthorization,
    revoked: CancellationToken,
}

/// Counts one download as under way, until this is dropped.
pub(super) struct DownloadPermit {
    downloads: OpenDownloads,
    system: Uuid,
    number: u64,
    pub revoked: CancellationToken,
}

impl OpenDownloads {
    /// Returns a permit for a download of the system.
    ///
    /// # Errors
    /// [`ReadError::TooManyDownloads`] if a limit is reached.
    pub(super) fn acquire(
        &self,
        system: Uuid,
        authorization: DownloadAuthorization,
    ) -> Result<DownloadPermit, ReadError> {
        let mut open = self.lock();
        if open.systems.get(&system).is_some_and(|entries| is_full(entries, &authorization)) {
            return Err(ReadError::TooManyDownloads);
        }
        let (number, revoked) = (open.next, CancellationToken::new());
        open.next += 1;
        let entry = Entry { number, authorization, revoked: revoked.clone() };
        open.systems.entry(system).or_default().push(entry);
        Ok(DownloadPermit { downloads: self.clone(), system, number, revoked })
    }

    /// Returns the number of downloads under way.
    pub fn count(&self) -> usize {
        self.lock().systems.values().map(Vec::len).sum()
    }

    /// Returns the downloads that are under way at this moment.
    pub fn snapshot(&self) -> DownloadsSnapshot {
        let open = self.lock();
        DownloadsSnapshot { systems: open.systems.keys().copied().collect(), before: open.next }
    }

    /// Ends the downloads of `snapshot` that are no longer permitted. `found`: the states of their systems, read after the
    /// snapshot. Later downloads continue: their authorization may be newer than `found`.
    pub fn end_revoked(&self, snapshot: &DownloadsSnapshot, found: &HashMap<Uuid, CurrentAccess>) {
        let open = self.lock();
        for system in &snapshot.systems {
            let entries = open.systems.get(system).into_iter().flatten();
            for entry in entries.filter(|entry| entry.number < snapshot.before) {
                if !entry.authorization.is_valid(found.get(system)) && !entry.revoked.is_cancelled() {
                    log::info!("download of system {system} aborted: {}", DownloadError::Revoked);
                    entry.revoked.cancel();
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_full(entries: &[Entry], authorization: &DownloadAuthorization) -> bool {
    let of_kind = entries.iter().filter(|entry| entry.authorization.is_same_kind(authorization)).count();
    let of_link = entries.iter().filter(|entry| entry.authorization.is_same_link(authorization)).count();
    of_kind >= MAX_PER_KIND || of_link >= MAX_PER_LINK
}

impl Drop for DownloadPermit {
    fn drop(&mut self) {
        let mut open = self.downloads.lock();
        if let Some(entries) = open.systems.get_mut(&self.system) {
            entries.retain(|entry| entry.number != self.number);
            if entries.is_empty() {
                open.systems.remove(&self.system);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::basic::SecretSha256;
    use crate::db::access_state::AccessState;
    use crate::domain::row_state::SystemState;

    fn access_state(secret: u8) -> AccessState {
        AccessState { state: SystemState::Active, secret_sha256: vec![secret; 32], suspended_at: None }
    }

    fn link(signature: u8) -> DownloadAuthorization {
        DownloadAuthorization::link(vec![signature], access_state(1))
    }

    fn credential() -> DownloadAuthorization {
        DownloadAuthorization::Credential(SecretSha256::new([1; 32]))
    }

    #[test]
    fn a_permit_is_released_when_the_download_is_dropped() {
        let (downloads, one, other) = (OpenDownloads::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let acquire = |authorization| downloads.acquire(one, authorization);
        let token = || DownloadAuthorization::Token;
        let by_token: Vec<_> = (0..MAX_PER_KIND).map(|_| acquire(token()).unwrap()).collect();
        assert!(acquire(token()).is_err());
        let mut permits: Vec<_> = (0..MAX_PER_KIND).map(|_| acquire(credential()).unwrap()).collect();
        assert!(acquire(credential()).is_err());
        assert!(downloads.acquire(other, credential()).is_ok());
        let by_link: Vec<_> = (0..MAX_PER_LINK).map(|_| acquire(link(1)).unwrap()).collect();
        assert!(acquire(link(1)).is_err());
        let by_another: Vec<_> = (0..MAX_PER_LINK).map(|_| acquire(link(2)).unwrap()).collect();
        assert!(acquire(link(3)).is_err(), "as many as of any kind");
        permits.pop();
        assert!(acquire(credential()).is_ok());
        drop((permits, by_token, by_link, by_another));
        assert_eq!((downloads.count(), downloads.snapshot().systems.len()), (0, 0));
    }

    #[test]
    fn a_download_that_began_after_the_snapshot_goes_on() {
        let (downloads, system) = (OpenDownloads::default(), Uuid::from_u128(1));
        let old = downloads.acquire(system, credential()).unwrap();
        let snapshot = downloads.snapshot();
        let now = CurrentAccess { present: access_state(2), previous_secret_sha256: None };
        let found = HashMap::from([(system, now)]);
        let new = downloads.acquire(system, credential()).unwrap();
        downloads.end_revoked(&snapshot, &found);
        assert!(old.revoked.is_cancelled() && !new.revoked.is_cancelled());
    }
}
