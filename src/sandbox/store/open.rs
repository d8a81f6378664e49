//! Opens the store without modifying a file that is not one, and runs its transactions.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::sandbox::http::error::ApiError;

/// "PMSB", in the header field that identifies the application of a SQLite file.
const APPLICATION_ID: u32 = 0x504d_5342;
const SCHEMA_VERSION: u32 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS models (
        id TEXT PRIMARY KEY,
        updated_at TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS models_newest_first ON models (updated_at DESC, id);
    CREATE TABLE IF NOT EXISTS syncs (
        id TEXT PRIMARY KEY,
        updated_at TEXT NOT NULL,
        active INTEGER NOT NULL,
        mode TEXT NOT NULL,
        target_connection_id TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS syncs_newest_first ON syncs (updated_at DESC, id);
    CREATE TABLE IF NOT EXISTS jobs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        type TEXT NOT NULL,
        status TEXT NOT NULL,
        error TEXT,
        result TEXT
    );
    CREATE TABLE IF NOT EXISTS idempotency (
        key TEXT PRIMARY KEY,
        claimed_at INTEGER NOT NULL,
        status INTEGER,
        body BLOB
    );
";

/// Ends what the previous process left unfinished.
const RECOVERY: &str = "
    UPDATE jobs SET status = 'failed', error = 'The sandbox was stopped while this job was running; retry the request.'
        WHERE status IN ('created', 'running');
    DELETE FROM idempotency WHERE status IS NULL;
";

#[derive(Debug, thiserror::Error)]
pub(in crate::sandbox) enum OpenError {
    #[error("not a sandbox store")]
    NotAStore,
    #[error("a sandbox store of version {0}")]
    OtherVersion(u32),
    #[error("in use")]
    InUse,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(ErrorCode::NotADatabase) => Self::NotAStore,
            _ => Self::Sqlite(error),
        }
    }
}

#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// Opens or creates the file at `path`, or a database in memory without one. Waits at most `wait` for a file
    /// that is in use.
    pub(in crate::sandbox) fn open(path: Option<&Path>, wait: Duration) -> Result<Self, OpenError> {
        let mut connection = match path {
            None => Connection::open_in_memory()?,
            Some(path) => {
                check_header(path)?;
                Connection::open(path)?
            }
        };
        connection.busy_timeout(wait)?;
        // Exclusive: each of two sandboxes on one file would mark the running jobs of the other as failed.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute_batch(RECOVERY)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` in a transaction, and rolls it back on error.
    ///
    /// Not cancel-safe: the transaction completes even if this future is dropped.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let connection = Arc::clone(&self.connection);
        let run = move || -> rusqlite::Result<T> {
            // A poisoned lock is harmless: the transaction that panicked was rolled back.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        let result = tokio::task::spawn_blocking(run).await;
        result
            .map_err(|error| ApiError::internal(&error))?
            .map_err(|error| ApiError::internal(&error))
    }
}

/// Checks the header without SQLite, which may write to a file just by opening it.
fn check_header(path: &Path) -> Result<(), OpenError> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {}
        // Opening a FIFO would wait for its other end.
        Ok(_) => return Err(io::Error::other("not a regular file").into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let mut header = [0_u8; 72];
    let mut file = File::open(path)?;
    match file.read_exact(&mut header) {
        Ok(()) => {}
        // An empty file holds no data to protect.
        Err(error)
            if error.kind() == io::ErrorKind::UnexpectedEof && file.metadata()?.len() == 0 =>
        {
            return Ok(());
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(OpenError::NotAStore);
        }
        Err(error) => return Err(error.into()),
    }
    // In the SQLite file format, the user version is at offset 60, the application id at 68.
    let number = |offset: usize| {
        header
            .get(offset..offset + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes)
    };
    if !header.starts_with(b"SQLite format 3\0") || number(68) != APPLICATION_ID {
        return Err(OpenError::NotAStore);
    }
    match number(60) {
        SCHEMA_VERSION => Ok(()),
        version => Err(OpenError::OtherVersion(version)),
    }
}
