//! Reads the body of a request: within a length, a time, and the budget of its caller.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Request, StatusCode};
use tokio::time::{Sleep, sleep};

use super::auth::Caller;
use super::budget::{Exceeded, Reservation};
use super::connection::{Connection, Waiting};
use super::rejection::Rejection;

/// A client that stops in the middle of a body would otherwise hold its connection forever.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The body of a request, which ends with an error if it takes too long. While it is read, its connection waits for the client.
pub(crate) struct RequestBody {
    incoming: Incoming,
    deadline: Pin<Box<Sleep>>,
    waiting: Option<Waiting>,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, connection: &Arc<Connection>) -> Self {
        let waiting = (!incoming.is_end_stream()).then(|| connection.waiting());
        Self { incoming, deadline: Box::pin(sleep(MAX_TIME)), waiting }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame.map(|frame| frame.map_err(|_| BodyError::Incomplete)),
            Poll::Pending => match self.deadline.as_mut().poll(cx) {
                Poll::Ready(()) => Some(Err(BodyError::Slow)),
                Poll::Pending => return Poll::Pending,
            },
        };
        if !matches!(frame, Some(Ok(_))) || self.incoming.is_end_stream() {
            self.waiting = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The client has gone.
    #[error("The body is incomplete.")]
    Incomplete,
    /// It took too long.
    #[error("The body took longer than {} seconds.", MAX_TIME.as_secs())]
    Slow,
}

/// A body that was read, counted until it is dropped.
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    _reservation: Reservation,
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// A [`Rejection`] for a body that is too long, too slow or incomplete, and while the caller has too many.
pub(crate) async fn read_body(
    request: Request<Incoming>,
    caller: &Caller,
    limit: usize,
) -> Result<Payload, Rejection> {
    let too_long = || {
        let message = format!(
            "The body has more than {limit} bytes, which is the limit (POLYTOMIC_MAX_LINE_BYTES)."
        );
        Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, message).closing()
    };
    let mut body = RequestBody::new(request.into_body(), &caller.connection);
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    let mut reservation = caller.reservation();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let status = match error {
                BodyError::Incomplete => StatusCode::BAD_REQUEST,
                BodyError::Slow => StatusCode::REQUEST_TIMEOUT,
            };
            Rejection::new(status, error.to_string()).closing()
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limit {
            return Err(too_long());
        }
        if let Err(exceeded) = reservation.grow(length) {
            return Err(busy(exceeded).closing());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Payload { bytes: bytes.freeze(), _reservation: reservation })
}

fn busy(exceeded: Exceeded) -> Rejection {
    match exceeded {
        Exceeded::Caller => Rejection::busy(
            StatusCode::TOO_MANY_REQUESTS,
            "Your requests and their responses take too much memory; wait for responses before you send more.",
        ),
        Exceeded::Total => Rejection::busy(
            StatusCode::SERVICE_UNAVAILABLE,
            "The server has too many large requests; try again in a moment.",
        ),
    }
}
