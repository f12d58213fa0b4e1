//! The `Authorization` header, for Basic and Bearer alike.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web_httpauth::headers::authorization::Scheme;

/// The credential in the `Authorization` header, if there is exactly one such header and it has this scheme. `name` is the
/// scheme's name in the spelling of its parser.
///
/// Scheme names are compared without regard to case (RFC 9110, 11.1). The parsers don't do that, so they receive the
/// header with the name in their spelling.
pub fn credential<S: Scheme>(headers: &HeaderMap, name: &str) -> Option<S> {
    let mut lines = headers.get_all(AUTHORIZATION);
    let line = lines.next().filter(|_| lines.next().is_none())?;
    let (scheme, token) = line.to_str().ok()?.trim().split_once([' ', '\t'])?;
    if !scheme.eq_ignore_ascii_case(name) {
        return None;
    }
    let token = token.trim();
    let token = if name == "Basic" { &with_standard_alphabet(token) } else { token };
    let line = HeaderValue::from_str(&format!("{name} {token}")).ok()?;
    S::parse(&line).ok()
}

/// Whether the request has a credential at all, of any scheme and well-formed or not.
pub fn is_sent(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).any(|line| !line.as_bytes().trim_ascii().is_empty())
}

/// Base64 in the standard alphabet and with padding, as the parser needs it. Clients that use a token encoder of their
/// language send the URL alphabet, or no padding. Either has only one possible meaning.
fn with_standard_alphabet(token: &str) -> String {
    let mut text = token.trim_end_matches('=').replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
