//! The answers of the documentation's own operations.

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::handlers::{CSS, HTML, MARKDOWN, PLAIN, PRIVATE, PUBLIC, page_headers};
use super::mcp::{BROKEN, LARGE, Refusal, SLOW};
use crate::http::openapi::answers::{Answers, Body, Responses, text};

fn html(answers: Answers, status: u16, description: &str) -> Answers {
    answers.other(status, description, [(HTML, text(), json!("<!doctype html>..."))], &[])
}

/// How we refuse a request to `/mcp` ourselves, before the protocol's library sees it.
fn ours((status, message): Refusal) -> Body {
    let error = json!({ "code": status.as_u16(), "message": message, "data": {} });
    ("application/json", object(), error)
}

/// How the library refuses one.
fn theirs(message: &str) -> Body {
    (PLAIN, text(), json!(message))
}

fn object() -> Schema {
    ObjectBuilder::new().schema_type(Type::Object).build().into()
}

macro_rules! answers {
    ($($name:ident: $answers:expr;)+) => {$(
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> Responses {
                $answers.into()
            }
        }
    )+};
}

answers! {
    Document: Answers::default()
        .other(200, "The document.", [("application/json", object(), json!({ "openapi": "3.1.0" }))], &[])
        .all_with(&page_headers(PRIVATE));
    Text: Answers::default()
        .other(200, "The index.", [(PLAIN, text(), json!("# Strongroom"))], &[])
        .all_with(&page_headers(PRIVATE));
    Page: html(Answers::default(), 200, "The page.").all_with(&page_headers(PRIVATE));
    FixedPage: html(Answers::default(), 200, "The page.").all_with(&page_headers(PUBLIC));
    FoundPage: html(html(Answers::default(), 200, "The page."), 404, "No such page.").all_with(&page_headers(PUBLIC));
    Source: html(
        Answers::default().other(200, "The guide.", [(MARKDOWN, text(), json!("# A guide"))], &[]),
        404, "No such guide.",
    ).all_with(&page_headers(PUBLIC));
    Style: Answers::default()
        .other(200, "A style sheet.", [(CSS, text(), json!("body {}"))], &[])
        .all_with(&page_headers(PUBLIC));
    Rpc: Answers::default()
        .other(200, "The answer to a request.", Some(("application/json", object(),
            json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))), &[])
        .other(202, "A notification: there is no answer.", None, &[])
        .other(400, "Not a whole question, or of a version of the protocol that is not known.",
            [ours(BROKEN), theirs("Bad Request: Unsupported MCP-Protocol-Version: 1999-01-01")], &[])
        .other(403, "A `Host` or an `ClientNetwork` that is not ours.",
            [theirs("Forbidden: Host header is not allowed")], &[])
        .other(406, "`Accept` has to name `application/json` and `text/event-stream`.",
            [theirs("Not Acceptable: Client must accept both application/json and text/event-stream")], &[])
        .other(408, "The question came too slowly.", [ours(SLOW)], &[])
        .other(413, "Larger than any question that can be asked here.", [ours(LARGE)], &[])
        .other(415, "Not JSON-RPC.",
            [theirs("Unsupported Media Type: Content-Type must be application/json")], &[]);
}
