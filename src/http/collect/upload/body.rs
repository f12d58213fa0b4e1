//! Sends the body of an upload to the upload's task.

use std::rc::Rc;

use actix_web::web::Payload;
use futures_util::StreamExt;

use crate::backups::{Backup, UploadError, UploadHandle};
use crate::http::errors::ApiError;
use crate::http::framing::Exchange;

/// Sends the body to the upload's task until the body or the task ends, and returns the task's result.
pub(super) async fn send_body(
    mut body: Payload,
    handle: UploadHandle,
    exchange: Option<Rc<Exchange>>,
) -> Result<Backup, ApiError> {
    let UploadHandle { body: sender, mut result, .. } = handle;
    // The sender is dropped with this future. If it is dropped without `end`, the upload is aborted.
    let send_all = async move {
        while let Some(item) = body.next().await {
            let Ok(chunk) = item else {
                // Either the body is malformed, or the client has disconnected.
                if let Some(error) = exchange.and_then(|exchange| exchange.malformed_body()) {
                    sender.malformed(error.message()).await;
                }
                return;
            };
            if sender.chunk(chunk).await.is_err() {
                // The upload accepts no more data; its result says why.
                return;
            }
        }
        sender.end().await;
    };
    let early_result = tokio::select! {
        biased;
        ended = &mut result => Some(ended),
        () = send_all => None,
    };
    let result = match early_result {
        Some(ended) => ended,
        None => result.await,
    };
    Ok(result.unwrap_or(Err(UploadError::Aborted))?)
}
