//! The table that an execution writes to: created if it does not exist, and with the columns that the sync adds. Blocking.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use crate::sandbox::executions::plan::{Key, Output, Plan};
use crate::sandbox::http::error::ApiError;

/// How long an execution waits for others that write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// An error of the target.
pub(super) fn target_error(error: &rusqlite::Error) -> ApiError {
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    ApiError::invalid(format!("The target cannot be written: {message}."))
}

/// Opens the database of a target. `is_own` is whether it is the one that the sandbox brings along.
pub(super) fn open(uri: &str, is_own: bool) -> Result<Connection, ApiError> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(uri, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        if is_own {
            // Its readers, other sandboxes among them, go on while an execution writes. In memory this has no effect.
            connection.pragma_update(None, "journal_mode", "wal")?;
        }
        connection.pragma_update(None, "synchronous", "normal")?;
        Ok(connection)
    };
    open().map_err(|error| target_error(&error))
}

/// Deletes the tables of the target that the sandbox brings along.
///
/// # Errors
/// 400 if another process writes to it.
pub(in crate::sandbox) fn clear(uri: &str) -> Result<(), ApiError> {
    let mut connection = open(uri, true)?;
    let mut clear = || {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut statement = transaction.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )?;
        let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
        for table in tables.collect::<rusqlite::Result<Vec<_>>>()? {
            transaction.execute(&format!("DROP TABLE {}", quoted(&table)), [])?;
        }
        drop(statement);
        transaction.commit()
    };
    clear().map_err(|error| target_error(&error))
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Creates or changes the table as the plan asks for. Returns what was done, for the log.
///
/// # Errors
/// 400 if the table is none, or lacks columns that are not declared as new.
pub(super) fn prepare(
    tx: &Transaction<'_>,
    table: &str,
    plan: &Plan,
) -> Result<Vec<String>, ApiError> {
    let to_api_error = |error: rusqlite::Error| target_error(&error);
    let kind: Option<String> = tx
        .query_row(
            "SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')",
            [table],
            |row| row.get(0),
        )
        .optional()
        .map_err(to_api_error)?;
    if kind.as_deref() == Some("view") {
        return Err(ApiError::invalid(format!(
            "target.object: {table} is a view; expected a table, or the name of a new one."
        )));
    }
    let mut exists = kind.is_some();
    let mut done = Vec::new();
    if exists && plan.mode == "snapshot" {
        tx.execute(&format!("DROP TABLE {}", quoted(table)), []).map_err(to_api_error)?;
        exists = false;
    }
    if exists {
        done.extend(add_columns(tx, table, plan)?);
    } else if plan.outputs.is_empty() {
        return Err(ApiError::invalid("fields: empty, so that there is nothing to write."));
    } else {
        let columns: Vec<String> = plan.outputs.iter().map(definition).collect();
        let sql = format!("CREATE TABLE {} ({})", quoted(table), columns.join(", "));
        tx.execute(&sql, []).map_err(to_api_error)?;
        done.push(format!("Created the table {table} with {} columns.", columns.len()));
    }
    Ok(done)
}

fn definition(output: &Output) -> String {
    // A declared type is free text in SQLite, but not every text that a view can show is one.
    let is_plain = |name: &&String| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '(' | ')' | ','))
    };
    let declared_type = output.declared_type.as_ref().filter(is_plain);
    format!("{} {}", quoted(&output.column), declared_type.map_or("", String::as_str))
}

fn add_columns(tx: &Transaction<'_>, table: &str, plan: &Plan) -> Result<Vec<String>, ApiError> {
    let existing = || -> rusqlite::Result<Vec<String>> {
        let mut statement = tx.prepare("SELECT name FROM pragma_table_info(?1)")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    };
    let existing = existing().map_err(|error| target_error(&error))?;
    let mut done = Vec::new();
    for output in &plan.outputs {
        if existing.iter().any(|name| name.eq_ignore_ascii_case(&output.column)) {
            continue;
        }
        if !output.is_new {
            return Err(ApiError::invalid(format!(
                "{}.target: the table {table} has no column \"{}\"; existing ones: {}. Set new to add it.",
                output.path,
                output.column,
                existing.join(", ")
            )));
        }
        let sql = format!("ALTER TABLE {} ADD COLUMN {}", quoted(table), definition(output));
        tx.execute(&sql, []).map_err(|error| target_error(&error))?;
        done.push(format!("Added the column {} to the table {table}.", output.column));
    }
    Ok(done)
}

/// Indexes that find the rows of a record, as long as the transaction lasts.
pub(super) struct TemporaryIndexes(Vec<String>);

impl TemporaryIndexes {
    pub(super) fn create(tx: &Transaction<'_>, table: &str, key: &Key) -> Result<Self, ApiError> {
        let mut names = Vec::new();
        for column in key.columns() {
            let name = quoted(&format!("sandbox_{}", uuid::Uuid::new_v4().simple()));
            let sql = format!("CREATE INDEX {name} ON {} ({})", quoted(table), quoted(column));
            tx.execute(&sql, []).map_err(|error| target_error(&error))?;
            names.push(name);
        }
        Ok(Self(names))
    }

    pub(super) fn drop(self, tx: &Transaction<'_>) -> Result<(), ApiError> {
        for name in self.0 {
            tx.execute(&format!("DROP INDEX {name}"), []).map_err(|error| target_error(&error))?;
        }
        Ok(())
    }
}
