//! Why a call to the S3 server failed, by what can be done next.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use rusoto_core::RusotoError;
use rusoto_core::request::BufferedHttpResponse;

use crate::store::StoreError;

/// A call that did not succeed.
#[derive(Debug)]
pub(super) enum CallError {
    /// The engine understood the call and rejected it (4xx).
    Rejected {
        /// The call and the key; empty until they are known.
        call: String,
        /// HTTP status.
        status: u16,
        /// S3's error code; empty if there was none.
        code: String,
    },
    /// Another attempt may succeed: the answer is missing, can't be understood, or says so.
    Transient(io::Error),
}

impl CallError {
    pub(super) fn from_rusoto<E: Debug>(error: RusotoError<E>) -> Self {
        match error {
            // The generated variants are named like the codes.
            RusotoError::Service(error) => Self::from_answer(404, alphanumeric(&format!("{error:?}"))),
            RusotoError::Unknown(response) => Self::from_response(&response),
            RusotoError::Validation(cause) => Self::from_answer(400, cause),
            RusotoError::HttpDispatch(error) => Self::transient(error.to_string()),
            RusotoError::ParseError(cause) => Self::transient(format!("not an S3 answer: {cause}")),
            RusotoError::Credentials(error) => Self::transient(error.to_string()),
            RusotoError::Blocking => Self::transient("blocked"),
        }
    }

    pub(super) fn from_response(response: &BufferedHttpResponse) -> Self {
        Self::from_answer(response.status.as_u16(), code_in(response.body_as_str()))
    }

    fn from_answer(status: u16, code: String) -> Self {
        let is_transient = matches!(status, 408 | 429 | 500..) && status != 501 || code == "RequestTimeout";
        if is_transient {
            return Self::transient(describe_answer(status, &code));
        }
        Self::Rejected { call: String::new(), status, code }
    }

    /// Adds the call and the key.
    pub(super) fn with_call(self, call: &str) -> Self {
        match self {
            Self::Rejected { status, code, .. } => Self::Rejected { call: call.to_owned(), status, code },
            Self::Transient(error) => {
                Self::Transient(io::Error::new(error.kind(), format!("{call}: {error}")))
            }
        }
    }

    pub(super) fn transient(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Transient(io::Error::other(cause))
    }

    pub(super) fn timed_out(limit: Duration) -> Self {
        let message = format!("no answer within {:.1} s", limit.as_secs_f64());
        Self::Transient(io::Error::new(io::ErrorKind::TimedOut, message))
    }

    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_))
    }

    /// Returns whether the engine, and not a proxy in front of it, answered that there is no such object (or upload).
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Rejected { status: 404, code, .. } if code == "NoSuchKey" || code == "NoSuchUpload")
    }

    /// Converts the error for the store's caller.
    pub(super) fn into_store_error(self, doing: &'static str) -> StoreError {
        if self.is_missing() { StoreError::NotFound } else { self.into_unavailable(doing) }
    }

    /// Converts the error for the store's caller, for a call about which nothing can be missing.
    pub(super) fn into_unavailable(self, doing: &'static str) -> StoreError {
        let source = match self {
            Self::Rejected { call, status, code } if call.is_empty() => {
                io::Error::other(describe_answer(status, &code))
            }
            Self::Rejected { call, status, code } => {
                io::Error::other(format!("{call}: {}", describe_answer(status, &code)))
            }
            Self::Transient(error) => error,
        };
        StoreError::Unavailable { doing, source }
    }
}

/// Describes an answer for the log.
pub(super) fn describe_answer(status: u16, code: &str) -> String {
    let code = if code.is_empty() { "without an error code" } else { code };
    format!("the engine answered {status} {code}")
}

/// Returns the text between `<Code>` and `</Code>`.
fn code_in(body: &str) -> String {
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map(|(code, _)| alphanumeric(code)).unwrap_or_default()
}

/// Keeps letters and digits only, because the code goes into the log.
fn alphanumeric(text: &str) -> String {
    text.trim().chars().take_while(char::is_ascii_alphanumeric).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &'static str) -> CallError {
        let status = status.try_into().unwrap();
        let body = body.as_bytes().into();
        let headers = std::iter::empty().collect();
        CallError::from_response(&BufferedHttpResponse { status, body, headers })
    }

    #[test]
    fn an_object_is_missing_only_if_the_engine_itself_says_so() {
        let missing = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>x</Message></Error>";
        assert!(response(404, missing).is_missing());
        for (status, body) in [
            (404, "<html>not found</html>"),
            (404, "<Error><Code>NoSuchBucket</Code></Error>"),
            (403, "<Error><Code>NoSuchKey</Code></Error>"),
            (404, ""),
        ] {
            let error = response(status, body);
            assert!(!error.is_missing() && !error.is_transient(), "{error:?}");
        }
    }

    #[test]
    fn transient_errors_are_told_from_rejections() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(response(status, "").is_transient(), "{status}");
        }
        assert!(response(400, "<Code>RequestTimeout</Code>").is_transient());
        for status in [301, 400, 403, 404, 412, 416, 501] {
            assert!(!response(status, "").is_transient(), "{status}");
        }
    }

    #[test]
    fn an_error_code_cannot_write_lines_into_the_log() {
        assert_eq!(code_in("<Code>Bad\nline</Code>"), "Bad");
        assert_eq!(code_in("<Code></Code>"), "");
        assert_eq!(code_in("<Code>unclosed"), "");
    }
}
