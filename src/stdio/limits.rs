//! Limits of a server on stdin and stdout.

use std::time::Duration;

/// Reading pauses while more bytes than this wait to be written.
pub(crate) const MAX_UNWRITTEN_BYTES: usize = 8 << 20;
/// Time for calls in flight after a signal: clients send SIGKILL two seconds later.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_millis(1500);

/// Time for running calls, before they are dropped, to return what they have: the handle of a job.
pub(crate) const SHUTDOWN_HANDOVER: Duration = Duration::from_secs(1);

/// How long the last writes may take: after a signal every moment counts.
pub(crate) fn write_timeout(signalled: bool) -> Duration {
    Duration::from_millis(if signalled { 100 } else { 1_000 })
}

/// Configurable limits.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Maximum length of a message.
    pub(crate) line_bytes: usize,
    /// Grace period for calls in flight after the end of the input, or over HTTP after a signal.
    pub(crate) drain: Duration,
}
