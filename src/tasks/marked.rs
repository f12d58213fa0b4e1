//! Objects that come before their rows, in a listing of the store.

use crate::store::{BlobStore, ObjectInfo, StoreError};

/// Removes the objects that have a mark from what was listed. The caller has to list first, and to read the rows last: the mark of
/// an object that becomes a backup is older than the object, and is removed after its row is there.
pub(super) async fn without_marked(
    store: &dyn BlobStore,
    mut listed: Vec<ObjectInfo>,
) -> Result<Vec<ObjectInfo>, StoreError> {
    let marked = store.marked().await?;
    listed.retain(|object| !marked.contains(&object.key));
    Ok(listed)
}

/// Returns a listed object if it still exists.
pub(super) async fn if_it_exists(
    store: &dyn BlobStore,
    object: ObjectInfo,
) -> Result<Option<ObjectInfo>, StoreError> {
    match store.head(&object.key).await {
        Ok(_) => Ok(Some(object)),
        Err(StoreError::NotFound | StoreError::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
