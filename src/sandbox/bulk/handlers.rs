//! Handlers of bulk syncs, their schemas and their schedules. The schemas are the tables that the source has now.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::bulk::sync::BulkSync;
use crate::sandbox::connections;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{PathParameters, parse_flag};
use crate::sandbox::http::paging::{self, PageResponse};
use crate::sandbox::jobs::run::SYNCHRONOUS_TIMEOUT;
use crate::sandbox::sources::{INSPECTED_ROWS, ReadLimit, Selection, Source};
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::{self, Page, Tx};

/// `GET /api/bulk/syncs`
pub(in crate::sandbox) async fn list(
    State(app): SharedState,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> HandlerResult<Json<PageResponse<Value>>> {
    let query = query.unwrap_or_default();
    let page = paging::parse_page_request("bulk", &query)?;
    let active = parse_flag(&query, "active")?;
    let list =
        move |tx: &Tx<'_>| store::bulk_syncs::page(tx, caller.organization_id(), active, page);
    let Page { items, next } = app.store.read(list).await?;
    let items: Vec<Value> = items.iter().map(BulkSync::to_response).collect();
    Ok(paging::page_response("bulk", Page { items, next }))
}

/// The bulk sync with this id.
///
/// # Errors
/// 404 if the caller's organization has none.
pub(in crate::sandbox) async fn find(
    app: &Arc<AppState>,
    caller: Caller,
    id: &str,
) -> Result<BulkSync, ApiError> {
    let unknown = || ApiError::unknown("bulk sync", id);
    let uuid = Uuid::parse_str(id).map_err(|_| unknown())?;
    let find = move |tx: &Tx<'_>| store::bulk_syncs::find(tx, caller.organization_id(), uuid);
    app.store.read(find).await?.ok_or_else(unknown)
}

/// `GET /api/bulk/syncs/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let sync = find(&app, caller, &id).await?;
    Ok(Json(json!({ "data": sync.to_response() })))
}

pub(in crate::sandbox) fn limit() -> ReadLimit {
    ReadLimit::without_job(SYNCHRONOUS_TIMEOUT)
}

/// The source of a bulk sync.
pub(in crate::sandbox) async fn source(
    app: &Arc<AppState>,
    caller: Caller,
    sync: &BulkSync,
) -> Result<Source, ApiError> {
    let id = sync.source_connection_id.to_string();
    let connection = connections::find(app, caller, &id).await?;
    app.sources.open(&connection)
}

fn schema_item(id: &str) -> Map<String, Value> {
    let output_name = id.replace('.', "_");
    let item = json!({
        "data_cutoff_timestamp": null,
        "destination_history_output_name": null,
        "disable_data_cutoff": false,
        "enabled": true,
        "history_enabled": false,
        "id": id,
        "output_name": output_name,
        "partition_key": null,
        "tracking_field": null,
        "user_output_name": null,
    });
    item.as_object().cloned().unwrap_or_default()
}

/// `GET /api/bulk/syncs/{id}/schemas`
pub(in crate::sandbox) async fn schemas(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let sync = find(&app, caller, &id).await?;
    let catalog = source(&app, caller, &sync).await?.catalog(&limit()).await?;
    let schemas: Vec<_> = catalog.tables().iter().map(|id| schema_item(id)).collect();
    Ok(Json(json!({ "data": schemas })))
}

/// `GET /api/bulk/syncs/{id}/schemas/{schema_id}`
pub(in crate::sandbox) async fn schema(
    State(app): SharedState,
    caller: Caller,
    PathParameters((id, schema_id)): PathParameters<(String, String)>,
) -> HandlerResult {
    let sync = find(&app, caller, &id).await?;
    let source = source(&app, caller, &sync).await?;
    if !source.catalog(&limit()).await?.tables().contains(&schema_id) {
        return Err(ApiError::unknown("schema", &schema_id));
    }
    let table = source.read(Selection::Table(schema_id.clone()), INSPECTED_ROWS, &limit()).await?;
    let fields: Vec<Value> = table
        .columns
        .iter()
        .map(|column| {
            json!({
                "enabled": true,
                "id": column.name,
                "obfuscated": false,
                "output_name": column.name,
                "user_output_name": null,
            })
        })
        .collect();
    let mut schema = schema_item(&schema_id);
    schema.insert("fields".to_owned(), fields.into());
    schema.insert("filters".to_owned(), json!([]));
    Ok(Json(json!({ "data": schema })))
}

/// `GET /api/bulk/syncs/{sync_id}/schedules`
pub(in crate::sandbox) async fn schedules(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let sync = find(&app, caller, &id).await?;
    Ok(Json(json!({ "data": [sync.schedule_response()] })))
}

/// `GET /api/bulk/syncs/{sync_id}/schedules/{schedule_id}`
pub(in crate::sandbox) async fn schedule(
    State(app): SharedState,
    caller: Caller,
    PathParameters((id, schedule_id)): PathParameters<(String, String)>,
) -> HandlerResult {
    let sync = find(&app, caller, &id).await?;
    if Uuid::parse_str(&schedule_id) != Ok(sync.schedule.id) {
        return Err(ApiError::unknown("schedule", &schedule_id));
    }
    Ok(Json(json!({ "data": sync.schedule_response() })))
}

/// `GET /api/bulk/syncs/{id}/error-handling`
pub(in crate::sandbox) async fn error_handling(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    find(&app, caller, &id).await?;
    Ok(Json(json!({ "data": { "ingestion_failure_threshold": null, "subscribers": [] } })))
}
