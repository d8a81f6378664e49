//! Where open keys are kept, behind one type: in memory, in files, or in Redis.
//!
//! A place that cannot be used must not fail a call, unless the state is required: its key is then kept in memory, and one
//! warning is logged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use uuid::Uuid;

use super::files::{KeyFile, check_directory};
use super::fingerprint::{Fingerprint, REUSE_WINDOW};
use super::memory::MemoryKeys;
use crate::polytomic::user_files::warn_about_state;
use crate::state::{HeldKey, SharedState, StateUnavailable};

/// How long a key outlives its outcome: a process killed in between has not delivered the result, and its caller is going
/// to repeat the call.
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
    /// In Redis: the same for all processes that use the server, on whatever machine.
    Redis(KeyServer),
}

/// A directory of open keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDirectory {
    /// Where it is. Created with mode 0700 if it does not exist.
    pub path: PathBuf,
    /// Name of the service, if its base URL and credential differ from start to start. Those identify it by default.
    pub service: Option<String>,
    /// Whether a write fails while the directory cannot be used, instead of going on with memory.
    pub is_required: bool,
}

/// A Redis server with open keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyServer {
    /// The server. It knows whether a write fails while it cannot be reached.
    pub state: SharedState,
    /// Name of the service, as in [`KeyDirectory`].
    pub service: Option<String>,
}

impl KeyStorage {
    /// Name of the service, if one is set.
    pub(super) fn service(&self) -> Option<&str> {
        match self {
            Self::Memory => None,
            Self::Directory(directory) => directory.service.as_deref(),
            Self::Redis(server) => server.service.as_deref(),
        }
    }
}

/// The open keys of a client, shared by its clones.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenKeys {
    memory: MemoryKeys,
    outside: Outside,
}

/// What outlives the process.
#[derive(Debug, Clone, Default)]
enum Outside {
    #[default]
    Nothing,
    Directory(Arc<Directory>),
    Redis(SharedState),
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    is_required: bool,
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
    /// With the memory that takes the key over if Redis cannot be reached any more.
    Redis(HeldKey, MemoryKeys),
}

impl OpenKeys {
    pub(super) fn new(storage: KeyStorage) -> Self {
        let outside = match storage {
            KeyStorage::Memory => Outside::Nothing,
            KeyStorage::Directory(KeyDirectory { path, is_required, .. }) => {
                Outside::Directory(Arc::new(Directory { path, is_required }))
            }
            KeyStorage::Redis(KeyServer { state, .. }) => Outside::Redis(state),
        };
        Self { memory: MemoryKeys::default(), outside }
    }

    /// The open key of an equal request that no call uses, or a new one.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required.
    pub(super) async fn claim(&self, request: Fingerprint) -> Result<OpenKey, StateUnavailable> {
        match self.find(request, None).await? {
            Some(key) => Ok(key),
            None => Ok(self.in_memory(request, Uuid::new_v4(), false)),
        }
    }

    /// An open key of an equal request, if it is this one and no call uses it.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required.
    pub(super) async fn take(
        &self,
        request: Fingerprint,
        key: Uuid,
    ) -> Result<Option<OpenKey>, StateUnavailable> {
        self.find(request, Some(key)).await
    }

