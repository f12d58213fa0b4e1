//! The kinds of malformed requests, with the texts of the response and of the log.

use actix_web::http::StatusCode;

/// Why a request, or the rest of its body, is not passed to the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedRequest {
    Tls,
    RequestLine,
    FoldedHeader,
    HeaderLine,
    HeaderValue,
    LineEnd,
    HeadTooLarge,
    Host,
    Length,
    LengthMissing,
    Coding,
    LengthAndCoding,
    /// The library would take everything that follows `Upgrade: websocket` for the request's body.
    Upgrade,
    /// The library would take everything that follows `CONNECT` for the request's body, too.
    Connect,
    ChunkSize,
    ChunkTooLarge,
    ChunkExtension,
    ChunkEnd,
    Trailer,
}

/// The texts of an error: `reason` in the metrics, `key` and `message` of the response.
struct Texts {
    reason: &'static str,
    key: &'static str,
    message: &'static str,
}

impl MalformedRequest {
    fn texts(self) -> Texts {
        let (reason, key, message) = match self {
            Self::Tls => (
                "tls",
                "head",
                "received a TLS handshake, but this port expects plain HTTP: check the address, or the TLS proxy in front of it",
            ),
            Self::RequestLine => ("request_line", "head", "first line is not METHOD PATH HTTP/1.1"),
            Self::FoldedHeader => (
                "folded",
                "head",
                "header line is folded: the whole value must be on one line (base64 -w0 prints it on one line)",
            ),
            Self::HeaderLine => (
                "header",
                "head",
                "header line is not NAME: VALUE (base64 without -w0 breaks a long value into lines)",
            ),
            Self::HeaderValue => ("header", "head", "header value has a control character in it"),
            Self::LineEnd => ("header", "head", "line does not end with CR LF"),
            Self::HeadTooLarge => ("too_large", "head", "more than 96 header lines, or more than 64 KiB"),
            Self::Host => ("host", "host", "must be present exactly once"),
            Self::Length => {
                ("length", "content-length", "must be present exactly once, and must be a decimal number")
            }
            Self::LengthMissing => ("length", "content-length", "required in HTTP/1.0"),
            Self::Coding => ("coding", "transfer-encoding", "must be chunked, once, in HTTP/1.1"),
            Self::LengthAndCoding => {
                ("coding", "transfer-encoding", "must not be combined with Content-Length")
            }
            Self::Upgrade => ("upgrade", "upgrade", "not supported"),
            Self::Connect => ("upgrade", "method", "CONNECT is not supported"),
            Self::ChunkSize => ("body", "body", "malformed: chunk size is not a hexadecimal number"),
            Self::ChunkTooLarge => ("body", "body", "malformed: chunk size is too large"),
            Self::ChunkExtension => {
                ("body", "body", "malformed: chunk extension is too long, or has a control character in it")
            }
            Self::ChunkEnd => {
                ("body", "body", "malformed: CR LF is missing at the end of a chunk or its size")
            }
            Self::Trailer => {
                ("body", "body", "malformed: last chunk is not followed by CR LF or by trailers")
            }
        };
        Texts { reason, key, message }
    }

    /// The kind of the error, for the metrics.
    pub fn reason(self) -> &'static str {
        self.texts().reason
    }

    /// The malformed part of the request.
    pub fn key(self) -> &'static str {
        self.texts().key
    }

    /// What is wrong with that part. The text repeats nothing of the request.
    pub fn message(self) -> &'static str {
        self.texts().message
    }

    pub fn status(self) -> StatusCode {
        match self {
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
