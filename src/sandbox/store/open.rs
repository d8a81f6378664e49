//! Opens the store without modifying a file that is not one, and runs its transactions.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::oneshot;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::migrations;
use crate::sandbox::store::owner::Owner;
use crate::sandbox::store::transaction::Tx;

/// "PMSB", in the header field that identifies the application of a SQLite file.
pub(in crate::sandbox) const APPLICATION_ID: u32 = 0x504d_5342;

/// How long a request waits for other processes that write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

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
    owner: Arc<Owner>,
}

type Work = Box<dyn FnOnce(&Tx<'_>) -> Result<(), ApiError> + Send>;

impl Store {
    /// Opens or creates the file at `path`, or a database in memory without one. Waits at most `wait` for another process
    /// that writes.
    pub(in crate::sandbox) fn open(path: Option<&Path>, wait: Duration) -> Result<Self, OpenError> {
        let deadline = Instant::now() + wait;
        let connection = loop {
            match open_connection(path, wait) {
                // Changing the journal mode does not wait for others by itself.
                Err(OpenError::InUse) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                result => break result?,
            }
        };
        let owner = Owner::register(path)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), owner: Arc::new(owner) })
    }

    /// Runs `work` in a transaction that sees one state of the database and changes nothing.
    pub(in crate::sandbox) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.transact(TransactionBehavior::Deferred, work).await
    }

    /// Runs `work` in a transaction, and rolls it back on error.
    ///
    /// Not cancel-safe: the transaction completes even if this future is dropped.
    pub(in crate::sandbox) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.transact(TransactionBehavior::Immediate, work).await
    }

    async fn transact<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (sender, mut receiver) = oneshot::channel();
        let work = move |tx: &Tx<'_>| {
            let _ = sender.send(work(tx)?);
            Ok(())
        };
        self.run_blocking(behavior, Box::new(work)).await?;
        receiver.try_recv().map_err(|error| ApiError::internal(&error))
    }

    /// Its work is boxed, so that `spawn_blocking` is compiled once and not for each transaction.
    async fn run_blocking(
        &self,
        behavior: TransactionBehavior,
        work: Work,
    ) -> Result<(), ApiError> {
        let store = self.clone();
        let run = move || store.run(behavior, work);
        tokio::task::spawn_blocking(run).await.map_err(|error| ApiError::internal(&error))?
    }

    /// Like `write`, before there are requests.
    pub(in crate::sandbox) fn write_at_start<T>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.run(TransactionBehavior::Immediate, work)
    }

    fn run<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Tx<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        // A poisoned lock is harmless: the transaction that panicked was rolled back.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = Tx::new(connection.transaction_with_behavior(behavior)?, &self.owner)?;
        let result = work(&tx)?;
        tx.commit()?;
        Ok(result)
    }
}

fn open_connection(path: Option<&Path>, wait: Duration) -> Result<Connection, OpenError> {
    let mut connection = match path {
        None => Connection::open_in_memory()?,
        Some(path) => {
            check_header(path)?;
            create_private(path)?;
            Connection::open(path)?
        }
    };
    connection.busy_timeout(wait)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > migrations::VERSION {
        return Err(OpenError::OtherVersion(version));
    }
    migrations::migrate(&transaction, version)?;
    // Before the journal mode: `check_header` reads the file itself, not what is in the journal.
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    // Readers and the one writer do not wait for each other. A commit survives the process, not a loss of power.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Creates the file, if there is none, so that only the user can read it: it holds the secrets of connections. SQLite gives its
/// journal the same permissions.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
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
        version if version <= migrations::VERSION => Ok(()),
        version => Err(OpenError::OtherVersion(version)),
    }
}
