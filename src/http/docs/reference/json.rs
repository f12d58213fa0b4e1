//! Examples as text. Their members stand in the order in which the service sends them: that of `required` in the schema. The
//! document itself has them in alphabetical order.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::types::objects;

/// The example as indented JSON.
pub fn pretty(document: &Value, schema: &Value, example: &Value) -> String {
    let mut out = String::new();
    write(&mut out, document, &[schema], example, 0);
    out
}

/// Writes a value that one of the schemas describes.
fn write(out: &mut String, document: &Value, schemas: &[&Value], value: &Value, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            let described: Vec<&Value> = schemas
                .iter()
                .flat_map(|schema| objects(document, schema))
                .map(|(_, object)| object)
                .collect();
            out.push('{');
            for (index, (name, member)) in in_order(&described, members).into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                line(out, depth + 1);
                let _ = write!(out, "{}: ", Value::from(name));
                let inner: Vec<&Value> = described.iter().map(|object| &object["properties"][name]).collect();
                write(out, document, &inner, member, depth + 1);
            }
            line(out, depth);
            out.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                line(out, depth + 1);
                write(out, document, schemas, item, depth + 1);
            }
            line(out, depth);
            out.push(']');
        }
        value => out.push_str(&value.to_string()),
    }
}

/// The members of an object in the order of the first schema that requires them.
fn in_order<'a>(described: &[&Value], members: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value)> {
    let place = |name: &str| {
        let required = described.iter().filter_map(|object| object["required"].as_array()).flatten();
        required.into_iter().position(|required| required == name).unwrap_or(usize::MAX)
    };
    let mut members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
    members.sort_by_key(|(name, _)| place(name));
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_stand_in_the_order_of_required() {
        let document = json!({ "components": { "schemas": {
            "Outer": { "required": ["code", "data"], "properties": { "code": {}, "data": { "$ref": "#/x/Inner" } } },
            "Inner": { "required": ["b", "a"], "properties": { "a": {}, "b": {}, "0": {} } },
        } } });
        let example = json!({ "data": { "a": [{}, []], "b": "\"", "0": null }, "code": 1 });
        let text = pretty(&document, &json!({ "$ref": "#/x/Outer" }), &example);
        let expected = "{\n  \"code\": 1,\n  \"data\": {\n    \"b\": \"\\\"\",\n    \"a\": [\n      {},\n      []\n    ],\n    \
                        \"0\": null\n  }\n}";
        assert_eq!(text, expected);
    }
}
