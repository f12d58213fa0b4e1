//! Backup ids from a request's path: an accepted id has one canonical form with the same meaning.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::ids::BackupId;

fuzz_target!(|text: &str| {
    let Ok(id) = BackupId::parse(text) else { return };
    let canonical = id.to_string();
    assert!(canonical.eq_ignore_ascii_case(text));
    assert_eq!(BackupId::parse(&canonical), Ok(id));
    assert_eq!(id.uuid().get_version_num(), 7);
    assert!(canonical.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)));
});
