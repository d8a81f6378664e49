//! The arguments of an operation: what they are, and whether they are valid by the contract.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::contract::Operation;
use crate::polytomic::OperationArguments;
use crate::registry::{
    Problem, Problems, ToolError, coerce_and_validate_as_sent, is_empty, places_of_masks,
    places_of_redactions,
};

/// Parameters in the path, e.g. `{"id": "248df4b7-aa70-47b8-a036-33ac447e668d"}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("format" = "may-be-empty"))]
pub(in crate::tools) struct PathParameters(Map<String, Value>);

/// Query parameters, e.g. `{"limit": 10}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("format" = "may-be-empty"))]
pub(in crate::tools) struct QueryParameters(Map<String, Value>);

/// JSON body, e.g. `{"active": false}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("format" = "may-be-empty"))]
pub(in crate::tools) struct Body(Map<String, Value>);

/// The arguments as a call has them, those that are absent left out.
pub(in crate::tools) fn sent(
    path: Option<PathParameters>,
    query: Option<QueryParameters>,
    body: Option<Body>,
) -> Map<String, Value> {
    let (path, query, body) = (path.map(|p| p.0), query.map(|q| q.0), body.map(|b| b.0));
    let arguments = [("path", path), ("query", query), ("body", body)];
    let present =
        arguments.into_iter().filter_map(|(name, map)| Some((name.to_owned(), map?.into())));
    present.collect()
}

/// The arguments of a call, valid by the contract.
///
/// # Errors
/// `invalid_argument` with all problems.
pub(super) fn validated(
    operation: &Operation,
    mut arguments: Map<String, Value>,
) -> Result<OperationArguments, ToolError> {
    let schema = operation.arguments();
    // Clients fill in what they do not use.
    let takes =
        |name: &str| schema.get("properties").is_some_and(|known| known.get(name).is_some());
    arguments.retain(|name, value| takes(name) || !is_empty(value));
    // What is missing in them is named, instead of the whole.
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        arguments.entry(name).or_insert_with(|| Map::new().into());
    }
    coerce_and_validate_as_sent(&mut arguments, &schema)?;
    let mut take = |name: &str| match arguments.shift_remove(name) {
        Some(Value::Object(map)) => Some(map),
        _ => None,
    };
    let path = take("path").unwrap_or_default();
    let query = take("query").unwrap_or_default();
    let body = take("body");
    refuse_dots(&path)?;
    if let Some(body) = &body {
        refuse_masks(body)?;
    }
    Ok(OperationArguments { path, query, body })
}

/// Checks that each parameter is a segment of a path.
fn refuse_dots(path: &Map<String, Value>) -> Result<(), ToolError> {
    let mut problems = Problems::default();
    for (name, value) in path {
        if let Some(text @ ("" | "." | "..")) = value.as_str() {
            let (place, got) = (format!("path.{name}"), format!("{text:?}"));
            let hint = "Pass the id or the name as another operation returns it.".to_owned();
            problems.add(|| Problem::new(&place, "an id or a name", &got, hint));
        }
    }
    problems.into_result()
}

/// Checks that no mask overwrites a secret (gap G23), nor the redaction of the API key a value.
fn refuse_masks(body: &Map<String, Value>) -> Result<(), ToolError> {
    let masks = places_of_masks("body", body).into_iter().map(|mask| mask.path);
    let redactions = places_of_redactions(body).into_iter().map(|place| format!("body.{place}"));
    let mut problems = Problems::default();
    for place in masks.chain(redactions) {
        let hint = "Ask the user for the value: a mask would overwrite it.".to_owned();
        problems.add(|| Problem::new(&place, "the value itself", "a mask", hint));
    }
    problems.into_result()
}
