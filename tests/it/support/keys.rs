//! The search for keys: no output of any process, in any test, may contain one.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The key of [`Launch::against`](super::Launch::against).
pub const KEY: &str = "test-key-4711";

/// A part of [`KEY`] and of most other keys in the tests.
const PART: &str = "key-4711";

/// Longer than the rest of an ended process's output takes.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Keys that are searched for: all that contain `key-4711`, and those of a launch.
#[derive(Debug, Clone)]
pub struct Keys(Vec<String>);

impl Default for Keys {
    fn default() -> Self {
        Self(vec![PART.to_owned()])
    }
}

impl Keys {
    /// The same with one more. Left out are a name of a variable that was not filled in, which an error repeats, and
    /// what is too short to be found by anything but chance.
    pub fn with(mut self, key: &str) -> Self {
        if key.len() >= 8 && !key.starts_with("${") {
            self.0.push(key.to_owned());
        }
        self
    }

    #[track_caller]
    pub fn assert_not_in(&self, place: &str, text: &str) {
        for key in &self.0 {
            assert!(!text.contains(key), "{key} is in {place}:\n{text}");
        }
    }
}

/// A stream of a process, which a thread reads to its end.
pub struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    may_read: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    /// A stream that is not read before [`Stream::read`].
    pub fn unread(stream: Option<OwnedFd>) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let (may_read, waiting): (_, Receiver<()>) = channel();
        let received = Arc::clone(&bytes);
        let thread = stream.map(|stream| {
            std::thread::spawn(move || {
                if waiting.recv().is_err() {
                    return;
                }
                let (mut stream, mut chunk) = (File::from(stream), vec![0; 8192]);
                while let Ok(n @ 1..) = stream.read(&mut chunk) {
                    received.lock().unwrap().extend_from_slice(&chunk[..n]);
                }
            })
        });
        Self { bytes, may_read, thread }
    }

    /// A stream that is read from now on.
    pub fn read_at_once(stream: Option<OwnedFd>) -> Self {
        let stream = Self::unread(stream);
        stream.read();
        stream
    }

    /// Reads from now on.
    pub fn read(&self) {
        let _ = self.may_read.send(());
    }

    /// What was read so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// The whole text, for a process that has ended or is about to. Blocks.
    pub fn text_to_end(&self) -> String {
        self.read();
        let started = Instant::now();
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            assert!(started.elapsed() < MAX_WAIT, "a stream does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(1));
        }
        self.text()
    }
}
