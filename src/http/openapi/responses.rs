//! Describes responses from the same values that handlers respond with. Status, headers and example of an error are
//! those of the error itself, so the document cannot differ from the service.

use std::collections::BTreeMap;

use actix_web::ResponseError;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder};

use super::response_headers::{BACKUP_REQUESTED, example_value, with_example_headers, with_headers};
use super::schemas::{envelope_ref, schema_ref};
use crate::http::errors::ApiError;
use crate::http::errors::data::ErrorData;
use crate::http::errors::gateway::{self, GatewayError};

/// The responses of an operation by status, in the type that `utoipa` needs.
pub type ResponseMap = BTreeMap<String, RefOr<Response>>;

/// A media type, its schema and an example.
pub type Body = (&'static str, RefOr<Schema>, Value);

/// Builds the responses of one operation.
#[derive(Default)]
pub struct Responses(BTreeMap<u16, Response>);

/// An error of one operation: its schema and its body as an example.
struct DescribedError {
    error: ApiError,
    schema: RefOr<Schema>,
    body: Value,
}

impl Responses {
    /// Adds a response in the envelope. `data` is its example.
    pub fn json<T: Serialize + ToSchema>(
        mut self,
        status: u16,
        description: &str,
        message: &str,
        data: &T,
        headers: &[&str],
    ) -> Self {
        let schema = envelope_ref::<T>();
        let example = json!({ "code": status, "message": message, "data": data });
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
        let response = ResponseBuilder::new().description(description).content("application/json", content);
        self.0.insert(status, with_example_headers(response, headers).build());
        self
    }

    /// Adds a response with bodies of other types, or without a body.
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

    /// Adds headers with these values to all responses added so far.
    pub fn with_headers(mut self, headers: &[(&str, &str)]) -> Self {
        for response in self.0.values_mut() {
            response.headers.extend(with_headers(ResponseBuilder::new(), headers).build().headers);
        }
        self
    }

    /// Adds [`BACKUP_REQUESTED`] to all responses but 401, where the system is not known.
    pub fn with_backup_requested(mut self) -> Self {
        for (_, response) in self.0.iter_mut().filter(|(status, _)| **status != 401) {
            response
                .headers
                .extend(with_example_headers(ResponseBuilder::new(), &[BACKUP_REQUESTED]).build().headers);
        }
        self
    }

    /// Adds the responses to these errors in the envelope. Errors of one status become one response.
    pub fn errors(self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.with_errors(errors.into_iter().map(|error| {
            let status = error.status_code().as_u16();
            let schema = Ref::from_schema_name(error.data().response_schema()).into();
            let body = json!({ "code": status, "message": error.to_string(), "data": error.data() });
            (status, DescribedError { error, schema, body })
        }))
    }

    /// Adds the responses to these errors in the gateway's shape.
    pub fn gateway_errors(self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.with_errors(errors.into_iter().map(|error| {
            let (status, body) = gateway::reshaped(&error, "https://manage.example.net");
            (status, DescribedError { error, schema: schema_ref::<GatewayError>(), body: json!(body) })
        }))
    }

    fn with_errors(mut self, errors: impl Iterator<Item = (u16, DescribedError)>) -> Self {
        let mut by_status: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        for (status, error) in errors {
            by_status.entry(status).or_default().push(error);
        }
        for (status, errors) in by_status {
            self.0.insert(status, error_response(&errors));
        }
        self
    }
}

impl From<Responses> for ResponseMap {
    fn from(responses: Responses) -> Self {
        let all = responses.0.into_iter().map(|(status, response)| (status.to_string(), response));
        ResponsesBuilder::new().responses_from_iter(all).build().responses.into_iter().collect()
    }
}

fn error_response(errors: &[DescribedError]) -> Response {
    let mut messages: Vec<String> = errors.iter().map(|described| described.error.to_string()).collect();
    messages.dedup();
    let mut schemas: Vec<&RefOr<Schema>> = errors.iter().map(|described| &described.schema).collect();
    schemas.dedup();
    let schema = match schemas.as_slice() {
        [one] => (*one).clone(),
        several => {
            let any = several.iter().fold(AnyOfBuilder::new(), |any, schema| any.item((*schema).clone()));
            RefOr::T(any.build().into())
        }
    };
    let examples = errors.iter().map(|DescribedError { error, body, .. }| {
        (example_name(error), ExampleBuilder::new().value(Some(body.clone())).build())
    });
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
    let response =
        ResponseBuilder::new().description(messages.join("; ")).content("application/json", content);
    let Some(DescribedError { error, .. }) = errors.first() else { return response.build() };
    // `Retry-After` of a server error has random jitter, but the document must be the same each time it is made.
    let is_random = |name| name == RETRY_AFTER && error.status_code().is_server_error();
    let sent = error.error_response();
    let headers: Vec<(&str, &str)> = sent
        .headers()
        .iter()
        .filter(|(name, _)| *name != CONTENT_TYPE)
        .filter_map(|(name, value)| {
            let value = if is_random(name) { example_value(name.as_str()) } else { value.to_str().ok()? };
            Some((name.as_str(), value))
        })
        .collect();
    with_headers(response, &headers).build()
}

/// The name of an error's example: what distinguishes it from the other errors.
fn example_name(error: &ApiError) -> String {
    let text = match error.data() {
        ErrorData::Validation(failed) => {
            let fields =
                failed.errors.iter().map(|field| [field.key.as_ref(), field.message.as_ref()].join(" "));
            fields.collect::<Vec<_>>().join(" ")
        }
        ErrorData::DependencyDown(down) => format!("{error} {}", down.details),
        _ => error.to_string(),
    };
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}
