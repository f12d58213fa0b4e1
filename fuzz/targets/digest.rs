//! `Content-Digest` and `Repr-Digest` (RFC 9530), in one or more lines.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::http::headers::digest::{expected_sha256, repr_digest};

fuzz_target!(|header: &[u8]| {
    let lines: Vec<&[u8]> = header.split(|b| *b == b'\n').collect();
    let Ok(Some(sha256)) = expected_sha256(&lines) else { return };
    let written = repr_digest(&sha256);
    assert_eq!(expected_sha256(&[written.as_bytes()]), Ok(Some(sha256)));
});
