//! Parses a request's head to find where the request ends, and refuses heads that two servers could parse differently.
//!
//! The library parses the same bytes again with the same parser. This module refuses at least what the library refuses, so
//! that the client learns what is wrong: the library's own response has an empty body. If the two ever differed, the
//! library's result would count, because it receives all bytes in their order.

use actix_web::http::{Method, Uri};
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};

use super::malformed::MalformedRequest;

/// The longest head in bytes. The library panics at a header name of 64 KiB, which does not fit into such a head.
pub(super) const MAX_LENGTH: usize = 64 * 1024;
/// The library's own limit of header lines.
const MAX_HEADERS: usize = 96;

/// How the body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// The body has this length in bytes; 0 if the request has no body.
    Length(u64),
    Chunked,
}

/// A complete head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The length in bytes, including the empty line at the end of the head.
    pub length: usize,
    pub framing: Framing,
}

/// The option that replaces `upgrade` in a `Connection` header: a word of the same length without a meaning.
const IGNORED: &[u8] = b"ignored";

/// Parses the head at the start of `bytes`; `None` if it is incomplete.
///
/// A request for an upgrade is ignored (RFC 9110, 7.8). The library has no setting for that: it would announce an upgrade
/// in its response and close the connection. So the option `upgrade` of `Connection` is overwritten here, as a proxy
/// removes it.
pub(super) fn parse(bytes: &mut [u8]) -> Result<Option<Head>, MalformedRequest> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let (head, upgrades) = match request.parse(bytes) {
        Ok(Status::Complete(length)) => {
            let framing = framing(&request)?;
            (Head { length, framing }, upgrade_options(bytes, request.headers))
        }
        Ok(Status::Partial) if bytes.len() < MAX_LENGTH => return Ok(None),
        Ok(Status::Partial) => return Err(MalformedRequest::HeadTooLarge),
        Err(error) => return Err(malformed(error, bytes)),
    };
    if head.length > MAX_LENGTH {
        return Err(MalformedRequest::HeadTooLarge);
    }
    for at in upgrades {
        bytes[at..at + IGNORED.len()].copy_from_slice(IGNORED);
    }
    Ok(Some(head))
}

/// The offset of each option `upgrade` in the `Connection` headers.
fn upgrade_options(bytes: &[u8], headers: &[Header<'_>]) -> Vec<usize> {
    let start = |part: &[u8]| part.as_ptr() as usize - bytes.as_ptr() as usize;
    named(headers, "connection")
        .flat_map(|value| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
        .filter(|option| option.eq_ignore_ascii_case(b"upgrade"))
        .map(start)
        .collect()
}

/// Translates the parser's error into what is wrong with the request.
fn malformed(error: Error, bytes: &[u8]) -> MalformedRequest {
    // The first byte of a TLS record that contains a handshake.
    const TLS_HANDSHAKE: u8 = 22;
    match error {
        _ if bytes.first() == Some(&TLS_HANDSHAKE) => MalformedRequest::Tls,
        Error::HeaderName | Error::HeaderValue if has_folded_line(bytes) => MalformedRequest::FoldedHeader,
        Error::HeaderName => MalformedRequest::HeaderLine,
        Error::HeaderValue => MalformedRequest::HeaderValue,
        Error::NewLine => MalformedRequest::LineEnd,
        Error::TooManyHeaders => MalformedRequest::HeadTooLarge,
        Error::Token | Error::Version | Error::Status => MalformedRequest::RequestLine,
    }
}

/// Whether a line of the head begins with white space (RFC 9112, 5.2).
fn has_folded_line(bytes: &[u8]) -> bool {
    bytes
        .split(|byte| *byte == b'\n')
        .skip_while(|line| line.trim_ascii().is_empty())
        .take_while(|line| !line.trim_ascii().is_empty())
        .any(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
}

/// The values of the headers of this name.
fn named<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// The value of the header of this name; `Err` if there are several.
fn single<'a>(
    headers: &'a [Header<'a>],
    name: &'a str,
    error: MalformedRequest,
) -> Result<Option<&'a [u8]>, MalformedRequest> {
    let mut values = named(headers, name);
    let first = values.next();
    if values.next().is_some() { Err(error) } else { Ok(first) }
}

/// How the body is delimited (RFC 9112, 6.3). Ambiguous heads are refused.
fn framing(request: &Request<'_, '_>) -> Result<Framing, MalformedRequest> {
    let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version) else {
        return Err(MalformedRequest::RequestLine);
    };
    if Uri::try_from(path).is_err() || Method::from_bytes(method.as_bytes()).is_err() {
        return Err(MalformedRequest::RequestLine);
    }
    let headers = &*request.headers;
    let is_http_1_0 = version == 0;
    if single(headers, "host", MalformedRequest::Host)?.is_none() && !is_http_1_0 {
        return Err(MalformedRequest::Host);
    }
    let length = single(headers, "content-length", MalformedRequest::Length)?.map(number).transpose()?;
    let coding = single(headers, "transfer-encoding", MalformedRequest::Coding)?;
    match (length, coding) {
        (Some(_), Some(_)) => Err(MalformedRequest::LengthAndCoding),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") && !is_http_1_0 => {
            Ok(Framing::Chunked)
        }
        (None, Some(_)) => Err(MalformedRequest::Coding),
        _ if is_websocket(headers) => Err(MalformedRequest::Upgrade),
        (None | Some(0), None) if method == "CONNECT" => Err(MalformedRequest::Connect),
        (None, None) if is_http_1_0 && method == "POST" => Err(MalformedRequest::LengthMissing),
        (length, None) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

/// Whether the request asks for WebSocket. It is the only upgrade after which the library would take everything that follows
/// for the request's body.
fn is_websocket(headers: &[Header<'_>]) -> bool {
    named(headers, "upgrade").any(|value| value.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

fn number(value: &[u8]) -> Result<u64, MalformedRequest> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(MalformedRequest::Length);
    }
    std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).ok_or(MalformedRequest::Length)
}

#[cfg(test)]
mod tests;
