//! Handlers of the one connection, its type, and its source.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;
use uuid::{Uuid, uuid};

use crate::sandbox::accounts::{Actor, ORGANIZATION};
use crate::sandbox::http::error::{ApiError, shorten};
use crate::sandbox::http::extract::{JsonObject, PathParameters, missing};
use crate::sandbox::jobs::run::SYNCHRONOUS_TIMEOUT;
use crate::sandbox::models::definition::inferred_fields;
use crate::sandbox::models::parse_selection;
use crate::sandbox::sources::{INSPECTED_ROWS, ReadLimit, Selection};
use crate::sandbox::state::{HandlerResult, SharedState};

const TYPE: &str = "sqlite";
/// The id in the examples of the API reference, so that they work unchanged.
pub(in crate::sandbox) const CONNECTION: Uuid = uuid!("248df4b7-aa70-47b8-a036-33ac447e668d");
const CREATED_AT: &str = "2026-01-01T00:00:00.000000Z";

/// `GET /api/connections`
pub(in crate::sandbox) async fn list() -> Json<Value> {
    Json(json!({ "data": [connection()] }))
}

/// `GET /api/connections/{id}`
pub(in crate::sandbox) async fn get(PathParameters(id): PathParameters<String>) -> HandlerResult {
    check_id(&id)?;
    Ok(Json(json!({ "data": connection() })))
}

fn connection() -> Value {
    json!({
        "api_calls_last_24_hours": 0,
        "configuration": {},
        "created_at": CREATED_AT,
        "created_by": Actor::admin(),
        "id": CONNECTION,
        "name": "SQLite (sandbox)",
        "organization_id": ORGANIZATION.id,
        "parent_connection_id": null,
        "policies": [],
        "rate_limit": null,
        "saved": true,
        "status": "healthy",
        "status_error": null,
        "type": {
            "id": TYPE,
            "logo_url": null,
            "name": "SQLite",
            "operations": ["source"],
        },
        "updated_at": CREATED_AT,
        "updated_by": Actor::admin(),
    })
}

/// The body of a connection test.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct TestBody {
    configuration: Option<Map<String, Value>>,
    connection_id: Option<String>,
    r#type: Option<String>,
}

/// `POST /api/connections/test`. The connection type has no settings, so every configuration passes.
pub(in crate::sandbox) async fn test(
    JsonObject(body): JsonObject<TestBody>,
) -> HandlerResult<StatusCode> {
    let r#type = body.r#type.ok_or_else(|| missing("type", "the id of a connection type"))?;
    if body.configuration.is_none() {
        return Err(missing("configuration", "an object"));
    }
    if r#type != TYPE {
        let shortened = shorten(&r#type);
        return Err(ApiError::invalid(format!(
            "type: there is no connection type \"{shortened}\"; expected \"{TYPE}\"."
        )));
    }
    if let Some(id) = body.connection_id {
        check_id(&id)?;
    }
    // As documented: 200 with an empty body, not 204.
    Ok(StatusCode::OK)
}

/// `GET /api/connection_types`
pub(in crate::sandbox) async fn list_types() -> Json<Value> {
    Json(json!({ "data": [{
        "capabilities": {
            "destination": false,
            "enrichment": false,
            "logging": false,
            "orchestration": false,
            "source": true,
        },
        "configurationForm": { "jsonschema": schema(), "uischema": {} },
        "envConfig": {},
        "id": TYPE,
        "initialConfiguration": {},
        "logo_dark_url": null,
        "logo_url": null,
        "name": "SQLite",
        "oauth_prompt": null,
        "use_oauth": false,
    }] }))
}

/// `GET /api/connection_types/{id}`. The response has no `data` envelope.
pub(in crate::sandbox) async fn type_schema(
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    if id != TYPE {
        return Err(ApiError::unknown("connection type", &id));
    }
    Ok(Json(schema()))
}

fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "SQLite",
        "type": "object",
        "properties": {},
    })
}

