//! Reads the body of a request: within a length, a time, and the budget of its caller.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::{Request, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::auth::Caller;
use super::budget::{Exceeded, Reservation};
use super::rejection::Rejection;

/// A client that stops in the middle of a body would otherwise hold its connection forever.
const MAX_TIME: Duration = Duration::from_secs(30);

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
    let mut body = request.into_body();
    let too_long = || {
        let message = format!(
            "The body has more than {limit} bytes, which is the limit (POLYTOMIC_MAX_LINE_BYTES)."
        );
        Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, message).closing()
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    let mut reservation = caller.budget.reservation(caller.peer_name());
    let (mut bytes, until) = (BytesMut::new(), Instant::now() + MAX_TIME);
    let _waiting = caller.connection.waiting();
    loop {
        let frame = match timeout_at(until, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => {
                let message = "The body is incomplete.";
                return Err(Rejection::new(StatusCode::BAD_REQUEST, message).closing());
            }
            Err(_) => {
                let message = format!("The body took longer than {} seconds.", MAX_TIME.as_secs());
                return Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, message).closing());
            }
        };
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
