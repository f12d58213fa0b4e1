//! Schemas of response bodies. Every JSON body has a schema with a name: generated clients name their types after it.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::backup_request::BackupRequestState;
use crate::domain::erasure::ErasurePhase;

/// A schema and its name in the components of the document.
pub type NamedSchema = (String, RefOr<Schema>);

/// The name of the envelope of an error without details.
pub const ERROR_ENVELOPE: &str = "ErrorResponse";

/// The name of the envelope `{"code", "message", "data"}` around `T`.
pub fn envelope_name<T: ToSchema>() -> String {
    format!("{}Response", T::name())
}

/// A reference to the envelope around `T`.
pub fn envelope_ref<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(envelope_name::<T>()).into()
}

/// The envelope around `T`, with examples of its status and message.
pub fn envelope<T: ToSchema>(code: u16, message: &str) -> NamedSchema {
    (envelope_name::<T>(), envelope_schema::<T>(code, message))
}

/// The schema of the envelope around `T`, whatever its name.
pub fn envelope_schema<T: ToSchema>(code: u16, message: &str) -> RefOr<Schema> {
    let status = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .description(Some("The status code of the response."))
        .examples([json!(code)]);
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What the response means, for people."))
        .examples([json!(message)]);
    let object = ObjectBuilder::new()
        .description(Some(format!("The response whose `data` is {}.", T::name())))
        .property("code", status)
        .property("message", text)
        .property("data", schema_ref::<T>())
        .required("code")
        .required("message")
        .required("data");
    RefOr::T(object.build().into())
}

/// `T` and all schemas that it refers to.
pub fn with_parts<T: ToSchema>() -> Vec<NamedSchema> {
    let mut all = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut all);
    all
}

/// Any bytes, as a body.
pub struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        RefOr::T(ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build().into())
    }
}

impl ToSchema for Binary {}

/// The schema of text for people.
pub fn text() -> RefOr<Schema> {
    RefOr::T(ObjectBuilder::new().schema_type(Type::String).build().into())
}

/// A reference to the schema of `T`.
pub fn schema_ref<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// The schema of a backup request's state. [`BackupRequestState`] cannot describe itself: the domain knows nothing of HTTP.
pub struct BackupRequestStateSchema;

impl PartialSchema for BackupRequestStateSchema {
    fn schema() -> RefOr<Schema> {
        let words = BackupRequestState::ALL.iter().map(|state| state.as_str());
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "`pending`: the appliance has not received the backup request yet. `seen`: it has. `fulfilled`: a \
                 backup was stored for it. `expired` and `cancelled`: it ended without one.",
            ))
            .enum_values(Some(words))
            .examples([json!(BackupRequestState::Fulfilled)]);
        RefOr::T(schema.build().into())
    }
}

impl ToSchema for BackupRequestStateSchema {
    fn name() -> Cow<'static, str> {
        "BackupRequestState".into()
    }
}

/// The schema of an erasure's phase.
pub struct ErasurePhaseSchema;

impl PartialSchema for ErasurePhaseSchema {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "`retiring`: its backups are taken out of the accounting. `deleting`: their objects are deleted. `waiting`: \
                 everything is erased, and the row of the system stays until `rows_until`.",
            ))
            .enum_values(Some(ErasurePhase::ALL.iter().map(|phase| phase.as_str())))
            .examples([json!(ErasurePhase::Deleting)]);
        RefOr::T(schema.build().into())
    }
}

impl ToSchema for ErasurePhaseSchema {
    fn name() -> Cow<'static, str> {
        "ErasurePhase".into()
    }
}
