//! The `Content-Type` that a client declares.
//!
//! It is checked here against the grammar, and not by the `mime` crate, which accepts invalid types (`text/`, `a/b;c=`) and
//! rejects valid ones (`a/b ; c=d`, `a/b;c=""`, quoted pairs).

use std::fmt;

use serde::Serialize;

/// The media type for a header that is missing or invalid.
const UNKNOWN: &str = "application/octet-stream";
/// The longest value that is kept, in bytes.
const MAX_LEN: usize = 255;

/// A well-formed media type (RFC 9110, 8.3.1) as the client sent it: ASCII, at most 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct MediaType(String);

impl MediaType {
    /// Returns the header's value, without white space around it, if it is a media type; else `application/octet-stream`. A
    /// wildcard (`*/*`, `text/*`) is a range of media types, and not a media type.
    #[must_use]
    pub fn of_header(value: Option<&[u8]>) -> Self {
        let value = value.unwrap_or_default().trim_ascii();
        let text = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.len() <= MAX_LEN && text.is_ascii() && is_media_type(text.as_bytes()));
        Self(text.unwrap_or(UNKNOWN).to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `type "/" subtype *( OWS ";" OWS [ token "=" ( token / quoted-string ) ] )`
fn is_media_type(text: &[u8]) -> bool {
    let parse = || {
        let (kind, rest) = token(text)?;
        let (subtype, rest) = token(rest.strip_prefix(b"/")?)?;
        let wildcard = kind == b"*" || subtype == b"*";
        (!wildcard && parameters(rest)?.is_empty()).then_some(())
    };
    parse().is_some()
}

/// Reads a token. Returns it and the text after it.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let tchar = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let end = text.iter().position(|b| !tchar(b)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Reads all parameters. Returns the text after them.
fn parameters(mut text: &[u8]) -> Option<&[u8]> {
    while let Some(rest) = skip_space(text).strip_prefix(b";") {
        text = skip_space(rest);
        if text.is_empty() || text.starts_with(b";") {
            continue;
        }
        let (_, rest) = token(text)?;
        let rest = rest.strip_prefix(b"=")?;
        text = match rest.strip_prefix(b"\"") {
            Some(quoted) => after_quoted(quoted)?,
            None => token(rest)?.1,
        };
    }
    Some(text)
}

/// Reads the rest of a quoted string (RFC 9110, 5.6.4). Returns the text after it.
fn after_quoted(mut text: &[u8]) -> Option<&[u8]> {
    let allowed = |b: u8| b == b'\t' || (b' '..=b'~').contains(&b);
    loop {
        match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b, rest @ ..] | [b, rest @ ..] if allowed(*b) => text = rest,
            _ => return None,
        }
    }
}

fn skip_space(text: &[u8]) -> &[u8] {
    let space = |b: &u8| *b == b' ' || *b == b'\t';
    let end = text.iter().position(|b| !space(b)).unwrap_or(text.len());
    &text[end..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_well_formed_media_type_is_kept_as_it_is() {
        let longest = format!("a/{}", "b".repeat(253));
        for good in [
            "application/octet-stream",
            "application/pgp-encrypted",
            "application/vnd.api+json",
            "Text/Plain",
            "text/plain;charset=utf-8",
            "text/plain; charset=UTF-8",
            "text/plain \t;\tcharset=\"utf-8\" ; a=b",
            "a/b;c=\"\"",
            "a/b;c=\"d\\\"; e\"",
            "a/b;",
            "a/b;;c=d",
            "x!#$%&'*+-.^_`|~/1",
            &longest,
        ] {
            assert_eq!(MediaType::of_header(Some(good.as_bytes())).as_str(), good);
        }
        let spaced = MediaType::of_header(Some(b" \t application/gzip "));
        assert_eq!(spaced.as_str(), "application/gzip");
    }

    #[test]
    fn anything_else_is_octet_stream() {
        let too_long = format!("a/{}", "b".repeat(254));
        for bad in [
            "",
            "/",
            "text",
            "text/",
            "/plain",
            "*/*",
            "text/*",
            "*/plain",
            "a/b/c",
            "text /plain",
            "text/ plain",
            "a/b c",
            "a/b, c/d",
            "a/b;c",
            "a/b;c=",
            "a/b;=d",
            "a/b;c =d",
            "a/b;c= d",
            "a/b;c=\"d",
            "a/b;c=\"d\\\"",
            "a/b;c=\"d\"e",
            "a/b;c=\"\u{e9}\"",
            "a/b\r\nX: y",
            "a/b;c=\"\0\"",
            "té/xt",
            "a/b;c=d e",
            &too_long,
        ] {
            let got = MediaType::of_header(Some(bad.as_bytes()));
            assert_eq!(got.as_str(), UNKNOWN, "{bad:?}");
        }
        assert_eq!(MediaType::of_header(Some(b"a/\xff")).as_str(), UNKNOWN);
        assert_eq!(MediaType::of_header(None).as_str(), UNKNOWN);
    }

    proptest! {
        #[test]
        fn always_a_media_type_that_is_taken_again(
            value in "[a-z*]{0,3}/[a-z*]{0,3}([ ;=\"\\\\a-z]{0,12})|\\PC{0,20}",
        ) {
            let once = MediaType::of_header(Some(value.as_bytes()));
            prop_assert!(is_media_type(once.as_str().as_bytes()));
            prop_assert_eq!(&MediaType::of_header(Some(once.as_str().as_bytes())), &once);
        }
    }
}
