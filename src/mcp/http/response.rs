//! Responds to a request that runs: with JSON, or with an event stream where that is of use.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc;

use super::events::{events, queued_events};
use super::running::Running;
use crate::http::Body;

/// A response that takes longer becomes an event stream, so that no proxy on the way gives up.
const MAX_SILENCE: Duration = Duration::from_secs(10);
const EVENT_STREAM: &str = "text/event-stream";
/// Asks nginx to pass events on as they come.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a client accepts, and whether it wants to follow the progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    pub(super) json: bool,
    pub(super) events: bool,
    pub(super) progress: bool,
}

/// The response to a request that runs, with `messages` about it.
pub(super) async fn respond(
    mut running: Running,
    mut messages: mpsc::Receiver<Bytes>,
    wishes: Wishes,
) -> Response<Body> {
    let is_stream = wishes.events && (wishes.progress || !wishes.json);
    let first = tokio::select! {
        biased;
        completed = &mut running => {
            // A stream would hide the status of an error.
            return if is_stream && completed.status == StatusCode::OK {
                let completed = completed.into_events(queued_events(&mut messages));
                as_stream(completed.into_response_as(EVENT_STREAM))
            } else {
                completed.into_response()
            };
        }
        Some(message) = messages.recv(), if is_stream => Some(message),
        () = tokio::time::sleep(MAX_SILENCE), if wishes.events => None,
    };
    let mut response = Response::new(Body::stream(events(first, running, messages)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    as_stream(response)
}

fn as_stream(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

/// A response without a body.
pub(super) fn accepted() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// A sender and a receiver of messages about one request.
pub(super) fn message_channel() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
    /// A client that reads slower misses messages.
    const MAX_MESSAGES: usize = 16;
    mpsc::channel(MAX_MESSAGES)
}
