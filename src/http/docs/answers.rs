//! Answers for the OpenAPI document, described by the values that the handlers answer with: status,
//! headers and examples of an error are those of the error itself.

use std::collections::BTreeMap;

use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder,
};

use super::super::error::ApiError;
use super::super::error_data::ErrorData;
use super::super::gateway_error::{self, GatewayError};

/// The one header that comes and goes.
pub const REQUESTED: &str = "X-Backup-Requested";

/// Headers of our answers: what they say, and an example for where it is not known what is sent.
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

/// A media type, its schema and an example.
pub type Body = (&'static str, Schema, Value);

/// The answers of one operation, by status.
#[derive(Default)]
pub struct Answers(BTreeMap<u16, Response>);

impl Answers {
    /// An answer in our envelope, of which this is an example.
    pub fn json<T: Serialize + ToSchema>(
        mut self,
        status: u16,
        description: &str,
        message: &str,
        data: &T,
        headers: &[&str],
    ) -> Self {
        let schema = envelope(status, Ref::from_schema_name(T::name()).into());
        let example = json!({ "code": status, "message": message, "data": data });
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
        let response = ResponseBuilder::new().description(description).content("application/json", content);
        self.0.insert(status, named(response, headers).build());
        self
    }

    /// An answer of other types, or (without one) with no body.
    pub fn other(
        mut self,
        status: u16,
        description: &str,
        bodies: impl IntoIterator<Item = Body>,
        headers: &[&str],
    ) -> Self {
        let mut response = ResponseBuilder::new().description(description);
        for (media_type, schema, example) in bodies {
            let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
            response = response.content(media_type, content);
        }
        self.0.insert(status, named(response, headers).build());
        self
    }

    /// All that were described before have these headers, too, and with these values.
    pub fn all_with(mut self, headers: &[(&str, &str)]) -> Self {
        for response in self.0.values_mut() {
            response.headers.extend(with_headers(ResponseBuilder::new(), headers).build().headers);
        }
        self
    }

    /// What these errors become in our envelope; those of one status together.
    pub fn errors(self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.told(errors.into_iter().map(|error| {
            let status = error.status_code().as_u16();
            let schema = envelope(status, Ref::from_schema_name(error.data().schema()).into());
            let body = json!({ "code": status, "message": error.to_string(), "data": error.data() });
            (status, RefOr::T(schema), body, error)
        }))
    }

    /// The same in the gateway's shape.
    pub fn gateway_errors(self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.told(errors.into_iter().map(|error| {
            let (status, body) = gateway_error::reshaped(&error, "https://manage.example.net");
            let schema = Ref::from_schema_name(GatewayError::name());
            (status, schema.into(), json!(body), error)
        }))
    }

    fn told(mut self, errors: impl Iterator<Item = (u16, RefOr<Schema>, Value, ApiError)>) -> Self {
        let mut by_status: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        for (status, schema, body, error) in errors {
            by_status.entry(status).or_default().push((schema, body, error));
        }
        for (status, errors) in by_status {
            self.0.insert(status, error_response(&errors));
        }
        self
    }
}

impl Answers {
    /// All of them say it if a backup is asked for, except those to whom we don't know.
    pub fn with_requested(mut self) -> Self {
        for (_, response) in self.0.iter_mut().filter(|(status, _)| **status != 401) {
            response.headers.extend(named(ResponseBuilder::new(), &[REQUESTED]).build().headers);
        }
        self
    }
}

impl From<Answers> for BTreeMap<String, RefOr<Response>> {
    fn from(answers: Answers) -> Self {
        let all = answers.0.into_iter().map(|(status, response)| (status.to_string(), response));
        ResponsesBuilder::new().responses_from_iter(all).build().responses.into_iter().collect()
    }
}

fn error_response(errors: &[(RefOr<Schema>, Value, ApiError)]) -> Response {
    let mut messages: Vec<String> = errors.iter().map(|(_, _, error)| error.to_string()).collect();
    messages.dedup();
    let mut schemas: Vec<&RefOr<Schema>> = errors.iter().map(|(schema, _, _)| schema).collect();
    schemas.dedup();
    let schema = match schemas.as_slice() {
        [one] => (*one).clone(),
        several => {
            let any = several.iter().fold(AnyOfBuilder::new(), |any, schema| any.item((*schema).clone()));
            RefOr::T(any.build().into())
        }
    };
    let examples = errors
        .iter()
        .map(|(_, body, error)| (name(error), ExampleBuilder::new().value(Some(body.clone())).build()));
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
    let response =
        ResponseBuilder::new().description(messages.join("; ")).content("application/json", content);
    let error = errors.first().map(|(_, _, error)| error);
    let answer = error.map(ResponseError::error_response);
    let sent = answer.iter().flat_map(HttpResponse::headers).filter(|(name, _)| *name != CONTENT_TYPE);
    // A wait for our own trouble is made up for each answer, but the document is the same each time.
    let made_up = |name| name == RETRY_AFTER && error.is_some_and(|e| e.status_code().is_server_error());
    let sent: Vec<(&str, &str)> = sent
        .filter_map(|(name, value)| {
            let value = if made_up(name) { row(name.as_str()).2 } else { value.to_str().ok()? };
            Some((name.as_str(), value))
        })
        .collect();
    with_headers(response, &sent).build()
}

/// Headers whose values differ from answer to answer, with our examples.
fn named(response: ResponseBuilder, names: &[&str]) -> ResponseBuilder {
    let examples: Vec<(&str, &str)> = names.iter().map(|name| (*name, row(name).2)).collect();
    with_headers(response, &examples)
}

fn row(name: &str) -> (&str, &'static str, &'static str) {
    let row = HEADERS.iter().find(|row| row.0.eq_ignore_ascii_case(name));
    row.copied().unwrap_or((name, "", ""))
}

fn with_headers(response: ResponseBuilder, headers: &[(&str, &str)]) -> ResponseBuilder {
    headers.iter().fold(response, |response, (name, sent)| {
        let (name, description, _) = row(name);
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

/// `{"code", "message", "data"}` around this `data`.
fn envelope(status: u16, data: RefOr<Schema>) -> Schema {
    let code = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("The status, again"))
        .enum_values(Some([status]));
    let message = ObjectBuilder::new().schema_type(Type::String).description(Some("For people"));
    let object = ObjectBuilder::new()
        .property("code", code)
        .property("message", message)
        .property("data", data)
        .required("code")
        .required("message")
        .required("data");
    object.build().into()
}

/// Any bytes.
pub fn binary() -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build().into()
}

/// Text, for people.
pub fn text() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).build().into()
}

/// What an example of this error is called: by what tells it from the others.
fn name(error: &ApiError) -> String {
    let text = match error.data() {
        ErrorData::Validation(failed) => {
            let told = failed.errors.iter().map(|field| [field.key, field.message].join(" "));
            told.collect::<Vec<_>>().join(" ")
        }
        ErrorData::Outside(outside) => format!("{error} {}", outside.details),
        _ => error.to_string(),
    };
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}
