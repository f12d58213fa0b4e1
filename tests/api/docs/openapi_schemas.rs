//! The OpenAPI document gives every JSON body a name, and describes all its members: generated clients show both.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::harness::{ApiDocument, Server};

const PREFIX: &str = "#/components/schemas/";

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The names of all schemas that a value refers to.
fn references(value: &Value, into: &mut BTreeSet<String>) {
    if let Some(name) = value["$ref"].as_str().and_then(|reference| reference.strip_prefix(PREFIX)) {
        into.insert(name.to_owned());
    }
    members(value).for_each(|(_, member)| references(member, into));
    value.as_array().into_iter().flatten().for_each(|item| references(item, into));
}

#[test]
fn every_json_answer_has_a_schema_with_a_name() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let mut seen = 0;
    for (method, path, operation) in api.operations() {
        for (status, answer) in members(&operation["responses"]) {
            for (media_type, content) in members(&answer["content"]) {
                let schema = &content["schema"];
                let place = format!("{method} {path} {status} {media_type}: {schema}");
                if media_type == "application/json" {
                    let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix(PREFIX));
                    assert!(
                        name.is_some_and(|_| schema.as_object().is_some_and(|all| all.len() == 1)),
                        "{place}"
                    );
                    seen += 1;
                } else {
                    assert_eq!(schema["type"], "string", "{place}");
                }
            }
        }
    }
    assert!(seen > 60, "{seen} bodies");
}

#[test]
fn bodies_of_requests_are_bytes_or_have_a_name_and_no_parameter_can_be_null() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    for (method, path, operation) in api.operations() {
        for (media_type, content) in members(&operation["requestBody"]["content"]) {
            let schema = &content["schema"];
            if media_type == "application/json" {
                let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix(PREFIX));
                assert!(name.is_some(), "{method} {path}: {schema}");
                api.fits(schema, &content["example"]).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
                continue;
            }
            assert_eq!(
                (media_type.as_str(), &schema["format"]),
                ("application/octet-stream", &"binary".into())
            );
            assert_eq!(schema["type"], "string", "{method} {path}: {schema}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["schema"]["type"].is_string(), "{method} {path}: {parameter}");
        }
    }
}

#[test]
fn every_schema_is_used_and_has_a_good_name() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let document = api.document();
    let mut used = BTreeSet::new();
    references(&document["paths"], &mut used);
    references(&document["components"], &mut used);
    let named: BTreeSet<String> =
        members(&document["components"]["schemas"]).map(|(name, _)| name.clone()).collect();
    assert_eq!(named, used);
    for name in &named {
        let letters = name.chars().all(|c| c.is_ascii_alphabetic());
        assert!(letters && name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
    }
    for expected in
        ["BackupMetadata", "BackupList", "SystemBackups", "DownloadLink", "GatewayError", "Health"]
    {
        assert!(named.contains(expected), "{expected}: {named:?}");
    }
}

/// Fails if a schema inside a component describes an object that has no name.
fn has_no_inline_object(value: &Value, place: &str) {
    for (name, member) in members(value) {
        let place = format!("{place}/{name}");
        assert!(member["properties"].is_null(), "{place} is an object without a name");
        has_no_inline_object(member, &place);
    }
    for item in value.as_array().into_iter().flatten() {
        assert!(item["properties"].is_null(), "{place} has an object without a name");
        has_no_inline_object(item, place);
    }
}

#[test]
fn every_member_of_a_schema_is_described_with_its_type_and_an_example() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let mut seen = 0;
    for (name, schema) in members(&api.document()["components"]["schemas"]) {
        assert!(schema["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        assert!(schema["allOf"].is_null(), "{name} has its members in several places: {schema}");
        for (member, property) in members(&schema["properties"]) {
            let place = format!("{name}.{member}: {property}");
            seen += 1;
            // What a name stands for is described there.
            if property["$ref"].is_string() || property["oneOf"][0]["$ref"].is_string() {
                continue;
            }
            assert!(property["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}");
            assert!(!property["type"].is_null(), "{place} has no type");
            if property["type"] == "array" && property["items"]["$ref"].is_string() {
                continue;
            }
            let example = property.get("example").or_else(|| property["examples"].get(0));
            let example = example.unwrap_or_else(|| panic!("{place} has no example"));
            api.fits(property, example).unwrap_or_else(|e| panic!("{place}: {e}"));
            if property["type"] == "integer" {
                assert!(property["format"].is_string(), "{place} has no format");
            }
        }
        for (member, property) in members(&schema["properties"]) {
            has_no_inline_object(property, &format!("{name}.{member}"));
        }
    }
    assert!(seen > 60, "{seen} members");
}
