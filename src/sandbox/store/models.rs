//! The models, each as the JSON that the API shows.

use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use crate::sandbox::definition::Model;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::store::Store;

/// Some models, newest change first, and where the next page starts.
pub(in crate::sandbox) struct Page {
    pub(in crate::sandbox) models: Vec<Model>,
    /// `updated_at` and `id` of the last model, when there are more.
    pub(in crate::sandbox) next: Option<(String, Uuid)>,
}

impl Store {
    pub(in crate::sandbox) async fn add_model(&self, model: Model) -> Result<Model, Refusal> {
        self.transact(move |tx| {
            write(tx, &model)?;
            Ok(model)
        })
        .await
    }

    pub(in crate::sandbox) async fn model(&self, id: Uuid) -> Result<Option<Model>, Refusal> {
        self.transact(move |tx| read(tx, id)).await
    }

    /// Writes the successor that `succeed` makes of the stored model; `None` when there is none.
    pub(in crate::sandbox) async fn replace_model(
        &self,
        id: Uuid,
        succeed: impl FnOnce(Model) -> Model + Send + 'static,
    ) -> Result<Option<Model>, Refusal> {
        self.transact(move |tx| {
            let Some(stored) = read(tx, id)? else {
                return Ok(None);
            };
            let model = succeed(stored);
            write(tx, &model)?;
            Ok(Some(model))
        })
        .await
    }

    /// Whether there was such a model.
    pub(in crate::sandbox) async fn delete_model(&self, id: Uuid) -> Result<bool, Refusal> {
        self.transact(move |tx| {
            Ok(tx.execute("DELETE FROM models WHERE id = ?1", [id.to_string()])? > 0)
        })
        .await
    }

    /// The page of at most `limit` models that starts behind `after`.
    pub(in crate::sandbox) async fn models(
        &self,
        after: Option<(String, Uuid)>,
        limit: u8,
    ) -> Result<Page, Refusal> {
        let (updated_at, id) = match after {
            Some((updated_at, id)) => (Some(updated_at), Some(id.to_string())),
            None => (None, None),
        };
        let mut models = self
            .transact(move |tx| {
                let mut statement = tx.prepare_cached(
                    "SELECT body FROM models
                     WHERE ?1 IS NULL OR updated_at < ?1 OR (updated_at = ?1 AND id > ?2)
                     ORDER BY updated_at DESC, id LIMIT ?3",
                )?;
                // One more than asked for tells whether there is a next page.
                let rows =
                    statement.query_map(params![updated_at, id, u16::from(limit) + 1], |row| {
                        let body: String = row.get(0)?;
                        decode(&body)
                    })?;
                rows.collect::<rusqlite::Result<Vec<Model>>>()
            })
            .await?;
        let more = models.len() > usize::from(limit);
        models.truncate(usize::from(limit));
        let last = models.last().filter(|_| more);
        let next = last.and_then(|last| Some((last.updated_at.clone(), last.id?)));
        Ok(Page { models, next })
    }
}

fn read(tx: &Transaction<'_>, id: Uuid) -> rusqlite::Result<Option<Model>> {
    let body: Option<String> = tx
        .prepare_cached("SELECT body FROM models WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    body.map(|body| decode(&body)).transpose()
}

fn write(tx: &Transaction<'_>, model: &Model) -> rusqlite::Result<()> {
    let id = model.id.unwrap_or_default().to_string();
    let body = serde_json::to_string(model)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    tx.prepare_cached("INSERT OR REPLACE INTO models (id, updated_at, body) VALUES (?1, ?2, ?3)")?
        .execute([&id, &model.updated_at, &body])?;
    Ok(())
}

fn decode(body: &str) -> rusqlite::Result<Model> {
    serde_json::from_str(body).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })
}
