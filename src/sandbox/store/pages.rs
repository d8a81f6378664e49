//! Reading a table page by page. Each has an `id`, an `updated_at` and the JSON of a `body`.

use rusqlite::{Row, params_from_iter, types};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::sandbox::error::ApiError;
use crate::sandbox::store::Store;

/// Which part of a list is wanted.
pub(in crate::sandbox) struct PageRequest {
    pub(in crate::sandbox) limit: u8,
    /// Behind which place it starts; the beginning when absent.
    pub(in crate::sandbox) after: Option<Position>,
}

/// Where something stands in its list.
pub(in crate::sandbox) struct Position {
    pub(in crate::sandbox) updated_at: String,
    pub(in crate::sandbox) id: Uuid,
}

/// A part of a list, newest change first, and the place of its last item when there are more.
pub(in crate::sandbox) struct Page<T> {
    pub(in crate::sandbox) items: Vec<T>,
    pub(in crate::sandbox) next: Option<Position>,
}

impl Store {
    /// The part of `table` that the span names, of the rows that fit `condition`: SQL, which may
    /// use `values` from `?4` on.
    pub(super) async fn page<T: DeserializeOwned + Send + 'static>(
        &self,
        table: &'static str,
        condition: &'static str,
        values: impl IntoIterator<Item = types::Value>,
        span: PageRequest,
    ) -> Result<Page<T>, ApiError> {
        let limit = usize::from(span.limit);
        let (updated_at, id) =
            span.after.map(|place| (place.updated_at, place.id.to_string())).unzip();
        // One more than asked for tells whether there is a next page.
        let mut parameters: Vec<types::Value> =
            vec![updated_at.into(), id.into(), (i64::from(span.limit) + 1).into()];
        parameters.extend(values);
        let mut rows = self
            .transact(move |tx| {
                let mut statement = tx.prepare_cached(&format!(
                    "SELECT updated_at, id, body FROM {table}
                     WHERE (?1 IS NULL OR updated_at < ?1 OR (updated_at = ?1 AND id > ?2))
                         AND {condition}
                     ORDER BY updated_at DESC, id LIMIT ?3",
                ))?;
                let rows = statement.query_map(params_from_iter(parameters), read)?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let (mut places, items): (Vec<Position>, Vec<T>) = rows.into_iter().unzip();
        Ok(Page { items, next: places.pop().filter(|_| more) })
    }
}

fn read<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<(Position, T)> {
    let (id, body): (String, String) = (row.get(1)?, row.get(2)?);
    let id = Uuid::parse_str(&id).map_err(|error| unreadable(1, error))?;
    Ok((Position { updated_at: row.get(0)?, id }, decode(2, &body)?))
}

/// The JSON of a `body`.
pub(super) fn encode(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// What the JSON in a column holds.
pub(super) fn decode<T: DeserializeOwned>(column: usize, body: &str) -> rusqlite::Result<T> {
    serde_json::from_str(body).map_err(|error| unreadable(column, error))
}

fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, types::Type::Text, error.into())
}
