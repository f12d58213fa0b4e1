//! Single objects: the requests that are small, and reading.

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

use super::engine::{CALL, Engine, Limits, tagged};
use super::facts::metadata;
use super::trouble::Trouble;
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, ObjectFacts, StoreError};

const READING: &str = "read the object";
/// Longest wait for the next bytes of an object.
const NEXT_CHUNK: Duration = Duration::from_secs(20);

impl Engine {
    /// A request that is not made by the generated code: it would stream the body, and then its hash is not signed.
    pub(super) fn request(&self, method: &str, key: &str) -> SignedRequest {
        SignedRequest::new(method, "s3", &self.region, &format!("/{}/{key}", self.bucket))
    }

    pub(super) fn put_request(&self, key: &ObjectKey, about: &ObjectFacts, body: Bytes) -> SignedRequest {
        let mut request = self.request("PUT", key.as_str());
        request.add_header("content-type", &about.mimetype);
        for (name, value) in metadata(about) {
            request.add_header(format!("x-amz-meta-{name}"), &value);
        }
        request.set_payload(Some(body));
        request
    }

    /// That it is gone already is success.
    pub(super) async fn delete(&self, limits: Limits, key: &str) -> Result<(), Trouble> {
        let request = DeleteObjectRequest {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            ..DeleteObjectRequest::default()
        };
        let delete = |client: S3Client| {
            let request = request.clone();
            async move { client.delete_object(request).await }
        };
        match self.repeat(&format!("DeleteObject {key}"), limits, delete).await {
            Err(trouble) if trouble.is_missing() => Ok(()),
            result => result.map(drop),
        }
    }

    /// An object's size in bytes.
    pub(super) async fn head(&self, limits: Limits, key: &str) -> Result<u64, Trouble> {
        let request = HeadObjectRequest {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            ..HeadObjectRequest::default()
        };
        let head = |client: S3Client| {
            let request = request.clone();
            async move { client.head_object(request).await }
        };
        match self.repeat(&format!("HeadObject {key}"), limits, head).await {
            Ok(found) => size(found.content_length),
            // The answer to a HEAD has no body that could tell a missing object from a missing bucket or
            // a proxy that is wrong: a list does.
            Err(Trouble::Answer { status: 404, .. }) => self.listed(limits, key).await,
            Err(trouble) => Err(trouble),
        }
    }

    async fn listed(&self, limits: Limits, key: &str) -> Result<u64, Trouble> {
        let page = self.page(limits, key, None, 1).await?;
        if page.contents.unwrap_or_default().iter().any(|object| object.key.as_deref() == Some(key)) {
            return self.size_of_first_byte(limits, key).await;
        }
        Err(Trouble::Answer { call: format!("HeadObject {key}"), status: 404, code: "NoSuchKey".to_owned() })
    }

    /// An object's size, from the answer to a GET: an engine of which a node was away may list for minutes what was
    /// deleted meanwhile, so that a list alone does not say that an object is there. Empty ones are not stored.
    async fn size_of_first_byte(&self, limits: Limits, key: &str) -> Result<u64, Trouble> {
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
                tagged(opened.e_tag.take())?;
                Ok(opened)
            }
        };
        let opened = self.repeat(&format!("GetObject {key}"), limits, get).await?;
        let total = opened.content_range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
        size(total)
    }

    pub(super) async fn copy(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        const DOING: &str = "copy the object";
        let size = self.head(CALL, from.as_str()).await.map_err(|trouble| trouble.doing(DOING))?;
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
        // Engines copy the bytes before they answer; nobody waits for it with a connection open.
        let limits = Limits { attempt: Duration::from_mins(5), total: Duration::from_mins(10) };
        self.repeat(&format!("CopyObject {from} to {to}"), limits, copy)
            .await
            .map_err(|trouble| trouble.doing(DOING))?;
        // A 200 may have an error in its body.
        match self.head(CALL, to.as_str()).await {
            Ok(copied) if copied == size => Ok(()),
            _ => Err(Trouble::passing("the copy is not there").doing(DOING)),
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
                tagged(opened.e_tag.take())?;
                Ok(opened)
            }
        };
        if range.is_some_and(|range| range.last >= whole) {
            let kind = io::ErrorKind::UnexpectedEof;
            let trouble = io::Error::new(kind, format!("{key} is shorter than the range that was asked for"));
            return Err(Trouble::Passing(trouble).doing(READING));
        }
        let name = format!("GetObject {key}");
        let opened = match self.repeat(&name, CALL, get).await {
            Ok(opened) => opened,
            // The object ends before the range begins.
            Err(Trouble::Answer { status: 416, .. }) => {
                return Err(StoreError::Damaged(format!(
                    "{key} has fewer bytes than the {whole} that were stored"
                )));
            }
            Err(trouble) => return Err(trouble.doing(READING)),
        };
        let unclear = |trouble: Trouble| trouble.during(&name).doing(READING);
        let found = match range {
            None => size(opened.content_length).map_err(unclear)?,
            Some(range) => part_of(&opened, range).map_err(unclear)?,
        };
        if found != whole {
            return Err(StoreError::Damaged(format!(
                "{key} has {found} bytes, and had {whole} when it was stored"
            )));
        }
        let left = range.map_or(whole, |range| range.size());
        let body = opened.body.unwrap_or_else(|| Vec::new().into());
        Ok(Box::pin(exactly(name, body, left)))
    }
}

fn size(length: Option<i64>) -> Result<u64, Trouble> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| Trouble::passing("an object without a size"))
}

/// The size of the whole object, of which exactly the range has to come.
fn part_of(opened: &GetObjectOutput, range: ByteRange) -> Result<u64, Trouble> {
    let wanted = format!("bytes {}-{}/", range.first, range.last);
    let given = opened.content_range.as_deref().unwrap_or("the whole object");
    match given.strip_prefix(&wanted).map(str::parse) {
        Some(Ok(whole)) if size(opened.content_length)? == range.size() => Ok(whole),
        // An object that ends within the range.
        _ if given.starts_with(&format!("bytes {}-", range.first)) => {
            size(given.rsplit('/').next().and_then(|whole| whole.parse().ok()))
        }
        _ => Err(Trouble::passing(format!("{wanted} was asked for, {given} came"))),
    }
}

/// The bytes of `body` while they come, and an error if they are not exactly `left`.
fn exactly(
    name: String,
    body: ByteStream,
    left: u64,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
    stream::try_unfold((name, body, left), |(name, mut body, left)| async move {
        let trouble = match timeout(NEXT_CHUNK, body.next()).await {
            Ok(Some(Ok(chunk))) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => return Ok(Some((chunk, (name, body, left)))),
                None => Trouble::passing("the object is longer than it was said to be"),
            },
            Ok(None) if left == 0 => return Ok(None),
            Ok(None) => {
                let kind = io::ErrorKind::UnexpectedEof;
                Trouble::Passing(io::Error::new(kind, "the object is shorter than it was said to be"))
            }
            Ok(Some(Err(error))) => Trouble::Passing(error),
            Err(_) => Trouble::late(NEXT_CHUNK),
        };
        Err(trouble.during(&name).doing(READING))
    })
}
