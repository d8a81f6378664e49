//! A request that runs as a task, and its response once it is ready.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use rmcp::model::{ErrorCode, ErrorData, RequestId};
use tokio::task::JoinHandle;

use super::headers::SESSION_ID;
use crate::http::{Body, Parts, Reservation};
use crate::mcp::response::{around_result, with_error_parts};

const EVENT: &[u8] = b"event: message\ndata: ";
const EVENT_END: &[u8] = b"\n\n";

/// A response that is ready.
pub(super) struct Completed {
    pub(super) status: StatusCode,
    pub(super) parts: Parts,
    /// The session id that begins with it.
    pub(super) session: Option<String>,
    /// What it uses of the budget.
    reservation: Option<Reservation>,
}

impl Completed {
    pub(super) fn new(status: StatusCode, bytes: Vec<u8>) -> Self {
        Self::of_parts(status, [bytes.into(), Bytes::new(), Bytes::new()])
    }

    /// A response with a result that is JSON already, and that other responses have as well.
    pub(super) fn shared(id: &RequestId, result: &Bytes) -> Self {
        let (head, end) = around_result(id);
        Self::of_parts(StatusCode::OK, [head.into(), result.clone(), Bytes::from_static(end)])
    }

    fn of_parts(status: StatusCode, parts: Parts) -> Self {
        Self { status, parts, session: None, reservation: None }
    }

    pub(super) fn error(id: &RequestId, error: &ErrorData, status: StatusCode) -> Self {
        let mut bytes = Vec::new();
        with_error_parts(id, error, |parts| bytes = parts.concat());
        Self::new(status, bytes)
    }

    /// The same, counted until it is sent.
    pub(super) fn counted(self, reservation: Reservation) -> Self {
        let length = self.parts.iter().map(Bytes::len).sum();
        let reservation = Some(reservation.of_response(length));
        Self { reservation, ..self }
    }

    /// A response with it as JSON.
    pub(super) fn into_response(self) -> Response<Body> {
        self.into_response_as("application/json")
    }

    /// A response of a media type.
    pub(super) fn into_response_as(self, media_type: &'static str) -> Response<Body> {
        let mut response = Response::new(Body::keeping(self.parts, self.reservation));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let session = self.session.and_then(|session| HeaderValue::try_from(session).ok());
        headers.extend(session.map(|session| (SESSION_ID, session)));
        response
    }

    /// The same response as an event, after those of `earlier` messages.
    pub(super) fn into_events(self, mut earlier: Vec<u8>) -> Self {
        let [first, second, third] = self.parts;
        earlier.extend_from_slice(EVENT);
        earlier.extend_from_slice(&first);
        let end = [&third, EVENT_END].concat();
        Self { parts: [earlier.into(), second, end.into()], ..self }
    }
}

/// A message as an event. It is compact JSON, so that it has no line breaks.
pub(super) fn event(message: &[u8]) -> Bytes {
    [EVENT, message, EVENT_END].concat().into()
}

/// The status of an error in the era without an initialize; before, every response to a request has 200.
pub(super) fn status_of(error: &ErrorData, lacks_metadata: bool) -> StatusCode {
    match error.code {
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        ErrorCode::INVALID_PARAMS if lacks_metadata => StatusCode::BAD_REQUEST,
        ErrorCode::HEADER_MISMATCH
        | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
        | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// A request that runs as a task.
pub(super) struct Running {
    task: JoinHandle<Completed>,
    id: RequestId,
    /// Whether the end of the connection ends the request.
    ends_with_connection: bool,
}

impl Running {
    pub(super) fn new(
        task: JoinHandle<Completed>,
        id: RequestId,
        ends_with_connection: bool,
    ) -> Self {
        Self { task, id, ends_with_connection }
    }
}

impl Future for Running {
    type Output = Completed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completed> {
        let completed = std::task::ready!(self.task.poll_unpin(cx));
        Poll::Ready(completed.unwrap_or_else(|error| {
            tracing::error!(%error, "request ended without a response");
            let error = ErrorData::internal_error("Internal error; see the log on stderr.", None);
            Completed::error(&self.id, &error, StatusCode::OK)
        }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ends_with_connection {
            self.task.abort();
        }
    }
}
