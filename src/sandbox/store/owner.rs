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
        let Some(data) = data else {
            return Ok(Self { id: new_id(), lock: None });
        };
        loop {
            let id = new_id();
            let path = lock_path(data, &id);
            let file = File::create(&path)?;
            file.lock()?;
            // Another process may have taken it for that of a dead one before it was locked.
            if path.exists() {
                let owner = Self { id, lock: Some(Lock { data: data.to_owned(), _file: file }) };
                owner.remove_dead();
                return Ok(owner);
            }
        }
    }

    /// Removes the lock files of processes that were killed.
    fn remove_dead(&self) {
        let Some(Lock { data, .. }) = &self.lock else {
            return;
        };
        let (Some(directory), Some(name)) = (data.parent(), data.file_name()) else {
            return;
        };
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let prefix = format!("{}-", name.to_string_lossy());
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let id =
                name.to_str().and_then(|name| name.strip_prefix(&prefix)?.strip_suffix("-lock"));
            if let Some(id) = id.filter(|id| Uuid::try_parse(id).is_ok()) {
                self.is_alive(id);
            }
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the process with this id still runs. Removes the lock file of one that does not.
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

fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// `sandbox.db` has locks such as `sandbox.db-4f…-lock`, next to SQLite's own `sandbox.db-wal`.
fn lock_path(data: &Path, id: &str) -> PathBuf {
    let mut name = OsString::from(data);
    name.push(format!("-{id}-lock"));
    name.into()
}
