//! Writes some schemas in the form that generators of clients understand best. Their meaning stays the same.

use utoipa::openapi::schema::{Object, Schema, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr};

use super::methods::operations_mut;

/// Removes `null` from the types of parameters. A header or a query has no `null`: an optional one is left out.
pub fn remove_null_from_parameters(document: &mut OpenApi) {
    let operations = operations_mut(document);
    for parameter in operations.filter_map(|operation| operation.parameters.as_mut()).flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema else { continue };
        let SchemaType::Array(types) = &mut object.schema_type else { continue };
        types.retain(|kind| *kind != Type::Null);
        if let [only] = types.as_slice() {
            object.schema_type = SchemaType::Type(only.clone());
        }
    }
}

/// Makes one object of each schema that is another schema and further members (`serde(flatten)`).
pub fn merge_flattened(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    let known = components.schemas.clone();
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::AllOf(all)) = schema else { continue };
        let mut merged = Object::new();
        for part in &all.items {
            let part = match part {
                RefOr::Ref(part) => part.ref_location.rsplit('/').next().and_then(|name| known.get(name)),
                part @ RefOr::T(_) => Some(part),
            };
            let Some(RefOr::T(Schema::Object(part))) = part else { continue };
            merged.properties.extend(part.properties.clone());
            merged.required.extend(part.required.clone());
        }
        merged.description.clone_from(&all.description);
        *schema = RefOr::T(Schema::Object(merged));
    }
}
