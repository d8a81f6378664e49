//! What concerns the whole database: the clock, a reset, and an overview.

use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::transaction::Tx;

/// How many objects of a kind an overview has.
const MAX_OVERVIEW_ROWS: u32 = 100;

/// Moves the clock so that the time of a new transaction is `offset_seconds` off.
pub(in crate::sandbox) fn set_clock_offset(
    tx: &Tx<'_>,
    offset_seconds: i64,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT OR REPLACE INTO settings VALUES ('clock_offset_seconds', ?1)",
        [offset_seconds],
    )?;
    Ok(())
}

/// By how many seconds the clock is off.
pub(in crate::sandbox) fn clock_offset(tx: &Tx<'_>) -> Result<i64, ApiError> {
    let offset = tx
        .prepare_cached("SELECT value FROM settings WHERE name = 'clock_offset_seconds'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(offset.unwrap_or_default())
}

/// Deletes everything, settings included.
pub(in crate::sandbox) fn clear(tx: &Tx<'_>) -> Result<(), ApiError> {
    let mut statement = tx.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
    for table in tables.collect::<rusqlite::Result<Vec<_>>>()? {
        tx.execute(&format!("DELETE FROM \"{}\"", table.replace('"', "\"\"")), [])?;
    }
    Ok(())
}

/// The objects of an organization, newest first, without what may be secret.
pub(in crate::sandbox) fn overview(tx: &Tx<'_>, organization_id: Uuid) -> Result<Value, ApiError> {
    let rows = |sql: &str| -> Result<Vec<Value>, ApiError> {
        let mut statement = tx.prepare_cached(sql)?;
        let parameters = params![organization_id.to_string(), MAX_OVERVIEW_ROWS];
        let rows = statement.query_map(parameters, |row| row.get::<_, String>(0))?;
        let rows = rows.map(|row| Ok(serde_json::from_str(&row?).unwrap_or_default()));
        rows.collect::<rusqlite::Result<_>>().map_err(Into::into)
    };
    let mut jobs = rows(
        "SELECT json_object('id', id, 'type', type, 'status', status, 'error', error, 'owner', owner,
             'created_at', strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch'))
         FROM jobs WHERE organization_id = ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let has_executions =
        tx.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'executions'")?.exists([])?;
    let mut executions = match has_executions {
        true => rows(
            "SELECT json_object('id', e.id, 'name', s.body ->> 'name', 'status', e.status, 'owner', e.owner,
                 'created_at', e.body ->> 'created_at')
             FROM executions AS e LEFT JOIN syncs AS s ON s.id = e.sync_id
             WHERE e.organization_id = ?1 ORDER BY e.number DESC LIMIT ?2",
        )?,
        false => Vec::new(),
    };
    for work in jobs.iter_mut().chain(&mut executions) {
        fail_if_lost(tx, work);
    }
    Ok(json!({
        "models": rows(
            "SELECT json_object('id', id, 'name', body ->> 'name', 'version', body ->> 'version',
                 'updated_at', updated_at)
             FROM models WHERE organization_id = ?1 ORDER BY updated_at DESC, id LIMIT ?2",
        )?,
        "syncs": rows(
            "SELECT json_object('id', id, 'name', body ->> 'name', 'mode', mode,
                 'active', json(iif(active, 'true', 'false')), 'updated_at', updated_at)
             FROM syncs WHERE organization_id = ?1 ORDER BY updated_at DESC, id LIMIT ?2",
        )?,
        "executions": executions,
        "jobs": jobs,
        "connections": rows(
            "SELECT json_object('id', id, 'name', body ->> 'name', 'type', body ->> 'type',
                 'status', iif(body ->> 'status_error' IS NULL, 'healthy', 'unhealthy'), 'created_at', created_at)
             FROM connections WHERE organization_id = ?1 ORDER BY created_at DESC, rowid DESC LIMIT ?2",
        )?,
    }))
}

/// Removes the owner of a job or an execution. One that is unfinished although its process has ended has failed.
fn fail_if_lost(tx: &Tx<'_>, work: &mut Value) {
    let Some(work) = work.as_object_mut() else {
        return;
    };
    let owner = work.shift_remove("owner");
    let is_unfinished = matches!(
        work.get("status").and_then(Value::as_str),
        Some("created" | "queued" | "scheduled" | "running")
    );
    let is_lost = || !tx.owner.is_alive(owner.as_ref().and_then(Value::as_str).unwrap_or_default());
    if is_unfinished && is_lost() {
        work.insert("status".to_owned(), "failed".into());
    }
}
