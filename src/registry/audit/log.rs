//! The file of the audit log, and the thread that writes it.
//!
//! Calls do not write themselves: a file may be on a network, or its lock held by a process that was stopped, and the
//! thread of the calls must not wait for either. No line is synchronized to the disk: it survives the end of the process
//! however that comes, but not that of the machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::registry::line_file;

/// A call does not wait longer for its line.
const MAX_WRITE_TIME: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the lines of calls that ended with it.
const MAX_FLUSH_TIME: Duration = Duration::from_secs(1);
/// More than the calls in flight, each of which waits for its line.
const MAX_QUEUED_LINES: usize = 4_096;

const WRITER_ENDED: &str = "the thread that writes it has ended";

/// An audit log. Dropping it waits for the lines in its queue.
#[derive(Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    /// Present until the log is dropped.
    queue: Option<SyncSender<QueuedLine>>,
    /// Disconnected when the thread has ended.
    writer: std::sync::Mutex<Receiver<()>>,
}

struct QueuedLine {
    text: String,
    written: oneshot::Sender<io::Result<()>>,
}

impl AuditLog {
    /// Opens a log, and creates its file.
    ///
    /// # Errors
    /// If the file cannot be opened for writing, or is no regular file.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let file = line_file::open(&path)?;
        if line_file::is_writable_by_others(&file) {
            let path = path.display();
            tracing::warn!(
                "other users can change the audit log {path}; take that from them: chmod go-w {path}"
            );
        }
        drop(file);
        let (queue, lines) = sync_channel::<QueuedLine>(MAX_QUEUED_LINES);
        let (running, writer) = channel();
        let writer_path = path.clone();
        thread::Builder::new().name("audit log".to_owned()).spawn(move || {
            let _running: std::sync::mpsc::Sender<()> = running;
            for line in lines {
                let written = line_file::append(&writer_path, &line.text).map(drop);
                if let Err(Err(error)) = line.written.send(written) {
                    report_loss(&writer_path, &error);
                }
            }
        })?;
        Ok(Self { path, queue: Some(queue), writer: std::sync::Mutex::new(writer) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line. Dropping the future does not keep the line from being written.
    pub(super) async fn write(&self, text: String) -> io::Result<()> {
        let written = self.enqueue(text)?;
        match tokio::time::timeout(MAX_WRITE_TIME, written).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err(io::Error::other(WRITER_ENDED)),
            Err(_) => {
                let message = format!("not written within {} s", MAX_WRITE_TIME.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, message))
            }
        }
    }

    /// Writes a line without waiting for it.
    pub(super) fn write_later(&self, text: String) {
        if let Err(error) = self.enqueue(text) {
            report_loss(&self.path, &error);
        }
    }

    fn enqueue(&self, text: String) -> io::Result<oneshot::Receiver<io::Result<()>>> {
        let (written, receiver) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| io::Error::other(WRITER_ENDED))?;
        queue.try_send(QueuedLine { text, written }).map_err(|error| {
            io::Error::other(match error {
                TrySendError::Full(_) => "too many lines wait to be written",
                TrySendError::Disconnected(_) => WRITER_ENDED,
            })
        })?;
        Ok(receiver)
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.queue = None;
        let writer = self.writer.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It sends nothing: this waits for its end.
        let _ = writer.recv_timeout(MAX_FLUSH_TIME);
    }
}

/// The line about the end of a call is lost. What was sent has a line all the same.
pub(super) fn report_loss(path: &Path, error: &io::Error) {
    tracing::warn!("the end of a call is missing in the audit log {}: {error}", path.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_is_not_queued_says_why() {
        let (queue, lines) = sync_channel(1);
        let (_, writer) = channel();
        let writer = std::sync::Mutex::new(writer);
        let log = AuditLog { path: PathBuf::from("log"), queue: Some(queue), writer };
        log.write_later("first".to_owned());
        let error = log.write("second".to_owned()).await.unwrap_err();
        assert_eq!(error.to_string(), "too many lines wait to be written");
        drop(lines);
        let error = log.write("third".to_owned()).await.unwrap_err();
        assert_eq!(error.to_string(), WRITER_ENDED);
    }
}
