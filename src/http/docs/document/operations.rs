//! Reads the operations from the document, in the order of its chapters.

use serde_json::{Map, Value};

use super::chapters;
use super::methods::METHODS;

/// Path, method, operation and server URL of all operations, in the order of use.
pub fn operations(document: &Value) -> impl Iterator<Item = (&str, &'static str, &Value, &str)> {
    let paths = document["paths"].as_object().into_iter().flat_map(Map::iter);
    let mut all: Vec<_> = paths
        .flat_map(|(path, item)| {
            let of = move |method| item.get(method).map(|found| (method, found));
            METHODS.into_iter().filter_map(of).map(move |(method, operation)| {
                (path.as_str(), method, operation, item["servers"][0]["url"].as_str().unwrap_or_default())
            })
        })
        .collect();
    all.sort_by_key(|(_, _, operation, _)| place(operation));
    all.into_iter()
}

/// The place of an operation in the order of use.
pub fn place(operation: &Value) -> usize {
    chapters::place(operation["operationId"].as_str().unwrap_or_default())
}
