//! URLs at which a client downloads an object from the engine itself.

use std::time::Duration;

use rusoto_s3::GetObjectRequest;
use rusoto_s3::util::{PreSignedRequest, PreSignedRequestOption};

use super::client::Client;
use crate::domain::object_key::ObjectKey;

pub(super) fn presign(client: &Client, key: &ObjectKey, valid_for: Duration, filename: &str) -> String {
    let request = GetObjectRequest {
        bucket: client.bucket.clone(),
        key: key.to_string(),
        response_content_disposition: Some(format!("attachment; filename=\"{filename}\"")),
        response_content_type: Some("application/octet-stream".to_owned()),
        ..GetObjectRequest::default()
    };
    let option = PreSignedRequestOption { expires_in: valid_for };
    request.get_presigned_url(&client.presign_region, &client.credentials, &option)
}