/// `GET /api/connections/{id}/modelsync/source`
pub(in crate::sandbox) async fn source(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    check_id(&id)?;
    let configuration = parse_configuration(query.as_deref().unwrap_or_default())?;
    let columns = if configuration.is_empty() {
        None
    } else {
        let limit = ReadLimit::synchronous(SYNCHRONOUS_TIMEOUT, CancellationToken::new());
        let table =
            app.source.read(parse_selection(&configuration)?, INSPECTED_ROWS, &limit).await?;
        Some(table.columns.into_iter().map(|column| column.name).collect())
    };
    let item = |items: Option<Vec<String>>| json!({ "has_items": items.is_some(), "items": items, "requires_one_of": null });
    let catalog = app.source.catalog();
    Ok(Json(json!({ "data": {
        "configuration": {},
        "items": {
            "query": item(None),
            "table": item(Some(catalog.tables())),
            "tracking_columns": item(columns),
            "view": item(Some(catalog.views())),
        },
        "requires_one_of": ["query", "table", "view"],
    } })))
}

/// `GET /api/connections/{id}/modelsync/source/fields`
pub(in crate::sandbox) async fn source_fields(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    check_id(&id)?;
    let selection = parse_selection(&parse_configuration(query.as_deref().unwrap_or_default())?)?;
    let limit = ReadLimit::synchronous(SYNCHRONOUS_TIMEOUT, CancellationToken::new());
    let table = app.source.read(selection, INSPECTED_ROWS, &limit).await?;
    Ok(Json(json!({ "data": inferred_fields(&table.columns, CONNECTION, CREATED_AT) })))
}

/// The enrichment requests, which SQLite does not support.
pub(in crate::sandbox) async fn enrichment_source(
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    check_id(&id)?;
    Err(ApiError::not_found(format!("Connection {CONNECTION} does not support enrichment.")))
}

fn check_id(id: &str) -> Result<(), ApiError> {
    match Uuid::parse_str(id) {
        Ok(CONNECTION) => Ok(()),
        _ => Err(ApiError::unknown("connection", id)),
    }
}

/// Reads table, view or query from query parameters, in each of the three spellings (gap G12):
/// `params[table]=x`, `table=x` and `params={"table":"x"}`.
fn parse_configuration(query: &str) -> Result<Map<String, Value>, ApiError> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "params" {
            if value.trim().is_empty() {
                continue;
            }
            for (key, values) in parse_json_parameters(&value)? {
                parameters.entry(key).or_default().extend(values);
            }
        } else {
            let bracketed = name.strip_prefix("params[").and_then(|rest| rest.split_once(']'));
            let key = bracketed.map_or(&*name, |(key, _)| key);
            parameters.entry(key.to_owned()).or_default().push(value.into_owned());
        }
    }
    let mut configuration = Map::new();
    for key in Selection::KEYS {
        let mut values = parameters.remove(key).unwrap_or_default();
        values.retain(|value| !value.trim().is_empty());
        match values.len() {
            0 => {}
            1 => {
                configuration.insert(key.to_owned(), values.remove(0).into());
            }
            _ => {
                return Err(ApiError::invalid(format!("{key}: expected one value.")));
            }
        }
    }
    Ok(configuration)
}

fn parse_json_parameters(text: &str) -> Result<Vec<(String, Vec<String>)>, ApiError> {
    let expected = "params: expected a JSON object of strings or arrays of strings.";
    let invalid = || ApiError::invalid(expected);
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| invalid())?;
    let strings = |value: Value| match value {
        Value::Null => Some(Vec::new()),
        Value::String(value) => Some(vec![value]),
        Value::Array(values) => values
            .into_iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>(),
        _ => None,
    };
    object
        .into_iter()
        .filter(|(key, _)| Selection::KEYS.contains(&key.as_str()))
        .map(|(key, value)| Some((key, strings(value)?)))
        .collect::<Option<_>>()
        .ok_or_else(invalid)
}
