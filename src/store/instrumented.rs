//! Counts and times the calls to a store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;

use super::{
    BlobStore, Leftover, Listing, Mark, ObjectBody, ObjectMetadata, PutBody, PutError, StoreError, Unclaimed,
};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::telemetry::Metrics;

/// A store that reports each call in the metrics.
pub struct InstrumentedStore {
    pub store: Arc<dyn BlobStore>,
    pub metrics: Metrics,
}

impl InstrumentedStore {
    async fn measure<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let result = call.await;
        // `NotFound` is an answer, not an error.
        let ok = matches!(result, Ok(_) | Err(StoreError::NotFound));
        self.metrics.store(operation, started.elapsed(), ok);
        result
    }
}

#[async_trait]
impl BlobStore for InstrumentedStore {
    async fn put(
        &self,
        key: &ObjectKey,
        length: Option<u64>,
        metadata: &ObjectMetadata,
        body: PutBody,
    ) -> Result<u64, PutError> {
        let started = Instant::now();
        let result = self.store.put(key, length, metadata, body).await;
        // A body that breaks off is not the store's error.
        let ok = !matches!(result, Err(PutError::Store(_)));
        self.metrics.store("put", started.elapsed(), ok);
        result
    }

    fn can_put_ahead(&self) -> bool {
        self.store.can_put_ahead()
    }

    async fn put_ahead(
        &self,
        key: &ObjectKey,
        metadata: &ObjectMetadata,
        body: Vec<Bytes>,
    ) -> Result<Option<Box<dyn Mark>>, StoreError> {
        let started = Instant::now();
        let result = self.store.put_ahead(key, metadata, body).await;
        // Otherwise an ordinary put follows, and counts.
        if let Ok(Some(_)) = result {
            self.metrics.store("put", started.elapsed(), true);
        }
        result
    }

    async fn find_unclaimed(&self) -> Result<Vec<Unclaimed>, StoreError> {
        self.measure("find_unclaimed", self.store.find_unclaimed()).await
    }

    async fn marked(&self) -> Result<HashSet<ObjectKey>, StoreError> {
        self.measure("marked", self.store.marked()).await
    }

    async fn remove_mark(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.measure("remove_mark", self.store.remove_mark(key)).await
    }

    async fn delete_unclaimed(&self, key: &ObjectKey) -> Result<bool, StoreError> {
        self.measure("delete", self.store.delete_unclaimed(key)).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        size: u64,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, StoreError> {
        let body = self.measure("get", self.store.get(key, size, range)).await?;
        let metrics = self.metrics.clone();
        let body = body.inspect(move |chunk| {
            if chunk.is_err() {
                metrics.store("read", Duration::ZERO, false);
            }
        });
        Ok(Box::pin(body))
    }

    async fn head(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        self.measure("head", self.store.head(key)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.measure("delete", self.store.delete(key)).await
    }

    fn list(&self, prefix: &str) -> Listing {
        self.store.list(prefix)
    }

    fn presign(&self, key: &ObjectKey, valid_for: Duration, filename: &str) -> Option<String> {
        self.store.presign(key, valid_for, filename)
    }

    async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        self.measure("copy", self.store.copy(from, to)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.measure("check", self.store.check()).await
    }

    async fn prepare(&self, new: bool) -> Result<(), StoreError> {
        // Not counted: at the start this may fail, because it is called before it is known whether the store should exist.
        self.store.prepare(new).await
    }

    async fn find_leftovers(&self) -> Result<Vec<Leftover>, StoreError> {
        self.measure("find_leftovers", self.store.find_leftovers()).await
    }

    async fn remove_leftovers(&self, left: &[Leftover]) -> Result<usize, StoreError> {
        self.measure("remove_leftovers", self.store.remove_leftovers(left)).await
    }
}
