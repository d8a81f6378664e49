//! The audit log: which writes have which lines, and that no write goes without.

mod endings;
mod failures;
mod lines;
mod processes;
mod table;

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Keys, Launch, wait_until};

/// A log in a directory of its own.
struct Log {
    path: PathBuf,
    _directory: TempDir,
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { path: directory.path().join("writes.jsonl"), _directory: directory }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// A launch that writes to this log.
    fn of(&self, launch: Launch) -> Launch {
        launch.variable("POLYTOMIC_AUDIT_LOG", self.path())
    }

    fn lines(&self) -> Vec<Value> {
        lines(&self.path)
    }

    fn events(&self, event: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// The line about the end of the only call, once it is there.
    async fn end(&self) -> Value {
        wait_until("the end of the call", async || self.events("finished").len() == 1).await;
        self.events("finished").remove(0)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Where a test has put a device, it has no end.
        if !std::thread::panicking() && self.path.is_file() {
            let text = std::fs::read(&self.path).unwrap_or_default();
            Keys::default().assert_not_in("the audit log", &String::from_utf8_lossy(&text));
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}
