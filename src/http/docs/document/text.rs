//! The text of the document. Its members come in the order in which people read them, and paths and methods in the order
//! of use, because tools show operations in the order of the text.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::operations::place;

/// The members of the document, in order.
const MEMBERS: [&str; 6] = ["openapi", "info", "servers", "tags", "paths", "components"];

/// Returns the document as JSON.
pub fn text(document: &Value) -> String {
    serde_json::to_string(&Document(document)).unwrap_or_default()
}

struct Document<'a>(&'a Value);
struct Paths<'a>(&'a Value);
struct Item<'a>(&'a Value);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |name: &str, _: &Value| {
            MEMBERS.iter().position(|member| *member == name).unwrap_or(MEMBERS.len())
        };
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in sorted(self.0, place) {
            match name {
                "paths" => map.serialize_entry(name, &Paths(value))?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first =
            |_: &str, item: &Value| item.as_object().into_iter().flat_map(Map::values).map(place).min();
        serializer.collect_map(sorted(self.0, first).into_iter().map(|(path, item)| (path, Item(item))))
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(sorted(self.0, |_, operation| place(operation)))
    }
}

/// The members of an object, sorted by their place.
fn sorted<K: Ord>(object: &Value, place: impl Fn(&str, &Value) -> K) -> Vec<(&str, &Value)> {
    let members = object.as_object().into_iter().flat_map(Map::iter);
    let mut members: Vec<_> = members.map(|(name, value)| (name.as_str(), value)).collect();
    members.sort_by_key(|(name, value)| place(name, value));
    members
}
