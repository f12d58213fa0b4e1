//! `Content-Digest` and `Repr-Digest` (RFC 9530), in one or more lines.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::digest::{ExpectedSha256, repr_digest};

fuzz_target!(|header: &[u8]| {
    let lines: Vec<&[u8]> = header.split(|b| *b == b'\n').collect();
    let Ok(Some(sha256)) = ExpectedSha256::from_header(&lines) else { return };
    let written = repr_digest(&sha256);
    assert_eq!(ExpectedSha256::from_header(&[written.as_bytes()]), Ok(Some(sha256)));
});
