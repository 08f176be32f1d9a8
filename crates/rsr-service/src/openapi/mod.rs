//! OpenAPI 3.1, written from the table of routes.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::problem::Kind;
use crate::routes::table::{Access, Field, FieldKind, Operation, Weight};
use crate::wire::{LINE_MAX_CHARS, TEXT_MAX_CHARS};

/// Describes these operations.
pub(crate) fn describe<'a>(operations: impl Iterator<Item = &'a Operation>) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method.to_ascii_lowercase()] = describe_one(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "rsr",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Projects, their hierarchy, their results and IATI 2.03. Errors are RFC 9457 problem JSON with the request's id.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": problem_schema() },
            "responses": { "Problem": {
                "description": "A problem, by its type",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
        },
    })
}

fn describe_one(operation: &Operation) -> Value {
    let path_names = operation
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = path_names
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "integer", "format": "int64" } })
        })
        .collect();
    parameters.extend(operation.query.iter().map(|field| {
        let mut schema = schema(field);
        // What is looked for may hold anything: where no XML can hold it, nothing is found.
        if let Some(members) = schema.as_object_mut() {
            members.remove("pattern");
        }
        json!({
            "name": field.name,
            "in": "query",
            "required": field.is_required,
            "description": field.about,
            "schema": schema,
        })
    }));
    let mut description = json!({
        "operationId": operation.id,
        "summary": operation.about,
        "parameters": parameters,
        "responses": {
            operation.status.to_string(): { "description": operation.about, "content": { operation.media: {} } },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    if operation.weight == Weight::Heavy {
        description["responses"]["503"] = json!({ "$ref": "#/components/responses/Problem" });
    }
    if !operation.body.is_empty() {
        description["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": object(operation.body) } },
        });
    }
    description["security"] = match operation.access {
        Access::Read => json!([{}, { "token": [] }]),
        Access::LoggedIn | Access::Write | Access::Administer | Access::Admin => {
            json!([{ "token": [] }])
        }
    };
    description
}

fn object(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut property = property(field);
            property["description"] = json!(field.about);
            (field.name.to_owned(), property)
        })
        .collect();
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.is_required)
        .map(|field| field.name)
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

/// A field of a body: null is the same as absent, or takes a value away.
fn property(field: &Field) -> Value {
    let mut schema = schema(field);
    if !field.is_required
        && let Some(plain) = schema["type"].as_str()
    {
        schema["type"] = json!([plain, "null"]);
        // Asked for by `get_mut`: an index would put a null where there are no choices.
        if let Some(choices) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            choices.push(Value::Null);
        }
    }
    schema
}

fn schema(field: &Field) -> Value {
    /// Every character but those that no XML may hold.
    const CLEAN: &str = "^[^\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\uFFFE\\uFFFF]*$";
    let text = |min: usize, max: usize| json!({ "type": "string", "minLength": min, "maxLength": max, "pattern": CLEAN });
    let mut schema = match field.kind {
        FieldKind::Text => text(0, TEXT_MAX_CHARS),
        FieldKind::Line => text(0, LINE_MAX_CHARS),
        FieldKind::Title => text(1, LINE_MAX_CHARS),
        FieldKind::Integer => json!({ "type": "integer", "format": "int64" }),
        FieldKind::Count => json!({ "type": "integer", "minimum": 1 }),
        FieldKind::Decimal => json!({ "type": ["string", "number", "null"] }),
        FieldKind::Flag => json!({ "type": "boolean" }),
        FieldKind::Date => json!({ "type": "string", "format": "date" }),
        FieldKind::Integers => json!({ "type": "array", "items": { "type": "integer" } }),
        FieldKind::List => json!({ "type": "array", "items": { "type": "object" } }),
    };
    if !field.choices.is_empty() {
        schema = json!({ "type": "string", "enum": field.choices });
    }
    schema
}

fn problem_schema() -> Value {
    let types: Vec<String> = Kind::ALL
        .iter()
        .map(|kind| format!("urn:rsr:problem:{}", kind.slug()))
        .collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "enum": types },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "field": { "type": "string", "description": "The parameter or field that is not accepted" },
            "request_id": { "type": "string" },
        },
    })
}
