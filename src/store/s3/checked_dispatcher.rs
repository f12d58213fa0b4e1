//! Checks answers before the generated code parses them.
//!
//! Its XML parser never ends on text that is not well-formed: the first error page of a proxy (`<hr>`, and nothing that
//! closes it) would occupy one of the runtime's threads for ever. So every answer that is not an object's bytes is read
//! into memory and checked first.

use std::time::Duration;

use futures_util::StreamExt;
use rusoto_core::request::{DispatchSignedRequestFuture, HttpResponse};
use rusoto_core::signature::SignedRequest;
use rusoto_core::{DispatchSignedRequest, HttpDispatchError};
use xml::reader::EventReader;

/// The size of the longest answer that is read into memory, in bytes: a page of a thousand keys has less than 1 MiB.
const MAX_ANSWER: usize = 16 << 20;

pub(super) struct CheckedDispatcher<D>(pub(super) D);

impl<D: DispatchSignedRequest> DispatchSignedRequest for CheckedDispatcher<D> {
    fn dispatch(&self, request: SignedRequest, timeout: Option<Duration>) -> DispatchSignedRequestFuture {
        // Only the GETs of objects have no parameters.
        let is_object = request.method == "GET" && request.params.is_empty();
        let answer = self.0.dispatch(request, timeout);
        Box::pin(async move {
            let response = answer.await?;
            if is_object && response.status.is_success() { Ok(response) } else { checked(response).await }
        })
    }
}

async fn checked(mut response: HttpResponse) -> Result<HttpResponse, HttpDispatchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.body.next().await {
        body.extend_from_slice(&chunk?);
        if body.len() > MAX_ANSWER {
            return Err(HttpDispatchError::new("the answer is too long".to_owned()));
        }
    }
    if !body.is_empty() && !is_xml(&body) {
        if response.status.is_success() {
            return Err(HttpDispatchError::new("the answer is not S3's".to_owned()));
        }
        // The status says enough.
        body.clear();
    }
    response.body = body.into();
    Ok(response)
}

fn is_xml(body: &[u8]) -> bool {
    EventReader::new(body).into_iter().all(|event| event.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_well_formed_is_recognized() {
        assert!(is_xml(b"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code></Error>"));
        for bad in [
            &b"<html><hr><center>nginx</center></html>"[..],
            b"<html>this is not S3",
            b"Bad Gateway",
            b"{\"error\": 1}",
            b"<a></b>",
            b"\xff\xfe<",
            b" ",
        ] {
            assert!(!is_xml(bad), "{}", String::from_utf8_lossy(bad));
        }
    }
}
