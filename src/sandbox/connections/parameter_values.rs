//! Handlers that list the values of settings to choose from, and how much a connection is used.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::handlers::find;
use crate::sandbox::connections::types::{self, ConnectionType};
use crate::sandbox::http::error::{ApiError, shorten};
use crate::sandbox::http::extract::{JsonObject, PathParameters, missing};
use crate::sandbox::sources::{Sources, suggest_name};
use crate::sandbox::state::{HandlerResult, SharedState};

/// The body of the request for the values of one setting.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct ValuesBody {
    connection_id: Option<String>,
    field: Option<String>,
    #[serde(rename = "parameters")]
    _parameters: Option<Map<String, Value>>,
    query: Option<String>,
}

/// `POST /api/connection_types/{type}/parameter_values`
pub(in crate::sandbox) async fn of_type(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    JsonObject(body): JsonObject<ValuesBody>,
) -> HandlerResult {
    let r#type = types::find(&id).map_err(|_| ApiError::unknown("connection type", &id))?;
    if let Some(connection) = body.connection_id {
        let connection = find(&app, caller, &connection).await?;
        if connection.r#type != r#type.id {
            return Err(ApiError::invalid(format!(
                "connection_id: the connection is of type {}, not {}.",
                connection.r#type, r#type.id
            )));
        }
    }
    let field = body.field.ok_or_else(|| missing("field", "the name of a setting"))?;
    if !r#type.settings().any(|name| name == field) {
        let settings: Vec<&str> = r#type.settings().collect();
        let suggestion = suggest_name(&field, settings.iter().copied());
        let field = shorten(&field);
        return Err(ApiError::invalid(format!(
            "field: {} has no setting \"{field}\"; {suggestion}",
            r#type.id
        )));
    }
    let query = body.query.unwrap_or_default().to_lowercase();
    let mut values = values(&app.sources, r#type, &field);
    values.retain(|value| label(value).to_lowercase().contains(&query));
    Ok(Json(json!({ "data": { field: parameter(&values) } })))
}

/// `GET /api/connections/{id}/parameter_values`
pub(in crate::sandbox) async fn of_connection(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let r#type = find(&app, caller, &id).await?.connection_type()?;
    let all: Map<String, Value> = r#type
        .settings()
        .map(|name| (name, values(&app.sources, r#type, name)))
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| (name.to_owned(), parameter(&values)))
        .collect();
    Ok(Json(json!({ "data": all })))
}

/// `GET /api/connections/{id}/usage`. The sandbox counts no calls, since it makes none.
pub(in crate::sandbox) async fn usage(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    Ok(Json(json!({ "data": {
        "bySync": [],
        "callsLast24h": null,
        "connectionId": connection.id,
        "reportsSyncStats": false,
    } })))
}

/// The values that a setting may have; none if any text will do.
fn values(sources: &Sources, r#type: &ConnectionType, name: &str) -> Vec<Value> {
    match (r#type.id.as_str(), name) {
        ("sqlite", "path") => sources.built_in_paths().map(Value::from).collect(),
        _ => r#type.choices(name).to_vec(),
    }
}

fn parameter(values: &[Value]) -> Value {
    let value = |value: &Value| json!({ "label": label(value), "path": null, "value": value });
    let values: Vec<Value> = values.iter().map(value).collect();
    json!({ "allows_creation": false, "values": values })
}

fn label(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
