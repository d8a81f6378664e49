//! What the stdio faces share: lines in, lines out, the ids in flight, the streams, the signals, and the
//! outside of a message.
//!
//! Nothing here knows a method: how a message is read and answered is the face's.

use std::time::Duration;

mod envelope;
mod lines;
mod signals;
mod streams;
mod traffic;

pub(crate) use envelope::{Envelope, Outline};
pub(crate) use lines::{Line, Lines, too_long};
pub(crate) use signals::stop_on_signals;
pub(crate) use streams::{Input, Output, open_stdio};
pub(crate) use traffic::Traffic;

/// The most bytes that wait to be written before reading pauses.
pub(crate) const OUTPUT_LIMIT: usize = 8 << 20;
/// What calls in flight get after a signal: clients send SIGKILL two seconds later.
pub(crate) const AFTER_SIGNAL: Duration = Duration::from_millis(1500);

/// How a face behaves on its streams.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The most bytes a line may have.
    pub(crate) line_bytes: usize,
    /// How long calls in flight get after the end of the input, and on a port after a signal.
    pub(crate) drain: Duration,
}
