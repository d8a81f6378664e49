//! Model syncs, stored as the JSON that the API returns, with a column for every filter of the list.

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::open::Store;
use crate::sandbox::store::pages::{Page, PageRequest, decode, encode};
use crate::sandbox::syncs::sync::ModelSync;

/// The filters of the list; absent ones match every sync.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct SyncFilter {
    pub(in crate::sandbox) active: Option<bool>,
    pub(in crate::sandbox) mode: Option<String>,
    pub(in crate::sandbox) target_connection_id: Option<Uuid>,
}

impl Store {
    pub(in crate::sandbox) async fn add_sync(
        &self,
        sync: ModelSync,
    ) -> Result<ModelSync, ApiError> {
        self.transact(move |tx| {
            tx.prepare_cached(
                "INSERT INTO syncs (id, updated_at, active, mode, target_connection_id, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                sync.id.to_string(),
                sync.updated_at,
                sync.active,
                sync.mode,
                sync.target.connection_id.map(|id| id.to_string()),
                encode(&sync)?
            ])?;
            Ok(sync)
        })
        .await
    }

    pub(in crate::sandbox) async fn sync(&self, id: Uuid) -> Result<Option<ModelSync>, ApiError> {
        self.transact(move |tx| {
            let body: Option<String> = tx
                .prepare_cached("SELECT body FROM syncs WHERE id = ?1")?
                .query_row([id.to_string()], |row| row.get(0))
                .optional()?;
            body.map(|body| decode(0, &body)).transpose()
        })
        .await
    }

    pub(in crate::sandbox) async fn syncs(
        &self,
        filter: SyncFilter,
        page: PageRequest,
    ) -> Result<Page<ModelSync>, ApiError> {
        let SyncFilter { active, mode, target_connection_id } = filter;
        let target = target_connection_id.map(|id| id.to_string());
        let condition = "(?4 IS NULL OR active = ?4) AND (?5 IS NULL OR mode = ?5)
            AND (?6 IS NULL OR target_connection_id = ?6)";
        self.page("syncs", condition, [active.into(), mode.into(), target.into()], page).await
    }
}
