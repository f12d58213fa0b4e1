//! A store behind a proxy that injects faults into calls to its engine.

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use strongroom::domain::ids::{BackupId, Extension, OrgId, SystemKey};
use strongroom::domain::object_key::ObjectKey;
use strongroom::store::{BlobStore, ObjectMetadata, PutError, S3Settings, S3Store, StoreError};
use uuid::Uuid;

use crate::engine::{Bucket, Fault, Proxy};

/// Every call ends within this time. The store's own timeouts add up to less than 20 s, but a debug build on a
/// busy machine is slow before they begin; the API suite checks the service's limit of 30 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A longer timeout: no client waits for a list.
const LIST_TIMEOUT: Duration = Duration::from_secs(120);

pub struct FaultFixture {
    pub store: S3Store,
    proxy: Proxy,
    bucket: Bucket,
}

impl FaultFixture {
    pub async fn new() -> Self {
        let make = || {
            let bucket = Bucket::new();
            let proxy = Proxy::new(&bucket.endpoint);
            let settings = S3Settings {
                endpoint: proxy.endpoint(),
                region: bucket.region.clone(),
                bucket: bucket.name.clone(),
                access_key: bucket.access_key.clone(),
                secret_key: bucket.secret_key.clone().into(),
                presign_endpoint: None,
            };
            Self { store: S3Store::new(&settings).unwrap(), proxy, bucket }
        };
        tokio::task::spawn_blocking(make).await.unwrap()
    }

    /// Does `work` while calls of a kind fail, and fails if it does not end in time.
    pub async fn during<T>(&self, fault: Fault, hits: fn(&str) -> bool, work: impl Future<Output = T>) -> T {
        self.proxy.inject(fault, hits);
        let start = Instant::now();
        let limit = if hits("list-type=2") { LIST_TIMEOUT } else { CALL_TIMEOUT };
        let done = tokio::time::timeout(limit, work).await;
        let done = done.unwrap_or_else(|_| panic!("{fault:?}: no answer within {limit:?}"));
        let hit = self.proxy.repair();
        assert!(hit > 0 || fault == Fault::Refused, "{fault:?} hit nothing");
        println!("  {fault:?}: {hit} calls hit, {:.1} s", start.elapsed().as_secs_f64());
        done
    }

    /// Waits until everything that is under way has ended.
    pub async fn wait_until_idle(&self) {
        let start = Instant::now();
        while self.store.open_puts() > 0 {
            assert!(start.elapsed() < Duration::from_secs(120), "a put does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn assert_clean(&self, what: &str) {
        self.wait_until_idle().await;
        let (keys, uploads) = tokio::task::block_in_place(|| (self.bucket.keys(), self.bucket.uploads()));
        assert!(keys.is_empty() && uploads.is_empty(), "{what}: left: {keys:?} {uploads:?}");
    }

    /// Finds by listing what a crashed process would leave, where the engine can list it, and removes it.
    pub async fn sweep(&self) {
        self.wait_until_idle().await;
        let left = self.store.find_leftovers().await.unwrap();
        self.store.remove_leftovers(&left).await.unwrap();
    }

    pub async fn put(&self, size: usize, known: bool) -> (ObjectKey, Result<u64, PutError>) {
        let (key, metadata) = (key(), metadata());
        let chunks: Vec<_> = content(size).chunks(64 << 10).map(Bytes::copy_from_slice).map(Ok).collect();
        let length = known.then_some(size as u64);
        let result = self.store.put(&key, length, &metadata, Box::pin(stream::iter(chunks))).await;
        (key, result)
    }

    pub async fn read(&self, key: &ObjectKey, size: usize) -> Result<Vec<u8>, StoreError> {
        let body = self.store.get(key, size as u64, None).await?;
        let chunks: Vec<Bytes> = body.try_collect().await?;
        Ok(chunks.concat())
    }

    /// Checks that an undisturbed put is stored, read and deleted.
    pub async fn assert_works(&self, size: usize, known: bool) {
        let (key, result) = self.put(size, known).await;
        assert_eq!(result.unwrap(), size as u64);
        assert!(self.read(&key, size).await.unwrap() == content(size));
        self.store.delete(&key).await.unwrap();
    }
}

pub fn key() -> ObjectKey {
    let org = OrgId::parse("acme").unwrap();
    let system = SystemKey::parse("fw-01").unwrap();
    ObjectKey::new(&org, &system, BackupId::new(Uuid::now_v7(), Extension::Gpg))
}

pub fn metadata() -> ObjectMetadata {
    let filename = "fw-01.gpg".to_owned();
    let mimetype = "application/octet-stream".to_owned();
    ObjectMetadata { filename, mimetype, system_id: Uuid::now_v7(), sha256: None }
}

pub fn content(size: usize) -> Vec<u8> {
    crate::common::content(1, size)
}
