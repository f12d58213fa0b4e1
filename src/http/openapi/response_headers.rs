//! Describes the headers of responses.

use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, ResponseBuilder};

/// The header that is sent only while a backup request is pending.
pub const BACKUP_REQUESTED: &str = "X-Backup-Requested";

struct HeaderDescription {
    name: &'static str,
    description: &'static str,
    /// The value that the document shows where the value differs from response to response.
    example: &'static str,
}

const fn header(name: &'static str, description: &'static str, example: &'static str) -> HeaderDescription {
    HeaderDescription { name, description, example }
}

const HEADERS: &[HeaderDescription] = &[
    header("Accept-Ranges", "The service supports `Range`.", "bytes"),
    header("Cache-Control", "Which caches may keep the response, and for how long.", "private, no-store"),
    header(
        "Content-Disposition",
        "The file name of the backup.",
        "attachment; filename=\"backup-2026-04-12.tar.gz.gpg\"",
    ),
    header("Content-Range", "The range and the total size; `bytes */SIZE` with a 416.", "bytes 0-1023/82944"),
    header(
        "ETag",
        "The SHA-256 in hex. The bytes of a backup never change.",
        "\"3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b\"",
    ),
    header(
        "Location",
        "The path of what was added, or is being erased.",
        "/api/systems/backups/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg",
    ),
    header(
        "Repr-Digest",
        "The SHA-256 of the whole backup (RFC 9530).",
        "sha-256=:OnvT4jYKPSnupDb8+35Ex/nZFsQC0cGDVCC2uZQt1Ps=:",
    ),
    header("Retry-After", "Whole seconds to wait before the next request.", "12"),
    header(
        "WWW-Authenticate",
        "The authentication scheme to use. If a credential was sent, `error` and `error_description` say what is wrong \
         with it.",
        "Basic realm=\"systems\"",
    ),
    header(
        BACKUP_REQUESTED,
        "The id of the pending backup request. Sent only while there is one.",
        "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8",
    ),
    header("X-Content-Type-Options", "The client must not guess another media type.", "nosniff"),
];

/// Describes headers by the examples of this table.
pub fn with_example_headers(response: ResponseBuilder, names: &[&str]) -> ResponseBuilder {
    let examples: Vec<(&str, &str)> = names.iter().map(|name| (*name, example_value(name))).collect();
    with_headers(response, &examples)
}

/// The example of a header.
pub fn example_value(name: &str) -> &'static str {
    find(name).map_or("", |header| header.example)
}

/// Describes headers with the values that are sent.
pub fn with_headers(response: ResponseBuilder, headers: &[(&str, &str)]) -> ResponseBuilder {
    headers.iter().fold(response, |response, (name, sent)| {
        let (name, description) = find(name).map_or((*name, ""), |header| (header.name, header.description));
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

/// The entry for a header, whatever its letter case.
fn find(name: &str) -> Option<&'static HeaderDescription> {
    HEADERS.iter().find(|header| header.name.eq_ignore_ascii_case(name))
}
