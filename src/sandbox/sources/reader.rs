//! Runs one statement and collects its columns and rows. Blocking.

use std::sync::Arc;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, ErrorCode, Statement};
use serde_json::Value;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::authorizer::{self, DenialReason};
use crate::sandbox::sources::catalog::{Catalog, Relation};
use crate::sandbox::sources::database::Database;
use crate::sandbox::sources::interrupt::Interrupt;
use crate::sandbox::sources::values::{Declaration, ObservedValues};

/// Limit of all values of a result together.
pub(super) const MAX_RESULT_BYTES: usize = 8 * 1024 * 1024;

/// The table, view or query to read.
#[derive(Debug, Clone)]
pub(in crate::sandbox) enum Selection {
    Table(String),
    View(String),
    Query(String),
}

impl Selection {
    /// The properties of a configuration that make a selection.
    pub(in crate::sandbox) const KEYS: [&str; 3] = ["table", "view", "query"];

    pub(in crate::sandbox) fn new(key: &str, value: String) -> Self {
        match key {
            "table" => Self::Table(value),
            "view" => Self::View(value),
            _ => Self::Query(value),
        }
    }
}

/// Columns, and rows with one value per column.
#[derive(Debug)]
pub(in crate::sandbox) struct Table {
    pub(in crate::sandbox) columns: Vec<Column>,
    pub(in crate::sandbox) rows: Vec<Vec<Value>>,
}

#[derive(Debug)]
pub(in crate::sandbox) struct Column {
    pub(in crate::sandbox) name: String,
    /// The type in the API.
    pub(in crate::sandbox) field_type: &'static str,
    /// The declared type in lower case, or how the values are stored.
    pub(in crate::sandbox) remote_type: String,
    /// Whether it is the primary key or a part of it.
    pub(in crate::sandbox) is_primary_key: bool,
    pub(in crate::sandbox) is_unique: bool,
    /// The first value that is not null.
    pub(in crate::sandbox) example: Value,
}

/// Reads at most `max_rows` rows.
pub(super) fn read(
    database: &Database,
    catalog: &Catalog,
    selection: &Selection,
    max_rows: usize,
    interrupt: &Arc<Interrupt>,
) -> Result<Table, ApiError> {
    with_statement(database, catalog, selection, interrupt, |statement, relation, to_api_error| {
        collect(statement, relation, max_rows, interrupt).map_err(|error| match error {
            CollectError::Sqlite(error) => to_api_error(&error),
            CollectError::TooLarge(error) => error,
        })
    })
}

/// Runs `work` with the statement of a selection, the table or view that it reads if it is of one, and what converts the
/// errors of the statement.
pub(super) fn with_statement<T>(
    database: &Database,
    catalog: &Catalog,
    selection: &Selection,
    interrupt: &Arc<Interrupt>,
    work: impl FnOnce(
        &mut Statement<'_>,
        Option<&Relation>,
        &dyn Fn(&rusqlite::Error) -> ApiError,
    ) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let (sql, relation) = match selection {
        Selection::Query(query) => {
            authorizer::check_first_keyword(query)?;
            (query.clone(), None)
        }
        Selection::Table(name) => select_all(catalog.find(name, false))?,
        Selection::View(name) => select_all(catalog.find(name, true))?,
    };
    let denial = DenialReason::default();
    let connection = authorizer::open(database, &denial, interrupt)
        .map_err(|error| ApiError::internal(&error))?;
    interrupt.set_handle(connection.get_interrupt_handle());
    let to_api_error = |error: &rusqlite::Error| to_api_error(error, &denial, interrupt);
    let mut batch = Batch::new(&connection, &sql);
    let mut statement = batch
        .next()
        .map_err(|error| to_api_error(&error))?
        .ok_or_else(|| ApiError::invalid("query: contains no statement."))?;
    // Only the first statement runs, so a second one must not be ignored silently.
    if !matches!(batch.next(), Ok(None)) {
        return Err(ApiError::invalid("query: expected only one statement."));
    }
    check_statement(&statement)?;
    work(&mut statement, relation, &to_api_error)
}

