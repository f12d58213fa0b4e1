//! What a schema says about a value: its type, and the objects that it can be.

use serde_json::Value;

use super::text;
use crate::http::docs::html::escape;

/// The type of a value, with links to named schemas.
pub fn type_of(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    for several in ["allOf", "anyOf", "oneOf"] {
        if let Some(all) = schema[several].as_array() {
            let mut types: Vec<String> = all.iter().map(type_of).filter(|kind| !kind.is_empty()).collect();
            types.dedup();
            return types.join(" or ");
        }
    }
    let name = |kind: &str| match (kind, text(schema, "format")) {
        ("array", _) => format!("array of {}", type_of(&schema["items"])),
        ("string", format @ ("date-time" | "uuid" | "binary" | "uri" | "date")) => {
            format!("string ({format})")
        }
        (kind, _) => kind.to_owned(),
    };
    match &schema["type"] {
        Value::String(kind) => name(kind),
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).map(name).collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    }
}

/// The objects that a value can be, directly or as an item of an array, with their names.
pub fn objects<'a>(document: &'a Value, schema: &'a Value) -> Vec<(Option<&'a str>, &'a Value)> {
    if let Some(name) = reference(schema) {
        let named = &document["components"]["schemas"][name];
        return if named.get("properties").is_some() {
            vec![(Some(name), named)]
        } else {
            objects(document, named)
        };
    }
    if schema.get("properties").is_some() {
        return vec![(None, schema)];
    }
    if schema["items"].is_object() {
        return objects(document, &schema["items"]);
    }
    let several = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|several| schema[several].as_array());
    several.flatten().flat_map(|one| objects(document, one)).collect()
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}
