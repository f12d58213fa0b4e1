//! Listings, page by page: of objects, and of unfinished multipart uploads.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use futures_util::{TryStreamExt, stream};
use rusoto_core::RusotoError;
use rusoto_s3::{
    ListMultipartUploadsRequest, ListObjectsV2Output, ListObjectsV2Request, MultipartUpload, S3, S3Client,
};

use super::call_error::CallError;
use super::calls::{CallTimeouts, DEFAULT_TIMEOUTS};
use super::client::Client;
use crate::domain::object_key::ObjectKey;
use crate::store::{Leftover, Listing, ObjectInfo, StoreError};

const ACTION: &str = "list the objects";
const PAGE: i64 = 1000;
/// Engines may have to search much for a page.
const LIST_TIMEOUTS: CallTimeouts =
    CallTimeouts { attempt: Duration::from_secs(30), total: Duration::from_secs(45) };

impl Client {
    pub(super) async fn list_page(
        &self,
        timeouts: CallTimeouts,
        prefix: &str,
        from: Option<String>,
        most: i64,
    ) -> Result<ListObjectsV2Output, CallError> {
        let request = ListObjectsV2Request {
            bucket: self.bucket.clone(),
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
            continuation_token: from,
            max_keys: Some(most),
            ..ListObjectsV2Request::default()
        };
        let list = |client: S3Client| {
            let request = request.clone();
            async move {
                let page = client.list_objects_v2(request).await?;
                let named = page.name.is_some();
                check_listing(page, named)
            }
        };
        self.repeat(&format!("ListObjectsV2 {}/{prefix}", self.bucket), timeouts, list).await
    }

    /// Returns the unfinished uploads of the store's own keys.
    pub(super) async fn unfinished_uploads(&self) -> Result<Vec<Leftover>, StoreError> {
        const ACTION: &str = "list unfinished uploads";
        let mut found = Vec::new();
        let (mut key_marker, mut upload_id_marker) = (None, None);
        loop {
            let request = ListMultipartUploadsRequest {
                bucket: self.bucket.clone(),
                key_marker: key_marker.take(),
                upload_id_marker: upload_id_marker.take(),
                ..ListMultipartUploadsRequest::default()
            };
            let list = |client: S3Client| {
                let request = request.clone();
                async move {
                    let page = client.list_multipart_uploads(request).await?;
                    let named = page.bucket.is_some();
                    check_listing(page, named)
                }
            };
            let page = match self
                .repeat(&format!("ListMultipartUploads {}", self.bucket), LIST_TIMEOUTS, list)
                .await
            {
                Ok(page) => page,
                // The engine can't list them, so its own expiry has to remove them.
                Err(CallError::Rejected { status: 501, .. }) => return Ok(found),
                Err(error) => return Err(error.into_unavailable(ACTION)),
            };
            found.extend(page.uploads.unwrap_or_default().into_iter().filter_map(leftover));
            if page.is_truncated != Some(true) || page.next_key_marker == request.key_marker {
                return Ok(found);
            }
            (key_marker, upload_id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }
}

/// Checks that a listing names its bucket: the generated code parses an error in a 200, and any other document, as an
/// empty listing.
#[expect(clippy::result_large_err, reason = "it is rusoto's")]
fn check_listing<T, E>(page: T, named: bool) -> Result<T, RusotoError<E>> {
    if named { Ok(page) } else { Err(RusotoError::ParseError("it is not a listing".to_owned())) }
}

/// Skips the uploads of other programs to the same bucket, which must not be aborted.
fn leftover(upload: MultipartUpload) -> Option<Leftover> {
    let key = ObjectKey::parse(&upload.key?).ok()?;
    Some(Leftover { key: Some(key), id: upload.upload_id? })
}

pub(super) fn list(client: Arc<Client>, prefix: &str) -> Listing {
    let prefix = prefix.to_owned();
    // The token of the next page. The first page has none (`Some(None)`); after the last page there is no next (`None`).
    let pages = stream::try_unfold(Some(None), move |next: Option<Option<String>>| {
        let (client, prefix) = (Arc::clone(&client), prefix.clone());
        async move {
            let Some(from) = next else { return Ok(None) };
            let page = client.list_page(LIST_TIMEOUTS, &prefix, from.clone(), PAGE).await;
            let page = page.map_err(|error| error.into_unavailable(ACTION))?;
            let next = match (page.is_truncated, page.next_continuation_token) {
                (Some(true), token) if token.is_none() || token == from => {
                    return Err(CallError::transient("a page without a token of the next one")
                        .into_unavailable(ACTION));
                }
                (Some(true), token) => Some(token),
                _ => None,
            };
            let objects = page.contents.unwrap_or_default().into_iter().filter_map(info);
            // Some engines return keys without the prefix, and whole systems are erased by their prefix.
            let ours = objects.filter(|object| object.key.as_str().starts_with(&prefix)).map(Ok);
            Ok::<_, StoreError>(Some((stream::iter(ours.collect::<Vec<_>>()), next)))
        }
    });
    Box::pin(pages.try_flatten())
}

fn info(object: rusoto_s3::Object) -> Option<ObjectInfo> {
    let key = ObjectKey::parse(&object.key?).ok()?;
    let size = u64::try_from(object.size?).ok()?;
    let modified = object.last_modified.and_then(|at| Some(DateTime::parse_from_rfc3339(&at).ok()?.to_utc()));
    Some(ObjectInfo { key, size, modified })
}

/// Aborts unfinished uploads. Returns how many.
pub(super) async fn abort_leftovers(client: &Client, left: &[Leftover]) -> Result<usize, StoreError> {
    let mut aborted = 0;
    for Leftover { key, id } in left {
        let Some(key) = key else { continue };
        match client.abort_multipart(DEFAULT_TIMEOUTS, key.as_str(), id).await {
            Ok(()) => aborted += 1,
            // One bad item does not stop the rest.
            Err(error) => log::warn!("could not abort the unfinished upload of {key}: {error:?}"),
        }
    }
    Ok(aborted)
}