fn select_all(
    relation: Result<&Relation, String>,
) -> Result<(String, Option<&Relation>), ApiError> {
    let relation = relation.map_err(ApiError::invalid)?;
    let quoted = |name: &str| name.replace('"', "\"\"");
    let (schema, name) = (quoted(&relation.schema), quoted(&relation.name));
    Ok((format!("SELECT * FROM \"{schema}\".\"{name}\""), Some(relation)))
}

fn check_statement(statement: &Statement<'_>) -> Result<(), ApiError> {
    if !statement.readonly() || statement.is_explain() != 0 {
        return Err(ApiError::invalid("query: the statement is not read-only."));
    }
    if statement.parameter_count() > 0 {
        return Err(ApiError::invalid("query: parameters such as ? and :name are not supported."));
    }
    let names: Vec<&str> = statement.column_names().collect();
    if names.is_empty() {
        return Err(ApiError::invalid("query: the statement returns no columns."));
    }
    for (index, name) in names.iter().enumerate() {
        // A record can hold only one of them.
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(ApiError::invalid(format!(
                "query: duplicate column \"{name}\"; rename one with AS."
            )));
        }
    }
    Ok(())
}

enum CollectError {
    Sqlite(rusqlite::Error),
    TooLarge(ApiError),
}

impl From<rusqlite::Error> for CollectError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn collect(
    statement: &mut Statement<'_>,
    relation: Option<&Relation>,
    max_rows: usize,
    interrupt: &Interrupt,
) -> Result<Table, CollectError> {
    let declared: Vec<(String, Declaration)> = statement
        .columns()
        .map(|column| (column.name().to_owned(), Declaration::new(column.decl_type())))
        .collect();
    let mut observed: Vec<ObservedValues> =
        declared.iter().map(|_| ObservedValues::default()).collect();
    let mut rows = Vec::new();
    let mut bytes = 0_usize;
    let mut cursor = statement.query([])?;
    while rows.len() < max_rows && !interrupt.is_requested() {
        let Some(row) = cursor.next()? else { break };
        let mut values = Vec::with_capacity(declared.len());
        for (index, ((_, declaration), observed)) in declared.iter().zip(&mut observed).enumerate()
        {
            let stored = row.get_ref(index)?;
            bytes += match stored {
                ValueRef::Text(content) | ValueRef::Blob(content) => content.len(),
                _ => size_of::<Value>(),
            };
            let value = declaration.to_json(stored);
            observed.add(stored, &value);
            values.push(value);
        }
        if bytes > MAX_RESULT_BYTES {
            return Err(CollectError::TooLarge(ApiError::invalid(format!(
                "The first {max_rows} rows exceed {MAX_RESULT_BYTES} bytes; select fewer or smaller columns."
            ))));
        }
        rows.push(values);
    }
    let columns = declared
        .into_iter()
        .zip(observed)
        .map(|((name, declaration), observed)| Column {
            field_type: declaration.field_type(&observed),
            remote_type: declaration.remote_type(&observed),
            is_primary_key: relation.is_some_and(|relation| relation.primary_key.contains(&name)),
            is_unique: relation.is_some_and(|relation| relation.unique_columns.contains(&name)),
            example: observed.example,
            name,
        })
        .collect();
    Ok(Table { columns, rows })
}

/// Converts an error of SQLite to one for the author of the statement.
fn to_api_error(error: &rusqlite::Error, denial: &DenialReason, interrupt: &Interrupt) -> ApiError {
    if interrupt.is_requested() {
        // The interrupted request has its response already; nobody receives this one.
        return ApiError::client_disconnected();
    }
    if let Some(reason) = denial.take() {
        return ApiError::invalid(format!("query: {reason}"));
    }
    let message = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::OutOfMemory) => ApiError::invalid(
            "query: exceeds the memory limit of the sandbox; select less, or add a LIMIT.",
        ),
        _ => ApiError::invalid(format!("query: SQLite error: {message}")),
    }
}
