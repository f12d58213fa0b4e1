//! The downloads under way in this process: how many there may be at once, and which of them have to end.
//!
//! A download holds a descriptor of the store for as long as its client takes. So each takes a place, which it gives back
//! when its response's body is dropped, whether that was sent, broke off, or was never begun. What a download was begun
//! with may be withdrawn meanwhile: `tasks::revoke` looks for that every second, and ends it. (A client that takes nothing
//! is the connection's concern: `http::connection`.)

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use uuid::Uuid;

use super::Signed;
use crate::auth::basic::SecretSha256;
use crate::db::access_state::AccessState;
use crate::domain::row_state::SystemState;
use crate::store::{ObjectBody, StoreError};

/// Downloads of one system at a time by its secret. By tokens there may be as many again, and by links, so that neither a
/// portal nor whoever has a link can keep an appliance from being restored.
const OF_KIND: usize = 8;
/// Downloads by one link at a time.
const OF_LINK: usize = 4;

/// What permits a download.
#[derive(Clone)]
pub enum Right {
    /// The secret of the system: for as long as it is let in with it.
    Credential(SecretSha256),
    /// A token, for which nothing is looked up: for as long as there is the system.
    Token,
    /// A link: for as long as its system stands as it did when the link was made.
    Link { standing: Arc<AccessState>, signature: Vec<u8> },
}

impl Right {
    pub(super) fn link(signed: &Signed, standing: AccessState) -> Self {
        Self::Link { standing: Arc::new(standing), signature: signed.signature.clone() }
    }

    /// Whether a download that it has begun may go on. `now`: the system; `None` if it is gone.
    fn holds(&self, now: Option<&AccessState>) -> bool {
        let Some(now) = now else { return false };
        match self {
            Self::Credential(secret) => now.state.is_active() && now.secret_sha256 == *secret.bytes(),
            Self::Token => now.state != SystemState::Destroying,
            Self::Link { standing, .. } => now == standing.as_ref(),
        }
    }

    fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn is_same_link(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Link { signature: a, .. }, Self::Link { signature: b, .. }) if a == b)
    }
}

/// Who downloads in this process; cheap to clone.
#[derive(Clone, Default)]
pub struct Downloads(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    /// By system; none without a download.
    systems: HashMap<Uuid, Vec<Entry>>,
    next: u64,
}

/// The downloads that were under way at some moment.
pub struct UnderWay {
    /// Each once.
    pub systems: Vec<Uuid>,
    /// Later downloads have this number or a higher one.
    before: u64,
}

struct Entry {
    number: u64,
    right: Right,
    revoked: CancellationToken,
}

/// There are as many downloads under way as there may be.
#[derive(Debug)]
pub(super) struct TooMany;

/// One download, until this is dropped.
pub(super) struct Place {
    downloads: Downloads,
    system: Uuid,
    number: u64,
    revoked: CancellationToken,
}

impl Downloads {
    pub(super) fn enter(&self, system: Uuid, right: Right) -> Result<Place, TooMany> {
        let mut open = self.lock();
        if open.systems.get(&system).is_some_and(|entries| is_full(entries, &right)) {
            return Err(TooMany);
        }
        let (number, revoked) = (open.next, CancellationToken::new());
        open.next += 1;
        let entry = Entry { number, right, revoked: revoked.clone() };
        open.systems.entry(system).or_default().push(entry);
        Ok(Place { downloads: self.clone(), system, number, revoked })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().systems.values().map(Vec::len).sum()
    }

    /// Those under way at this moment.
    pub fn now(&self) -> UnderWay {
        let open = self.lock();
        UnderWay { systems: open.systems.keys().copied().collect(), before: open.next }
    }

