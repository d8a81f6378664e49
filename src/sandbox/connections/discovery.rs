//! Handlers for what a connection offers to models: its tables and views, and the fields of each.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::enrichment::{self, OBJECTS, Object};
use crate::sandbox::connections::handlers::find;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{JsonObject, PathParameters};
use crate::sandbox::jobs::run::SYNCHRONOUS_TIMEOUT;
use crate::sandbox::models::definition::inferred_fields;
use crate::sandbox::models::parse_selection;
use crate::sandbox::sources::{INSPECTED_ROWS, ReadLimit, Selection};
use crate::sandbox::state::{HandlerResult, SharedState};

/// `GET /api/connections/{id}/modelsync/source`
pub(in crate::sandbox) async fn source(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    let source = app.sources.open(&connection)?;
    let configuration =
        parse_configuration(query.as_deref().unwrap_or_default(), &Selection::KEYS)?;
    let limit = ReadLimit::without_job(SYNCHRONOUS_TIMEOUT);
    let columns = if configuration.is_empty() {
        None
    } else {
        let table = source.read(parse_selection(&configuration)?, INSPECTED_ROWS, &limit).await?;
        Some(table.columns.into_iter().map(|column| column.name).collect())
    };
    let item = |items: Option<Vec<String>>| json!({ "has_items": items.is_some(), "items": items, "requires_one_of": null });
    let catalog = source.catalog(&limit).await?;
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
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    let source = app.sources.open(&connection)?;
    let selection = parse_selection(&parse_configuration(
        query.as_deref().unwrap_or_default(),
        &Selection::KEYS,
    )?)?;
    let limit = ReadLimit::without_job(SYNCHRONOUS_TIMEOUT);
    let table = source.read(selection, INSPECTED_ROWS, &limit).await?;
    let fields = inferred_fields(&table.columns, connection.id, &connection.created_at);
    Ok(Json(json!({ "data": fields })))
}

/// `GET /api/connections/{id}/modelsync/enrichment-source`
pub(in crate::sandbox) async fn enrichment_source(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    enrichment::check(&connection)?;
    let chosen = parse_configuration(query.as_deref().unwrap_or_default(), &["object"])?;
    if !chosen.is_empty() {
        Object::find("params", &chosen)?;
    }
    let names: Vec<&str> = OBJECTS.iter().map(|object| object.name).collect();
    Ok(Json(json!({ "data": {
        "configuration": {},
        "items": { "object": { "has_items": true, "items": names, "requires_one_of": null } },
        "requires_one_of": ["object"],
    } })))
}

/// The body of the request for the inputs of an enrichment.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct InputFieldsBody {
    configuration: Option<Map<String, Value>>,
}

/// `POST /api/enrichment/{connection_id}/inputfields`
pub(in crate::sandbox) async fn enrichment_input_fields(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    JsonObject(body): JsonObject<InputFieldsBody>,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    enrichment::check(&connection)?;
    let object = Object::find("configuration", &body.configuration.unwrap_or_default())?;
    Ok(Json(json!({ "data": object.inputs })))
}

/// Reads the values of `keys` from query parameters, in each of the three spellings (gap G12):
/// `params[table]=x`, `table=x` and `params={"table":"x"}`.
fn parse_configuration(query: &str, keys: &[&str]) -> Result<Map<String, Value>, ApiError> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "params" {
            if value.trim().is_empty() {
                continue;
            }
            for (key, values) in parse_json_parameters(&value, keys)? {
                parameters.entry(key).or_default().extend(values);
            }
        } else {
            let bracketed = name.strip_prefix("params[").and_then(|rest| rest.split_once(']'));
            let key = bracketed.map_or(&*name, |(key, _)| key);
            parameters.entry(key.to_owned()).or_default().push(value.into_owned());
        }
    }
    let mut configuration = Map::new();
    for key in keys {
        let mut values = parameters.remove(*key).unwrap_or_default();
        values.retain(|value| !value.trim().is_empty());
        match values.len() {
            0 => {}
            1 => {
                configuration.insert((*key).to_owned(), values.remove(0).into());
            }
            _ => {
                return Err(ApiError::invalid(format!("{key}: expected one value.")));
            }
        }
    }
    Ok(configuration)
}

fn parse_json_parameters(
    text: &str,
    keys: &[&str],
) -> Result<Vec<(String, Vec<String>)>, ApiError> {
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
        .filter(|(key, _)| keys.contains(&key.as_str()))
        .map(|(key, value)| Some((key, strings(value)?)))
        .collect::<Option<_>>()
        .ok_or_else(invalid)
}
