//! Calls of a multipart upload that the generated code does not make, or that the removal of leftovers makes as well.

use bytes::Bytes;
use rusoto_core::signature::SignedRequest;
use rusoto_s3::{AbortMultipartUploadRequest, S3, S3Client};

use super::call_error::CallError;
use super::calls::CallTimeouts;
use super::client::Client;
use crate::domain::object_key::ObjectKey;

impl Client {
    /// Aborts a multipart upload. Aborting a missing upload succeeds.
    pub(super) async fn abort_multipart(
        &self,
        timeouts: CallTimeouts,
        key: &str,
        upload: &str,
    ) -> Result<(), CallError> {
        let request = AbortMultipartUploadRequest {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            upload_id: upload.to_owned(),
            ..AbortMultipartUploadRequest::default()
        };
        let abort = |client: S3Client| {
            let request = request.clone();
            async move { client.abort_multipart_upload(request).await }
        };
        match self.repeat(&format!("AbortMultipartUpload {key}"), timeouts, abort).await {
            Err(error) if error.is_missing() => Ok(()),
            result => result.map(drop),
        }
    }

    /// Returns the request that sends one part, signed with its hash.
    pub(super) fn part_request(
        &self,
        key: &ObjectKey,
        upload: &str,
        number: usize,
        bytes: Bytes,
    ) -> SignedRequest {
        let mut request = self.signed_request("PUT", key.as_str());
        request.add_param("partNumber", &number.to_string());
        request.add_param("uploadId", upload);
        request.set_payload(Some(bytes));
        request
    }
}
