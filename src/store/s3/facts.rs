//! What an object carries besides its bytes, so that a bucket explains itself.

use std::collections::HashMap;

use crate::store::ObjectFacts;

/// As `x-amz-meta-*`, without that prefix.
pub(super) fn metadata(about: &ObjectFacts) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        ("filename".to_owned(), about.filename.clone()),
        ("system-id".to_owned(), about.system_id.to_string()),
    ]);
    if let Some(sha256) = about.sha256 {
        metadata.insert("sha256".to_owned(), hex::encode(sha256));
    }
    metadata
}
