//! Where the data of a SQLite source is.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::APPLICATION_ID;

/// The schema of a source that has only one.
pub(in crate::sandbox) const DEFAULT_SCHEMA: &str = "public";

/// How long reading what a file is waits for others that write to it.
const INSPECTION_TIMEOUT: Duration = Duration::from_millis(100);

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
    /// How they store text; all of a connection must do it alike.
    encoding: &'static str,
}

impl Database {
    pub(super) fn new(schemas: Vec<Schema>) -> Self {
        Self { schemas, encoding: "UTF-8" }
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
        let text = path.to_str().ok_or_else(|| invalid(format!("{shown} is not UTF-8")))?;
        let uri = file_uri(text);
        let (application_id, encoding) = inspect(&uri).map_err(|error| {
            invalid(match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => format!("{shown} is not a SQLite database"),
                _ => format!("{shown} cannot be read: {error}"),
            })
        })?;
        // It holds the secrets of the connections of every organization.
        if application_id == APPLICATION_ID {
            return Err(invalid(format!("{shown} is the data of a sandbox, not a source")));
        }
        let encoding = match encoding.as_str() {
            "UTF-16le" => "UTF-16le",
            "UTF-16be" => "UTF-16be",
            _ => "UTF-8",
        };
        Ok(Self { encoding, ..Self::new(vec![Schema { name: DEFAULT_SCHEMA.to_owned(), uri }]) })
    }

    /// The URI of a file to write to.
    ///
    /// # Errors
    /// 400 unless the path leads to a database of SQLite.
    pub(super) fn target_file(path: &Path) -> Result<String, ApiError> {
        Ok(Self::file(path)?.schemas.into_iter().map(|schema| schema.uri).collect())
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
        connection.pragma_update(None, "encoding", self.encoding)?;
        for Schema { name, uri } in &self.schemas {
            connection.execute("ATTACH ?1 AS ?2", [&format!("{uri}&mode=ro"), name])?;
        }
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// Reads the application and the encoding of a database, with SQLite: opening and closing the file in any other way would drop
/// the locks that SQLite has on it in this process, be it as a source, as a target or as the store.
fn inspect(uri: &str) -> rusqlite::Result<(u32, String)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(INSPECTION_TIMEOUT)?;
    let application_id = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let encoding = connection.pragma_query_value(None, "encoding", |row| row.get(0))?;
    Ok((application_id, encoding))
}

/// The SQLite URI of the file at an absolute path, with the start of a query.
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
    // An empty authority: otherwise that of a path with two slashes would be its first directory.
    format!("file://{encoded}?cache=private")
}
