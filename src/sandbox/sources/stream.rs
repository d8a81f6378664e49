//! Reads every row of a selection, one after the other, as SQLite stores them. Blocking.

use std::sync::Arc;

use rusqlite::types::Value;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::catalog::Catalog;
use crate::sandbox::sources::database::Database;
use crate::sandbox::sources::interrupt::Interrupt;
use crate::sandbox::sources::reader::{Selection, with_statement};

/// A column, with the type that it was declared with.
#[derive(Debug)]
pub(in crate::sandbox) struct StreamColumn {
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) declared_type: Option<String>,
}

/// The rows of a selection.
pub(in crate::sandbox) struct Stream<'a> {
    columns: Vec<StreamColumn>,
    rows: rusqlite::Rows<'a>,
    interrupt: &'a Interrupt,
    to_api_error: &'a dyn Fn(&rusqlite::Error) -> ApiError,
}

impl Stream<'_> {
    pub(in crate::sandbox) fn columns(&self) -> &[StreamColumn] {
        &self.columns
    }

    /// The values of the next row; `None` after the last one.
    ///
    /// # Errors
    /// 400 if the row cannot be read, 499 if the reading was stopped.
    pub(in crate::sandbox) fn next_row(&mut self) -> Result<Option<Vec<Value>>, ApiError> {
        if self.interrupt.is_requested() {
            return Err(ApiError::client_disconnected());
        }
        let to_api_error = self.to_api_error;
        let Some(row) = self.rows.next().map_err(|error| to_api_error(&error))? else {
            return Ok(None);
        };
        let values: Result<_, _> =
            (0..self.columns.len()).map(|index| row.get::<_, Value>(index)).collect();
        values.map(Some).map_err(|error| to_api_error(&error))
    }
}

/// Runs `work` with the rows of a selection.
pub(super) fn stream<T>(
    database: &Database,
    catalog: &Catalog,
    selection: &Selection,
    interrupt: &Arc<Interrupt>,
    work: impl FnOnce(&mut Stream<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    with_statement(database, catalog, selection, interrupt, |statement, _, to_api_error| {
        let column = |column: rusqlite::Column<'_>| StreamColumn {
            name: column.name().to_owned(),
            declared_type: column.decl_type().map(str::to_owned),
        };
        let columns = statement.columns().map(column).collect();
        let rows = statement.query([]).map_err(|error| to_api_error(&error))?;
        work(&mut Stream { columns, rows, interrupt, to_api_error })
    })
}
