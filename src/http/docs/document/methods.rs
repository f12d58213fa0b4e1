//! The methods that the document describes. `HEAD` is not among them: it works wherever `GET` does.

use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};

/// The methods as members of a path.
pub const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// All operations of the document.
pub fn operations_mut(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, post, put, patch, delete, .. } = item;
        [get, post, put, patch, delete].into_iter().flatten()
    })
}
