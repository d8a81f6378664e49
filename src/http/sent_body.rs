//! Passes the body of a response on in small pieces, and notes whether the client takes them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::connection::{Connection, InFlight, Sending};

/// Length of a piece: HTTP/2 keeps one of each response that is not read.
const MAX_PIECE_BYTES: usize = 8 << 10;
/// Where there is one response at a time.
const MAX_ONLY_PIECE_BYTES: usize = 64 << 10;

/// A body whose connection is in use until it is sent.
pub(super) struct SentBody<B> {
    body: B,
    /// What has come of the body and is not taken yet.
    rest: Bytes,
    piece_bytes: usize,
    connection: Arc<Connection>,
    _in_flight: InFlight,
    /// While there is something to take.
    sending: Option<Sending>,
}

impl<B: Body<Data = Bytes>> SentBody<B> {
    /// `is_multiplexed`: whether other responses are sent at the same time.
    pub(super) fn new(
        body: B,
        is_multiplexed: bool,
        connection: Arc<Connection>,
        in_flight: InFlight,
    ) -> Self {
        let piece_bytes = if is_multiplexed { MAX_PIECE_BYTES } else { MAX_ONLY_PIECE_BYTES };
        let sending = (!body.is_end_stream()).then(|| connection.sending());
        Self { body, rest: Bytes::new(), piece_bytes, connection, _in_flight: in_flight, sending }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for SentBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                // Now the client waits for the body.
                Poll::Pending => {
                    self.sending = None;
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Poll::Ready(end) => {
                    self.sending = None;
                    return Poll::Ready(end);
                }
            }
        }
        if self.sending.is_none() {
            self.sending = Some(self.connection.sending());
        }
        self.connection.note_taken();
        let length = self.rest.len().min(self.piece_bytes);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
