//! Finds, deletes and lists the objects of a table with the columns `id`, `organization_id` and `body` (JSON).

use rusqlite::{OptionalExtension, Row, params_from_iter, types};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::transaction::Tx;

/// A request for a page of a list.
pub(in crate::sandbox) struct PageRequest {
    pub(in crate::sandbox) limit: u8,
    /// The page starts after this position, or at the beginning if absent.
    pub(in crate::sandbox) after: Option<Position>,
}

/// The position of an item in a list.
pub(in crate::sandbox) struct Position {
    pub(in crate::sandbox) updated_at: String,
    pub(in crate::sandbox) id: Uuid,
}

/// A page of a list, most recently updated first.
pub(in crate::sandbox) struct Page<T> {
    pub(in crate::sandbox) items: Vec<T>,
    /// The position of the last item, if more items follow.
    pub(in crate::sandbox) next: Option<Position>,
}

/// The object with this id.
pub(super) fn find<T: DeserializeOwned>(
    tx: &Tx<'_>,
    table: &'static str,
    organization_id: Uuid,
    id: Uuid,
) -> Result<Option<T>, ApiError> {
    let body: Option<String> = tx
        .prepare_cached(&format!(
            "SELECT body FROM {table} WHERE id = ?1 AND organization_id = ?2"
        ))?
        .query_row([id.to_string(), organization_id.to_string()], |row| row.get(0))
        .optional()?;
    Ok(body.map(|body| decode(0, &body)).transpose()?)
}

/// Deletes an object. Returns whether it existed.
pub(super) fn delete(
    tx: &Tx<'_>,
    table: &'static str,
    organization_id: Uuid,
    id: Uuid,
) -> Result<bool, ApiError> {
    let deleted = tx
        .prepare_cached(&format!("DELETE FROM {table} WHERE id = ?1 AND organization_id = ?2"))?
        .execute([id.to_string(), organization_id.to_string()])?;
    Ok(deleted > 0)
}

/// Reads a page of the rows of `table` that belong to the organization and match `condition`: SQL with `values` as parameters
/// from `?5` on.
pub(super) fn page<T: DeserializeOwned>(
    tx: &Tx<'_>,
    table: &'static str,
    organization_id: Uuid,
    condition: &'static str,
    values: impl IntoIterator<Item = types::Value>,
    request: PageRequest,
) -> Result<Page<T>, ApiError> {
    let limit = usize::from(request.limit);
    let (updated_at, id) =
        request.after.map(|position| (position.updated_at, position.id.to_string())).unzip();
    // One row more than requested shows whether there is a next page.
    let mut parameters: Vec<types::Value> = vec![
        updated_at.into(),
        id.into(),
        (i64::from(request.limit) + 1).into(),
        organization_id.to_string().into(),
    ];
    parameters.extend(values);
    let mut statement = tx.prepare_cached(&format!(
        "SELECT updated_at, id, body FROM {table}
         WHERE (?1 IS NULL OR updated_at < ?1 OR (updated_at = ?1 AND id > ?2))
             AND organization_id = ?4 AND {condition}
         ORDER BY updated_at DESC, id LIMIT ?3",
    ))?;
    let rows = statement.query_map(params_from_iter(parameters), read_row)?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let (mut positions, items): (Vec<Position>, Vec<T>) = rows.into_iter().unzip();
    Ok(Page { items, next: positions.pop().filter(|_| has_more) })
}

fn read_row<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<(Position, T)> {
    let (id, body): (String, String) = (row.get(1)?, row.get(2)?);
    let id = Uuid::parse_str(&id).map_err(|error| conversion_error(1, error))?;
    Ok((Position { updated_at: row.get(0)?, id }, decode(2, &body)?))
}

/// Serializes an object for the column `body`.
pub(super) fn encode(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Deserializes the JSON in a column.
pub(super) fn decode<T: DeserializeOwned>(column: usize, body: &str) -> rusqlite::Result<T> {
    serde_json::from_str(body).map_err(|error| conversion_error(column, error))
}

fn conversion_error(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, types::Type::Text, error.into())
}
