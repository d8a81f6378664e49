//! JSON-RPC on stdin and stdout: one message or one batch a line.
//!
//! Answers come in the order in which the work is done. Everything that was read is answered before the
//! end, however long it takes: a script that pipes its requests in wants all of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Service;
use super::dispatch::Dispatch;
use super::message::{self, Entry, Message};
use crate::registry::Registry;
use crate::stdio::{
    InFlightRequests, Input, Limits, Line, LineReader, MAX_UNWRITTEN_BYTES, Output, SHUTDOWN_GRACE,
};

/// Reading pauses while so many requests lack a written answer: nothing has to be read beyond them,
/// since there is no message that cancels.
const UNANSWERED_LIMIT: usize = 1_024;

/// Why serving ended without success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// Two tools of one name.
    #[error(transparent)]
    Methods(#[from] jsonrpsee::core::RegisterMethodError),
    /// Answers are lost: a full disk, for one. A reader that has gone is none.
    #[error("the answers cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Serves until the input has ended and all is answered, or `stop` is cancelled.
///
/// # Errors
/// See [`ServeError`].
pub(crate) async fn serve(
    registry: Arc<Registry>,
    (input, output): (Input, Output),
    limits: Limits,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let dispatch = Dispatch::new(Service::new(registry, stop.clone()))?;
    let in_flight = InFlightRequests::<u64>::new();
    let writer = tokio::spawn(Arc::clone(&in_flight).write_to(output));
    let mut lines = LineReader::new(input, limits.line_bytes);
    let mut calls = JoinSet::new();
    let mut number = 0;
    loop {
        if stop.is_cancelled() {
            break;
        }
        // What is read already and fits needs no waiting, and none of its costs.
        if !in_flight.has_room(MAX_UNWRITTEN_BYTES, UNANSWERED_LIMIT) {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = in_flight.room(MAX_UNWRITTEN_BYTES, UNANSWERED_LIMIT) => {}
            }
        }
        let line = match lines.buffered() {
            Some(line) => Ok(Some(line)),
            None => tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = in_flight.broken() => break,
                Some(_) = calls.join_next() => continue,
                line = lines.next() => line,
            },
        };
        let message = match line {
            Ok(Some(Line::Bytes(line))) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(Some(Line::Bytes(line))) => message::read(&line),
            Ok(Some(Line::TooLong)) => Message::One(message::too_long(limits.line_bytes)),
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "input failed");
                break;
            }
        };
        number += 1;
        let (id, requests) = (number, message.requests());
        in_flight.begin(id, CancellationToken::new(), requests);
        let (dispatch, in_flight) = (dispatch.clone(), Arc::clone(&in_flight));
        calls.spawn(async move {
            match dispatch.run(message).await {
                Some(answer) => in_flight.end(&id, &[answer.as_bytes(), b"\n"]),
                None => in_flight.end(&id, &[]),
            }
        });
    }
    let signalled = async {
        stop.cancelled().await;
        sleep_until(Instant::now() + SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        () = in_flight.idle() => {}
        () = signalled => {}
    }
    in_flight.close();
    // Whatever is left after a signal is dropped with `calls`, and a reader that does not read is not
    // waited for.
    let patience = Duration::from_millis(if stop.is_cancelled() { 100 } else { 1_000 });
    match tokio::time::timeout(patience, writer).await {
        Ok(Ok(written)) => Ok(written?),
        _ => Ok(()),
    }
}

impl Message {
    /// How many requests it holds, for the limit.
    fn requests(&self) -> usize {
        match self {
            Self::One(Entry::Answer) => 0,
            Self::One(_) => 1,
            Self::Batch(entries) => entries.len(),
        }
    }
}
