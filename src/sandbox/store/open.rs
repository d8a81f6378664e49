//! Opening the store without harming a file that is something else, and the one way to use it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::sandbox::error::ApiError;

/// "PMSB", in the place where SQLite files say which program they belong to.
const APPLICATION_ID: u32 = 0x504d_5342;
const VERSION: u32 = 1;

const TABLES: &str = "
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

/// What the last process left undone can no longer come to an end.
const LEFTOVERS: &str = "
    UPDATE jobs SET status = 'failed', error = 'The sandbox was stopped while this job was running; send the request again.'
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
    /// Opens the file, making it where there is none, or a database in memory.
    pub(in crate::sandbox) fn open(data: Option<&Path>) -> Result<Self, OpenError> {
        let mut connection = match data {
            None => Connection::open_in_memory()?,
            Some(path) => {
                check_header(path)?;
                Connection::open(path)?
            }
        };
        // Exclusive: two sandboxes on one file would fail each other's jobs at every start.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(LEFTOVERS)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` as one transaction, rolled back when it fails.
    ///
    /// Not cancel-safe: dropped while it waits, the transaction still takes place.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let connection = Arc::clone(&self.connection);
        let run = move || -> rusqlite::Result<T> {
            // A panic in an earlier transaction has rolled it back, so the connection is sound.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        let done = tokio::task::spawn_blocking(run).await;
        done.map_err(|error| ApiError::internal(&error))?
            .map_err(|error| ApiError::internal(&error))
    }
}

/// Reads the file's first bytes by hand, since SQLite may write to a file it merely opens.
fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut header = [0_u8; 72];
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match file.read_exact(&mut header) {
        Ok(()) => {}
        // An empty file holds nothing that could be lost.
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
    // Offsets of the SQLite file format: the user version at 60, the application id at 68.
    let number = |at: usize| {
        header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
    };
    if !header.starts_with(b"SQLite format 3\0") || number(68) != APPLICATION_ID {
        return Err(OpenError::NotAStore);
    }
    match number(60) {
        VERSION => Ok(()),
        version => Err(OpenError::OtherVersion(version)),
    }
}
