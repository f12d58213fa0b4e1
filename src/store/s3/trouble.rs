//! What went wrong with a call, by what can be done next.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use rusoto_core::RusotoError;
use rusoto_core::request::BufferedHttpResponse;

use crate::store::StoreError;

/// A call that did not succeed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The engine understood and said no (4xx).
    Answer {
        /// What was asked; empty until it is known.
        call: String,
        /// HTTP status.
        status: u16,
        /// S3's error code; empty if there was none.
        code: String,
    },
    /// It may go better next time: no answer, no understandable one, or one
    /// that says so.
    Passing(io::Error),
}

impl Trouble {
    pub(super) fn of<E: Debug>(error: RusotoError<E>) -> Self {
        match error {
            // The generated variants are named like the codes.
            RusotoError::Service(error) => Self::answer(404, word(&format!("{error:?}"))),
            RusotoError::Unknown(response) => Self::of_response(&response),
            RusotoError::Validation(cause) => Self::answer(400, cause),
            RusotoError::HttpDispatch(error) => Self::passing(error.to_string()),
            RusotoError::ParseError(cause) => Self::passing(format!("not an S3 answer: {cause}")),
            RusotoError::Credentials(error) => Self::passing(error.to_string()),
            RusotoError::Blocking => Self::passing("blocked"),
        }
    }

    pub(super) fn of_response(response: &BufferedHttpResponse) -> Self {
        Self::answer(response.status.as_u16(), code_in(response.body_as_str()))
    }

    fn answer(status: u16, code: String) -> Self {
        let passing = matches!(status, 408 | 429 | 500..) && status != 501 || code == "RequestTimeout";
        if passing {
            return Self::passing(said(status, &code));
        }
        Self::Answer { call: String::new(), status, code }
    }

    /// Adds what was asked: the call and the key.
    pub(super) fn during(self, call: &str) -> Self {
        match self {
            Self::Answer { status, code, .. } => Self::Answer { call: call.to_owned(), status, code },
            Self::Passing(error) => Self::Passing(io::Error::new(error.kind(), format!("{call}: {error}"))),
        }
    }

    pub(super) fn passing(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Passing(io::Error::other(cause))
    }

    pub(super) fn late(limit: Duration) -> Self {
        let message = format!("no answer within {:.1} s", limit.as_secs_f64());
        Self::Passing(io::Error::new(io::ErrorKind::TimedOut, message))
    }

    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Passing(_))
    }

    /// Whether the engine, and not something in front of it, said that there is
    /// no such object (or upload).
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Answer { status: 404, code, .. } if code == "NoSuchKey" || code == "NoSuchUpload")
    }

    /// For the store's caller.
    pub(super) fn doing(self, doing: &'static str) -> StoreError {
        if self.is_missing() { StoreError::NotFound } else { self.unavailable(doing) }
    }

    /// For the store's caller, where nothing can be missing.
    pub(super) fn unavailable(self, doing: &'static str) -> StoreError {
        let source = match self {
            Self::Answer { call, status, code } if call.is_empty() => io::Error::other(said(status, &code)),
            Self::Answer { call, status, code } => {
                io::Error::other(format!("{call}: {}", said(status, &code)))
            }
            Self::Passing(error) => error,
        };
        StoreError::Unavailable { doing, source }
    }
}

/// An answer for the log.
pub(super) fn said(status: u16, code: &str) -> String {
    let code = if code.is_empty() { "without an error code" } else { code };
    format!("the engine answered {status} {code}")
}

/// What stands between `<Code>` and `</Code>`.
fn code_in(body: &str) -> String {
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map(|(code, _)| word(code)).unwrap_or_default()
}

/// Letters and digits only: it goes into the log.
fn word(text: &str) -> String {
    text.trim().chars().take_while(char::is_ascii_alphanumeric).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &'static str) -> Trouble {
        let status = status.try_into().unwrap();
        let body = body.as_bytes().into();
        let headers = std::iter::empty().collect();
        Trouble::of_response(&BufferedHttpResponse { status, body, headers })
    }

    #[test]
    fn only_what_the_engine_says_itself_is_missing() {
        let missing = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>x</Message></Error>";
        assert!(response(404, missing).is_missing());
        for (status, body) in [
            (404, "<html>not found</html>"),
            (404, "<Error><Code>NoSuchBucket</Code></Error>"),
            (403, "<Error><Code>NoSuchKey</Code></Error>"),
            (404, ""),
        ] {
            let trouble = response(status, body);
            assert!(!trouble.is_missing() && !trouble.is_passing(), "{trouble:?}");
        }
    }

    #[test]
    fn what_may_pass_is_told_from_a_no() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(response(status, "").is_passing(), "{status}");
        }
        assert!(response(400, "<Code>RequestTimeout</Code>").is_passing());
        for status in [301, 400, 403, 404, 412, 416, 501] {
            assert!(!response(status, "").is_passing(), "{status}");
        }
    }

    #[test]
    fn a_code_cannot_write_lines_into_the_log() {
        assert_eq!(code_in("<Code>Bad\nline</Code>"), "Bad");
        assert_eq!(code_in("<Code></Code>"), "");
        assert_eq!(code_in("<Code>unclosed"), "");
    }
}
