//! The check of a backup's first bytes: it reads only those, and no length in them misleads it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::openpgp::{INSPECTED_BYTES, looks_encrypted};

fuzz_target!(|bytes: &[u8]| {
    let found = looks_encrypted(bytes);
    assert_eq!(found, looks_encrypted(&bytes[..bytes.len().min(INSPECTED_BYTES)]));
});
