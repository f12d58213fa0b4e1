//! `Content-Type`: a stored value can be sent back in a header unchanged.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::media_type::MediaType;

fuzz_target!(|value: &[u8]| {
    let kept = MediaType::of_header(Some(value));
    let text = kept.as_str();
    assert!((3..=255).contains(&text.len()));
    assert!(text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)), "nothing that ends a header");
    assert!(text.contains('/'));
    assert_eq!(MediaType::of_header(Some(text.as_bytes())), kept);
});
