//! Schemas of response bodies.

use utoipa::ToSchema;
use utoipa::openapi::schema::{AllOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr};

/// The schema of `{"code", "message", "data"}` around `data`.
pub fn envelope(status: u16, data: RefOr<Schema>) -> Schema {
    let code = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("The status code of the response"))
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

/// The schema of any bytes.
pub fn binary() -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build().into()
}

/// The schema of text for people.
pub fn text() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).build().into()
}

/// A reference to the schema of `T`.
pub fn schema_ref<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// The schema of `T` by reference, for functions that accept only a schema.
pub fn schema_all_of<T: ToSchema>() -> Schema {
    Schema::AllOf(AllOfBuilder::new().item(schema_ref::<T>()).build())
}
