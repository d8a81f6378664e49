//! What the JSON Schema of a configuration says of its properties: which of them are secrets.
//!
//! Source: contract, the schema of a connection type (draft 2020-12); keywords of earlier drafts are read as well.

use std::ptr;

use serde_json::{Map, Value};

/// Keywords with schemas of the same value: one, a list, or one for each name.
const SAME_VALUE: &[&str] =
    &["allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "dependencies"];
/// Keywords with schemas of the items of a list: one, or a list.
const ITEMS: &[&str] = &["items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"];
/// Keywords with the schemas of properties that have none of their own. Patterns of names are not matched: each may apply.
const OTHER_PROPERTIES: &[&str] =
    &["patternProperties", "additionalProperties", "unevaluatedProperties"];
/// A schema may refer to itself, and to others many times.
const MAX_SCHEMAS: usize = 64;

/// The schemas that may apply to a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Schemas<'a> {
    /// What references refer to.
    root: Option<&'a Map<String, Value>>,
    schemas: Vec<&'a Map<String, Value>>,
}

impl<'a> Schemas<'a> {
    /// The schemas of what `root` describes.
    pub(super) fn of(root: &'a Map<String, Value>) -> Self {
        let mut all = Self { root: Some(root), schemas: Vec::new() };
        all.add(root);
        all
    }

    /// The schemas of a property.
    pub(super) fn property(&self, name: &str) -> Self {
        let mut below = Self { root: self.root, schemas: Vec::new() };
        for schema in &self.schemas {
            let own = schema.get("properties").and_then(|properties| properties.get(name));
            match own {
                Some(own) => below.add_all(own),
                None => below.add_keywords(schema, OTHER_PROPERTIES),
            }
        }
        below
    }

    /// The schemas of the items of a list.
    pub(super) fn items(&self) -> Self {
        let mut below = Self { root: self.root, schemas: Vec::new() };
        self.schemas.iter().for_each(|schema| below.add_keywords(schema, ITEMS));
        below
    }

    /// Whether the value is a secret, if one of its schemas says so: of several, what masks.
    pub(super) fn declared_secret(&self) -> Option<bool> {
        let declared = self.schemas.iter().filter_map(|schema| declared_secret(schema));
        declared.reduce(|one, other| one || other)
    }

    fn add(&mut self, schema: &'a Map<String, Value>) {
        let is_known = self.schemas.iter().any(|known| ptr::eq(*known, schema));
        if is_known || self.schemas.len() == MAX_SCHEMAS {
            return;
        }
        self.schemas.push(schema);
        let reference = schema.get("$ref").and_then(Value::as_str);
        if let Some(referred) = reference.and_then(|reference| resolve(self.root?, reference)) {
            self.add(referred);
        }
        self.add_keywords(schema, SAME_VALUE);
    }

    fn add_keywords(&mut self, schema: &'a Map<String, Value>, keywords: &[&str]) {
        for keyword in keywords {
            match (schema.get(*keyword), *keyword) {
                (
                    Some(Value::Object(by_name)),
                    "dependentSchemas" | "dependencies" | "patternProperties",
                ) => by_name.values().for_each(|schema| self.add_all(schema)),
                (Some(schemas), _) => self.add_all(schemas),
                (None, _) => {}
            }
        }
    }

    /// Adds a schema or a list of them.
    fn add_all(&mut self, schemas: &'a Value) {
        match schemas {
            Value::Object(schema) => self.add(schema),
            Value::Array(list) => {
                list.iter().filter_map(Value::as_object).for_each(|s| self.add(s))
            }
            _ => {}
        }
    }
}

/// What a schema says itself about its value.
pub(super) fn declared_secret(schema: &Map<String, Value>) -> Option<bool> {
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool);
    let is_password = schema.get("format").is_some_and(|format| format == "password");
    let is_secret =
        is_password || flag("password") == Some(true) || flag("writeOnly") == Some(true);
    if is_secret { Some(true) } else { flag("sensitive") }
}

/// The schema that a reference within the same document refers to: a JSON Pointer (RFC 6901) or the name of an anchor.
fn resolve<'a>(root: &'a Map<String, Value>, reference: &str) -> Option<&'a Map<String, Value>> {
    let fragment = reference.strip_prefix('#')?;
    if fragment.is_empty() {
        return Some(root);
    }
    let Some(pointer) = fragment.strip_prefix('/') else {
        let definitions = ["$defs", "definitions"].into_iter().filter_map(|name| root.get(name));
        let mut schemas = definitions.filter_map(Value::as_object).flat_map(Map::values);
        return schemas
            .find(|schema| schema.get("$anchor").is_some_and(|anchor| anchor == fragment))?
            .as_object();
    };
    let (first, rest) = pointer.split_once('/').map_or((pointer, None), |(a, b)| (a, Some(b)));
    let first = root.get(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        Some(rest) => first.pointer(&format!("/{rest}"))?.as_object(),
        None => first.as_object(),
    }
}
