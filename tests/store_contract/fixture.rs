//! What the tests of every store share.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use strongroom::domain::ids::{BackupId, Extension, OrgId, SystemKey};
use strongroom::domain::object_key::ObjectKey;
use strongroom::domain::range::ByteRange;
use strongroom::store::{BlobStore, BodyInterrupted, ObjectMetadata, PutBody, PutError, StoreError};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use crate::common::content;

/// Lists what a store contains besides objects: temporary files, unfinished uploads.
pub type Leftovers = Box<dyn Fn() -> BoxFuture<'static, Vec<String>> + Send + Sync>;

/// A store under test.
pub struct Subject {
    pub store: Arc<dyn BlobStore>,
    leftovers: Leftovers,
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl Subject {
    pub fn new(store: impl BlobStore, leftovers: Leftovers) -> Self {
        let store = Arc::new(store);
        let keep = Vec::new();
        Self { store, leftovers, keep }
    }

    /// Keeps a value that must live as long as the store.
    pub fn keeping(mut self, what: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(what));
        self
    }

    pub async fn put(&self, key: &ObjectKey, content: &[u8]) {
        let body = whole(content);
        let size = self.store.put(key, Some(content.len() as u64), metadata(), body).await.unwrap();
        assert_eq!(size, content.len() as u64);
    }

    pub async fn read(&self, key: &ObjectKey) -> Result<Vec<u8>, StoreError> {
        read(&*self.store, key, None).await
    }

    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let found: Vec<_> = self.store.list(prefix).try_collect().await.unwrap();
        let mut keys: Vec<_> = found.into_iter().map(|info| info.key.to_string()).collect();
        keys.sort();
        keys
    }

    /// Waits until the store has no leftovers.
    pub async fn assert_no_leftovers(&self) {
        let start = Instant::now();
        loop {
            let left = (self.leftovers)().await;
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "left: {left:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Checks that this object does not exist, and that the attempt has left nothing.
    pub async fn assert_nothing_of(&self, key: &ObjectKey) {
        self.assert_no_leftovers().await;
        assert!(is_not_found(&self.store.head(key).await), "{key} exists");
        assert!(is_not_found(&self.read(key).await), "{key} can be read");
        assert_eq!(self.keys(key.as_str()).await, Vec::<String>::new());
    }
}

pub async fn read(
    store: &dyn BlobStore,
    key: &ObjectKey,
    range: Option<ByteRange>,
) -> Result<Vec<u8>, StoreError> {
    let body = store.get(key, store.head(key).await?, range).await?;
    body.try_fold(Vec::new(), |mut all, chunk| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
}

pub fn is_not_found<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound))
}

pub fn is_unavailable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable { .. }))
}

pub fn is_damaged<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged(_)))
}

/// Returns the message of a call that the store failed.
pub fn unavailable_error<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(error @ StoreError::Unavailable { .. }) => error.to_string(),
        other => panic!("not an error of the store: {other:?}"),
    }
}

/// Returns the message of a put that the store failed.
pub fn put_error(result: Result<u64, PutError>) -> String {
    match result {
        Err(PutError::Store(error @ StoreError::Unavailable { .. })) => error.to_string(),
        other => panic!("not an error of the store: {other:?}"),
    }
}

pub fn key(org: &str, system: &str) -> ObjectKey {
    let org = OrgId::parse(org).unwrap();
    let system = SystemKey::parse(system).unwrap();
    ObjectKey::new(&org, &system, BackupId::new(Uuid::now_v7(), Extension::Gpg))
}

/// Returns an object's metadata.
pub fn metadata() -> &'static ObjectMetadata {
    static METADATA: LazyLock<ObjectMetadata> = LazyLock::new(|| ObjectMetadata {
        filename: "fw-01.tar.gz.gpg".to_owned(),
        mimetype: "application/pgp-encrypted".to_owned(),
        system_id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
        sha256: None,
    });
    &METADATA
}

/// Removes the leftovers of unfinished puts, except those of `alive` keys; returns their number.
pub async fn remove_leftovers_except(store: &dyn BlobStore, alive: &[ObjectKey]) -> usize {
    let mut left = store.find_leftovers().await.unwrap();
    left.retain(|left| left.key.as_ref().is_none_or(|key| !alive.contains(key)));
    store.remove_leftovers(&left).await.unwrap()
}

pub fn body(items: Vec<Result<Bytes, BodyInterrupted>>) -> PutBody {
    Box::pin(stream::iter(items))
}

pub fn whole(content: &[u8]) -> PutBody {
    chunked(content, 64 << 10)
}

pub fn chunked(content: &[u8], size: usize) -> PutBody {
    let chunks = content.chunks(size).map(Bytes::copy_from_slice).map(Ok);
    body(chunks.collect())
}

/// Returns a body that the test sends piece by piece. It ends when the sender is dropped.
pub fn channel() -> (mpsc::Sender<Bytes>, PutBody) {
    let (sender, receiver) = mpsc::channel(1);
    let next = |mut receiver: mpsc::Receiver<Bytes>| async move {
        let chunk = receiver.recv().await?;
        Some((Ok(chunk), receiver))
    };
    (sender, stream::unfold(receiver, next).boxed())
}

/// Polls a future until it has been pending `times` times, waits for `wait`, and drops it. `None` if it was not
/// done by then.
pub async fn poll_and_drop<F: Future>(future: F, times: usize, wait: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut pending = 0;
    poll_fn(move |context| match Pin::as_mut(&mut future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            pending += 1;
            if pending < times {
                return Poll::Pending;
            }
            let start = Instant::now();
            while start.elapsed() < wait {
                std::thread::yield_now();
            }
            Poll::Ready(None)
        }
    })
    .await
}
