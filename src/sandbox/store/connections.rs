//! Connections, stored with their secrets.

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::sandbox::connections::connection::Connection;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::objects::{self, decode, encode};
use crate::sandbox::store::transaction::Tx;

/// Every connection of an organization, oldest first.
pub(in crate::sandbox) fn all(
    tx: &Tx<'_>,
    organization_id: Uuid,
) -> Result<Vec<Connection>, ApiError> {
    let mut statement = tx.prepare_cached(
        "SELECT body FROM connections WHERE organization_id = ?1 ORDER BY created_at, rowid",
    )?;
    let bodies = statement
        .query_map([organization_id.to_string()], |row| decode(0, &row.get::<_, String>(0)?))?;
    Ok(bodies.collect::<rusqlite::Result<_>>()?)
}

pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<Option<Connection>, ApiError> {
    objects::find(tx, "connections", organization_id, id)
}

/// The connection that waits to be authorized with this state, of any organization.
pub(in crate::sandbox) fn find_unauthorized(
    tx: &Tx<'_>,
    id: &str,
    state: &str,
) -> Result<Option<Connection>, ApiError> {
    let body: Option<String> = tx
        .prepare_cached(
            "SELECT body FROM connections WHERE id = ?1 AND body ->> '$.authorization.state' = ?2",
        )?
        .query_row([id, state], |row| row.get(0))
        .optional()?;
    Ok(body.map(|body| decode(0, &body)).transpose()?)
}

/// Adds a connection, or replaces the one with its id.
pub(in crate::sandbox) fn put(tx: &Tx<'_>, connection: &Connection) -> Result<(), ApiError> {
    tx.prepare_cached(
        "INSERT INTO connections (id, organization_id, created_at, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, body = excluded.body",
    )?
    .execute(params![
        connection.id.to_string(),
        connection.organization_id.to_string(),
        connection.created_at,
        encode(connection)?
    ])?;
    Ok(())
}

/// Adds the connections of a new sandbox, once in the life of the file: those that were deleted stay deleted.
/// Returns whether it was now.
pub(in crate::sandbox) fn seed(tx: &Tx<'_>, connections: &[Connection]) -> Result<bool, ApiError> {
    let is_new =
        tx.execute("INSERT OR IGNORE INTO settings VALUES ('has_connections', 1)", [])? > 0;
    if is_new {
        for connection in connections {
            put(tx, connection)?;
        }
    }
    Ok(is_new)
}

/// Deletes a connection. Returns whether it existed.
pub(in crate::sandbox) fn delete(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<bool, ApiError> {
    objects::delete(tx, "connections", organization_id, id)
}

/// What uses a connection.
pub(in crate::sandbox) struct Dependents {
    pub(in crate::sandbox) models: Vec<Uuid>,
    pub(in crate::sandbox) syncs: Vec<Uuid>,
}

/// The models that read from a connection or are enriched by it, and the syncs that write to it.
pub(in crate::sandbox) fn dependents(
    tx: &Tx<'_>,
    organization_id: Uuid,
    id: Uuid,
) -> Result<Dependents, ApiError> {
    let ids = |sql: &str| -> Result<Vec<Uuid>, ApiError> {
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map([id.to_string(), organization_id.to_string()], |row| {
            row.get::<_, String>(0)
        })?;
        let ids = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(ids.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect())
    };
    Ok(Dependents {
        models: ids("SELECT id FROM models WHERE organization_id = ?2
                 AND (body ->> 'connection_id' = ?1 OR body ->> '$.enricher.connection_id' = ?1)")?,
        syncs: ids(
            "SELECT id FROM syncs WHERE organization_id = ?2 AND target_connection_id = ?1",
        )?,
    })
}
