//! Where open keys are kept, behind one type: in memory or in files.
//!
//! A file that cannot be written must not fail a call: its key is then kept in memory, and one warning is logged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use uuid::Uuid;

use super::files::KeyFile;
use super::fingerprint::Fingerprint;
use super::memory::MemoryKeys;

/// How long a file outlives the outcome of its key: a process killed in between has not delivered the result, and its
/// caller is going to repeat the call.
const REMOVAL_DELAY: Duration = Duration::from_millis(250);
/// A call does not wait longer for the file system.
const MAX_FILE_TIME: Duration = Duration::from_secs(5);

/// Where the keys of creates are kept while their outcome is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStorage {
    /// In memory: equal calls of the same client and its clones.
    #[default]
    Memory,
    /// In files: equal calls of all processes that use the directory, also after one was killed.
    Directory(KeyDirectory),
}

/// A directory of open keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDirectory {
    /// Where it is. Created with mode 0700 if it does not exist.
    pub path: PathBuf,
    /// Name of the service, if its base URL and credential differ from start to start. Those identify it by default.
    pub service: Option<String>,
}

/// The open keys of a client, shared by its clones.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenKeys {
    memory: MemoryKeys,
    directory: Option<Arc<Directory>>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    warned: AtomicBool,
}

/// A key that one call uses. While it exists, no other call gets it.
#[derive(Debug)]
pub(super) struct OpenKey {
    pub(super) key: Uuid,
    request: Fingerprint,
    /// Whether an earlier equal call has used it, with an unknown outcome.
    pub(super) is_carried_over: bool,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(MemoryKeys),
    File(KeyFile),
}

impl OpenKeys {
    pub(super) fn new(storage: KeyStorage) -> Self {
        let directory = match storage {
            KeyStorage::Memory => None,
            KeyStorage::Directory(directory) => Some(directory.path),
        };
        let directory = directory.map(|path| Directory { path, warned: AtomicBool::new(false) });
        Self { memory: MemoryKeys::default(), directory: directory.map(Arc::new) }
    }

    /// The open key of an equal request that no call uses, or a new one.
    pub(super) async fn claim(&self, request: Fingerprint) -> OpenKey {
        if let Some(key) = self.memory.take(request, None) {
            return self.in_memory(request, key, true);
        }
        let claim = move |directory: &Path| KeyFile::claim(directory, request).map(Some);
        match self.with_directory(claim).await {
            Some(file) => OpenKey::in_file(request, file),
            None => self.in_memory(request, Uuid::new_v4(), false),
        }
    }

    /// An open key of an equal request, if it is this one and no call uses it.
    pub(super) async fn take(&self, request: Fingerprint, key: Uuid) -> Option<OpenKey> {
        if let Some(key) = self.memory.take(request, Some(key)) {
            return Some(self.in_memory(request, key, true));
        }
        let take = move |directory: &Path| KeyFile::take(directory, request, Some(key));
        Some(OpenKey::in_file(request, self.with_directory(take).await?))
    }

    /// Whether keys are kept that end with this process.
    pub(super) fn are_in_memory(&self) -> bool {
        !self.memory.is_empty()
    }

    fn in_memory(&self, request: Fingerprint, key: Uuid, is_carried_over: bool) -> OpenKey {
        OpenKey { request, key, is_carried_over, place: Place::Memory(self.memory.clone()) }
    }

    /// Runs a function over the directory on a thread that may block: the directory may be on a network.
    async fn with_directory(
        &self,
        run: impl FnOnce(&Path) -> std::io::Result<Option<KeyFile>> + Send + 'static,
    ) -> Option<KeyFile> {
        let directory = Arc::clone(self.directory.as_ref()?);
        let task = tokio::task::spawn_blocking({
            let directory = Arc::clone(&directory);
            move || run(&directory.path)
        });
        let error = match tokio::time::timeout(MAX_FILE_TIME, task).await {
            Ok(Ok(Ok(file))) => return file,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no access within {} s", MAX_FILE_TIME.as_secs()),
        };
        if !directory.warned.swap(true, Ordering::Relaxed) {
            let path = directory.path.display();
            tracing::warn!(
                "idempotency keys cannot be kept in {path}: {error}. A create that is interrupted because \
                 this process ends is not recognized when it is repeated. POLYTOMIC_STATE sets another \
                 directory."
            );
        }
        None
    }
}

impl OpenKey {
    fn in_file(request: Fingerprint, file: KeyFile) -> Self {
        let (key, is_carried_over) = (file.key, file.is_carried_over);
        Self { request, key, is_carried_over, place: Place::File(file) }
    }

    /// The outcome is unknown: the next equal call gets the key.
    ///
    /// This and the two functions below do not leave the thread: one system call each, on a file that is open.
    pub(super) fn keep(self) {
        match self.place {
            Place::Memory(keys) => keys.keep(self.request, self.key),
            Place::File(file) => file.keep(),
        }
    }

    /// The outcome is known: no other call gets the key, unless this process is killed within a moment.
    pub(super) fn release(self) {
        let Place::File(file) = self.place else { return };
        let removal = RemoveOnDrop(Some(file));
        if let Ok(runtime) = Handle::try_current() {
            // The end of the runtime drops the task, and with it removes the file.
            runtime.spawn(async move {
                tokio::time::sleep(REMOVAL_DELAY).await;
                drop(removal);
            });
        }
    }

    /// The key is of no use: no call gets it, from now on.
    pub(super) fn discard(self) {
        if let Place::File(file) = self.place {
            file.remove();
        }
    }
}

struct RemoveOnDrop(Option<KeyFile>);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(KeyFile::remove);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_keys(directory: &Path) -> OpenKeys {
        let directory = KeyDirectory { path: directory.to_owned(), service: None };
        OpenKeys::new(KeyStorage::Directory(directory))
    }

    fn count(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_outlives_the_outcome_by_a_moment_in_which_no_other_call_gets_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let (request, path) = (Fingerprint::example(), directory.path());
        let keys = open_keys(path);
        let first = keys.claim(request).await;
        let key = first.key;
        first.release();
        let second = keys.claim(request).await;
        assert!(second.key != key && !second.is_carried_over);
        assert_eq!(count(path), 2);
        second.discard();
        assert_eq!(count(path), 1);
        tokio::time::sleep(REMOVAL_DELAY * 2).await;
        assert_eq!(count(path), 0);
    }

    #[test]
    fn the_end_of_the_runtime_removes_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            open_keys(directory.path()).claim(Fingerprint::example()).await.release();
        });
        assert_eq!(count(directory.path()), 1);
        drop(runtime);
        assert_eq!(count(directory.path()), 0);
    }
}
