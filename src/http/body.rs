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

/// Bytes that follow each other; some may be shared with other responses.
pub(crate) type Parts = [Bytes; 3];

enum Content {
    Parts(std::array::IntoIter<Bytes, 3>),
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
        Self::keeping([bytes, Bytes::new(), Bytes::new()], Some(reservation))
    }

    /// The same for bytes that are counted already.
    pub(crate) fn keeping(parts: Parts, reservation: Option<Reservation>) -> Self {
        Self { content: Content::Parts(parts.into_iter()), _reservation: reservation }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::keeping([bytes.into(), Bytes::new(), Bytes::new()], None)
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
            Content::Parts(parts) => parts.find(|part| !part.is_empty()),
            Content::Stream(stream) => std::task::ready!(stream.as_mut().poll_next(cx)),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Parts(parts) => parts.as_slice().iter().all(Bytes::is_empty),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Parts(parts) => {
                SizeHint::with_exact(parts.as_slice().iter().map(|part| part.len() as u64).sum())
            }
            Content::Stream(_) => SizeHint::default(),
        }
    }
}
