//! Describes answers for the OpenAPI document by the very values that handlers answer with: the status, the headers
//! and the example of an error are those of the error itself, so the document can't say anything else.

use std::collections::BTreeMap;

use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder};

use super::headers::{REQUESTED, entry, with_example_headers, with_headers};
use crate::http::errors::ApiError;
use crate::http::errors::data::ErrorData;
use crate::http::errors::gateway::{self, GatewayError};

/// The answers of an operation, as `utoipa` wants them: by status.
pub type Responses = BTreeMap<String, RefOr<Response>>;

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
        self.0.insert(status, with_example_headers(response, headers).build());
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
        self.0.insert(status, with_example_headers(response, headers).build());
        self
    }

    /// Adds these headers, with these values, to all answers that were described before.
    pub fn all_with(mut self, headers: &[(&str, &str)]) -> Self {
        for response in self.0.values_mut() {
            response.headers.extend(with_headers(ResponseBuilder::new(), headers).build().headers);
        }
        self
    }

    /// What these errors become in our envelope; those of one status together.
    pub fn errors(self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.with_errors(errors.into_iter().map(|error| {
            let status = error.status_code().as_u16();
            let schema = envelope(status, Ref::from_schema_name(error.data().schema()).into());
            let body = json!({ "code": status, "message": error.to_string(), "data": error.data() });
            (status, RefOr::T(schema), body, error)
        }))
    }

    /// The same in the gateway's shape.
    pub fn gateway_errors(self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.with_errors(errors.into_iter().map(|error| {
            let (status, body) = gateway::reshaped(&error, "https://manage.example.net");
            let schema = Ref::from_schema_name(GatewayError::name());
            (status, schema.into(), json!(body), error)
        }))
    }

    /// Describes errors; those of one status are one answer.
    fn with_errors(mut self, errors: impl Iterator<Item = (u16, RefOr<Schema>, Value, ApiError)>) -> Self {
        let mut by_status: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        for (status, schema, body, error) in errors {
            by_status.entry(status).or_default().push((schema, body, error));
        }
        for (status, errors) in by_status {
            self.0.insert(status, error_response(&errors));
        }
        self
    }

    /// All of them carry [`REQUESTED`] while a backup is asked for, except 401: there it is not known who asks.
    pub fn with_requested(mut self) -> Self {
        for (_, response) in self.0.iter_mut().filter(|(status, _)| **status != 401) {
            response
                .headers
                .extend(with_example_headers(ResponseBuilder::new(), &[REQUESTED]).build().headers);
        }
        self
    }
}

impl From<Answers> for Responses {
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
    // `Retry-After` of an outage has jitter in it; the document has to be the same each time it is made.
    let made_up = |name| name == RETRY_AFTER && error.is_some_and(|e| e.status_code().is_server_error());
    let sent: Vec<(&str, &str)> = sent
        .filter_map(|(name, value)| {
            let value = if made_up(name) { entry(name.as_str()).2 } else { value.to_str().ok()? };
            Some((name.as_str(), value))
        })
        .collect();
    with_headers(response, &sent).build()
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
        ErrorData::DependencyDown(down) => format!("{error} {}", down.details),
        _ => error.to_string(),
    };
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}
