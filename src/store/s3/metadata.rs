//! The metadata that an object carries besides its bytes, so that a bucket explains itself.

use std::collections::HashMap;

use crate::store::ObjectMetadata;

/// Returns the user metadata (`x-amz-meta-*`, without that prefix).
pub(super) fn user_metadata(metadata: &ObjectMetadata) -> HashMap<String, String> {
    let mut values = HashMap::from([
        ("filename".to_owned(), metadata.filename.clone()),
        ("system-id".to_owned(), metadata.system_id.to_string()),
    ]);
    if let Some(sha256) = metadata.sha256 {
        values.insert("sha256".to_owned(), hex::encode(sha256));
    }
    values
}
