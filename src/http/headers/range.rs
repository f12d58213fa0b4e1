//! The `Range` header of a download (RFC 9110, 14).

use crate::domain::range::ByteRange;

/// The part of an object of known size that a `Range` header requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolvedRange {
    /// The whole object (200): no header, or one that a server may ignore.
    Whole,
    /// A part of the object (206).
    Part(ByteRange),
    /// Only bytes beyond the end of the object (416).
    Unsatisfiable,
}

/// Resolves a `Range` header for an object of `size` bytes.
///
/// The unit is `bytes`, the forms are `a-b`, `a-` and `-n`. Other units, several ranges and malformed values are ignored, as
/// RFC 9110, 14.2 allows or requires.
#[must_use]
pub fn resolve(header: Option<&[u8]>, size: u64) -> ResolvedRange {
    header
        .and_then(|value| single_range(value.trim_ascii()))
        .map_or(ResolvedRange::Whole, |spec| spec.within(size))
}

/// A parsed range, before the size is applied.
enum Spec {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

fn single_range(value: &[u8]) -> Option<Spec> {
    let equals = value.iter().position(|b| *b == b'=')?;
    let (unit, range) = (&value[..equals], &value[equals + 1..]);
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let dash = range.iter().position(|b| *b == b'-')?;
    match (&range[..dash], &range[dash + 1..]) {
        (b"", count) => Some(Spec::Last(number(count)?)),
        (first, b"") => Some(Spec::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::FromTo(first, last))
        }
    }
}

/// Parses digits. A number that does not fit into a `u64` becomes its maximum, which is beyond the end of every object.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(value)
}

impl Spec {
    fn within(&self, size: u64) -> ResolvedRange {
        let (first, last) = match *self {
            Self::From(first) => (first, u64::MAX),
            Self::FromTo(first, last) => (first, last),
            Self::Last(0) => return ResolvedRange::Unsatisfiable,
            // Satisfiable, but a part of an empty object cannot be expressed in `Content-Range`.
            Self::Last(_) if size == 0 => return ResolvedRange::Whole,
            Self::Last(count) => (size.saturating_sub(count), u64::MAX),
        };
        if first >= size {
            return ResolvedRange::Unsatisfiable;
        }
        let last = last.min(size - 1);
        ResolvedRange::Part(ByteRange { first, last })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(first: u64, last: u64) -> ResolvedRange {
        ResolvedRange::Part(ByteRange { first, last })
    }

    #[test]
    fn single_byte_range_is_resolved() {
        let huge = "9".repeat(40);
        for (value, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-9", part(0, 9)),
            ("bytes=10-19", part(10, 19)),
            ("bytes=99-99", part(99, 99)),
            ("bytes=5-", part(5, 99)),
            ("bytes=0-", part(0, 99)),
            ("bytes=90-1000", part(90, 99)),
            ("BYTES=007-8", part(7, 8)),
            ("bytes=-1", part(99, 99)),
            ("bytes=-100", part(0, 99)),
            ("bytes=-101", part(0, 99)),
            (" bytes=1-2 ", part(1, 2)),
            (&format!("bytes=1-{huge}"), part(1, 99)),
            (&format!("bytes=-{huge}"), part(0, 99)),
            ("bytes=100-", ResolvedRange::Unsatisfiable),
            // 2^64 + 4.
            ("bytes=18446744073709551620-", ResolvedRange::Unsatisfiable),
            ("bytes=100-200", ResolvedRange::Unsatisfiable),
            ("bytes=-0", ResolvedRange::Unsatisfiable),
            (&format!("bytes={huge}-"), ResolvedRange::Unsatisfiable),
            (&format!("bytes={huge}-{huge}"), ResolvedRange::Unsatisfiable),
        ] {
            assert_eq!(resolve(Some(value.as_bytes()), 100), expected, "{value}");
        }
    }

    #[test]
    fn other_range_headers_are_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=1-b",
            "bytes=2-1",
            "bytes=1",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=--2",
            "bytes=0x1-2",
            "bytes=1-2,5-6",
            "bytes=1-2,",
            "bytes= 1-2",
            "bytes =1-2",
            "bytes=1 -2",
            "lines=1-2",
            "bytes:1-2",
            "bytes=\u{663}-",
            "bytes=0-0,-1",
        ] {
            assert_eq!(resolve(Some(value.as_bytes()), 100), ResolvedRange::Whole, "{value}");
        }
        assert_eq!(resolve(Some(b"bytes=\xff-"), 100), ResolvedRange::Whole);
        assert_eq!(resolve(None, 100), ResolvedRange::Whole);
    }

    #[test]
    fn an_empty_object_has_no_part() {
        assert_eq!(resolve(Some(b"bytes=0-"), 0), ResolvedRange::Unsatisfiable);
        assert_eq!(resolve(Some(b"bytes=0-0"), 0), ResolvedRange::Unsatisfiable);
        assert_eq!(resolve(Some(b"bytes=-0"), 0), ResolvedRange::Unsatisfiable);
        assert_eq!(resolve(Some(b"bytes=-5"), 0), ResolvedRange::Whole);
    }

    proptest! {
        #[test]
        fn part_lies_within_the_object(
            value in "bytes=([0-9]{0,21})-([0-9]{0,21})",
            size in prop_oneof![0..200_u64, any::<u64>()],
        ) {
            if let ResolvedRange::Part(range) = resolve(Some(value.as_bytes()), size) {
                prop_assert!(range.first <= range.last && range.last < size);
                prop_assert!(range.size() >= 1 && range.size() <= size);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(header in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = resolve(Some(&header), 10);
        }
    }
}
