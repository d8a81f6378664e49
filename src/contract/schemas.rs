//! Schemas of arguments without references, in few keywords.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// The named schemas of the document, as text: most are of responses, which nothing reads.
#[derive(Debug)]
pub(super) struct Schemas(pub(super) HashMap<String, Box<RawValue>>);

/// What is kept as it is.
const KEPT: [&str; 6] = ["description", "enum", "minimum", "maximum", "default", "required"];
/// The formats that values are validated against.
const FORMATS: [&str; 2] = ["uuid", "date-time"];

impl Schemas {
    /// A schema with its references resolved, see [`Operation::arguments`](super::Operation::arguments). No schema of a request
    /// refers to itself.
    pub(super) fn without_references(&self, schema: &Value) -> Map<String, Value> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().unwrap_or_default();
            let named = self.0.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
            return named.map(|named| self.without_references(&named)).unwrap_or_default();
        }
        let keyword = |name: &str| schema.get(name);
        let mut result = Map::new();
        let mut is_nullable = false;
        match keyword("type") {
            Some(Value::String(name)) => {
                result.insert("type".to_owned(), json!(name));
            }
            Some(Value::Array(names)) => {
                is_nullable = names.contains(&json!("null"));
                let name = names.iter().find(|name| **name != "null").cloned();
                result.insert("type".to_owned(), name.unwrap_or_default());
            }
            _ => {}
        }
        if let Some(Value::Array(alternatives)) = keyword("anyOf") {
            let is_null = |schema: &&Value| schema.get("type") == Some(&json!("null"));
            is_nullable |= alternatives.iter().any(|schema| is_null(&schema));
            let mut others: Vec<Map<String, Value>> = alternatives
                .iter()
                .filter(|schema| !is_null(schema))
                .map(|schema| self.without_references(schema))
                .collect();
            if others.len() == 1 {
                result.extend(others.remove(0));
            } else {
                result.insert("anyOf".to_owned(), json!(others));
            }
        }
        for name in KEPT {
            if let Some(value) = keyword(name) {
                result.insert(name.to_owned(), value.clone());
            }
        }
        if let Some(format) = keyword("format").filter(|f| FORMATS.iter().any(|known| *f == known))
        {
            result.insert("format".to_owned(), format.clone());
        }
        if let Some(items) = keyword("items") {
            result.insert("items".to_owned(), self.without_references(items).into());
        }
        match (keyword("properties"), keyword("additionalProperties")) {
            (Some(Value::Object(properties)), _) => {
                let properties = properties.iter().map(|(name, schema)| {
                    (name.clone(), Value::Object(self.without_references(schema)))
                });
                result.insert("properties".to_owned(), Value::Object(properties.collect()));
                result.insert("additionalProperties".to_owned(), false.into());
            }
            (None, Some(additional @ Value::Object(_))) => {
                let additional = self.without_references(additional);
                result.insert("additionalProperties".to_owned(), additional.into());
            }
            (None, _) if result.get("type") == Some(&json!("object")) => {
                result.entry("additionalProperties").or_insert(true.into());
            }
            _ => {}
        }
        if is_nullable {
            result.insert("nullable".to_owned(), true.into());
        }
        result
    }
}
