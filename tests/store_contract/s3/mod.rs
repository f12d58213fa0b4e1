//! The store in a bucket: the contract, and what is special to engines.

mod bucket;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use strongroom::store::{BlobStore, S3Settings, S3Store};

use crate::engine::Bucket;
use crate::fixture::Subject;

crate::contract::run_contract!(subject);

pub async fn subject() -> Subject {
    subject_in(&Arc::new(new_bucket().await)).await
}

pub async fn new_bucket() -> Bucket {
    tokio::task::spawn_blocking(Bucket::new).await.unwrap()
}

pub fn settings(bucket: &Bucket) -> S3Settings {
    S3Settings {
        endpoint: bucket.endpoint.clone(),
        region: bucket.region.clone(),
        bucket: bucket.name.clone(),
        access_key: bucket.access_key.clone(),
        secret_key: bucket.secret_key.clone().into(),
        presign_endpoint: None,
    }
}

pub async fn subject_in(bucket: &Arc<Bucket>) -> Subject {
    let store = S3Store::new(&settings(bucket)).unwrap();
    store.prepare(true).await.unwrap();
    let (own, busy) = (Arc::clone(bucket), store.clone());
    let leftovers = move || {
        let (own, busy) = (Arc::clone(&own), busy.clone());
        let look = async move {
            // An upload that is being aborted is no leftover.
            if busy.open_puts() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                return vec![format!("{} under way", busy.open_puts())];
            }
            let look = move || {
                let probes = own.keys().into_iter().filter(|key| key.starts_with('.'));
                probes.chain(own.uploads().into_iter().map(|(key, _)| key)).collect()
            };
            tokio::task::spawn_blocking(look).await.unwrap()
        };
        look.boxed()
    };
    Subject::new(store, Box::new(leftovers)).keeping(Arc::clone(bucket))
}
