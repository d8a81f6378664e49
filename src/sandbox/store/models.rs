//! Models, stored as the JSON that the API returns.

use rusqlite::params;
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::models::model::Model;
use crate::sandbox::store::objects::{self, Page, PageRequest, encode};
use crate::sandbox::store::transaction::Tx;

pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<Option<Model>, ApiError> {
    objects::find(tx, "models", organization_id, id)
}

/// Adds a model, or replaces the one with its id.
pub(in crate::sandbox) fn put(tx: &Tx<'_>, model: &Model) -> Result<(), ApiError> {
    let id = model.id.unwrap_or_default().to_string();
    tx.prepare_cached(
        "INSERT OR REPLACE INTO models (id, organization_id, updated_at, body) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![id, model.organization_id.to_string(), model.updated_at, encode(model)?])?;
    Ok(())
}

/// Deletes a model. Returns whether it existed.
pub(in crate::sandbox) fn delete(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<bool, ApiError> {
    objects::delete(tx, "models", organization_id, id)
}

pub(in crate::sandbox) fn page(
    tx: &Tx<'_>,
    organization_id: Uuid,
    page: PageRequest,
) -> Result<Page<Model>, ApiError> {
    objects::page(tx, "models", organization_id, "TRUE", [], page)
}
