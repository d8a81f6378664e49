//! The event stream of one response: messages about the request, then its response.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::running::{Completed, Running};
use crate::http::Reservation;

/// A comment is sent this often, so that no proxy takes a long call for a dead connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The events of a running request. The end of its response ends them.
pub(super) fn events(
    running: Running,
    messages: mpsc::Receiver<Bytes>,
    reservation: Reservation,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE_INTERVAL, KEEP_ALIVE_INTERVAL);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let state = Some((running, messages, keep_alive, reservation));
    stream::unfold(state, |state| async move {
        let (mut running, mut messages, mut keep_alive, reservation) = state?;
        let piece = tokio::select! {
            biased;
            Some(message) = messages.recv() => event(&message),
            Completed { bytes, .. } = &mut running => {
                // What was sent about the request before its response.
                let mut last: Vec<u8> = Vec::new();
                while let Some(Some(message)) = messages.recv().now_or_never() {
                    last.extend_from_slice(&event(&message));
                }
                last.extend_from_slice(&event(&bytes));
                return Some((Bytes::from(last), None));
            }
            _ = keep_alive.tick() => Bytes::from_static(b":\n\n"),
        };
        Some((piece, Some((running, messages, keep_alive, reservation))))
    })
    .boxed()
}

/// A message as an event. It is compact JSON, so that it has no line breaks.
fn event(message: &[u8]) -> Bytes {
    [b"event: message\ndata: ", message, b"\n\n"].concat().into()
}
