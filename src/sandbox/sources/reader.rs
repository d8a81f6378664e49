//! One statement, from its text to columns and rows. Blocking.

use std::sync::Arc;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, ErrorCode, Statement};
use serde_json::Value;

use crate::sandbox::error::ApiError;
use crate::sandbox::sources::authorizer::{self, DenialReason};
use crate::sandbox::sources::catalog::{Catalog, Relation};
use crate::sandbox::sources::interrupt::Interrupt;
use crate::sandbox::sources::values::{Declaration, Seen};

/// What all the rows of an answer may hold together.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;

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
    stop: &Arc<Interrupt>,
) -> Result<Table, ApiError> {
    let (sql, relation) = match selection {
        Selection::Query(query) => {
            authorizer::check_first_word(query)?;
            (query.clone(), None)
        }
        Selection::Table(name) => select_all(catalog.find(name, false))?,
        Selection::View(name) => select_all(catalog.find(name, true))?,
    };
    let denied = DenialReason::default();
    let connection =
        authorizer::open(uri, &denied, stop).map_err(|error| ApiError::internal(&error))?;
    stop.watch(connection.get_interrupt_handle());
    let refuse = |error| explain(&error, &denied, stop);
    let mut batch = Batch::new(&connection, &sql);
    let mut statement = batch
        .next()
        .map_err(refuse)?
        .ok_or_else(|| ApiError::invalid("query: it holds no statement."))?;
    // Only one is looked for: what follows is not run, so it must not be there.
    if !matches!(batch.next(), Ok(None)) {
        return Err(ApiError::invalid("query: only one statement can be run, not several."));
    }
    check_shape(&statement)?;
    collect(&mut statement, relation, rows, stop).map_err(|error| match error {
        Stopped::Sqlite(error) => explain(&error, &denied, stop),
        Stopped::Refused(refusal) => refusal,
    })
}

fn select_all(found: Result<&Relation, String>) -> Result<(String, Option<&Relation>), ApiError> {
    let relation = found.map_err(ApiError::invalid)?;
    Ok((format!("SELECT * FROM public.\"{}\"", relation.name), Some(relation)))
}

fn check_shape(statement: &Statement<'_>) -> Result<(), ApiError> {
    if !statement.readonly() || statement.is_explain() != 0 {
        return Err(ApiError::invalid("query: only reading is possible."));
    }
    if statement.parameter_count() > 0 {
        return Err(ApiError::invalid(
            "query: it has parameters such as ? or :name, and there is nothing to fill them with.",
        ));
    }
    let names: Vec<&str> = statement.column_names().collect();
    if names.is_empty() {
        return Err(ApiError::invalid("query: it has no columns."));
    }
    for (index, name) in names.iter().enumerate() {
        // A record would lose one of the two.
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(ApiError::invalid(format!(
                "query: two columns are named \"{name}\"; give one another name with AS."
            )));
        }
    }
    Ok(())
}

enum Stopped {
    Sqlite(rusqlite::Error),
    Refused(ApiError),
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
    stop: &Interrupt,
) -> Result<Table, Stopped> {
    let described: Vec<(String, Declaration)> = statement
        .columns()
        .map(|column| (column.name().to_owned(), Declaration::new(column.decl_type())))
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
            bytes += match stored {
                ValueRef::Text(content) | ValueRef::Blob(content) => content.len(),
                _ => size_of::<Value>(),
            };
            let value = declaration.value(stored);
            seen.note(stored, &value);
            values.push(value);
        }
        if bytes > ANSWER_BYTES {
            return Err(Stopped::Refused(ApiError::invalid(format!(
                "The first {most} rows hold more than {ANSWER_BYTES} bytes; select less."
            ))));
        }
        rows.push(values);
    }
    let columns = described
        .into_iter()
        .zip(seen)
        .map(|((name, declaration), seen)| Column {
            field_type: declaration.field_type(&seen),
            remote_type: declaration.remote_type(&seen),
            primary: relation.is_some_and(|relation| relation.primary.as_ref() == Some(&name)),
            unique: relation.is_some_and(|relation| relation.unique.contains(&name)),
            example: seen.example,
            name,
        })
        .collect();
    Ok(Table { columns, rows })
}

/// What SQLite says, in words for the person who wrote the statement.
fn explain(error: &rusqlite::Error, denied: &DenialReason, stop: &Interrupt) -> ApiError {
    if stop.is_asked() {
        // Whoever asked has answered already; this is for nobody.
        return ApiError::client_left();
    }
    if let Some(reason) = denied.take() {
        return ApiError::invalid(format!("query: {reason}"));
    }
    let message = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::OutOfMemory) => ApiError::invalid(
            "query: it needs more memory than the sandbox has; select less, or add a LIMIT.",
        ),
        _ => ApiError::invalid(format!("query: SQLite says: {message}")),
    }
}
