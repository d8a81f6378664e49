//! The body of a response: bytes that are ready, or a stream of them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use hyper::body::{Frame, SizeHint};

use super::budget::Reservation;
use super::connection::InFlight;

/// Bytes are passed on in pieces of this length: HTTP/2 takes a piece out of the budget once it has it.
const MAX_FRAME_BYTES: usize = 64 << 10;

/// The body of a response.
pub(crate) struct Body {
    content: Content,
    /// What it uses of the budget.
    reservation: Option<Reservation>,
    /// Until it is sent, its connection is in use.
    in_flight: Option<InFlight>,
}

enum Content {
    Bytes(Bytes),
    Stream(BoxStream<'static, Bytes>),
}

impl Body {
    /// Pieces that are sent as they become ready. It is polled as long as the client reads, and dropped with its connection.
    pub(crate) fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let content = Content::Stream(Box::pin(pieces));
        Self { content, reservation: None, in_flight: None }
    }

    /// The same body, counted until it is sent.
    pub(crate) fn counted(self, reservation: Reservation) -> Self {
        let reservation = match &self.content {
            Content::Bytes(bytes) => reservation.of_response(bytes.len()),
            Content::Stream(_) => reservation,
        };
        Self { reservation: Some(reservation), ..self }
    }

    pub(super) fn keeping(self, in_flight: InFlight) -> Self {
        Self { in_flight: Some(in_flight), ..self }
    }

    fn end(&mut self) {
        self.content = Content::Bytes(Bytes::new());
        self.reservation = None;
        self.in_flight = None;
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self { content: Content::Bytes(bytes.into()), reservation: None, in_flight: None }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Bytes(bytes) if bytes.is_empty() => None,
            Content::Bytes(bytes) => Some(bytes.split_to(bytes.len().min(MAX_FRAME_BYTES))),
            Content::Stream(stream) => std::task::ready!(stream.as_mut().poll_next(cx)),
        };
        if piece.is_none() {
            self.end();
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Bytes(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}
