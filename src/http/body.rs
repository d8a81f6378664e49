//! The body of a response: bytes that are ready, or a stream of them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use hyper::body::{Frame, SizeHint};

use super::budget::Reservation;

/// The body of a response.
pub(crate) struct Body {
    content: Content,
    /// What it uses of the budget.
    _reservation: Option<Reservation>,
}

enum Content {
    Bytes(Bytes),
    Stream(BoxStream<'static, Bytes>),
}

impl Body {
    /// Pieces that are sent as they become ready. It is polled as long as the client reads, and dropped with its connection.
    pub(crate) fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self { content: Content::Stream(Box::pin(pieces)), _reservation: None }
    }

    /// Bytes that are counted until they are sent.
    pub(crate) fn counted(bytes: Bytes, reservation: Reservation) -> Self {
        let reservation = reservation.of_response(bytes.len());
        Self::keeping(bytes, Some(reservation))
    }

    /// The same for bytes that are counted already.
    pub(crate) fn keeping(bytes: Bytes, reservation: Option<Reservation>) -> Self {
        Self { content: Content::Bytes(bytes), _reservation: reservation }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self { content: Content::Bytes(bytes.into()), _reservation: None }
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
            Content::Bytes(bytes) => Some(std::mem::take(bytes)),
            Content::Stream(stream) => std::task::ready!(stream.as_mut().poll_next(cx)),
        };
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
