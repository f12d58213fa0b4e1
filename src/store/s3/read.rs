//! Reads an object or a range of it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use rusoto_core::ByteStream;
use rusoto_s3::{GetObjectOutput, GetObjectRequest, S3, S3Client};
use tokio::time::timeout;

use super::call_error::CallError;
use super::calls::{DEFAULT_TIMEOUTS, require_e_tag};
use super::client::Client;
use super::object::size;
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

const ACTION: &str = "read the object";
/// The longest wait for the next bytes of an object.
const NEXT_CHUNK_TIMEOUT: Duration = Duration::from_secs(20);

impl Client {
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
            return Err(CallError::Transient(error).into_store_error(ACTION));
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
            Err(error) => return Err(error.into_store_error(ACTION)),
        };
        let with_call = |error: CallError| error.with_call(&name).into_store_error(ACTION);
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
        Err(error.with_call(&name).into_store_error(ACTION))
    })
}
