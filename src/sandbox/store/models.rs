//! Models, stored as the JSON that the API returns.

use rusqlite::{OptionalExtension, Transaction};
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::models::model::Model;
use crate::sandbox::store::open::Store;
use crate::sandbox::store::pages::{Page, PageRequest, decode, encode};

impl Store {
    pub(in crate::sandbox) async fn add_model(&self, model: Model) -> Result<Model, ApiError> {
        self.transact(move |tx| {
            write(tx, &model)?;
            Ok(model)
        })
        .await
    }

    pub(in crate::sandbox) async fn model(&self, id: Uuid) -> Result<Option<Model>, ApiError> {
        self.transact(move |tx| read(tx, id)).await
    }

    /// Replaces the stored model by the result of `replace`; `None` if there is no such model.
    pub(in crate::sandbox) async fn replace_model(
        &self,
        id: Uuid,
        replace: impl FnOnce(Model) -> Model + Send + 'static,
    ) -> Result<Option<Model>, ApiError> {
        self.transact(move |tx| {
            let Some(stored) = read(tx, id)? else {
                return Ok(None);
            };
            let model = replace(stored);
            write(tx, &model)?;
            Ok(Some(model))
        })
        .await
    }

    /// Deletes a model. Returns whether it existed.
    pub(in crate::sandbox) async fn delete_model(&self, id: Uuid) -> Result<bool, ApiError> {
        self.transact(move |tx| {
            Ok(tx.execute("DELETE FROM models WHERE id = ?1", [id.to_string()])? > 0)
        })
        .await
    }

    pub(in crate::sandbox) async fn models(
        &self,
        page: PageRequest,
    ) -> Result<Page<Model>, ApiError> {
        self.page("models", "TRUE", [], page).await
    }

    /// The first of `ids` without a model.
    pub(in crate::sandbox) async fn first_unknown_model(
        &self,
        ids: Vec<Uuid>,
    ) -> Result<Option<Uuid>, ApiError> {
        self.transact(move |tx| {
            let mut statement = tx.prepare_cached("SELECT 1 FROM models WHERE id = ?1")?;
            for id in ids {
                if !statement.exists([id.to_string()])? {
                    return Ok(Some(id));
                }
            }
            Ok(None)
        })
        .await
    }
}

fn read(tx: &Transaction<'_>, id: Uuid) -> rusqlite::Result<Option<Model>> {
    let body: Option<String> = tx
        .prepare_cached("SELECT body FROM models WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    body.map(|body| decode(0, &body)).transpose()
}

fn write(tx: &Transaction<'_>, model: &Model) -> rusqlite::Result<()> {
    let id = model.id.unwrap_or_default().to_string();
    tx.prepare_cached("INSERT OR REPLACE INTO models (id, updated_at, body) VALUES (?1, ?2, ?3)")?
        .execute([&id, &model.updated_at, &encode(model)?])?;
    Ok(())
}
