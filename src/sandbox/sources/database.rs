//! Where the data of a SQLite source is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::sandbox::http::error::ApiError;

/// The schema of a source that has only one.
pub(in crate::sandbox) const DEFAULT_SCHEMA: &str = "public";

/// A database whose tables are those of one schema.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Schema {
    pub(in crate::sandbox) name: String,
    /// A SQLite URI, without a query or with one that goes on.
    pub(in crate::sandbox) uri: String,
}

/// Databases that are read together.
#[derive(Debug)]
pub(super) struct Database {
    schemas: Vec<Schema>,
}

impl Database {
    pub(super) fn new(schemas: Vec<Schema>) -> Self {
        Self { schemas }
    }

    /// # Errors
    /// 400 unless the path leads to a database of SQLite.
    pub(super) fn file(path: &Path) -> Result<Self, ApiError> {
        let shown = path.display();
        let invalid = |reason: String| ApiError::invalid(format!("configuration.path: {reason}."));
        if !path.is_absolute() {
            return Err(invalid(format!("{shown} is not an absolute path")));
        }
        let cannot_read = |error| invalid(format!("{shown} cannot be read: {error}"));
        // Opening a FIFO would wait for its other end.
        if !path.metadata().map_err(cannot_read)?.is_file() {
            return Err(invalid(format!("{shown} is not a file")));
        }
        let mut header = Vec::new();
        File::open(path)
            .and_then(|file| file.take(16).read_to_end(&mut header))
            .map_err(cannot_read)?;
        // SQLite takes an empty file for an empty database.
        if !header.is_empty() && header != b"SQLite format 3\0" {
            return Err(invalid(format!("{shown} is not a SQLite database")));
        }
        let text = path.to_str().ok_or_else(|| invalid(format!("{shown} is not UTF-8")))?;
        let uri = file_uri(text);
        Ok(Self::new(vec![Schema { name: DEFAULT_SCHEMA.to_owned(), uri }]))
    }

    /// The URI of a file to write to.
    ///
    /// # Errors
    /// 400 unless the path leads to a database of SQLite, and one that is not the store of a sandbox.
    pub(super) fn target_file(path: &Path) -> Result<String, ApiError> {
        let database = Self::file(path)?;
        let mut header = Vec::new();
        let read = File::open(path).and_then(|file| file.take(72).read_to_end(&mut header));
        if read.is_ok() && header.get(68..72) == Some(b"PMSB".as_slice()) {
            return Err(ApiError::invalid(format!(
                "configuration.path: {} is the store of a sandbox, which syncs must not change.",
                path.display()
            )));
        }
        Ok(database.schemas.into_iter().map(|schema| schema.uri).collect())
    }

    pub(super) fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// Opens a connection to which the databases are attached, to read only.
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(":memory:", flags)?;
        for Schema { name, uri } in &self.schemas {
            connection.execute("ATTACH ?1 AS ?2", [&format!("{uri}&mode=ro"), name])?;
        }
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// The SQLite URI of the file at a path, with the start of a query.
pub(in crate::sandbox) fn file_uri(path: &str) -> String {
    let encoded: String = path
        .chars()
        .map(|c| match c {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            c => c.to_string(),
        })
        .collect();
    format!("file:{encoded}?cache=private")
}
