//! Model syncs, stored as the JSON that the API returns, with a column for every filter of the list.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::objects::{self, Page, PageRequest, decode, encode};
use crate::sandbox::store::transaction::Tx;
use crate::sandbox::syncs::sync::ModelSync;

/// The filters of the list; absent ones match every sync.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct SyncFilter {
    pub(in crate::sandbox) active: Option<bool>,
    pub(in crate::sandbox) mode: Option<String>,
    pub(in crate::sandbox) target_connection_id: Option<Uuid>,
}

/// Adds a sync, or replaces the one with its id.
pub(in crate::sandbox) fn put(tx: &Tx<'_>, sync: &ModelSync) -> Result<(), ApiError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO syncs
             (id, organization_id, updated_at, active, mode, target_connection_id, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        sync.id.to_string(),
        sync.organization_id.to_string(),
        sync.updated_at,
        sync.active,
        sync.mode,
        sync.target.connection_id.map(|id| id.to_string()),
        encode(sync)?
    ])?;
    Ok(())
}

pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<Option<ModelSync>, ApiError> {
    objects::find(tx, "syncs", organization_id, id)
}

/// Deletes a sync with its executions. Returns whether it existed.
pub(in crate::sandbox) fn delete(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<bool, ApiError> {
    let deleted = tx
        .prepare_cached("DELETE FROM syncs WHERE id = ?1 AND organization_id = ?2")?
        .execute([id.to_string(), organization_id.to_string()])?;
    if deleted == 0 {
        return Ok(false);
    }
    let id = id.to_string();
    tx.prepare_cached("DELETE FROM sync_error_handling WHERE sync_id = ?1")?.execute([&id])?;
    tx.prepare_cached(
        "DELETE FROM execution_logs WHERE execution_id IN (SELECT id FROM executions WHERE sync_id = ?1)",
    )?
    .execute([&id])?;
    tx.prepare_cached("DELETE FROM executions WHERE sync_id = ?1")?.execute([&id])?;
    Ok(true)
}

/// What a sync does about records that fail, as it was stored.
pub(in crate::sandbox) fn error_handling(tx: &Tx<'_>, id: Uuid) -> Result<Option<Value>, ApiError> {
    let body: Option<String> = tx
        .prepare_cached("SELECT body FROM sync_error_handling WHERE sync_id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    Ok(body.map(|body| decode(0, &body)).transpose()?)
}

pub(in crate::sandbox) fn put_error_handling(
    tx: &Tx<'_>,
    id: Uuid,
    body: &Value,
) -> Result<(), ApiError> {
    tx.prepare_cached("INSERT OR REPLACE INTO sync_error_handling VALUES (?1, ?2)")?
        .execute(params![id.to_string(), encode(body)?])?;
    Ok(())
}

pub(in crate::sandbox) fn page(
    tx: &Tx<'_>,
    organization_id: Uuid,
    filter: SyncFilter,
    page: PageRequest,
) -> Result<Page<ModelSync>, ApiError> {
    let SyncFilter { active, mode, target_connection_id } = filter;
    let target = target_connection_id.map(|id| id.to_string());
    let condition = "(?5 IS NULL OR active = ?5) AND (?6 IS NULL OR mode = ?6)
        AND (?7 IS NULL OR target_connection_id = ?7)";
    let values = [active.into(), mode.into(), target.into()];
    objects::page(tx, "syncs", organization_id, condition, values, page)
}
