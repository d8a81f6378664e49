//! The event stream of one response: messages about the request, then its response.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::running::{Completed, Running, event};

/// A comment is sent this often, so that no proxy takes a long call for a dead connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How far a stream is.
enum State {
    Running(Running, mpsc::Receiver<Bytes>, Interval),
    /// The response was taken, and counts until more is asked for.
    Completed {
        _response: Completed,
    },
}

/// The events of a running request, of which `first` has come already. Its response ends them.
pub(super) fn events(
    first: Option<Bytes>,
    running: Running,
    messages: mpsc::Receiver<Bytes>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE_INTERVAL, KEEP_ALIVE_INTERVAL);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // What a stream begins with is sent at once, with its head.
    let first = first.map_or(Bytes::from_static(COMMENT), |message| event(&message));
    let state = (Some(first), State::Running(running, messages, keep_alive));
    stream::unfold(state, |(first, state)| async move {
        if let Some(first) = first {
            return Some((first, (None, state)));
        }
        let State::Running(mut running, mut messages, mut keep_alive) = state else { return None };
        let piece = tokio::select! {
            biased;
            Some(message) = messages.recv() => event(&message),
            completed = &mut running => {
                let completed = completed.into_events(queued_events(&mut messages));
                let piece = completed.parts.concat();
                return Some((piece.into(), (None, State::Completed { _response: completed })));
            }
            _ = keep_alive.tick() => Bytes::from_static(COMMENT),
        };
        Some((piece, (None, State::Running(running, messages, keep_alive))))
    })
}

const COMMENT: &[u8] = b":\n\n";

/// The events of messages that wait to be sent.
pub(super) fn queued_events(messages: &mut mpsc::Receiver<Bytes>) -> Vec<u8> {
    let mut events = Vec::new();
    while let Some(Some(message)) = messages.recv().now_or_never() {
        events.extend_from_slice(&event(&message));
    }
    events
}
