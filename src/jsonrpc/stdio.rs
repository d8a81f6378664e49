//! JSON-RPC on stdin and stdout: one message or one batch per line, or behind a Content-Length.
//!
//! Responses are written as they become ready. Every request that was read gets its response before the process ends,
//! however long that takes: a script that pipes in its requests expects all of them.

use std::io;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::message;
use super::service::Service;
use crate::registry::{Registry, RequestAccount, WhenBusy};
use crate::stdio::{
    Framing, InFlightRequests, Input, Limits, MAX_UNWRITTEN_BYTES, MessageReader, Output,
    SHUTDOWN_GRACE, write_timeout,
};

/// Reading pauses while this many requests lack a written response; one with long params counts as several. Nothing
/// beyond them is urgent, since no message cancels a request.
const MAX_UNANSWERED_REQUESTS: usize = 1_024;

/// Serves until the input has ended and every response is written, or `shutdown` is cancelled.
///
/// # Errors
/// If responses are lost, e.g. on a full disk. A peer that stops reading is not an error.
pub(crate) async fn serve(
    registry: Arc<Registry>,
    (input, output): (Input, Output),
    limits: Limits,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let service = Service::new(registry, WhenBusy::Wait, shutdown.clone());
    let framing = Framing::default();
    let in_flight = InFlightRequests::<u64>::new(framing.clone());
    let writer = tokio::spawn(Arc::clone(&in_flight).write_to(output));
    let mut messages = MessageReader::new(input, limits.line_bytes, framing);
    let mut calls = JoinSet::new();
    let mut number = 0;
    loop {
        if shutdown.is_cancelled() {
            break;
        }
        // Skips the cost of waiting if there is capacity and a message has been read already.
        if !in_flight.has_capacity(MAX_UNWRITTEN_BYTES, MAX_UNANSWERED_REQUESTS) {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = in_flight.wait_for_capacity(MAX_UNWRITTEN_BYTES, MAX_UNANSWERED_REQUESTS) => {}
            }
        }
        let message = match messages.buffered() {
            Some(message) => Ok(Some(message)),
            None => tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = in_flight.wait_until_broken() => break,
                Some(_) = calls.join_next() => continue,
                message = messages.next() => message,
            },
        };
        let message = match message {
            Ok(Some(Ok(bytes))) => message::parse(&bytes),
            Ok(Some(Err(error))) => message::reject(&error),
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "input failed");
                break;
            }
        };
        number += 1;
        let (id, requests) = (number, message.share());
        in_flight.start(id, CancellationToken::new(), requests);
        let (service, in_flight) = (Arc::clone(&service), Arc::clone(&in_flight));
        calls.spawn(async move {
            let response = service.run(message, RequestAccount::Absent).await;
            in_flight.finish(&id, &[response.unwrap_or_default().as_bytes()]);
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
    match tokio::time::timeout(write_timeout(shutdown.is_cancelled()), writer).await {
        Ok(Ok(written)) => written,
        _ => Ok(()),
    }
}
