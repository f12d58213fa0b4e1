//! `Range`, `If-Range` and `If-None-Match`: every promised range is one that the object has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::http::headers::conditional::{if_none_match, if_range_allows};
use strongroom::http::headers::range::{ResolvedRange, resolve};

const ETAG: &str = r#""01934fab-bc33-7890-a1b2-c3d4e5f6a7b8""#;

fuzz_target!(|input: &[u8]| {
    // The size comes first, so that the header is in the input unchanged.
    let Some((&size, value)) = input.split_first() else { return };
    let (size, header) = (if size == u8::MAX { u64::MAX } else { size.into() }, Some(value));
    match resolve(header, size) {
        ResolvedRange::Part(range) => {
            assert!(range.first <= range.last && range.last < size);
            assert!((1..=size).contains(&range.size()));
        }
        ResolvedRange::Unsatisfiable | ResolvedRange::Whole => {}
    }
    if if_range_allows(header, ETAG) {
        assert!(if_none_match(value, ETAG), "the strong comparison is the stricter one");
    }
});
