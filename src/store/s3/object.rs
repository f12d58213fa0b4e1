//! Calls about single objects, with small answers.

use std::time::Duration;

use bytes::Bytes;
use rusoto_core::signature::SignedRequest;
use rusoto_s3::{
    CopyObjectRequest, DeleteObjectRequest, GetObjectRequest, HeadObjectRequest, S3, S3Client,
    util::encode_key,
};

use super::call_error::CallError;
use super::calls::{CallTimeouts, DEFAULT_TIMEOUTS, require_e_tag};
use super::client::Client;
use super::metadata::user_metadata;
use crate::domain::object_key::ObjectKey;
use crate::store::{ObjectMetadata, StoreError};

impl Client {
    /// Returns a request that the generated code does not make: it would stream the body, and not sign its hash.
    pub(super) fn signed_request(&self, method: &str, key: &str) -> SignedRequest {
        SignedRequest::new(method, "s3", &self.region, &format!("/{}/{key}", self.bucket))
    }

    pub(super) fn put_request(
        &self,
        key: &ObjectKey,
        metadata: &ObjectMetadata,
        body: Bytes,
    ) -> SignedRequest {
        let mut request = self.signed_request("PUT", key.as_str());
        request.add_header("content-type", &metadata.mimetype);
        for (name, value) in user_metadata(metadata) {
            request.add_header(format!("x-amz-meta-{name}"), &value);
        }
        request.set_payload(Some(body));
        request
    }

    /// Deletes an object. Deleting a missing object succeeds.
    pub(super) async fn delete(&self, timeouts: CallTimeouts, key: &str) -> Result<(), CallError> {
        let request = DeleteObjectRequest {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            ..DeleteObjectRequest::default()
        };
        let delete = |client: S3Client| {
            let request = request.clone();
            async move { client.delete_object(request).await }
        };
        match self.repeat(&format!("DeleteObject {key}"), timeouts, delete).await {
            Err(error) if error.is_missing() => Ok(()),
            result => result.map(drop),
        }
    }

    /// Returns an object's size in bytes.
    pub(super) async fn head(&self, timeouts: CallTimeouts, key: &str) -> Result<u64, CallError> {
        let request = HeadObjectRequest {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            ..HeadObjectRequest::default()
        };
        let head = |client: S3Client| {
            let request = request.clone();
            async move { client.head_object(request).await }
        };
        match self.repeat(&format!("HeadObject {key}"), timeouts, head).await {
            Ok(found) => size(found.content_length),
            // The answer to a HEAD has no body that could tell a missing object from a missing bucket or a proxy's error: a
            // list has.
            Err(CallError::Rejected { status: 404, .. }) => self.size_from_list(timeouts, key).await,
            Err(error) => Err(error),
        }
    }

    async fn size_from_list(&self, timeouts: CallTimeouts, key: &str) -> Result<u64, CallError> {
        let page = self.list_page(timeouts, key, None, 1).await?;
        if page.contents.unwrap_or_default().iter().any(|object| object.key.as_deref() == Some(key)) {
            return self.size_of_first_byte(timeouts, key).await;
        }
        Err(CallError::Rejected {
            call: format!("HeadObject {key}"),
            status: 404,
            code: "NoSuchKey".to_owned(),
        })
    }

    /// Returns an object's size from the answer to a GET: an engine with a node that was unreachable may list objects
    /// for minutes that were deleted meanwhile, so a list alone does not prove that an object exists. Empty objects are not stored.
    async fn size_of_first_byte(&self, timeouts: CallTimeouts, key: &str) -> Result<u64, CallError> {
        let request = GetObjectRequest {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            range: Some("bytes=0-0".to_owned()),
            ..GetObjectRequest::default()
        };
        let get = |client: S3Client| {
            let request = request.clone();
            async move {
                let mut opened = client.get_object(request).await?;
                require_e_tag(opened.e_tag.take())?;
                Ok(opened)
            }
        };
        let opened = self.repeat(&format!("GetObject {key}"), timeouts, get).await?;
        let total = opened.content_range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
        size(total)
    }

    pub(super) async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        const ACTION: &str = "copy the object";
        let size = self
            .head(DEFAULT_TIMEOUTS, from.as_str())
            .await
            .map_err(|error| error.into_store_error(ACTION))?;
        let request = CopyObjectRequest {
            bucket: self.bucket.clone(),
            key: to.to_string(),
            copy_source: encode_key(format!("{}/{from}", self.bucket)),
            ..CopyObjectRequest::default()
        };
        let copy = |client: S3Client| {
            let request = request.clone();
            async move { client.copy_object(request).await }
        };
        // Engines copy the bytes before they answer; no connection waits for it.
        let timeouts = CallTimeouts { attempt: Duration::from_mins(5), total: Duration::from_mins(10) };
        self.repeat(&format!("CopyObject {from} to {to}"), timeouts, copy)
            .await
            .map_err(|error| error.into_store_error(ACTION))?;
        // A 200 may report an error in its body.
        match self.head(DEFAULT_TIMEOUTS, to.as_str()).await {
            Ok(copied) if copied == size => Ok(()),
            _ => Err(CallError::transient("the copy does not exist").into_store_error(ACTION)),
        }
    }
}

/// Returns the declared length of an object.
pub(super) fn size(length: Option<i64>) -> Result<u64, CallError> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| CallError::transient("an object without a size"))
}