    /// Ends those of these downloads that are not permitted any more. `found`: their systems, as they are since then. What
    /// has begun since may be permitted by something that is newer than `found`.
    pub fn end_revoked(&self, looked_at: &UnderWay, found: &HashMap<Uuid, AccessState>) {
        let open = self.lock();
        for system in &looked_at.systems {
            let entries = open.systems.get(system).into_iter().flatten();
            for entry in entries.filter(|entry| entry.number < looked_at.before) {
                if !entry.right.holds(found.get(system)) && !entry.revoked.is_cancelled() {
                    log::info!("download of system {system} aborted: {}", BrokenOff::Revoked);
                    entry.revoked.cancel();
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_full(entries: &[Entry], right: &Right) -> bool {
    let of_kind = entries.iter().filter(|entry| entry.right.is_same_kind(right)).count();
    let of_link = entries.iter().filter(|entry| entry.right.is_same_link(right)).count();
    of_kind >= OF_KIND || of_link >= OF_LINK
}

impl Drop for Place {
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

/// Why a download broke off. The connection is closed: the client must not take what it has for the whole.
#[derive(Debug, thiserror::Error)]
pub enum BrokenOff {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("access was revoked (system suspended, secret rotated, or system destroyed)")]
    Revoked,
}

/// The bytes of a download under way.
pub struct Download {
    body: ObjectBody,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    place: Place,
}

impl Download {
    pub(super) fn new(body: ObjectBody, place: Place) -> Self {
        Self { body, end: Box::pin(place.revoked.clone().cancelled_owned()), place }
    }

    /// Cancelled when the download has to end, also while nobody asks for its bytes.
    pub fn revoked(&self) -> CancellationToken {
        self.place.revoked.clone()
    }
}

impl Stream for Download {
    type Item = Result<Bytes, BrokenOff>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(BrokenOff::Revoked)));
        }
        self.body.as_mut().poll_next(context).map_err(BrokenOff::Store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> AccessState {
        AccessState { state: SystemState::Active, secret_sha256: vec![1; 32], suspended_at: None }
    }

    fn link(signature: u8) -> Right {
        Right::Link { standing: Arc::new(standing()), signature: vec![signature] }
    }

    fn credential() -> Right {
        Right::Credential(SecretSha256::new([1; 32]))
    }

    #[test]
    fn a_place_is_free_again_when_the_download_is_dropped() {
        let (downloads, one, other) = (Downloads::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let enter = |right| downloads.enter(one, right);
        let by_token: Vec<_> = (0..OF_KIND).map(|_| enter(Right::Token).unwrap()).collect();
        assert!(enter(Right::Token).is_err());
        let mut places: Vec<_> = (0..OF_KIND).map(|_| enter(credential()).unwrap()).collect();
        assert!(enter(credential()).is_err());
        assert!(downloads.enter(other, credential()).is_ok());
        let by_link: Vec<_> = (0..OF_LINK).map(|_| enter(link(1)).unwrap()).collect();
        assert!(enter(link(1)).is_err());
        let by_another: Vec<_> = (0..OF_LINK).map(|_| enter(link(2)).unwrap()).collect();
        assert!(enter(link(3)).is_err(), "as many as of any kind");
        places.pop();
        assert!(enter(credential()).is_ok());
        drop((places, by_token, by_link, by_another));
        assert_eq!((downloads.count(), downloads.now().systems.len()), (0, 0));
    }

    #[test]
    fn a_download_that_began_after_its_system_was_looked_at_goes_on() {
        let (downloads, system) = (Downloads::default(), Uuid::from_u128(1));
        let old = downloads.enter(system, credential()).unwrap();
        let looked_at = downloads.now();
        let found = HashMap::from([(system, AccessState { secret_sha256: vec![2; 32], ..standing() })]);
        let new = downloads.enter(system, credential()).unwrap();
        downloads.end_revoked(&looked_at, &found);
        assert!(old.revoked.is_cancelled() && !new.revoked.is_cancelled());
    }

    #[test]
    fn a_download_ends_when_what_permitted_it_is_withdrawn() {
        let suspended = AccessState { state: SystemState::Suspended, ..standing() };
        let rotated = AccessState { secret_sha256: vec![2; 32], ..standing() };
        let destroying = AccessState { state: SystemState::Destroying, ..standing() };
        for (now, by_credential, by_token, by_link) in [
            (Some(standing()), true, true, true),
            (Some(suspended), false, true, false),
            (Some(rotated), false, true, false),
            (Some(destroying), false, false, false),
            (None, false, false, false),
        ] {
            let holds = |right: Right| right.holds(now.as_ref());
            let all = (holds(credential()), holds(Right::Token), holds(link(1)));
            assert_eq!(all, (by_credential, by_token, by_link));
        }
    }
}
