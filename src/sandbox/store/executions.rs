//! Executions of syncs, each owned by the process that runs it, and what they log.

use rusqlite::{OptionalExtension, Row, ToSql, params};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::executions::execution::{Execution, Status};
use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::objects::{Page, PageRequest, Position, decode, encode};
use crate::sandbox::store::transaction::{Tx, format_time};

const LOST: &str = "The sandbox was stopped while this execution was running; its rows were written either all or not at \
                    all. Look at the target before you start the sync again.";

pub(in crate::sandbox) fn add(tx: &Tx<'_>, execution: &Execution) -> Result<(), ApiError> {
    tx.prepare_cached(
        "INSERT INTO executions (id, organization_id, sync_id, owner, status, is_final, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        execution.id.to_string(),
        execution.organization_id.to_string(),
        execution.sync_id.to_string(),
        tx.owner.id(),
        execution.status.as_str(),
        execution.status.is_final(),
        encode(execution)?
    ])?;
    Ok(())
}

/// Updates an execution. Does nothing if it has been deleted meanwhile.
pub(in crate::sandbox) fn update(tx: &Tx<'_>, execution: &Execution) -> Result<(), ApiError> {
    tx.prepare_cached("UPDATE executions SET status = ?2, is_final = ?3, body = ?4 WHERE id = ?1")?
        .execute(params![
            execution.id.to_string(),
            execution.status.as_str(),
            execution.status.is_final(),
            encode(execution)?
        ])?;
    Ok(())
}

/// Fails the executions whose process has ended. What reads executions does this first, in a transaction that writes.
fn fail_lost(tx: &Tx<'_>) -> Result<(), ApiError> {
    let owners: Vec<String> = {
        let mut statement =
            tx.prepare_cached("SELECT DISTINCT owner FROM executions WHERE NOT is_final")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    for owner in owners.iter().filter(|owner| !tx.owner.is_alive(owner)) {
        let lost: Vec<Execution> = {
            let mut statement =
                tx.prepare_cached("SELECT body FROM executions WHERE owner = ?1 AND NOT is_final")?;
            statement.query_map([owner], read_body)?.collect::<rusqlite::Result<_>>()?
        };
        for mut execution in lost {
            execution.status = Status::Failed;
            execution.errors.push(LOST.to_owned());
            execution.completed_at = Some(format_time(tx.now()));
            update(tx, &execution)?;
            log(tx, execution.id, "error", LOST)?;
        }
    }
    Ok(())
}

/// An execution, of whatever process; `None` if it has been deleted.
pub(in crate::sandbox) fn unchecked(tx: &Tx<'_>, id: Uuid) -> Result<Option<Execution>, ApiError> {
    one(tx, "id = ?1", &[&id.to_string()])
}

/// The status of an execution; `None` if it has been deleted.
pub(in crate::sandbox) fn status(tx: &Tx<'_>, id: Uuid) -> Result<Option<Status>, ApiError> {
    Ok(unchecked(tx, id)?.map(|execution| execution.status))
}

/// An execution of a sync. Must be called in a transaction that writes, like all that follow.
pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    sync_id: Uuid,
    id: Uuid,
) -> Result<Option<Execution>, ApiError> {
    fail_lost(tx)?;
    one(tx, "id = ?1 AND sync_id = ?2", &[&id.to_string(), &sync_id.to_string()])
}

/// The execution of a sync that has not ended.
pub(in crate::sandbox) fn current(
    tx: &Tx<'_>,
    sync_id: Uuid,
) -> Result<Option<Execution>, ApiError> {
    fail_lost(tx)?;
    one(tx, "sync_id = ?1 AND NOT is_final", &[&sync_id.to_string()])
}

/// The execution of a sync that was started last of those that have ended.
pub(in crate::sandbox) fn last(tx: &Tx<'_>, sync_id: Uuid) -> Result<Option<Execution>, ApiError> {
    fail_lost(tx)?;
    one(tx, "sync_id = ?1 AND is_final", &[&sync_id.to_string()])
}

fn one(
    tx: &Tx<'_>,
    condition: &str,
    parameters: &[&dyn ToSql],
) -> Result<Option<Execution>, ApiError> {
    let sql = format!("SELECT body FROM executions WHERE {condition} ORDER BY number DESC LIMIT 1");
    Ok(tx.prepare_cached(&sql)?.query_row(parameters, read_body).optional()?)
}

fn read_body(row: &Row<'_>) -> rusqlite::Result<Execution> {
    decode(0, &row.get::<_, String>(0)?)
}

/// A page of the executions of a sync, in the order of their start.
pub(in crate::sandbox) fn page(
    tx: &Tx<'_>,
    sync_id: Uuid,
    only_completed: bool,
    is_ascending: bool,
    request: PageRequest,
) -> Result<Page<Execution>, ApiError> {
    fail_lost(tx)?;
    let limit = usize::from(request.limit);
    let after = request.after.map(|position| position.id.to_string());
    let (order, compares) = if is_ascending { ("", ">") } else { ("DESC", "<") };
    let mut statement = tx.prepare_cached(&format!(
        "SELECT body FROM executions WHERE sync_id = ?1 AND (NOT ?2 OR is_final)
             AND (?3 IS NULL OR number {compares} (SELECT number FROM executions WHERE id = ?3))
         ORDER BY number {order} LIMIT ?4",
    ))?;
    // One row more than requested shows whether there is a next page.
    let parameters =
        params![sync_id.to_string(), only_completed, after, i64::from(request.limit) + 1];
    let rows = statement.query_map(parameters, read_body)?;
    let mut items = rows.collect::<rusqlite::Result<Vec<Execution>>>()?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    let next = last.map(|item| Position { updated_at: item.created_at.clone(), id: item.id });
    Ok(Page { items, next })
}

/// Adds a line to the log of an execution.
pub(in crate::sandbox) fn log(
    tx: &Tx<'_>,
    id: Uuid,
    level: &str,
    message: &str,
) -> Result<(), ApiError> {
    tx.prepare_cached(
        "INSERT INTO execution_logs (execution_id, logged_at, level, message) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![id.to_string(), format_time(tx.now()), level, message])?;
    Ok(())
}

/// The lines of the log of an execution after the one with the number `after`, as the API returns them.
pub(in crate::sandbox) fn logs(
    tx: &Tx<'_>,
    id: Uuid,
    after: i64,
    limit: u8,
) -> Result<Vec<Value>, ApiError> {
    let mut statement = tx.prepare_cached(
        "SELECT number, logged_at, level, message FROM execution_logs
         WHERE execution_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let rows = statement.query_map(params![id.to_string(), after, limit], |row| {
        Ok(json!({
            "id": row.get::<_, i64>(0)?.to_string(),
            "timestamp": row.get::<_, String>(1)?,
            "level": row.get::<_, String>(2)?,
            "message": row.get::<_, String>(3)?,
            "payload": null,
        }))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
