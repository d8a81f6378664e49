//! The spinner: what a call is doing and for how long, on a terminal only.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use console::{Alignment, Term, pad_str};
use tokio::time::{Instant, MissedTickBehavior};

use crate::stderr;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// The spinner of one call. It is written like all of stderr, so a terminal that is stopped does not stop the call.
pub(super) struct Spinner {
    tool: String,
    status: Mutex<&'static str>,
    started: Instant,
    /// Whether something else is shown in its place.
    is_paused: AtomicBool,
    terminal: Option<Term>,
}

impl Spinner {
    pub(super) fn new(tool: &str) -> Self {
        let terminal = std::io::stderr().is_terminal().then(Term::stderr);
        let status = Mutex::new("the call is running");
        let (started, is_paused) = (Instant::now(), AtomicBool::new(false));
        Self { tool: tool.to_owned(), status, started, is_paused, terminal }
    }

    pub(super) fn set_status(&self, status: &'static str) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Removes it, and draws nothing until it is resumed.
    pub(super) fn pause(&self) {
        self.clear();
        self.is_paused.store(true, Ordering::Relaxed);
    }

    pub(super) fn resume(&self) {
        self.is_paused.store(false, Ordering::Relaxed);
    }

    /// Draws until it is dropped.
    pub(super) async fn spin(&self) -> Infallible {
        if self.terminal.is_none() {
            std::future::pending::<()>().await;
        }
        let mut ticks = tokio::time::interval_at(self.started + FRAME_INTERVAL, FRAME_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut frames = FRAMES.iter().cycle();
        loop {
            ticks.tick().await;
            if self.is_paused.load(Ordering::Relaxed) {
                continue;
            }
            let status = *self.status.lock().unwrap_or_else(PoisonError::into_inner);
            let seconds = self.started.elapsed().as_secs();
            let frame = frames.next().copied().unwrap_or_default();
            self.draw(&format!("{frame} {}: {status} ({seconds} s)", self.tool));
        }
    }

    /// Removes it, before anything else is printed.
    pub(super) fn clear(&self) {
        let is_shown = self.terminal.is_some() && !self.is_paused.load(Ordering::Relaxed);
        if is_shown && self.started.elapsed() >= FRAME_INTERVAL {
            stderr::flush();
            self.draw("");
            stderr::flush();
        }
    }

    fn draw(&self, text: &str) {
        let Some(terminal) = &self.terminal else { return };
        // A line that reaches the last column would wrap.
        let columns = usize::from(terminal.size().1).saturating_sub(1);
        let line = pad_str(text, columns, Alignment::Left, Some("…"));
        stderr::write_if_idle(&format!("\r{line}\r"));
    }
}
