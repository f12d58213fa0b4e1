//! Calls about single objects: the small requests, and reading.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use rusoto_core::ByteStream;
use rusoto_core::signature::SignedRequest;
use rusoto_s3::{
    CopyObjectRequest, DeleteObjectRequest, GetObjectOutput, GetObjectRequest, HeadObjectRequest, S3,
    S3Client, util::encode_key,
};
use tokio::time::timeout;

use super::call_error::CallError;
use super::calls::{CallTimeouts, DEFAULT_TIMEOUTS, require_e_tag};
use super::client::Client;
use super::metadata::user_metadata;
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, ObjectMetadata, StoreError};

const DOING: &str = "read the object";
/// The longest wait for the next bytes of an object.
const NEXT_CHUNK_TIMEOUT: Duration = Duration::from_secs(20);

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

    /// Deletes an object. If it is gone already, that is success.
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

    /// Returns an object's size from the answer to a GET: an engine of which a node was away may for minutes list what was
    /// deleted meanwhile, so a list alone does not prove that an object exists. Empty objects are not stored.
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
        const DOING: &str = "copy the object";
        let size = self
            .head(DEFAULT_TIMEOUTS, from.as_str())
            .await
            .map_err(|error| error.into_store_error(DOING))?;
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
            .map_err(|error| error.into_store_error(DOING))?;
        // A 200 may report an error in its body.
        match self.head(DEFAULT_TIMEOUTS, to.as_str()).await {
            Ok(copied) if copied == size => Ok(()),
            _ => Err(CallError::transient("the copy does not exist").into_store_error(DOING)),
        }
    }

    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        whole: u64,
        range: Option<ByteRange>,
    ) -> Result<ObjectBody, StoreError> {
        let request = GetObjectRequest {
            bucket: self.bucket.clone(),
            key: key.to_string(),
            range: range.map(|range| format!("bytes={}-{}", range.first, range.last)),
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
        if range.is_some_and(|range| range.last >= whole) {
            let kind = io::ErrorKind::UnexpectedEof;
            let error = io::Error::new(kind, format!("{key} is shorter than the requested range"));
            return Err(CallError::Transient(error).into_store_error(DOING));
        }
        let name = format!("GetObject {key}");
        let opened = match self.repeat(&name, DEFAULT_TIMEOUTS, get).await {
            Ok(opened) => opened,
            // The object ends before the range begins.
            Err(CallError::Rejected { status: 416, .. }) => {
                return Err(StoreError::Damaged(format!(
                    "{key} has fewer bytes than the {whole} that were stored"
                )));
            }
            Err(error) => return Err(error.into_store_error(DOING)),
        };
        let with_call = |error: CallError| error.with_call(&name).into_store_error(DOING);
        let found = match range {
            None => size(opened.content_length).map_err(with_call)?,
            Some(range) => size_of_whole(&opened, range).map_err(with_call)?,
        };
        if found != whole {
            return Err(StoreError::Damaged(format!(
                "{key} has {found} bytes, and had {whole} when it was stored"
            )));
        }
        let left = range.map_or(whole, |range| range.size());
        let body = opened.body.unwrap_or_else(|| Vec::new().into());
        Ok(Box::pin(exact_body(name, body, left)))
    }
}

fn size(length: Option<i64>) -> Result<u64, CallError> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| CallError::transient("an object without a size"))
}

/// Returns the size of the whole object, and checks that the answer has exactly the range.
fn size_of_whole(opened: &GetObjectOutput, range: ByteRange) -> Result<u64, CallError> {
    let wanted = format!("bytes {}-{}/", range.first, range.last);
    let given = opened.content_range.as_deref().unwrap_or("the whole object");
    match given.strip_prefix(&wanted).map(str::parse) {
        Some(Ok(whole)) if size(opened.content_length)? == range.size() => Ok(whole),
        // An object that ends within the range.
        _ if given.starts_with(&format!("bytes {}-", range.first)) => {
            size(given.rsplit('/').next().and_then(|whole| whole.parse().ok()))
        }
        _ => Err(CallError::transient(format!("{wanted} was requested, and the answer has {given}"))),
    }
}

/// Passes the bytes of `body` on, and ends with an error if they are not exactly `left`.
fn exact_body(
    name: String,
    body: ByteStream,
    left: u64,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
    stream::try_unfold((name, body, left), |(name, mut body, left)| async move {
        let error = match timeout(NEXT_CHUNK_TIMEOUT, body.next()).await {
            Ok(Some(Ok(chunk))) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => return Ok(Some((chunk, (name, body, left)))),
                None => CallError::transient("the object is longer than declared"),
            },
            Ok(None) if left == 0 => return Ok(None),
            Ok(None) => {
                let kind = io::ErrorKind::UnexpectedEof;
                CallError::Transient(io::Error::new(kind, "the object is shorter than declared"))
            }
            Ok(Some(Err(error))) => CallError::Transient(error),
            Err(_) => CallError::timed_out(NEXT_CHUNK_TIMEOUT),
        };
        Err(error.with_call(&name).into_store_error(DOING))
    })
}
