//! What the stdio faces share: lines in, lines out, the ids in flight, the streams, the signals, and the
//! outside of a message.
//!
//! Nothing here knows a method: how a message is read and answered is the face's.

use std::time::Duration;

mod envelope;
mod in_flight;
mod lines;
mod signals;
mod streams;

pub(crate) use envelope::{Envelope, LenientEnvelope};
pub(crate) use in_flight::InFlightRequests;
pub(crate) use lines::{Line, LineReader, too_long};
pub(crate) use signals::shutdown_on_signal;
pub(crate) use streams::{Input, Output, open_stdio};

/// The most bytes that wait to be written before reading pauses.
pub(crate) const MAX_UNWRITTEN_BYTES: usize = 8 << 20;
/// What calls in flight get after a signal: clients send SIGKILL two seconds later.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_millis(1500);

/// How a face behaves on its streams.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The most bytes a line may have.
    pub(crate) line_bytes: usize,
    /// How long calls in flight get after the end of the input, and on a port after a signal.
    pub(crate) drain: Duration,
}
