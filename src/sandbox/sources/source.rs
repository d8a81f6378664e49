//! A source that models can read from.

use std::path::Path;
use std::sync::Arc;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::catalog::Catalog;
use crate::sandbox::sources::database::{Database, Schema};
use crate::sandbox::sources::interrupt::Interrupt;
use crate::sandbox::sources::reader::{self, Selection, Table};
use crate::sandbox::sources::readers::{ReadLimit, Readers};
use crate::sandbox::sources::stream::{self, Stream};

/// How many rows are read to infer types and examples.
pub(in crate::sandbox) const INSPECTED_ROWS: usize = 100;

/// A SQLite database with one schema or several.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Source {
    database: Arc<Database>,
    /// Of a database that does not change.
    catalog: Option<Arc<Catalog>>,
    pub(super) readers: Arc<Readers>,
}

impl Source {
    /// The source of a database that does not change.
    pub(super) fn fixed(schemas: Vec<Schema>, readers: Arc<Readers>) -> rusqlite::Result<Self> {
        let database = Database::new(schemas);
        let catalog = Some(Arc::new(Catalog::read(&database, &Interrupt::default())?));
        Ok(Self { database: Arc::new(database), catalog, readers })
    }

    /// The source of databases that change.
    pub(super) fn changing(schemas: Vec<Schema>, readers: Arc<Readers>) -> Self {
        Self { database: Arc::new(Database::new(schemas)), catalog: None, readers }
    }

    /// The source of a file, which others may change.
    ///
    /// # Errors
    /// 400 if the file is none of SQLite.
    pub(super) fn file(path: &Path, readers: Arc<Readers>) -> Result<Self, ApiError> {
        let database = Arc::new(Database::file(path)?);
        Ok(Self { database, catalog: None, readers })
    }

    /// Its tables and views.
    ///
    /// # Errors
    /// 400 if they cannot be read.
    pub(in crate::sandbox) async fn catalog(
        &self,
        limit: &ReadLimit,
    ) -> Result<Arc<Catalog>, ApiError> {
        if let Some(catalog) = &self.catalog {
            return Ok(Arc::clone(catalog));
        }
        let database = Arc::clone(&self.database);
        self.readers
            .run(limit, move |interrupt| read_catalog(&database, interrupt).map(Arc::new))
            .await
    }

    /// Reads the columns and at most `max_rows` rows of a selection.
    ///
    /// Cancel-safe: dropping it interrupts the statement.
    ///
    /// # Errors
    /// 400 for an invalid selection and past the deadline, 499 if the client disconnects.
    pub(in crate::sandbox) async fn read(
        &self,
        selection: Selection,
        max_rows: usize,
        limit: &ReadLimit,
    ) -> Result<Table, ApiError> {
        let (database, catalog) = (Arc::clone(&self.database), self.catalog.clone());
        let read = move |interrupt: &Arc<Interrupt>| {
            let catalog = match catalog {
                Some(catalog) => catalog,
                None => Arc::new(read_catalog(&database, interrupt)?),
            };
            reader::read(&database, &catalog, &selection, max_rows, interrupt)
        };
        self.readers.run(limit, read).await
    }
}

impl Source {
    /// Runs `work` with every row of a selection, one after the other, on a thread.
    ///
    /// Cancel-safe: dropping it interrupts the statement, and `work` gets an error from the next row.
    ///
    /// # Errors
    /// 400 for an invalid selection, and those of `work`.
    pub(in crate::sandbox) async fn stream<T: Send + 'static>(
        &self,
        selection: Selection,
        limit: &ReadLimit,
        work: impl FnOnce(&mut Stream<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (database, catalog) = (Arc::clone(&self.database), self.catalog.clone());
        let read = move |interrupt: &Arc<Interrupt>| {
            let catalog = match catalog {
                Some(catalog) => catalog,
                None => Arc::new(read_catalog(&database, interrupt)?),
            };
            stream::stream(&database, &catalog, &selection, interrupt, work)
        };
        self.readers.run(limit, read).await
    }
}

fn read_catalog(database: &Database, interrupt: &Interrupt) -> Result<Catalog, ApiError> {
    Catalog::read(database, interrupt)
        .map_err(|error| ApiError::invalid(format!("The SQLite database cannot be read: {error}")))
}
