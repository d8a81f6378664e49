//! One statement on one connection that can only read. Blocking.
//!
//! Four fences, since each alone has holes: the statement's first word, the authorizer (which
//! allows a list of actions and functions), `query_only`, and the data attached read-only.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags, Statement};
use serde_json::Value;

use crate::sandbox::refusal::Refusal;
use crate::sandbox::sources::catalog::{Catalog, Relation};
use crate::sandbox::sources::source::Stop;
use crate::sandbox::sources::values::{Declaration, Seen};

/// The longest value, pattern and statement: their size is what a single step can take time for.
const VALUE_BYTES: i32 = 1024 * 1024;
const PATTERN_BYTES: i32 = 1000;
/// What all the rows of an answer may hold together.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// What SQLite may allocate in this process. A recursive UNION keeps every row it has seen.
const HEAP_BYTES: i64 = 256 * 1024 * 1024;
/// Rare, as interrupting is the fast way; this catches a stop that came just before the first step.
const STEPS_BETWEEN_CHECKS: i32 = 1_000_000;

/// What to read.
#[derive(Debug, Clone)]
pub(in crate::sandbox) enum Selection {
    Table(String),
    View(String),
    Query(String),
}

impl Selection {
    /// The properties of a configuration that select something.
    pub(in crate::sandbox) const KEYS: [&str; 3] = ["table", "view", "query"];

    pub(in crate::sandbox) fn new(key: &str, chosen: String) -> Self {
        match key {
            "table" => Self::Table(chosen),
            "view" => Self::View(chosen),
            _ => Self::Query(chosen),
        }
    }
}

/// Columns, and some rows of as many values.
#[derive(Debug)]
pub(in crate::sandbox) struct Table {
    pub(in crate::sandbox) columns: Vec<Column>,
    pub(in crate::sandbox) rows: Vec<Vec<Value>>,
}

#[derive(Debug)]
pub(in crate::sandbox) struct Column {
    pub(in crate::sandbox) name: String,
    /// The API's word.
    pub(in crate::sandbox) field_type: &'static str,
    /// The declared type in lower case, or how the values are stored.
    pub(in crate::sandbox) remote_type: String,
    pub(in crate::sandbox) primary: bool,
    pub(in crate::sandbox) unique: bool,
    /// The first value that is not null.
    pub(in crate::sandbox) example: Value,
}

pub(super) fn read(
    uri: &str,
    catalog: &Catalog,
    selection: &Selection,
    rows: usize,
    stop: &Arc<Stop>,
) -> Result<Table, Refusal> {
    let (sql, relation) = match selection {
        Selection::Query(query) => {
            check_first_word(query)?;
            (query.clone(), None)
        }
        Selection::Table(name) => select_all(catalog.find(name, false))?,
        Selection::View(name) => select_all(catalog.find(name, true))?,
    };
    let denied = Denied::default();
    let connection = open(uri, &denied, stop).map_err(|error| Refusal::internal(&error))?;
    stop.watch(connection.get_interrupt_handle());
    let refuse = |error| explain(&error, &denied, stop);
    let mut batch = Batch::new(&connection, &sql);
    let mut statement = batch
        .next()
        .map_err(refuse)?
        .ok_or_else(|| Refusal::invalid("query: it holds no statement."))?;
    // Only one is looked for: what follows is not run, so it must not be there.
    if !matches!(batch.next(), Ok(None)) {
        return Err(Refusal::invalid(
            "query: only one statement can be run, not several.",
        ));
    }
    check_shape(&statement)?;
    collect(&mut statement, relation, rows, stop).map_err(|error| match error {
        Stopped::Sqlite(error) => explain(&error, &denied, stop),
        Stopped::Refused(refusal) => refusal,
    })
}

fn select_all(found: Result<&Relation, String>) -> Result<(String, Option<&Relation>), Refusal> {
    let relation = found.map_err(Refusal::invalid)?;
    Ok((
        format!("SELECT * FROM public.\"{}\"", relation.name),
        Some(relation),
    ))
}

/// The last action that the authorizer denied, for the message.
type Denied = Arc<Mutex<Option<String>>>;

fn open(uri: &str, denied: &Denied, stop: &Arc<Stop>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(":memory:", flags)?;
    connection.execute("ATTACH ?1 AS public", [format!("{uri}&mode=ro")])?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.query_row(
        &format!("PRAGMA hard_heap_limit = {HEAP_BYTES}"),
        [],
        |_| Ok(()),
    )?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise "naem" in double quotes would be a string, and a slip would go unnoticed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, VALUE_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    let last = Arc::clone(denied);
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        match authorize(&context) {
            Ok(()) => Authorization::Allow,
            Err(action) => {
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(action);
                Authorization::Deny
            }
        }
    }))?;
    let stop = Arc::clone(stop);
    connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || stop.is_asked()))?;
    Ok(connection)
}

