//! `X-Filename`: whatever is sent, the stored name is safe, not too long, and has the same extension.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::filename::Filename;

fuzz_target!(|value: &[u8]| {
    let Some(name) = Filename::from_header(value) else { return };
    let text = name.as_str();
    assert!((1..=255).contains(&text.len()));
    assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
    assert!(text.bytes().any(|b| b != b'.'), "no way up a tree");
    let again = Filename::from_header(text.as_bytes());
    assert_eq!(again.as_ref(), Some(&name), "made safe once, it stays as it is");
    assert_eq!(again.map(|name| name.ext()), Some(name.ext()));
});
