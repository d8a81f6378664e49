//! Handlers of the executions of bulk syncs. There is one, made up, which counts the records that the source has.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::bulk::handlers::{find, limit, source};
use crate::sandbox::bulk::sync::BulkSync;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{PathParameters, parse_bool};
use crate::sandbox::http::paging::{self, PageResponse};
use crate::sandbox::sources::Selection;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::{self, Page, PageRequest, Tx};

/// The records of every table of the source. An execution of the past outlives its source, so that without one there are none.
async fn record_counts(
    app: &Arc<AppState>,
    caller: Caller,
    sync: &BulkSync,
) -> Result<Vec<(String, u64)>, ApiError> {
    let Ok(source) = source(app, caller, sync).await else {
        return Ok(Vec::new());
    };
    let tables = source.catalog(&limit()).await?.tables();
    let quoted = |name: &str| name.replace('"', "\"\"");
    let counts: Vec<String> = tables
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let (schema, table) = name.split_once('.').unwrap_or(("public", name));
            let (schema, table) = (quoted(schema), quoted(table));
            format!("(SELECT count(*) FROM \"{schema}\".\"{table}\") AS c{index}")
        })
        .collect();
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let query = Selection::Query(format!("SELECT {}", counts.join(", ")));
    let row = source.read(query, 1, &limit()).await?.rows.pop().unwrap_or_default();
    let counts = row.iter().map(|count| count.as_u64().unwrap_or_default());
    Ok(tables.into_iter().zip(counts).collect())
}

/// What became of each table, as executions and statuses have it.
fn schema_results(sync: &BulkSync, counts: &[(String, u64)]) -> Vec<Value> {
    let (started_at, completed_at) = (&sync.execution.started_at, &sync.execution.completed_at);
    let result = |(schema, count): &(String, u64)| {
        json!({
            "completed_at": completed_at,
            "created_at": started_at,
            "error_count": 0,
            "execution_id": sync.execution.id,
            "output_name": schema.replace('.', "_"),
            "record_count": count,
            "schema": schema,
            "started_at": started_at,
            "status": "completed",
            "status_message": null,
            "updated_at": completed_at,
            "version": null,
            "warning_count": 0,
        })
    };
    counts.iter().map(result).collect()
}

/// The made-up execution of a sync.
async fn execution(
    app: &Arc<AppState>,
    caller: Caller,
    sync: &BulkSync,
) -> Result<Value, ApiError> {
    let counts = record_counts(app, caller, sync).await?;
    let (started_at, completed_at) = (&sync.execution.started_at, &sync.execution.completed_at);
    Ok(json!({
        "completed_at": completed_at,
        "created_at": started_at,
        "error_count": 0,
        "fetch_mode": "full",
        "id": sync.execution.id,
        "is_partial": false,
        "is_resync": false,
        "is_test": false,
        "output_disposition": "retain",
        "record_count": counts.iter().map(|(_, count)| count).sum::<u64>(),
        "schemas": schema_results(sync, &counts),
        "started_at": started_at,
        "status": "completed",
        "status_message": null,
        "type": "scheduled",
        "updated_at": completed_at,
        "version": null,
        "warning_count": 0,
    }))
}

/// `GET /api/bulk/syncs/{id}/executions`
pub(in crate::sandbox) async fn list(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult<Json<PageResponse<Value>>> {
    let sync = find(&app, caller, &id).await?;
    let page = paging::parse_page_request("bulk-executions", query.as_deref().unwrap_or_default())?;
    let items = match page.after {
        None => vec![execution(&app, caller, &sync).await?],
        Some(_) => Vec::new(),
    };
    Ok(paging::page_response("bulk-executions", Page { items, next: None }))
}

/// `GET /api/bulk/syncs/{id}/executions/{exec_id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters((id, execution_id)): PathParameters<(String, String)>,
) -> HandlerResult {
    let sync = find(&app, caller, &id).await?;
    if Uuid::parse_str(&execution_id) != Ok(sync.execution.id) {
        return Err(ApiError::unknown("execution", &execution_id));
    }
    Ok(Json(json!({ "data": execution(&app, caller, &sync).await? })))
}

/// `GET /api/bulk/syncs/{id}/status`
pub(in crate::sandbox) async fn status(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let sync = find(&app, caller, &id).await?;
    Ok(Json(json!({ "data": {
        "current_execution": null,
        "ingestion_status": null,
        "last_execution": execution(&app, caller, &sync).await?,
        // Nothing runs by its schedule.
        "next_execution_time": null,
    } })))
}

/// `GET /api/bulk/syncs/status`
pub(in crate::sandbox) async fn statuses(
    State(app): SharedState,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let (mut active, mut ids) = (None, Vec::new());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "active" if !value.is_empty() => active = Some(parse_bool("active", &value)?),
            "sync_id" | "sync_id[]" if !value.is_empty() => ids.push(value.into_owned()),
            _ => {}
        }
    }
    let syncs = if ids.is_empty() {
        let page = PageRequest { limit: u8::MAX, after: None };
        let organization_id = caller.organization_id();
        let list = move |tx: &Tx<'_>| store::bulk_syncs::page(tx, organization_id, active, page);
        app.store.read(list).await?.items
    } else {
        let mut syncs = Vec::new();
        for id in ids {
            syncs.push(find(&app, caller, &id).await?);
        }
        syncs.retain(|sync| active.is_none_or(|active| sync.active == active));
        syncs
    };
    let mut data = Vec::new();
    for sync in syncs {
        let counts = record_counts(&app, caller, &sync).await?;
        data.push(json!({
            "nextExecutionTime": null,
            "schemas": schema_results(&sync, &counts),
            "status": "completed",
            "sync_id": sync.id,
        }));
    }
    Ok(Json(json!({ "data": data })))
}