/// The error is what was tried, in words.
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
                Err(format!("reading {table_name}"))
            }
        }
        AuthAction::Function { function_name } => {
            if FUNCTIONS.contains(&function_name.to_ascii_lowercase().as_str()) {
                Ok(())
            } else {
                Err(format!("the function {function_name}"))
            }
        }
        _ => Err("a statement that does more than read".to_owned()),
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
    // mathematics
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees", "exp",
    "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians", "sin", "sinh", "sqrt", "tan", "tanh",
    "trunc",
    // dates
    "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday", "strftime", "time",
    "timediff", "unixepoch",
    // aggregates and windows
    "avg", "count", "cume_dist", "dense_rank", "first_value", "group_concat", "lag", "last_value", "lead", "median",
    "nth_value", "ntile", "percent_rank", "percentile", "percentile_cont", "percentile_disc", "rank", "row_number",
    "string_agg", "sum", "total",
    // JSON
    "->", "->>", "json", "json_array", "json_array_length", "json_error_position", "json_extract", "json_group_array",
    "json_group_object", "json_insert", "json_object", "json_patch", "json_pretty", "json_quote", "json_remove",
    "json_replace", "json_set", "json_type", "json_valid", "jsonb", "jsonb_array", "jsonb_extract",
    "jsonb_group_array", "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove",
    "jsonb_replace", "jsonb_set",
];

/// Says in words what SQLite would refuse with "not authorized", or run: PRAGMA and EXPLAIN.
fn check_first_word(query: &str) -> Result<(), Refusal> {
    if query.contains('\0') {
        return Err(Refusal::invalid("query: it holds a NUL character."));
    }
    let word: String = skip_comments(query)
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .take(20)
        .collect::<String>()
        .to_ascii_uppercase();
    match word.as_str() {
        "SELECT" | "WITH" | "VALUES" => Ok(()),
        "" => Err(Refusal::invalid(
            "query: expected a SELECT, WITH or VALUES statement.",
        )),
        _ => Err(Refusal::invalid(format!(
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

fn check_shape(statement: &Statement<'_>) -> Result<(), Refusal> {
    if !statement.readonly() || statement.is_explain() != 0 {
        return Err(Refusal::invalid("query: only reading is possible."));
    }
    if statement.parameter_count() > 0 {
        return Err(Refusal::invalid(
            "query: it has parameters such as ? or :name, and there is nothing to fill them with.",
        ));
    }
    let names: Vec<&str> = statement.column_names().collect();
    if names.is_empty() {
        return Err(Refusal::invalid("query: it has no columns."));
    }
    for (index, name) in names.iter().enumerate() {
        // A record would lose one of the two.
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(Refusal::invalid(format!(
                "query: two columns are named \"{name}\"; give one another name with AS."
            )));
        }
    }
    Ok(())
}

enum Stopped {
    Sqlite(rusqlite::Error),
    Refused(Refusal),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn collect(
    statement: &mut Statement<'_>,
    relation: Option<&Relation>,
    most: usize,
    stop: &Stop,
) -> Result<Table, Stopped> {
    let described: Vec<(String, Declaration)> = statement
        .columns()
        .map(|column| {
            (
                column.name().to_owned(),
                Declaration::new(column.decl_type()),
            )
        })
        .collect();
    let mut seen: Vec<Seen> = described.iter().map(|_| Seen::default()).collect();
    let mut rows = Vec::new();
    let mut bytes = 0_usize;
    let mut cursor = statement.query([])?;
    while rows.len() < most && !stop.is_asked() {
        let Some(row) = cursor.next()? else { break };
        let mut values = Vec::with_capacity(described.len());
        for (index, ((_, declaration), seen)) in described.iter().zip(&mut seen).enumerate() {
            let stored = row.get_ref(index)?;
            bytes = bytes.saturating_add(
                8 + stored
                    .as_bytes_or_null()
                    .ok()
                    .flatten()
                    .map_or(0, <[u8]>::len),
            );
            let value = declaration.value(stored);
            seen.note(stored, &value);
            values.push(value);
        }
        if bytes > ANSWER_BYTES {
            return Err(Stopped::Refused(Refusal::invalid(format!(
                "The first {most} rows hold more than {ANSWER_BYTES} bytes; select less."
            ))));
        }
        rows.push(values);
    }
    let is = |names: &[String], name: &String| names.contains(name);
    let columns = described
        .into_iter()
        .zip(seen)
        .map(|((name, declaration), seen)| Column {
            field_type: declaration.field_type(&seen),
            remote_type: declaration.remote_type(&seen),
            primary: relation.is_some_and(|relation| relation.primary.as_ref() == Some(&name)),
            unique: relation.is_some_and(|relation| is(&relation.unique, &name)),
            example: seen.example,
            name,
        })
        .collect();
    Ok(Table { columns, rows })
}

/// What SQLite says, in words for the person who wrote the statement.
fn explain(error: &rusqlite::Error, denied: &Denied, stop: &Stop) -> Refusal {
    if stop.is_asked() {
        // Whoever asked has answered already; this is for nobody.
        return Refusal::client_left();
    }
    if let Some(action) = denied.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Refusal::invalid(format!(
            "query: only reading is possible here, not {action}."
        ));
    }
    let message = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::OutOfMemory) => Refusal::invalid(
            "query: it needs more memory than the sandbox has; select less, or add a LIMIT.",
        ),
        _ => Refusal::invalid(format!("query: SQLite says: {message}")),
    }
}
