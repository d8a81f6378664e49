//! Bulk syncs, which only a new sandbox adds.

use rusqlite::params;
use uuid::Uuid;

use crate::sandbox::bulk::sync::BulkSync;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::objects::{self, Page, PageRequest, encode};
use crate::sandbox::store::transaction::Tx;

/// Adds the bulk sync of a new sandbox.
pub(in crate::sandbox) fn seed(tx: &Tx<'_>, sync: &BulkSync) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO bulk_syncs (id, organization_id, updated_at, active, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            sync.id.to_string(),
            sync.organization_id.to_string(),
            sync.updated_at,
            sync.active,
            encode(sync)?
        ],
    )?;
    Ok(())
}

pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<Option<BulkSync>, ApiError> {
    objects::find(tx, "bulk_syncs", organization_id, id)
}

/// A page of those that are active or not, as asked for.
pub(in crate::sandbox) fn page(
    tx: &Tx<'_>,
    organization_id: Uuid,
    active: Option<bool>,
    page: PageRequest,
) -> Result<Page<BulkSync>, ApiError> {
    let condition = "(?5 IS NULL OR active = ?5)";
    objects::page(tx, "bulk_syncs", organization_id, condition, [active.into()], page)
}
