//! The headers of our answers, for the OpenAPI document.

use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, ResponseBuilder};

/// The header that an answer has only while a backup is requested.
pub const REQUESTED: &str = "X-Backup-Requested";

/// The headers of our answers: name, what it says, and an example for where the value differs from answer to answer.
const HEADERS: &[(&str, &str, &str)] = &[
    ("Accept-Ranges", "Parts can be asked for with `Range`.", "bytes"),
    ("Allow", "The methods that this address knows.", "GET, HEAD"),
    ("Cache-Control", "What may keep a copy, and for how long.", "private, no-store"),
    (
        "Content-Disposition",
        "The name of the backup.",
        "attachment; filename=\"backup-2026-04-12.tar.gz.gpg\"",
    ),
    (
        "Content-Range",
        "Which part this is, of how many bytes; `bytes */SIZE` with a 416.",
        "bytes 0-1023/82944",
    ),
    (
        "Content-Security-Policy",
        "A page runs no script and loads nothing from elsewhere.",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (
        "ETag",
        "The SHA-256 in hex: the bytes behind an id never change.",
        "\"3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b\"",
    ),
    (
        "Location",
        "The path of the new backup.",
        "/api/systems/backups/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg",
    ),
    (
        "Repr-Digest",
        "The SHA-256 of the whole backup (RFC 9530).",
        "sha-256=:OnvT4jYKPSnupDb8+35Ex/nZFsQC0cGDVCC2uZQt1Ps=:",
    ),
    ("Referrer-Policy", "Other hosts are not told which page leads to them.", "no-referrer"),
    ("Retry-After", "Whole seconds to wait before asking again.", "12"),
    ("WWW-Authenticate", "What to authenticate with.", "Basic realm=\"systems\""),
    (
        REQUESTED,
        "Only while somebody asks for a backup of this system: the id of that request.",
        "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8",
    ),
    ("X-Content-Type-Options", "The type is what it says.", "nosniff"),
];

/// Describes headers whose values differ from answer to answer, by our examples.
pub fn with_example_headers(response: ResponseBuilder, names: &[&str]) -> ResponseBuilder {
    let examples: Vec<(&str, &str)> = names.iter().map(|name| (*name, entry(name).2)).collect();
    with_headers(response, &examples)
}

/// The entry of [`HEADERS`] for a header, in whatever letter case.
pub fn entry(name: &str) -> (&str, &'static str, &'static str) {
    let found = HEADERS.iter().find(|entry| entry.0.eq_ignore_ascii_case(name));
    found.copied().unwrap_or((name, "", ""))
}

/// Describes headers with the values that are sent.
pub fn with_headers(response: ResponseBuilder, headers: &[(&str, &str)]) -> ResponseBuilder {
    headers.iter().fold(response, |response, (name, sent)| {
        let (name, description, _) = entry(name);
        let seconds = (name == "Retry-After").then(|| sent.parse::<u64>().ok()).flatten();
        let (schema, example) = match seconds {
            Some(seconds) => {
                (ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)), json!(seconds))
            }
            None => (ObjectBuilder::new().schema_type(Type::String), json!(sent)),
        };
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description));
        response.header(name, header.example(Some(example)).build())
    })
}
