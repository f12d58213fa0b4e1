//! Conditions of a download on its entity tag (RFC 9110, 13).

/// Whether an `If-None-Match` header names `etag`, so that the response is 304. `etag` is the whole entity tag of an object
/// that exists, with its quotes.
///
/// The comparison is weak (RFC 9110, 13.1.2); `*` matches. Parsing ends at the first element that is not an entity tag.
#[must_use]
pub fn if_none_match(header: &[u8], etag: &str) -> bool {
    let mut rest = header.trim_ascii();
    if rest == b"*" {
        return true;
    }
    let etag = opaque(etag.as_bytes());
    while let Some((tag, after)) = next_tag(rest) {
        if tag == etag {
            return true;
        }
        rest = after;
    }
    false
}

/// The next entity tag of a list, without the prefix `W/`, and what follows it. A tag may contain a comma, so the list is not
/// split at commas.
fn next_tag(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = list.iter().position(|b| !b" \t,".contains(b))?;
    let tag = opaque(&list[start..]);
    let quoted = tag.strip_prefix(b"\"")?;
    let end = quoted.iter().position(|b| *b == b'"')?;
    Some(tag.split_at(end + 2))
}

/// Whether a `Range` header counts: there is no `If-Range`, or it equals this `etag`, which is a strong one (RFC 9110,
/// 13.1.5). A date or a weak tag never matches.
#[must_use]
pub fn if_range_allows(header: Option<&[u8]>, etag: &str) -> bool {
    header.is_none_or(|value| value.trim_ascii() == etag.as_bytes() && etag.starts_with('"'))
}

/// The entity tag without `W/`, the prefix of weak tags.
fn opaque(etag: &[u8]) -> &[u8] {
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn if_none_match_compares_weakly_over_a_list() {
        for (header, expected) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("*", true),
            (" * ", true),
            ("\"x\", \"abc\"", true),
            ("\"x\",W/\"abc\" , \"y\"", true),
            (",, \"abc\"", true),
            ("\"a,b\", \"abc\"", true),
            ("\"x, \"abc\"", false),
            ("\"abcd\"", false),
            ("\"ABC\"", false),
            ("abc", false),
            ("w/\"abc\"", false),
            ("\"x\" junk \"abc\"", false),
            ("\"abc", false),
            ("", false),
            ("*, \"x\"", false),
        ] {
            assert_eq!(if_none_match(header.as_bytes(), "\"abc\""), expected, "{header}");
        }
    }

    #[test]
    fn if_range_compares_strongly() {
        assert!(if_range_allows(None, "\"abc\""));
        assert!(if_range_allows(Some(b" \"abc\" "), "\"abc\""));
        for header in
            ["", "\"x\"", "abc", "W/\"abc\"", "*", "\"abc\", \"x\"", "Wed, 21 Oct 2026 07:28:00 GMT"]
        {
            assert!(!if_range_allows(Some(header.as_bytes()), "\"abc\""), "{header}");
        }
        assert!(!if_range_allows(Some(b"W/\"abc\""), "W/\"abc\""));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            header in proptest::collection::vec(any::<u8>(), 0..40),
            tags in "[W/\", a*]{0,20}",
        ) {
            let _ = if_none_match(&header, "\"a\"");
            let _ = if_none_match(tags.as_bytes(), "\"a\"");
        }
    }
}
