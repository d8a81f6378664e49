//! The connection that can only read. Blocking.
//!
//! Four fences, since each alone has holes: the statement's first word, the authorizer (which
//! allows a list of actions and functions), `query_only`, and the data attached read-only. Besides
//! them, bounds for time and memory.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use crate::sandbox::error::ApiError;
use crate::sandbox::sources::interrupt::Interrupt;

/// The longest value, pattern and statement: their size is what a single step can take time for.
const VALUE_BYTES: i32 = 1024 * 1024;
const PATTERN_BYTES: i32 = 1000;
/// What SQLite may allocate in this process. A recursive UNION keeps every row it has seen.
const HEAP_BYTES: i64 = 256 * 1024 * 1024;
/// Rare, as interrupting is the fast way; this catches a stop that came just before the first step.
const STEPS_BETWEEN_CHECKS: i32 = 1_000_000;

/// Why the authorizer denied an action: SQLite itself says "not authorized" and no more.
#[derive(Debug, Clone, Default)]
pub(super) struct DenialReason(Arc<Mutex<Option<String>>>);

impl DenialReason {
    fn note(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// The reason, in words; the second time nothing.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Opens it; `stop` ends what is run on it, and is to be told of it by the caller.
pub(super) fn open(
    uri: &str,
    denied: &DenialReason,
    stop: &Arc<Interrupt>,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(":memory:", flags)?;
    connection.execute("ATTACH ?1 AS public", [format!("{uri}&mode=ro")])?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.query_row(&format!("PRAGMA hard_heap_limit = {HEAP_BYTES}"), [], |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise "naem" in double quotes would be a string, and a slip would go unnoticed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, VALUE_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    let last = denied.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| match authorize(&context) {
        Ok(()) => Authorization::Allow,
        Err(reason) => {
            last.note(reason);
            Authorization::Deny
        }
    }))?;
    let stop = Arc::clone(stop);
    connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || stop.is_asked()))?;
    Ok(connection)
}

/// The error is the reason, in words.
fn authorize(context: &AuthContext<'_>) -> Result<(), String> {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => Ok(()),
        AuthAction::Read { table_name, .. } => {
            let table = table_name.to_ascii_lowercase();
            let ours = match context.database_name {
                Some(database) => database == "public",
                // Counted without reading a column, or a WITH table.
                None => !table.starts_with("pragma_"),
            };
            if ours || matches!(table.as_str(), "json_each" | "json_tree") {
                Ok(())
            } else {
                Err(format!(
                    "{table_name} cannot be read here, only the tables and views of public."
                ))
            }
        }
        AuthAction::Function { function_name } => {
            if FUNCTIONS.contains(&function_name.to_ascii_lowercase().as_str()) {
                Ok(())
            } else {
                Err(format!("the function {function_name} cannot be used here."))
            }
        }
        _ => Err("only reading is possible, and this statement does more.".to_owned()),
    }
}

/// Whatever has no effect outside of its value.
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

/// Says in words what SQLite would refuse with "not authorized", or run: PRAGMA and EXPLAIN.
pub(super) fn check_first_word(query: &str) -> Result<(), ApiError> {
    if query.contains('\0') {
        return Err(ApiError::invalid("query: it holds a NUL character."));
    }
    let word: String = skip_comments(query)
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .take(20)
        .collect::<String>()
        .to_ascii_uppercase();
    match word.as_str() {
        "SELECT" | "WITH" | "VALUES" => Ok(()),
        "" => Err(ApiError::invalid("query: expected a SELECT, WITH or VALUES statement.")),
        _ => Err(ApiError::invalid(format!(
            "query: only reading is possible, by one SELECT, WITH or VALUES statement; {word} is \
             not run."
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
    fn every_allowed_function_is_one_that_sqlite_has() {
        let connection = Connection::open_in_memory().unwrap();
        let mut listed =
            connection.prepare("SELECT DISTINCT name FROM pragma_function_list").unwrap();
        let there = listed.query_map([], |row| row.get(0)).unwrap();
        let there: Vec<String> = there.map(Result::unwrap).collect();
        let strangers: Vec<_> =
            FUNCTIONS.iter().filter(|name| !there.iter().any(|known| known == *name)).collect();
        assert!(strangers.is_empty(), "not in SQLite: {strangers:?}");
    }
}
