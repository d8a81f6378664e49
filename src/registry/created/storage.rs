//! The ids of created models: in a file for each account, shared by all processes of the user; in Redis, shared with other
//! machines; or in memory.
//!
//! The file is `created/<hash of base URL and credential>` in the directory for state, one line for each id. A create that
//! returns a job has a line for the job as well, since `get_job` may deliver the model to another process.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::polytomic::{Client, JobId, ModelId, create_private_directory, warn_about_state};
use crate::registry::line_file;
use crate::state::{SharedState, StateUnavailable};

/// Size at which the file is put aside, for some 24,000 ids. What was put aside before is forgotten.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Maximum number of ids in memory; the oldest are forgotten first.
const MAX_IDS_IN_MEMORY: usize = 20_000;
/// A call does not wait longer for the file system.
const MAX_FILE_TIME: Duration = Duration::from_secs(5);

/// Something that was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Created {
    Model(ModelId),
    /// The job that creates a model.
    Job(JobId),
}

/// What was created with one account.
#[derive(Debug, Clone)]
pub(in crate::registry) struct CreatedIds {
    outside: Outside,
    /// Used where there is nothing else, or it cannot be written.
    memory: Arc<Mutex<VecDeque<Created>>>,
}

/// What outlives the process.
#[derive(Debug, Clone)]
enum Outside {
    Nothing,
    File(Arc<IdFile>),
    Redis { state: SharedState, account: Arc<str> },
}

#[derive(Debug)]
struct IdFile {
    path: PathBuf,
}

impl Created {
    fn line(self) -> String {
        match self {
            Self::Model(id) => format!("model {id}"),
            Self::Job(id) => format!("job {id}"),
        }
    }
}

impl CreatedIds {
    /// Those of the account that a client uses.
    pub(in crate::registry) fn of(client: &Client) -> Self {
        let outside = match (client.state_directory(), client.shared_state()) {
            (Some(directory), _) => {
                let path = directory.join("created").join(client.account_name());
                Outside::File(Arc::new(IdFile { path }))
            }
            (None, Some(state)) => {
                Outside::Redis { state: state.clone(), account: client.account_name().into() }
            }
            (None, None) => Outside::Nothing,
        };
        Self { outside, memory: Arc::default() }
    }

    pub(super) async fn remember(&self, created: Created) {
        let is_kept = match &self.outside {
            Outside::Nothing => false,
            Outside::File(file) => {
                file.access(move |path| append(path, created).map(|()| true)).await
            }
            Outside::Redis { state, account } => {
                state.remember_created(account, &created.line()).await.is_ok()
            }
        };
        if !is_kept {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            if memory.len() >= MAX_IDS_IN_MEMORY {
                memory.pop_front();
            }
            memory.push_back(created);
        }
    }

    /// Whether something was created with the account.
    ///
    /// # Errors
    /// [`StateUnavailable`] if Redis cannot be reached; a file that cannot be read counts as empty.
    pub(super) async fn contains(&self, created: Created) -> Result<bool, StateUnavailable> {
        {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            if memory.contains(&created) {
                return Ok(true);
            }
        }
        match &self.outside {
            Outside::Nothing => Ok(false),
            Outside::File(file) => Ok(file.access(move |path| contains(path, created)).await),
            Outside::Redis { state, account } => state.has_created(account, &created.line()).await,
        }
    }
}

impl IdFile {
    /// Runs a function over the file on a thread that may block; false if it fails.
    async fn access(&self, run: impl FnOnce(&Path) -> io::Result<bool> + Send + 'static) -> bool {
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || run(&path));
        let error = match tokio::time::timeout(MAX_FILE_TIME, task).await {
            Ok(Ok(Ok(result))) => return result,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no access within {} s", MAX_FILE_TIME.as_secs()),
        };
        warn_about_state(
            &self.path,
            "the ids of created models",
            &error,
            "With --own-only, only this process can change the models that it creates.",
        );
        false
    }
}

fn append(path: &Path, created: Created) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        create_private_directory(directory)?;
    }
    let size = line_file::append(path, &created.line())?;
    if size > MAX_FILE_BYTES {
        let file = line_file::open(path)?;
        file.lock()?;
        // Another process may have done it in the meantime.
        if fs::metadata(path)?.len() > MAX_FILE_BYTES {
            fs::rename(path, put_aside(path))?;
        }
    }
    Ok(())
}

fn contains(path: &Path, created: Created) -> io::Result<bool> {
    let line = created.line();
    // In this order: in between, the first may be put aside in place of the second.
    for path in [path, &put_aside(path), path] {
        match fs::read_to_string(path) {
            Ok(text) if text.lines().any(|known| known == line) => return Ok(true),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(false)
}

fn put_aside(path: &Path) -> PathBuf {
    path.with_extension("old")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_newest_ids_are_known_when_a_file_was_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("created/account");
        let model = || Created::Model(ModelId(Uuid::new_v4()));
        let [first, second, third] = [model(), model(), model()];
        let filler = "model 00000000-0000-4000-8000-000000000000\n";
        let fill = || {
            let text = fs::read_to_string(&path).unwrap();
            let lines = usize::try_from(MAX_FILE_BYTES).unwrap() / filler.len();
            fs::write(&path, text + &filler.repeat(lines)).unwrap();
        };
        append(&path, first).unwrap();
        fill();
        append(&path, second).unwrap();
        assert!(!path.exists(), "put aside");
        append(&path, third).unwrap();
        let known = |created| contains(&path, created).unwrap();
        assert!(known(first) && known(second) && known(third));
        fill();
        append(&path, model()).unwrap();
        assert!(!known(first) && known(third), "only the oldest are forgotten");
    }

    #[test]
    fn no_writer_loses_the_id_of_another_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("created/account");
        let append_all = || -> Vec<Created> {
            let ids = (0..200).map(|_| Created::Job(JobId(Uuid::new_v4())));
            ids.inspect(|id| append(&path, *id).unwrap()).collect()
        };
        let ids: Vec<Created> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(append_all)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.len() == 800 && ids.iter().all(|id| contains(&path, *id).unwrap()));
    }
}
