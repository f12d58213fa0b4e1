//! The reference page shows all of the OpenAPI document.

use serde_json::{Map, Value};

use super::crawl::text;
use crate::harness::{ApiDocument, Server};

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// Escapes text as the pages do.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Returns the text of a page: what is outside its tags.
fn shown(html: &str) -> String {
    html.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect()
}

/// Returns the part of the reference about an operation.
fn section<'a>(html: &'a str, id: &str) -> &'a str {
    let marker = format!("<section class=\"operation\" aria-labelledby=\"{id}\">");
    let (_, rest) = html.split_once(&marker).unwrap_or_else(|| panic!("no {id}"));
    rest.split_once("</section>").expect("an end").0
}

#[test]
fn openapi_document_does_not_describe_the_documentation() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let own =
        |path: &str| ["/docs", "/openapi.json", "/llms.txt", "/mcp"].iter().any(|own| path.starts_with(own));
    assert_eq!(api.operations().map(|(_, path, _)| path).find(|path| own(path)), None);
}

#[test]
fn reference_page_shows_every_operation_with_its_parameters_and_answers() {
    let server = Server::start();
    let answer = server.manage("GET", "/docs/reference").send().status(200);
    assert!(answer.body.len() < 800_000, "the reference has {} bytes", answer.body.len());
    let html = text(&answer);
    let api = ApiDocument::of(&server);
    for (method, path, operation) in api.operations() {
        let id = operation["operationId"].as_str().expect("an id");
        let section = section(&html, id);
        assert!(section.contains(&format!(">{method}</span>")), "{method} {path}");
        for status in operation["responses"].as_object().expect("answers").keys() {
            let place = format!("<li id=\"{id}.{status}\">");
            assert!(
                section.contains(&place) && section.contains(&format!(">{status}</span>")),
                "{id} {status}"
            );
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            assert!(
                section.contains(&format!("<li id=\"{id}.{name}\"><p><code>{name}</code>")),
                "{id} {name}"
            );
        }
        for (status, answer) in members(&operation["responses"]) {
            for (header, _) in members(&answer["headers"]) {
                assert!(section.contains(&format!("<code>{header}</code>")), "{id} {status} {header}");
            }
        }
    }
    for (name, schema) in members(&api.document()["components"]["schemas"]) {
        assert!(html.contains(&format!("<h3 id=\"schema-{name}\">")), "{name}");
        for (member, _) in members(&schema["properties"]) {
            assert!(html.contains(&format!("<li id=\"schema-{name}.{member}\">")), "{name}.{member}");
        }
    }
}

#[test]
fn every_operation_has_examples_to_copy_with_the_address_of_this_server() {
    let server = Server::start();
    let html = text(&server.manage("GET", "/docs/reference").send().status(200));
    for (method, path, operation) in ApiDocument::of(&server).operations() {
        let id = operation["operationId"].as_str().expect("an id");
        let section = section(&html, id);
        let samples = operation["x-codeSamples"].as_array().unwrap_or_else(|| panic!("{id} has no samples"));
        let labels: Vec<&str> = samples.iter().filter_map(|sample| sample["label"].as_str()).collect();
        assert_eq!(labels, ["curl", "Python", "JavaScript"], "{id}");
        let text = shown(section);
        for sample in samples {
            let source = sample["source"].as_str().expect("a source");
            assert!(text.contains(&escaped(source.trim_end())), "{id} does not show {source}");
            let own = [server.url(""), server.management_url("")];
            assert!(own.iter().any(|url| source.contains(url.as_str())), "{method} {path}: {source}");
        }
        assert_eq!(section.matches(" checked>").count(), 1, "{id}: one tab is chosen");
    }
}

#[test]
fn examples_of_answers_have_their_members_in_the_order_in_which_the_service_sends_them() {
    let server = Server::start();
    let system = server.system();
    let sent = text(&server.upload(&system).header("x-filename", "a.gpg").body("x").send().status(201));
    let html = text(&server.manage("GET", "/docs/reference").send().status(200));
    let example = shown(section(&html, "uploadBackup"));
    let example = example.split_once("Created").expect("the example of 201").1.replace("&quot;", "\"");
    let mut at = 0;
    for name in ["code", "message", "data", "id", "filename", "size", "sha256", "mimetype", "uploaded_at"] {
        let member = format!("\"{name}\":");
        assert!(sent.contains(&member), "{sent}");
        let found = example[at..].find(&member);
        at += found.unwrap_or_else(|| panic!("{name} is not next: {}", &example[..600]));
    }
}
