//! Model syncs, which are kept and never run. Deleting a model leaves the syncs that name it, as
//! the API does, where they break at their next run.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::error::ApiError;
use crate::sandbox::paging;
use crate::sandbox::requests::{Object, PathParts, read_bool};
use crate::sandbox::state::{HandlerResult, SharedState};
use crate::sandbox::store::{Page, SyncFilter};
use crate::sandbox::sync::ModelSync;
use crate::sandbox::sync_definition::{SyncBody, check_mode, define};

/// `POST /api/syncs`
pub(super) async fn create(
    State(app): SharedState,
    Object(body): Object<SyncBody>,
) -> HandlerResult {
    let sync = define(&app, body).await?;
    Ok(Json(json!({ "data": app.store.add_sync(sync).await? })))
}

/// `GET /api/syncs/{id}`
pub(super) async fn get(
    State(app): SharedState,
    PathParts(id): PathParts<String>,
) -> HandlerResult {
    let unknown = || ApiError::unknown("model sync", &id);
    let uuid = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let sync = app.store.sync(uuid).await?.ok_or_else(unknown)?;
    Ok(Json(json!({ "data": sync })))
}

/// `GET /api/syncs`, newest change first.
pub(super) async fn list(State(app): SharedState, RawQuery(query): RawQuery) -> HandlerResult {
    let query = query.unwrap_or_default();
    let span = paging::read_span("syncs", &query)?;
    let Page { items, next } = app.store.syncs(read_filter(&query)?, span).await?;
    let items = items.iter().map(item).collect();
    Ok(paging::answer("syncs", Page { items, next }))
}

/// What the list shows of a sync since version 2025-09-18: no mappings, no filters.
fn item(sync: &ModelSync) -> Value {
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

/// An empty value is none: some clients write parameters that were not given so.
fn read_filter(query: &str) -> Result<SyncFilter, ApiError> {
    let mut filter = SyncFilter::default();
    let parameters = form_urlencoded::parse(query.as_bytes());
    for (name, value) in parameters.filter(|(_, value)| !value.is_empty()) {
        match &*name {
            "active" => filter.active = Some(read_bool("active", &value)?),
            "mode" => filter.mode = Some(check_mode(&value)?),
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