    /// The open key of an equal request; with `wanted`, only that key, or else a new one where it outlives the process.
    async fn find(
        &self,
        request: Fingerprint,
        wanted: Option<Uuid>,
    ) -> Result<Option<OpenKey>, StateUnavailable> {
        self.wait_for_keys().await;
        if let Some(key) = self.memory.take(request, wanted) {
            return Ok(Some(self.in_memory(request, key, true)));
        }
        match &self.outside {
            Outside::Nothing => Ok(None),
            Outside::Directory(directory) => {
                let find = move |directory: &Path| match wanted {
                    None => KeyFile::claim(directory, request).map(Some),
                    Some(_) => KeyFile::take(directory, request, wanted),
                };
                let file = directory.access(find).await?.flatten();
                Ok(file.map(|file| OpenKey::in_file(request, file)))
            }
            Outside::Redis(state) => {
                let claim = state.claim_key(request.to_hex(), wanted, REUSE_WINDOW);
                match claim.await {
                    Ok(held) => Ok(held.map(|held| self.in_redis(request, held))),
                    Err(error) if state.is_required() => Err(error),
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// Fails if what is kept here would end with the process although it must not.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required.
    pub(super) async fn require(&self) -> Result<(), StateUnavailable> {
        match &self.outside {
            Outside::Directory(directory) if directory.is_required => {
                directory.access(check_directory).await.map(drop)
            }
            Outside::Redis(state) if state.is_required() => state.check().await,
            _ => Ok(()),
        }
    }

    /// Waits until the keys are kept that calls have left by now.
    pub(super) async fn wait_for_keys(&self) {
        if let Outside::Redis(state) = &self.outside {
            state.wait_for_keys().await;
        }
    }

    /// Whether keys are kept that end with this process.
    pub(super) fn are_in_memory(&self) -> bool {
        !self.memory.is_empty()
    }

    fn in_memory(&self, request: Fingerprint, key: Uuid, is_carried_over: bool) -> OpenKey {
        OpenKey { request, key, is_carried_over, place: Place::Memory(self.memory.clone()) }
    }

    fn in_redis(&self, request: Fingerprint, held: HeldKey) -> OpenKey {
        let (key, is_carried_over) = (held.key, held.is_carried_over);
        OpenKey { request, key, is_carried_over, place: Place::Redis(held, self.memory.clone()) }
    }
}

impl Directory {
    /// Runs a function over the directory on a thread that may block: the directory may be on a network. None if the
    /// directory cannot be used and need not.
    async fn access<T: Send + 'static>(
        self: &Arc<Self>,
        run: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<Option<T>, StateUnavailable> {
        let directory = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || run(&directory.path));
        let reason = match tokio::time::timeout(MAX_FILE_TIME, task).await {
            Ok(Ok(Ok(result))) => return Ok(Some(result)),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no access within {} s", MAX_FILE_TIME.as_secs()),
        };
        let consequence = match self.is_required {
            true => "Writes fail until they can (--state-required).",
            false => {
                "A create that is interrupted because this process ends is not recognized when it is repeated, and \
                 with --own-only only this process can change the models that it creates."
            }
        };
        warn_about_state(&self.path, "idempotency keys", &reason, consequence);
        match self.is_required {
            true => Err(StateUnavailable { place: self.path.display().to_string(), reason }),
            false => Ok(None),
        }
    }
}

impl OpenKey {
    fn in_file(request: Fingerprint, file: KeyFile) -> Self {
        let (key, is_carried_over) = (file.key, file.is_carried_over);
        Self { request, key, is_carried_over, place: Place::File(file) }
    }

    /// The outcome is unknown: the next equal call gets the key.
    ///
    /// This and the next function do not wait: they make one system call on a file that is open, or start a task.
    pub(super) fn keep(self) {
        match self.place {
            Place::Memory(keys) => keys.keep(self.request, self.key),
            Place::File(file) => file.keep(),
            Place::Redis(held, memory) => held.keep(move || memory.keep(self.request, self.key)),
        }
    }

    /// The outcome is known: no other call gets the key, unless this process is killed within a moment.
    pub(super) fn release(self) {
        let file = match self.place {
            Place::Memory(_) => return,
            Place::Redis(held, _) => return held.release(REMOVAL_DELAY),
            Place::File(file) => file,
        };
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
    pub(super) async fn discard(self) {
        match self.place {
            Place::Memory(_) => {}
            Place::File(file) => file.remove(),
            Place::Redis(held, _) => held.discard().await,
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
        let directory =
            KeyDirectory { path: directory.to_owned(), service: None, is_required: false };
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
        let first = keys.claim(request).await.unwrap();
        let key = first.key;
        first.release();
        let second = keys.claim(request).await.unwrap();
        assert!(second.key != key && !second.is_carried_over);
        assert_eq!(count(path), 2);
        second.discard().await;
        assert_eq!(count(path), 1);
        tokio::time::sleep(REMOVAL_DELAY * 2).await;
        assert_eq!(count(path), 0);
    }

    #[test]
    fn the_end_of_the_runtime_removes_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            open_keys(directory.path()).claim(Fingerprint::example()).await.unwrap().release();
        });
        assert_eq!(count(directory.path()), 1);
        drop(runtime);
        assert_eq!(count(directory.path()), 0);
    }
}
