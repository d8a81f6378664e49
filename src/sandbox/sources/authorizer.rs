//! The read-only connection. Blocking.
//!
//! Four protections, as none is sufficient alone: a check of the statement's first keyword, an authorizer
//! with a list of allowed actions and functions, `query_only`, and attaching the data read-only. The
//! connection also has limits on memory, and statements on it can be interrupted.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::database::Database;
use crate::sandbox::sources::functions::{self, MAX_VALUE_BYTES};
use crate::sandbox::sources::interrupt::Interrupt;

/// Limit of LIKE and GLOB patterns: a comparison takes as many steps as there are bytes in the pattern and in the value,
/// multiplied, and cannot be interrupted.
const MAX_PATTERN_BYTES: i32 = 250;
/// Limit of the arguments of a function. Each path of a JSON function is looked up on its own.
const MAX_ARGUMENTS: i32 = 127;
/// Limit of SQLite's memory in this process. A recursive UNION keeps every row.
const MAX_HEAP_BYTES: i64 = 256 * 1024 * 1024;
/// Large, as interrupts usually act at once; the check only catches one requested before the first step.
const STEPS_BETWEEN_CHECKS: i32 = 1_000_000;

/// Why the authorizer denied an action: SQLite itself only reports "not authorized".
#[derive(Debug, Clone, Default)]
pub(super) struct DenialReason(Arc<Mutex<Option<String>>>);

impl DenialReason {
    fn set(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Takes the reason out.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Opens the connection. `interrupt` stops its statements, at once if the caller has set its handle.
pub(super) fn open(
    database: &Database,
    denial: &DenialReason,
    interrupt: &Arc<Interrupt>,
) -> rusqlite::Result<Connection> {
    let mut connection = database.open()?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.query_row(&format!("PRAGMA hard_heap_limit = {MAX_HEAP_BYTES}"), [], |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise a misspelt column in double quotes would be a string, and the mistake would go unnoticed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    let attached = i32::try_from(database.schemas().len()).unwrap_or(i32::MAX);
    // The size of values and statements determines how long a single step, which cannot be interrupted, may take.
    let max_value_bytes = i32::try_from(MAX_VALUE_BYTES).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, max_value_bytes)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, max_value_bytes)?;
    connection.set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, MAX_ARGUMENTS)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, attached)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    functions::replace_slow_functions(&connection)?;
    let last_denial = denial.clone();
    let schemas: Vec<String> =
        database.schemas().iter().map(|schema| schema.name.to_ascii_lowercase()).collect();
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        match authorize(&schemas, &context) {
            Ok(()) => Authorization::Allow,
            Err(reason) => {
                last_denial.set(reason);
                Authorization::Deny
            }
        }
    }))?;
    let interrupt = Arc::clone(interrupt);
    connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || interrupt.is_requested()))?;
    Ok(connection)
}

/// Authorizes an action. The error is the reason for the denial.
fn authorize(schemas: &[String], context: &AuthContext<'_>) -> Result<(), String> {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => Ok(()),
        AuthAction::Read { table_name, .. } => {
            let table = table_name.to_ascii_lowercase();
            let is_in_source = match context.database_name {
                // As it is written in the statement; SQLite compares names without case.
                Some(database) => schemas.contains(&database.to_ascii_lowercase()),
                // A common table expression, or a table whose rows are counted without reading a column.
                None => !table.starts_with("pragma_"),
            };
            if is_in_source || matches!(table.as_str(), "json_each" | "json_tree") {
                Ok(())
            } else {
                Err(format!(
                    "{table_name} cannot be read; expected a table or view of the schema {}.",
                    schemas.join(" or ")
                ))
            }
        }
        AuthAction::Function { function_name } => {
            if FUNCTIONS.contains(&function_name.to_ascii_lowercase().as_str()) {
                Ok(())
            } else {
                Err(format!("the function {function_name} is not allowed."))
            }
        }
        _ => Err("the statement is not read-only.".to_owned()),
    }
}

/// The allowed functions: those without side effects.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    // values and text
    "abs", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "if", "ifnull", "iif", "instr", "length",
    "like", "likelihood", "likely", "lower", "ltrim", "max", "min", "nullif", "octet_length", "printf", "quote",
    "random", "randomblob", "replace", "round", "rtrim", "sign", "soundex", "substr", "substring", "trim", "typeof",
    "unhex", "unicode", "unistr", "unistr_quote", "unlikely", "upper", "zeroblob",
    // dates
    "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday", "strftime", "time",
    "timediff", "unixepoch",
    // aggregates and windows
    "avg", "count", "cume_dist", "dense_rank", "first_value", "group_concat", "lag", "last_value", "lead",
    "nth_value", "ntile", "percent_rank", "rank", "row_number", "string_agg", "sum", "total",
    // JSON
    "->", "->>", "json", "json_array", "json_array_length", "json_error_position", "json_extract", "json_group_array",
    "json_group_object", "json_insert", "json_object", "json_patch", "json_pretty", "json_quote", "json_remove",
    "json_replace", "json_set", "json_type", "json_valid", "jsonb", "jsonb_array", "jsonb_extract",
    "jsonb_group_array", "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove",
    "jsonb_replace", "jsonb_set",
];

/// Rejects other statements with a better error than SQLite's "not authorized", and those that the other
/// protections may allow: PRAGMA and EXPLAIN.
pub(super) fn check_first_keyword(query: &str) -> Result<(), ApiError> {
    if query.contains('\0') {
        return Err(ApiError::invalid("query: contains a NUL character."));
    }
    let keyword: String = skip_comments(query)
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .take(20)
        .collect::<String>()
        .to_ascii_uppercase();
    match keyword.as_str() {
        "SELECT" | "WITH" | "VALUES" => Ok(()),
        "" => Err(ApiError::invalid("query: expected a SELECT, WITH or VALUES statement.")),
        _ => Err(ApiError::invalid(format!(
            "query: expected a SELECT, WITH or VALUES statement; {keyword} is not allowed."
        ))),
    }
}

fn skip_comments(mut sql: &str) -> &str {
    loop {
        sql = sql
            .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ';' || c == '\u{feff}');
        if let Some(rest) = sql.strip_prefix("--") {
            sql = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(rest) = sql.strip_prefix("/*") {
            sql = rest.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            return sql;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_function_exists_in_sqlite() {
        let connection = Connection::open_in_memory().unwrap();
        let mut statement =
            connection.prepare("SELECT DISTINCT name FROM pragma_function_list").unwrap();
        let existing = statement.query_map([], |row| row.get(0)).unwrap();
        let existing: Vec<String> = existing.map(Result::unwrap).collect();
        let unknown: Vec<_> =
            FUNCTIONS.iter().filter(|name| !existing.iter().any(|other| other == *name)).collect();
        assert!(unknown.is_empty(), "not in SQLite: {unknown:?}");
    }
}
