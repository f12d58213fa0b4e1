//! The schemas of words that systems have. The domain's types cannot describe themselves: they know nothing of HTTP.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::row_state::SystemState;
use crate::domain::status::SystemStatus;

fn words(all: impl IntoIterator<Item = &'static str>, example: &'static str, meaning: &str) -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(meaning))
        .enum_values(Some(all))
        .examples([json!(example)]);
    RefOr::T(schema.build().into())
}

/// The schema of [`SystemState`].
pub struct SystemStateSchema;

impl PartialSchema for SystemStateSchema {
    fn schema() -> RefOr<Schema> {
        words(
            SystemState::ALL.iter().map(|state| state.as_str()),
            "active",
            "`active`: its credential is accepted. `suspended`: it is refused. `destroying`: the system is being erased.",
        )
    }
}

impl ToSchema for SystemStateSchema {
    fn name() -> Cow<'static, str> {
        "SystemState".into()
    }
}

/// The schema of [`SystemStatus`].
pub struct SystemStatusSchema;

impl PartialSchema for SystemStatusSchema {
    fn schema() -> RefOr<Schema> {
        words(
            SystemStatus::ALL.iter().map(|status| status.as_str()),
            "fresh",
            "Whether the system is protected; the first that applies. `suspended`: it is not active. `damaged`: its newest \
             backup is damaged or missing. `refused`: an upload was refused after it. `never`: nothing is stored. `silent`: \
             it was not heard of within its contact period. `late`: it neither uploaded nor reported an unchanged \
             configuration within its backup period. `fresh`: it is protected.",
        )
    }
}

impl ToSchema for SystemStatusSchema {
    fn name() -> Cow<'static, str> {
        "SystemStatus".into()
    }
}
