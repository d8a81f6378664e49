//! Handlers of executions. Those that read also write: they fail the executions of processes that have ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::executions::execution::{Counts, Execution, StartOptions, Status};
use crate::sandbox::executions::run::run;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{JsonObject, PathParameters, parse_flag};
use crate::sandbox::http::idempotency::RequestKey;
use crate::sandbox::http::paging::{self, PageResponse};
use crate::sandbox::state::{HandlerResult, SharedState};
use crate::sandbox::store::idempotency::Outcome;
use crate::sandbox::store::{self, Page, Tx, format_time};
use crate::sandbox::syncs::handlers::find as find_sync;

/// `POST /api/syncs/{id}/executions`
pub(in crate::sandbox) async fn start(
    State(app): SharedState,
    caller: Caller,
    RequestKey(key): RequestKey,
    PathParameters(id): PathParameters<String>,
    JsonObject(options): JsonObject<StartOptions>,
) -> HandlerResult<Outcome> {
    let execution_id = Uuid::new_v4();
    let start = move |tx: &Tx<'_>| {
        let sync = find_sync(tx, caller, &id)?;
        if let Some(current) = store::executions::current(tx, sync.id)? {
            return Err(ApiError::conflict(&format!(
                "Execution {} of this sync is running; wait for it or cancel it.",
                current.id
            )));
        }
        let execution = Execution {
            id: execution_id,
            sync_id: sync.id,
            organization_id: sync.organization_id,
            status: Status::Created,
            created_at: format_time(tx.now()),
            started_at: None,
            completed_at: None,
            counts: Counts::default(),
            errors: Vec::new(),
            options,
        };
        store::executions::add(tx, &execution)?;
        let Execution { id, created_at, status, .. } = execution;
        Ok(json!({ "data": { "id": id, "created_at": created_at, "status": status } }))
    };
    let outcome = app.store.commit(key, start).await?;
    app.tasks.spawn(run(Arc::clone(&app), execution_id));
    Ok(outcome)
}

/// The execution of a sync with this id.
fn find(
    tx: &Tx<'_>,
    caller: Caller,
    (sync_id, id): &(String, String),
) -> Result<Execution, ApiError> {
    let sync = find_sync(tx, caller, sync_id)?;
    let unknown = || ApiError::unknown("execution", id);
    let uuid = Uuid::parse_str(id).map_err(|_| unknown())?;
    store::executions::find(tx, sync.id, uuid)?.ok_or_else(unknown)
}

/// `GET /api/syncs/{sync_id}/executions/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters(ids): PathParameters<(String, String)>,
) -> HandlerResult {
    let execution = app.store.write(move |tx| find(tx, caller, &ids)).await?;
    Ok(Json(json!({ "data": execution.to_response() })))
}

/// `GET /api/syncs/{sync_id}/executions`, the last one first unless `ascending`.
pub(in crate::sandbox) async fn list(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult<Json<PageResponse<Value>>> {
    let query = query.unwrap_or_default();
    let page = paging::parse_page_request("executions", &query)?;
    let only_completed = parse_flag(&query, "only_completed")?.unwrap_or_default();
    let is_ascending = parse_flag(&query, "ascending")?.unwrap_or_default();
    let list = move |tx: &Tx<'_>| {
        let sync = find_sync(tx, caller, &id)?;
        store::executions::page(tx, sync.id, only_completed, is_ascending, page)
    };
    let Page { items, next } = app.store.write(list).await?;
    let items: Vec<Value> = items.iter().map(Execution::to_response).collect();
    Ok(paging::page_response("executions", Page { items, next }))
}

/// `GET /api/syncs/{id}/status`
pub(in crate::sandbox) async fn status(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let read = move |tx: &Tx<'_>| {
        let sync = find_sync(tx, caller, &id)?;
        let current = store::executions::current(tx, sync.id)?;
        Ok((current, store::executions::last(tx, sync.id)?))
    };
    let (current, last) = app.store.write(read).await?;
    let to_response = |execution: Option<Execution>| execution.map(|e| e.to_response());
    Ok(Json(json!({ "data": {
        "current_execution": to_response(current),
        "last_execution": to_response(last),
        // Nothing runs by its schedule.
        "next_execution_time": null,
    } })))
}

/// `POST /api/syncs/{sync_id}/executions/{id}/cancel`
pub(in crate::sandbox) async fn cancel(
    State(app): SharedState,
    caller: Caller,
    RequestKey(key): RequestKey,
    PathParameters(ids): PathParameters<(String, String)>,
) -> HandlerResult<Outcome> {
    let cancel = move |tx: &Tx<'_>| request_cancel(tx, find(tx, caller, &ids)?);
    app.store.commit(key, cancel).await
}

/// `POST /api/syncs/{id}/cancel`
pub(in crate::sandbox) async fn cancel_sync(
    State(app): SharedState,
    caller: Caller,
    RequestKey(key): RequestKey,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult<Outcome> {
    let cancel = move |tx: &Tx<'_>| {
        let sync = find_sync(tx, caller, &id)?;
        let current = store::executions::current(tx, sync.id)?;
        let current =
            current.ok_or_else(|| ApiError::conflict("No execution of this sync is running."))?;
        request_cancel(tx, current)
    };
    app.store.commit(key, cancel).await
}

/// Asks the process that runs an execution to stop it.
fn request_cancel(tx: &Tx<'_>, mut execution: Execution) -> Result<Value, ApiError> {
    if execution.status.is_final() {
        return Err(ApiError::conflict(&format!(
            "Execution {} is {} already.",
            execution.id,
            execution.status.as_str()
        )));
    }
    execution.status = Status::Canceling;
    store::executions::update(tx, &execution)?;
    let message = format!("Execution {} is being canceled.", execution.id);
    store::executions::log(tx, execution.id, "info", "Cancel requested.")?;
    Ok(json!({ "data": { "message": message } }))
}

/// `GET /api/syncs/{sync_id}/executions/{id}/consolelog`
pub(in crate::sandbox) async fn console_logs(
    State(app): SharedState,
    caller: Caller,
    PathParameters(ids): PathParameters<(String, String)>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let query = query.unwrap_or_default();
    let mut after = 0;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if key == "after" && !value.is_empty() {
            after = value.parse().map_err(|_| {
                ApiError::invalid("after: invalid; expected the next_cursor of this log.")
            })?;
        }
    }
    // Only its limit: this list has another cursor.
    let limit = form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "limit")
        .and_then(|(_, value)| value.parse().ok())
        .filter(|limit| (1..=100).contains(limit))
        .unwrap_or(100_u8);
    let read = move |tx: &Tx<'_>| {
        let execution = find(tx, caller, &ids)?;
        store::executions::logs(tx, execution.id, after, limit + 1)
    };
    let mut entries = app.store.write(read).await?;
    let has_more = entries.len() > usize::from(limit);
    entries.truncate(usize::from(limit));
    let cursor = entries.last().filter(|_| has_more).map(|entry| entry["id"].clone());
    Ok(Json(json!({ "data": { "entries": entries, "next_cursor": cursor } })))
}
