//! Requests that are refused below the protocol of a service: a status and a sentence for a person.

use bytes::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};

use super::body::Body;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    /// A sentence for a person.
    pub(crate) message: String,
    header: Option<(HeaderName, HeaderValue)>,
    /// Whether the connection has to end, since the rest of the request is not read.
    closes: bool,
}

impl Rejection {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), header: None, closes: false }
    }

    /// 405 with the methods that are allowed.
    pub(crate) fn method(allowed: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
            .with_header(ALLOW, HeaderValue::from_static(allowed))
    }

    /// 401 with a challenge.
    pub(crate) fn unauthorized(challenge: HeaderValue, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// A status for a server that is too busy: the client may send the request again.
    pub(crate) fn busy(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, message).with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The same for a request whose body is not read to its end.
    pub(crate) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// The response, with the sentence as text.
    pub(crate) fn into_response(self) -> Response<Body> {
        let text = Bytes::from(format!("{}\n", self.message));
        self.into_response_with("text/plain; charset=utf-8", text)
    }

    /// The response with another body.
    pub(crate) fn into_response_with(
        self,
        media_type: &'static str,
        body: Bytes,
    ) -> Response<Body> {
        tracing::debug!(status = self.status.as_u16(), reason = self.message, "request refused");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.extend(self.header);
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
