//! Listings, page by page: of objects, and of uploads that were begun.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use futures_util::{TryStreamExt, stream};
use rusoto_core::RusotoError;
use rusoto_s3::{
    ListMultipartUploadsRequest, ListObjectsV2Output, ListObjectsV2Request, MultipartUpload, S3, S3Client,
};

use super::engine::{CALL, Engine, Limits};
use super::trouble::Trouble;
use crate::domain::object_key::ObjectKey;
use crate::store::{Leftover, Listing, ObjectInfo, StoreError};

const LISTING: &str = "list the objects";
const PAGE: i64 = 1000;
/// Engines may have to look through much for a page.
const LIMITS: Limits = Limits { attempt: Duration::from_secs(30), total: Duration::from_secs(45) };

impl Engine {
    pub(super) async fn page(
        &self,
        limits: Limits,
        prefix: &str,
        from: Option<String>,
        most: i64,
    ) -> Result<ListObjectsV2Output, Trouble> {
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
                listing(page, named)
            }
        };
        self.repeat(&format!("ListObjectsV2 {}/{prefix}", self.bucket), limits, list).await
    }

    /// What begun uploads there are of keys of ours.
    pub(super) async fn uploads(&self) -> Result<Vec<Leftover>, StoreError> {
        const DOING: &str = "list unfinished uploads";
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
                    listing(page, named)
                }
            };
            let page = match self.repeat(&format!("ListMultipartUploads {}", self.bucket), LIMITS, list).await
            {
                Ok(page) => page,
                // Then it can't tell, and the engine's own expiry has to do.
                Err(Trouble::Answer { status: 501, .. }) => return Ok(found),
                Err(trouble) => return Err(trouble.unavailable(DOING)),
            };
            found.extend(page.uploads.unwrap_or_default().into_iter().filter_map(leftover));
            if page.is_truncated != Some(true) || page.next_key_marker == request.key_marker {
                return Ok(found);
            }
            (key_marker, upload_id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }
}

/// An error in a 200, and whatever else has another form, is read as an empty listing by the generated
/// code: so one has to name its bucket.
#[expect(clippy::result_large_err, reason = "it is rusoto's")]
fn listing<T, E>(page: T, named: bool) -> Result<T, RusotoError<E>> {
    if named { Ok(page) } else { Err(RusotoError::ParseError("it is no listing".to_owned())) }
}

/// What another program uploads to the same bucket is not ours to abort.
fn leftover(upload: MultipartUpload) -> Option<Leftover> {
    let key = ObjectKey::parse(&upload.key?).ok()?;
    Some(Leftover { key: Some(key), id: upload.upload_id? })
}

pub(super) fn list(engine: Arc<Engine>, prefix: &str) -> Listing {
    let prefix = prefix.to_owned();
    // The token of the next page; at first there is none, and in the end no next page.
    let pages = stream::try_unfold(Some(None), move |next: Option<Option<String>>| {
        let (engine, prefix) = (Arc::clone(&engine), prefix.clone());
        async move {
            let Some(from) = next else { return Ok(None) };
            let page = engine.page(LIMITS, &prefix, from.clone(), PAGE).await;
            let page = page.map_err(|trouble| trouble.unavailable(LISTING))?;
            let next = match (page.is_truncated, page.next_continuation_token) {
                (Some(true), token) if token.is_none() || token == from => {
                    return Err(Trouble::passing("a page without a next one").unavailable(LISTING));
                }
                (Some(true), token) => Some(token),
                _ => None,
            };
            let objects = page.contents.unwrap_or_default().into_iter().filter_map(info);
            // Some engines see more in a prefix than is there, and whole systems are erased by their prefix.
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

/// Aborts what was begun and is nobody's any more.
pub(super) async fn abort(engine: &Engine, left: &[Leftover]) -> Result<usize, StoreError> {
    let mut aborted = 0;
    for Leftover { key, id } in left {
        let Some(key) = key else { continue };
        match engine.abort(CALL, key.as_str(), id).await {
            Ok(()) => aborted += 1,
            // One bad item does not stop the rest.
            Err(trouble) => log::warn!("abort the unfinished upload of {key}: {trouble:?}"),
        }
    }
    Ok(aborted)
}
