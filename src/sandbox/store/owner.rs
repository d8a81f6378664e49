//! Which processes that share a file are alive: each holds a lock on a file of its own, which ends with the process however
//! that ends.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// One opening of the store, as the owner of the work that it started.
#[derive(Debug)]
pub(super) struct Owner {
    id: String,
    /// `None` in memory, where there are no others.
    lock: Option<Lock>,
}

#[derive(Debug)]
struct Lock {
    /// The path of the database.
    data: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

impl Owner {
    /// Registers this process with the database at `data`.
    pub(super) fn register(data: Option<&Path>) -> io::Result<Self> {
        let id = Uuid::new_v4().simple().to_string();
        let lock = data
            .map(|data| {
                let file = File::create(lock_path(data, &id))?;
                file.lock()?;
                Ok::<_, io::Error>(Lock { data: data.to_owned(), _file: file })
            })
            .transpose()?;
        Ok(Self { id, lock })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the process with this id still runs.
    pub(super) fn is_alive(&self, id: &str) -> bool {
        if id == self.id {
            return true;
        }
        let Some(Lock { data, .. }) = &self.lock else {
            return false;
        };
        let path = lock_path(data, id);
        let Ok(file) = File::open(&path) else {
            return false;
        };
        // Shared, so that two that look at once do not take each other for the owner.
        match file.try_lock_shared() {
            Ok(()) => {
                let _ = fs::remove_file(path);
                false
            }
            Err(TryLockError::WouldBlock) => true,
            // A file system without locks: better to wait for a dead process than to repeat what a living one does.
            Err(TryLockError::Error(_)) => true,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(Lock { data, .. }) = &self.lock {
            let _ = fs::remove_file(lock_path(data, &self.id));
        }
    }
}

/// `sandbox.db` has locks such as `sandbox.db-4f…-lock`, next to SQLite's own `sandbox.db-wal`.
fn lock_path(data: &Path, id: &str) -> PathBuf {
    let mut name = OsString::from(data);
    name.push(format!("-{id}-lock"));
    name.into()
}
