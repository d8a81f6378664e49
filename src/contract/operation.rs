//! An operation of the API, as the contract describes it.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::schemas::Schemas;

/// What an operation does to stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing: a GET, or a POST that only asks.
    Read,
    /// Adds or changes something, or starts it.
    Write,
    /// Deletes something.
    Delete,
}

/// Where a parameter is in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A segment of the path.
    Path,
    /// The query string; a list is sent as one parameter for each item.
    Query,
    /// The query string, as `name[property]=value` for each property.
    DeepQuery,
}

/// A parameter of an operation.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it is sent.
    pub location: Location,
    /// Whether it must be passed.
    pub is_required: bool,
    /// Its schema, see [`Operation::arguments`].
    pub schema: Map<String, Value>,
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct RequestBody {
    pub(super) is_required: bool,
    /// Its schema with references to others.
    pub(super) schema: Value,
    pub(super) schemas: Arc<Schemas>,
}

impl RequestBody {
    /// Its schema, see [`Operation::arguments`].
    pub(super) fn schema(&self) -> Map<String, Value> {
        self.schemas.without_references(&self.schema)
    }
}

/// An operation of the API.
#[derive(Debug)]
pub struct Operation {
    /// Its name, e.g. `list_webhooks`.
    pub name: String,
    /// What it does to stored data.
    pub kind: Kind,
    /// Whether stored data, or what is running, may be lost.
    pub is_destructive: bool,
    /// Whether the API refuses it with 409 because of the state of its object.
    pub has_conflicts: bool,
    /// Whether its response is a redirect to what was asked for.
    pub redirects: bool,
    /// HTTP method.
    pub method: Method,
    /// Path with parameters, e.g. `/api/webhooks/{id}`.
    pub path: String,
    /// The groups that it belongs to.
    pub tags: Vec<String>,
    /// What it does, in a line.
    pub summary: String,
    /// What else there is to know; may be empty.
    pub description: String,
    /// Parameters in the path and the query string.
    pub parameters: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
}

impl Operation {
    /// The names of the parameters in its path, in their order.
    pub fn path_parameters(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Schema of its arguments: an object with those of `path`, `query` and `body` that it takes.
    ///
    /// The schemas contain no references. An object with named properties is closed, although the API ignores what it does not
    /// know: a misspelled property would be lost without a word. `nullable` stands for a type that may be null, `anyOf` for one
    /// of several types, the format `path-segment` for a text that is neither empty nor dots.
    #[must_use]
    pub fn arguments(&self) -> Map<String, Value> {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for (name, is_there) in [
            ("path", (|location| location == Location::Path) as fn(Location) -> bool),
            ("query", |location| location != Location::Path),
        ] {
            let parameters = self.parameters.iter().filter(|p| is_there(p.location));
            let schemas: Map<String, Value> = parameters
                .clone()
                .map(|parameter| (parameter.name.clone(), json!(parameter.schema)))
                .collect();
            if schemas.is_empty() {
                continue;
            }
            let names: Vec<&str> =
                parameters.filter(|p| p.is_required).map(|p| p.name.as_str()).collect();
            if !names.is_empty() {
                required.push(name);
            }
            let schema = json!({
                "type": "object", "properties": schemas, "required": names, "additionalProperties": false,
            });
            properties.insert(name.to_owned(), schema);
        }
        if let Some(body) = &self.body {
            if body.is_required {
                required.push("body");
            }
            properties.insert("body".to_owned(), json!(body.schema()));
        }
        let schema = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        schema.as_object().cloned().unwrap_or_default()
    }
}
