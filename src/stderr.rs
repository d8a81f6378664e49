//! Lines for stderr, which no caller waits for: a client may not read it, and a full pipe must not stop the process.
//!
//! A thread of its own writes them, started by the first line. What does not fit into its queue is dropped, and counted
//! in a later line. tracing-appender has such a queue, but its guard prints to stdout when that is full at the exit.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Thousands of lines: a burst that the reader has not read yet.
const MAX_QUEUED_BYTES: usize = 1 << 20;
/// How long the exit waits while lines are written, or from when the pipe became full.
const MAX_FLUSH_TIME: Duration = Duration::from_secs(1);
/// How long it waits at least: the reader may just have begun.
const MIN_FLUSH_TIME: Duration = Duration::from_millis(100);
/// Delay before writing again to a stderr that another process has made non-blocking.
const RETRY_DELAY: Duration = Duration::from_millis(10);

static QUEUE: Queue = Queue::new();

/// Prints a line.
pub(crate) fn print(line: &str) {
    write(format!("{line}\n").into_bytes());
}

/// Writes text if everything before it is written; otherwise it would be out of date by then.
pub(crate) fn write_if_idle(text: &str) {
    if QUEUE.state().is_idle() {
        write(text.as_bytes().to_vec());
    }
}

/// Waits until everything is written, but never for a stderr that is not read.
pub(crate) fn flush() {
    QUEUE.flush(MIN_FLUSH_TIME, MAX_FLUSH_TIME);
}

/// The log's writer, which gets one complete line at a time.
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        write(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(text: Vec<u8>) {
    let must_start = QUEUE.push(text);
    if must_start {
        let writer = thread::Builder::new().name("stderr".to_owned());
        // Without a thread the lines stay queued, and further ones are dropped.
        let _ = writer.spawn(|| QUEUE.write_to(io::stderr()));
    }
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    lines: VecDeque<Vec<u8>>,
    queued_bytes: usize,
    dropped_lines: u64,
    is_started: bool,
    /// Since when the writer has been writing its line.
    writing_since: Option<Instant>,
}

impl State {
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.dropped_lines == 0 && self.writing_since.is_none()
    }

    /// The next line to write; when there is none, how many were dropped.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        if let Some(line) = self.lines.pop_front() {
            self.queued_bytes -= line.len();
            return Some(line);
        }
        let text = match std::mem::take(&mut self.dropped_lines) {
            0 => return None,
            1 => "1 log line was dropped".to_owned(),
            count => format!("{count} log lines were dropped"),
        };
        Some(format!("polytomic-mcp: {text}, since stderr was not read in time.\n").into_bytes())
    }
}

impl Queue {
    const fn new() -> Self {
        let state = State {
            lines: VecDeque::new(),
            queued_bytes: 0,
            dropped_lines: 0,
            is_started: false,
            writing_since: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or drops it. Returns whether it is the first, which starts the writer.
    fn push(&self, line: Vec<u8>) -> bool {
        let mut state = self.state();
        if state.queued_bytes + line.len() <= MAX_QUEUED_BYTES {
            state.queued_bytes += line.len();
            state.lines.push_back(line);
        } else {
            state.dropped_lines += 1;
        }
        self.changed.notify_all();
        !std::mem::replace(&mut state.is_started, true)
    }

    /// Writes lines for the life of the process.
    fn write_to(&self, mut output: impl Write) -> ! {
        loop {
            let line = self.wait_for_line();
            write_line(&mut output, &line);
        }
    }

    /// Waits for the next line; the one before it is written.
    fn wait_for_line(&self) -> Vec<u8> {
        let mut state = self.state();
        state.writing_since = None;
        loop {
            if let Some(line) = state.take_line() {
                state.writing_since = Some(Instant::now());
                return line;
            }
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn flush(&self, min_time: Duration, max_time: Duration) {
        let start = Instant::now();
        let mut state = self.state();
        while !state.is_idle() {
            let since = state.writing_since.unwrap_or(start);
            let until = (since + max_time).clamp(start + min_time, start + max_time);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes a line; an error has no place to go.
fn write_line(output: &mut impl Write, line: &[u8]) {
    let mut rest = line;
    while !rest.is_empty() {
        match output.write(rest) {
            Ok(0) => return,
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_DELAY),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// An output that blocks until its reader takes what was written.
    struct Pipe(SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started() -> (&'static Queue, Receiver<String>) {
        let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
        let (sender, receiver) = sync_channel(0);
        thread::spawn(|| queue.write_to(Pipe(sender)));
        (queue, receiver)
    }

    #[test]
    fn lines_that_do_not_fit_are_dropped_and_counted_behind_the_others() {
        let (queue, written) = started();
        let line = |n: usize| format!("{n:0>1023}\n");
        for n in 0..2_000 {
            queue.push(line(n).into_bytes());
        }
        let lines: Vec<String> = written.iter().take_while(|line| !line.starts_with('p')).collect();
        // One line may have left the queue for the writer before it was full.
        assert!((1_024..=1_025).contains(&lines.len()), "{}", lines.len());
        assert!(lines.iter().enumerate().all(|(n, written)| *written == line(n)));
        queue.push(b"next\n".to_vec());
        assert_eq!(written.recv().unwrap(), "next\n");
    }

    #[test]
    fn the_count_of_dropped_lines_is_reported_once() {
        let mut state = Queue::new().state.into_inner().unwrap();
        let mut report = |dropped_lines| {
            state.dropped_lines = dropped_lines;
            let text = state.take_line().map(|line| String::from_utf8(line).unwrap());
            assert_eq!(state.take_line(), None);
            text.unwrap_or_default()
        };
        assert_eq!(report(0), "");
        assert!(report(1).contains(": 1 log line was dropped"));
        assert!(report(2).contains(": 2 log lines were dropped"));
    }

    #[test]
    fn flushing_waits_for_lines_that_are_read_and_not_for_others() {
        let (queue, written) = started();
        queue.push(b"line\n".to_vec());
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(60));
        queue.flush(short, short); // nobody reads
        assert!(!queue.state().is_idle());
        let reader = thread::spawn(move || written.recv().unwrap());
        queue.flush(long, long);
        assert!(queue.state().is_idle());
        assert_eq!(reader.join().unwrap(), "line\n");
    }

    #[test]
    fn a_line_is_written_completely_in_spite_of_interruptions() {
        struct Odd(Vec<u8>, usize);
        impl Write for Odd {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                match self.1 % 3 {
                    0 => Err(ErrorKind::Interrupted.into()),
                    1 => Err(ErrorKind::WouldBlock.into()),
                    _ => {
                        self.0.push(bytes[0]);
                        Ok(1)
                    }
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut output = Odd(Vec::new(), 0);
        write_line(&mut output, b"line\n");
        assert_eq!(output.0, b"line\n");
    }
}
