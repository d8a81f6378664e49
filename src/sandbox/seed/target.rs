//! The database that syncs write to: empty at first, in memory or in a file next to that of the store.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::sandbox::seed::database::{memory_uri, open_memory};
use crate::sandbox::sources::file_uri;

/// The database. One in memory exists as long as this value.
pub(in crate::sandbox) struct TargetDatabase {
    _connection: Option<Connection>,
    uri: String,
}

impl TargetDatabase {
    pub(in crate::sandbox) fn uri(&self) -> &str {
        &self.uri
    }
}

/// Creates the database for a sandbox with this file, or opens it.
pub(in crate::sandbox) fn create_target(data: Option<&Path>) -> io::Result<TargetDatabase> {
    let Some(data) = data else {
        let uri = memory_uri();
        let connection = open_memory(&uri).map_err(io::Error::other)?;
        return Ok(TargetDatabase { _connection: Some(connection), uri });
    };
    let path = std::path::absolute(target_path(data))?;
    // SQLite takes an empty file for an empty database; without one, reading it would fail.
    OpenOptions::new().create(true).append(true).open(&path)?;
    let text = path.to_str().ok_or_else(|| io::Error::other("the path is not UTF-8"))?;
    Ok(TargetDatabase { _connection: None, uri: file_uri(text) })
}

/// `sandbox.db` has `sandbox.db.target.db`.
fn target_path(data: &Path) -> PathBuf {
    let mut name = OsString::from(data);
    name.push(".target.db");
    name.into()
}
