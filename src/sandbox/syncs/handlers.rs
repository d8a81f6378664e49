//! Handlers of model syncs. As in the API, an update replaces the whole sync, and deleting a model keeps the syncs that read from
//! it: they fail when they run next. Nothing runs by its schedule; an execution is started by a request.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{JsonObject, PathParameters, parse_bool};
use crate::sandbox::http::idempotency::RequestKey;
use crate::sandbox::http::paging::{self, PageResponse};
use crate::sandbox::state::{HandlerResult, SharedState};
use crate::sandbox::store::idempotency::Outcome;
use crate::sandbox::store::syncs::SyncFilter;
use crate::sandbox::store::{self, Page, Tx, format_time};
use crate::sandbox::syncs::definition::{SyncBody, complete_sync, resolve_sync, validate_mode};
use crate::sandbox::syncs::sync::ModelSync;

/// `POST /api/syncs`
pub(in crate::sandbox) async fn create(
    State(app): SharedState,
    caller: Caller,
    RequestKey(key): RequestKey,
    JsonObject(body): JsonObject<SyncBody>,
) -> HandlerResult<Outcome> {
    let mut sync = resolve_sync(caller, body)?;
    let create = move |tx: &Tx<'_>| {
        complete_sync(tx, &mut sync)?;
        store::syncs::put(tx, &sync)?;
        Ok(json!({ "data": sync }))
    };
    app.store.commit(key, create).await
}

/// `GET /api/syncs/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let sync = app.store.read(move |tx| find(tx, caller, &id)).await?;
    Ok(Json(json!({ "data": sync })))
}

/// The sync with this id.
///
/// # Errors
/// 404 if the caller's organization has none.
pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    caller: Caller,
    id: &str,
) -> Result<ModelSync, ApiError> {
    let unknown = || ApiError::unknown("model sync", id);
    let uuid = Uuid::parse_str(id).map_err(|_| unknown())?;
    store::syncs::find(tx, caller.organization_id(), uuid)?.ok_or_else(unknown)
}

/// `PUT /api/syncs/{id}`: what the body leaves out is cleared.
pub(in crate::sandbox) async fn update(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    JsonObject(body): JsonObject<SyncBody>,
) -> HandlerResult<Outcome> {
    let update = move |tx: &Tx<'_>| {
        let old = find(tx, caller, &id)?;
        let mut sync = resolve_sync(caller, body)?;
        complete_sync(tx, &mut sync)?;
        sync.id = old.id;
        sync.created_at = old.created_at;
        sync.created_by = old.created_by;
        store::syncs::put(tx, &sync)?;
        Ok(json!({ "data": sync }))
    };
    app.store.commit(None, update).await
}

/// `DELETE /api/syncs/{id}`
pub(in crate::sandbox) async fn delete(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult<StatusCode> {
    let delete = move |tx: &Tx<'_>| {
        let sync = find(tx, caller, &id)?;
        if let Some(execution) = store::executions::current(tx, sync.id)? {
            return Err(ApiError::conflict(&format!(
                "Execution {} of this sync is running; cancel it first.",
                execution.id
            )));
        }
        store::syncs::delete(tx, caller.organization_id(), sync.id)
    };
    app.store.write(delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of activate.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct ActivateBody {
    active: Option<bool>,
}

/// `POST /api/syncs/{id}/activate`
pub(in crate::sandbox) async fn activate(
    State(app): SharedState,
    caller: Caller,
    RequestKey(key): RequestKey,
    PathParameters(id): PathParameters<String>,
    JsonObject(body): JsonObject<ActivateBody>,
) -> HandlerResult<Outcome> {
    let activate = move |tx: &Tx<'_>| {
        let mut sync = find(tx, caller, &id)?;
        // Documented for this operation is 422, not 400.
        let active = body
            .active
            .ok_or_else(|| ApiError::unprocessable("active: missing; expected true or false."))?;
        sync.active = active;
        sync.updated_at = format_time(tx.now());
        sync.updated_by = caller.actor();
        store::syncs::put(tx, &sync)?;
        Ok(json!({ "data": { "active": active, "id": sync.id } }))
    };
    app.store.commit(key, activate).await
}

/// `GET /api/syncs`, most recently updated first.
pub(in crate::sandbox) async fn list(
    State(app): SharedState,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> HandlerResult<Json<PageResponse<Value>>> {
    let query = query.unwrap_or_default();
    let page = paging::parse_page_request("syncs", &query)?;
    let filter = parse_filter(&query)?;
    let organization_id = caller.organization_id();
    let list = move |tx: &Tx<'_>| store::syncs::page(tx, organization_id, filter, page);
    let Page { items, next } = app.store.read(list).await?;
    let items = items.iter().map(summary).collect();
    Ok(paging::page_response("syncs", Page { items, next }))
}

/// An item of the list: since version 2025-09-18 without mappings and filters.
fn summary(sync: &ModelSync) -> Value {
    json!({
        "active": sync.active,
        "created_at": sync.created_at,
        "created_by": sync.created_by,
        "id": sync.id,
        "mode": sync.mode,
        "model_ids": sync.model_ids,
        "name": sync.name,
        "only_enrich_updates": sync.only_enrich_updates,
        "organization_id": sync.organization_id,
        "schedule": sync.schedule,
        "skip_initial_backfill": sync.skip_initial_backfill,
        "sync_all_records": sync.sync_all_records,
        "target_connection_id": sync.target.connection_id,
        "target_object": sync.target.object,
        "updated_at": sync.updated_at,
        "updated_by": sync.updated_by,
    })
}

/// Ignores empty values: some clients send unset query parameters that way.
fn parse_filter(query: &str) -> Result<SyncFilter, ApiError> {
    let mut filter = SyncFilter::default();
    let parameters = form_urlencoded::parse(query.as_bytes());
    for (name, value) in parameters.filter(|(_, value)| !value.is_empty()) {
        match &*name {
            "active" => filter.active = Some(parse_bool("active", &value)?),
            "mode" => filter.mode = Some(validate_mode(&value)?),
            "target_connection_id" => {
                let id = Uuid::parse_str(&value).map_err(|_| {
                    ApiError::invalid("target_connection_id: expected the UUID of a connection.")
                })?;
                filter.target_connection_id = Some(id);
            }
            _ => {}
        }
    }
    Ok(filter)
}
