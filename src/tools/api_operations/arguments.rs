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

/// The arguments of a call, valid by the contract.
///
/// # Errors
/// `invalid_argument` with all problems.
pub(super) fn validated(
    operation: &Operation,
    path: Option<PathParameters>,
    query: Option<QueryParameters>,
    body: Option<Body>,
) -> Result<OperationArguments, ToolError> {
    let sent =
        [("path", path.map(|p| p.0)), ("query", query.map(|q| q.0)), ("body", body.map(|b| b.0))];
    let sent = sent.into_iter().filter_map(|(name, map)| Some((name.to_owned(), map?.into())));
    let mut arguments: Map<String, Value> = sent.collect();
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
    if let Some(body) = &body {
        refuse_masks(body)?;
    }
    Ok(OperationArguments { path, query, body })
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
