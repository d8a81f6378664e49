//! Who may call over HTTP.
//!
//! A web page can send requests to this machine: its Origin reveals it, and the Host reveals a rebound name.

use std::net::SocketAddr;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use hyper::{Request, StatusCode};

/// The status and the text of a response to a request that is not permitted.
pub(super) type Rejection = (StatusCode, &'static str);

/// Permits requests by their headers.
pub(super) struct Guard {
    /// Where the server listens.
    pub(super) address: SocketAddr,
    /// What every request has to send, if there is one.
    pub(super) token: Option<String>,
}

impl Guard {
    /// Whether the request is for this server, and not from a page of another one.
    pub(super) fn check_source<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let headers = request.headers();
        let is_duplicate = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
        if [HOST, ORIGIN, AUTHORIZATION, CONTENT_TYPE].iter().any(is_duplicate) {
            return Err((
                StatusCode::BAD_REQUEST,
                "Send each of Host, Origin, Authorization and Content-Type only once.",
            ));
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        // HTTP/2 sends the host as part of the URI.
        let authority = request.uri().authority().map(ToString::to_string);
        let host = text(HOST).or(authority.as_deref()).unwrap_or_default();
        if self.address.ip().is_loopback() && !self.names_this_machine(host) {
            return Err((StatusCode::FORBIDDEN, "The Host header does not name this machine."));
        }
        if let Some(origin) = text(ORIGIN)
            && !origin.eq_ignore_ascii_case(&format!("http://{host}"))
        {
            return Err((
                StatusCode::FORBIDDEN,
                "Pages from other origins may not call this server.",
            ));
        }
        Ok(())
    }

    /// Whether the request has the token, if one is required.
    pub(super) fn check_token<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let Some(token) = &self.token else { return Ok(()) };
        let header = request.headers().get(AUTHORIZATION);
        let header = header.and_then(|header| header.to_str().ok()).unwrap_or_default();
        let bearer =
            header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let bearer = bearer.map(|(_, token)| token.trim()).unwrap_or_default();
        if equal_in_constant_time(bearer.as_bytes(), token.as_bytes()) {
            Ok(())
        } else {
            Err((StatusCode::UNAUTHORIZED, "Send the configured token as Authorization: Bearer."))
        }
    }

    fn names_this_machine(&self, host: &str) -> bool {
        let port = self.address.port();
        let address = self.address.to_string();
        let names = [address, format!("localhost:{port}"), format!("127.0.0.1:{port}")];
        names.iter().any(|name| {
            // Clients omit the default port of http.
            let bare = name.strip_suffix(":80").filter(|_| port == 80);
            host.eq_ignore_ascii_case(name)
                || bare.is_some_and(|bare| host.eq_ignore_ascii_case(bare))
        })
    }
}

/// Compares in constant time, so that the duration reveals nothing about the token.
fn equal_in_constant_time(actual: &[u8], expected: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    actual.ct_eq(expected).into()
}
