//! The OpenAPI document groups its operations by who needs them, in the order of use.

use serde_json::Value;

use crate::harness::{ApiDocument, Server};

/// Returns the ids in the text of a document, in their order.
fn ids_in_text(text: &str) -> Vec<&str> {
    let rest = text.split("\"operationId\":\"").skip(1);
    rest.filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

#[test]
fn openapi_text_has_the_operations_in_the_order_of_use() {
    let server = Server::start();
    let answer = server.manage("GET", "/openapi.json").send().status(200);
    let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
    let ids = ids_in_text(&text);
    assert_eq!(ids.first(), Some(&"uploadBackup"), "{ids:?}");
    let at =
        |id: &str| ids.iter().position(|other| *other == id).unwrap_or_else(|| panic!("no {id}: {ids:?}"));
    let uses = ["uploadBackup", "listBackups", "downloadBackup", "deleteBackup", "noteUnchanged"];
    let portals = ["listSystemBackups", "linkSystemBackup", "followLink", "deleteSystemBackup"];
    for order in [&uses[..], &portals] {
        assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{ids:?}");
    }
    // A reader of the text meets the introduction before the paths.
    let member = |name: &str| text.find(&format!("\"{name}\":")).expect("a member");
    assert!(member("info") < member("tags") && member("tags") < member("paths"));
    // MCP lists them in the same order.
    let question = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "list_operations", "arguments": {} },
    });
    let listed = server
        .manage("POST", "/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(question.to_string())
        .send()
        .status(200)
        .json();
    let listed: Vec<Value> =
        serde_json::from_str(listed["result"]["content"][0]["text"].as_str().expect("a text")).expect("JSON");
    let first: Vec<&Value> = listed.iter().take(3).map(|one| &one["operation_id"]).collect();
    assert_eq!(first, ["uploadBackup", "listBackups", "downloadBackup"]);
}

#[test]
fn openapi_tags_say_who_needs_their_operations() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let tags = api.document()["tags"].as_array().expect("tags");
    let names: Vec<&str> = tags.iter().filter_map(|tag| tag["name"].as_str()).collect();
    assert_eq!(names, ["Appliances", "Portals", "Fleet", "Organizations", "History", "Gateway", "Operation"]);
    for tag in tags {
        for member in ["x-displayName", "description"] {
            assert!(tag[member].as_str().is_some_and(|text| !text.is_empty()), "{tag} has no {member}");
        }
    }
    for (method, path, operation) in api.operations() {
        let tag = operation["tags"].as_array().expect("tags").as_slice();
        assert_eq!(tag.len(), 1, "{method} {path}: {tag:?}");
        let basic = operation["security"].to_string().contains("basic");
        assert_eq!(tag[0] == "Appliances", basic, "{method} {path} is in the wrong chapter");
        assert_eq!(tag[0] == "Gateway", path.starts_with("/backup/"), "{method} {path}");
    }
}
