//! The look at the first bytes of a backup: only those count, and no length in them leads astray.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::openpgp::{INSPECTED_BYTES, looks_encrypted};

fuzz_target!(|bytes: &[u8]| {
    let found = looks_encrypted(bytes);
    assert_eq!(found, looks_encrypted(&bytes[..bytes.len().min(INSPECTED_BYTES)]));
});
