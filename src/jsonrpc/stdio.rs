//! JSON-RPC on stdin and stdout: one message or one batch per line.
//!
//! Responses are written as they become ready. Every request that was read gets its response before the process ends,
//! however long that takes: a script that pipes in its requests expects all of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::message::{self, Entry, Message};
use super::service::Service;
use crate::registry::Registry;
use crate::stdio::{
    InFlightRequests, Input, Limits, Line, LineReader, MAX_UNWRITTEN_BYTES, Output, SHUTDOWN_GRACE,
};

/// Reading pauses while this many requests lack a written response. Nothing beyond them is urgent, since no message
/// cancels a request.
const MAX_UNANSWERED_REQUESTS: usize = 1_024;

/// Why serving failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// Two tools have the same name.
    #[error(transparent)]
    Methods(#[from] jsonrpsee::core::RegisterMethodError),
    /// Responses are lost, e.g. on a full disk. A peer that stops reading is not an error.
    #[error("cannot write the responses: {0}")]
    Output(#[from] std::io::Error),
}

/// Serves until the input has ended and every response is written, or `shutdown` is cancelled.
///
/// # Errors
/// See [`ServeError`].
pub(crate) async fn serve(
    registry: Arc<Registry>,
    (input, output): (Input, Output),
    limits: Limits,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let dispatch = Dispatch::new(Service::new(registry, shutdown.clone()))?;
    let in_flight = InFlightRequests::<u64>::new();
    let writer = tokio::spawn(Arc::clone(&in_flight).write_to(output));
    let mut lines = LineReader::new(input, limits.line_bytes);
    let mut calls = JoinSet::new();
    let mut number = 0;
    loop {
        if shutdown.is_cancelled() {
            break;
        }
        // Skips the cost of waiting if there is capacity and a line has been read already.
        if !in_flight.has_capacity(MAX_UNWRITTEN_BYTES, MAX_UNANSWERED_REQUESTS) {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = in_flight.wait_for_capacity(MAX_UNWRITTEN_BYTES, MAX_UNANSWERED_REQUESTS) => {}
            }
        }
        let line = match lines.buffered() {
            Some(line) => Ok(Some(line)),
            None => tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = in_flight.wait_until_broken() => break,
                Some(_) = calls.join_next() => continue,
                line = lines.next() => line,
            },
        };
        let message = match line {
            Ok(Some(Line::Bytes(line))) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(Some(Line::Bytes(line))) => message::parse(&line),
            Ok(Some(Line::TooLong)) => Message::One(message::line_too_long(limits.line_bytes)),
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "input failed");
                break;
            }
        };
        number += 1;
        let (id, requests) = (number, message.request_count());
        in_flight.start(id, CancellationToken::new(), requests);
        let (dispatch, in_flight) = (dispatch.clone(), Arc::clone(&in_flight));
        calls.spawn(async move {
            match dispatch.run(message).await {
                Some(response) => in_flight.finish(&id, &[response.as_bytes(), b"\n"]),
                None => in_flight.finish(&id, &[]),
            }
        });
    }
    let grace_period = async {
        shutdown.cancelled().await;
        sleep_until(Instant::now() + SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        () = in_flight.wait_until_idle() => {}
        () = grace_period => {}
    }
    in_flight.close();
    // After a signal the remaining calls are dropped with `calls`, and a peer that does not read is not waited for.
    let write_timeout = Duration::from_millis(if shutdown.is_cancelled() { 100 } else { 1_000 });
    match tokio::time::timeout(write_timeout, writer).await {
        Ok(Ok(written)) => Ok(written?),
        _ => Ok(()),
    }
}

impl Message {
    /// How many requests it contains, for the limit.
    fn request_count(&self) -> usize {
        match self {
            Self::One(Entry::Response) => 0,
            Self::One(_) => 1,
            Self::Batch(entries) => entries.len(),
        }
    }
}
