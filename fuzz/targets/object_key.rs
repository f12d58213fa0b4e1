//! Object keys, read from a listing of the store: three segments, none of which leads to another folder.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::domain::ids::{OrgId, SystemKey};
use strongroom::domain::object_key::ObjectKey;

fuzz_target!(|text: &str| {
    let Ok(key) = ObjectKey::parse(text) else { return };
    assert_eq!(key.as_str(), text);
    let segments: Vec<&str> = text.split('/').collect();
    assert_eq!(segments.len(), 3);
    assert!(segments.iter().all(|segment| !segment.is_empty() && !segment.starts_with('.')));
    let org = OrgId::parse(segments[0]).expect("an organization");
    let system = SystemKey::parse(segments[1]).expect("a system");
    assert_eq!(ObjectKey::new(&org, &system, key.id()), key);
    assert_eq!(key.org(), segments[0]);
    assert!(text.starts_with(&ObjectKey::prefix_of(&org, &system)));
});
