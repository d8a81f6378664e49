//! Open keys as files, shared by all processes of a user and left behind by one that is killed.
//!
//! Each key is a file of which only the name matters: it holds the hash of the request and the key. Its modification time is
//! that of the key. The process that uses a key holds the file's lock, which ends with the process however that ends. So
//! nothing is parsed or written together, and no process can overwrite what another one keeps.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::fingerprint::{Fingerprint, REUSE_WINDOW};
use crate::polytomic::user_files::{create_private_directory, private_file};

/// The file of a key that this process uses. Dropping it makes the key available to other calls.
#[derive(Debug)]
pub(super) struct KeyFile {
    /// The key.
    pub(super) key: Uuid,
    /// Whether another call used the key before.
    pub(super) is_carried_over: bool,
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
}

impl KeyFile {
    /// An open key of an equal request that no process uses, or a new one.
    pub(super) fn claim(directory: &Path, request: Fingerprint) -> io::Result<Self> {
        match Self::take(directory, request, None)? {
            Some(open) => Ok(open),
            None => Self::create(directory, request),
        }
    }

    /// Locks the newest open key of an equal request that no process uses; with `wanted`, only that key. Removes
    /// expired ones.
    pub(super) fn take(
        directory: &Path,
        request: Fingerprint,
        wanted: Option<Uuid>,
    ) -> io::Result<Option<Self>> {
        let request = request.to_hex();
        create_private_directory(directory)?;
        let mut candidates = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((of, key)) = name.to_str().and_then(parse_name) else { continue };
            let is_wanted = of == Some(&request) && wanted.is_none_or(|wanted| wanted == key);
            // Another process may have removed it by now.
            let Ok(metadata) = entry.metadata() else { continue };
            let modified = metadata.modified()?;
            // An expired file with content may be somebody else's: it stays.
            if !metadata.is_file() || (metadata.len() > 0 && is_expired(modified)) {
                continue;
            }
            if is_wanted || is_expired(modified) {
                candidates.push((modified, is_wanted, key, entry.path()));
            }
        }
        candidates.sort_by_key(|(modified, ..)| std::cmp::Reverse(*modified));
        let mut newest = None;
        for (modified, is_wanted, key, path) in candidates {
            if newest.is_some() && !is_expired(modified) {
                continue; // Not even for a moment: its lock would hide it from another call.
            }
            let Some(open) = Self::lock_existing(path, key)? else { continue };
            // Before the lock another process may have used the key, and with that renewed it.
            if is_expired(open.file.metadata()?.modified()?) {
                open.remove();
            } else if is_wanted && newest.is_none() {
                newest = Some(open);
            }
        }
        Ok(newest)
    }

    /// Creates the file of a new key. It gets its name once it is locked: otherwise another process could use the key
    /// in between.
    fn create(directory: &Path, request: Fingerprint) -> io::Result<Self> {
        let key = Uuid::new_v4();
        let name = format!("{}.{key}", request.to_hex());
        let unnamed = directory.join(format!(".{name}"));
        let file = private_file().write(true).create_new(true).open(&unnamed)?;
        file.lock()?;
        let path = directory.join(name);
        fs::rename(&unnamed, &path)?;
        Ok(Self { key, is_carried_over: false, path, file })
    }

    /// Keeps the key for the next equal request, which may come within the whole reuse window from now on.
    pub(super) fn keep(self) {
        if let Err(error) = self.file.set_modified(SystemTime::now()) {
            tracing::debug!(%error, "the time of an open idempotency key was not updated");
        }
    }

    /// Removes the key. The lock is held until then, so that nobody takes it in between.
    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "an idempotency key was not removed");
        }
    }

    /// Opens and locks a file; none if it is gone, in use, or of another user.
    fn lock_existing(path: PathBuf, key: Uuid) -> io::Result<Option<Self>> {
        let file = match private_file().write(true).open(&path) {
            Ok(file) => file,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let open = Self { key, is_carried_over: true, path, file };
        // A file that was removed after it was opened can still be locked.
        Ok((open.lock()? && open.path.exists()).then_some(open))
    }

    /// Locks the file; false if another call holds the lock.
    fn lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Fails if no file can be created in the directory.
pub(super) fn check_directory(directory: &Path) -> io::Result<()> {
    create_private_directory(directory)?;
    // Without a name, or removed at once where files need one.
    tempfile::tempfile_in(directory).map(drop)
}

/// The request and the key in the name of a file, exactly as this program writes them; without the request before the file
/// has its name. None for a file of anybody else.
fn parse_name(name: &str) -> Option<(Option<&str>, Uuid)> {
    let (is_unnamed, name) = match name.strip_prefix('.') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let (request, key) = name.split_once('.')?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_request = request.len() == 64 && request.bytes().all(is_hex);
    let key = parse_key(key).filter(|_| is_request)?;
    Some(((!is_unnamed).then_some(request), key))
}

/// A key as this program writes it; none for another spelling, which the API does not take for the same key.
pub(super) fn parse_key(text: &str) -> Option<Uuid> {
    text.parse().ok().filter(|key: &Uuid| key.to_string() == text)
}

/// Whether a time is out of the reuse window. A clock may have been set back, so the future counts as well.
fn is_expired(modified: SystemTime) -> bool {
    let now = SystemTime::now();
    let age = now.duration_since(modified).or_else(|_| modified.duration_since(now));
    age.unwrap_or(Duration::MAX) >= REUSE_WINDOW
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn no_key_is_used_twice_at_once_and_each_kept_one_is_taken_again() {
        let directory = tempfile::tempdir().unwrap();
        let (in_use, kept) = (Mutex::new(HashSet::new()), Mutex::new(HashSet::new()));
        let removed = Mutex::new(HashSet::new());
        let claim_and_end = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..500 {
                let open = KeyFile::claim(directory.path(), Fingerprint::example()).unwrap();
                let key = open.key;
                assert!(in_use.lock().unwrap().insert(key), "{key} is used twice at once");
                assert!(!removed.lock().unwrap().contains(&key), "{key} is used after its end");
                let was_kept = kept.lock().unwrap().remove(&key);
                assert!(open.is_carried_over || !was_kept, "{key} is new");
                std::thread::yield_now();
                in_use.lock().unwrap().remove(&key);
                if random.bool() {
                    kept.lock().unwrap().insert(key);
                    open.keep();
                } else {
                    removed.lock().unwrap().insert(key);
                    open.remove();
                }
            }
        };
        std::thread::scope(|scope| {
            for seed in 0..6 {
                let claim_and_end = &claim_and_end;
                scope.spawn(move || claim_and_end(seed));
            }
        });
        let left = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, kept.lock().unwrap().len());
    }

    #[test]
    fn an_expired_or_foreign_file_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (request, hour) = (Fingerprint::example(), Duration::from_secs(3600));
        let name = |key: &str| format!("{}.{key}", request.to_hex());
        for (name, modified) in [
            (name(&Uuid::new_v4().to_string()), SystemTime::now() - hour),
            (name(&Uuid::new_v4().to_string()), SystemTime::now() + hour),
            (name("not a key\r\nX-Header: 1"), SystemTime::now()),
            ("notes.txt".to_owned(), SystemTime::now() - hour),
        ] {
            File::create(path.join(name)).unwrap().set_modified(modified).unwrap();
        }
        let open = KeyFile::claim(path, request).unwrap();
        assert!(!open.is_carried_over);
        // The expired ones are gone; what is not ours stays.
        assert_eq!(fs::read_dir(path).unwrap().count(), 3);
    }
}
