//! A source that models can read from.

use std::path::Path;
use std::sync::Arc;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::catalog::Catalog;
use crate::sandbox::sources::database::{Database, Schema};
use crate::sandbox::sources::interrupt::Interrupt;
#[cfg(feature = "postgres")]
use crate::sandbox::sources::postgres::Postgres;
use crate::sandbox::sources::reader::{self, Selection, Table};
use crate::sandbox::sources::readers::{ReadLimit, Readers};
use crate::sandbox::sources::stream::{self, Stream};

/// How many rows are read to infer types and examples.
pub(in crate::sandbox) const INSPECTED_ROWS: usize = 100;

/// A database with one schema or several.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Source {
    kind: Kind,
    pub(super) readers: Arc<Readers>,
}

#[derive(Debug, Clone)]
enum Kind {
    Sqlite {
        database: Arc<Database>,
        /// Of a database that does not change.
        catalog: Option<Arc<Catalog>>,
    },
    #[cfg(feature = "postgres")]
    Postgres(Arc<Postgres>),
}

impl Source {
    /// The source of a database that does not change.
    pub(super) fn fixed(schemas: Vec<Schema>, readers: Arc<Readers>) -> rusqlite::Result<Self> {
        let database = Database::new(schemas);
        let catalog = Some(Arc::new(Catalog::read(&database, &Interrupt::default())?));
        Ok(Self { kind: Kind::Sqlite { database: Arc::new(database), catalog }, readers })
    }

    /// The source of databases that change.
    pub(super) fn changing(schemas: Vec<Schema>, readers: Arc<Readers>) -> Self {
        let database = Arc::new(Database::new(schemas));
        Self { kind: Kind::Sqlite { database, catalog: None }, readers }
    }

    /// The source of a file, which others may change.
    ///
    /// # Errors
    /// 400 if the file is none of SQLite.
    pub(super) fn file(path: &Path, readers: Arc<Readers>) -> Result<Self, ApiError> {
        let database = Arc::new(Database::file(path)?);
        Ok(Self { kind: Kind::Sqlite { database, catalog: None }, readers })
    }

    /// The source of a server.
    #[cfg(feature = "postgres")]
    pub(super) fn server(postgres: Postgres, readers: Arc<Readers>) -> Self {
        Self { kind: Kind::Postgres(Arc::new(postgres)), readers }
    }

    /// Its tables and views.
    ///
    /// # Errors
    /// 400 if they cannot be read.
    pub(in crate::sandbox) async fn catalog(
        &self,
        limit: &ReadLimit,
    ) -> Result<Arc<Catalog>, ApiError> {
        match &self.kind {
            Kind::Sqlite { catalog: Some(catalog), .. } => Ok(Arc::clone(catalog)),
            Kind::Sqlite { database, catalog: None } => {
                let database = Arc::clone(database);
                let read =
                    move |interrupt: &Arc<_>| read_catalog(&database, interrupt).map(Arc::new);
                self.readers.run(limit, read).await
            }
            #[cfg(feature = "postgres")]
            Kind::Postgres(postgres) => {
                let read = postgres.catalog(limit.server_timeout());
                self.readers.wait(limit, read).await.map(Arc::new)
            }
        }
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
        let (database, catalog) = match &self.kind {
            Kind::Sqlite { database, catalog } => (Arc::clone(database), catalog.clone()),
            #[cfg(feature = "postgres")]
            Kind::Postgres(postgres) => {
                let read = postgres.read(&selection, max_rows, limit.server_timeout());
                return self.readers.wait(limit, read).await;
            }
        };
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
        let (database, catalog) = match &self.kind {
            Kind::Sqlite { database, catalog } => (Arc::clone(database), catalog.clone()),
            #[cfg(feature = "postgres")]
            Kind::Postgres(_) => {
                return Err(ApiError::invalid(
                    "The sandbox executes model syncs from SQLite sources only, not from PostgreSQL.",
                ));
            }
        };
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
