//! Refuses requests that a web page of another server makes, and serves the pages that may.
//!
//! A page can send requests to this machine and to machines of its network: its Origin reveals it, and the Host reveals a
//! name that was rebound to the address.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use hyper::http::uri::Authority;
use hyper::{Method, Request, StatusCode};
use url::Url;

use super::rejection::Rejection;

/// Headers that pages may send.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id, \
     x-polytomic-api-key, x-polytomic-organization-id",
);
/// Headers that pages may read.
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("mcp-session-id, retry-after, www-authenticate");

/// Maximum length of a Host in a message.
const MAX_QUOTED_CHARS: usize = 100;

/// Decides by their headers which requests are refused.
pub(crate) struct Guard {
    /// Where the server listens.
    address: SocketAddr,
    is_secure: bool,
    /// Whether a request may have any Host: it has to show a token, which a rebound page does not have.
    accepts_any_name: bool,
    /// Host of the public URL. Proxies differ in whether they pass on its port.
    public_host: Option<String>,
    /// Origins of pages that may call.
    origins: Vec<String>,
}

impl Guard {
    /// For a server on an address. `has_token`: whether every request has to show a token. `public_url`: the URL that callers
    /// use. `allowed_origins`: pages that may call, beside those of this server.
    pub(crate) fn new(
        (address, is_secure): (SocketAddr, bool),
        has_token: bool,
        public_url: Option<&Url>,
        mut allowed_origins: Vec<String>,
    ) -> Self {
        let public_host = public_url.and_then(|url| url.host_str()).map(str::to_owned);
        allowed_origins.extend(public_url.map(|url| url.origin().ascii_serialization()));
        let accepts_any_name = has_token && !address.ip().is_loopback();
        Self { address, is_secure, accepts_any_name, public_host, origins: allowed_origins }
    }

    /// Checks that a request is for this server, and not from a page of another one.
    ///
    /// # Errors
    /// A [`Rejection`].
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let headers = request.headers();
        let is_duplicate = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
        if [HOST, ORIGIN, AUTHORIZATION, CONTENT_TYPE].iter().any(is_duplicate) {
            return Err(Rejection::new(
                StatusCode::BAD_REQUEST,
                "Send each of Host, Origin, Authorization and Content-Type only once.",
            ));
        }
        // A target can name a host as well, and HTTP/2 has nothing else.
        let host = headers.get(HOST).map(|value| value.to_str().unwrap_or_default());
        let authority = request.uri().authority().map(Authority::as_str);
        for name in [host, authority].into_iter().flatten() {
            if !self.is_named(name) {
                return Err(Rejection::new(StatusCode::FORBIDDEN, self.expected_names(name)));
            }
        }
        let Some(name) = host.or(authority) else {
            return Err(Rejection::new(StatusCode::BAD_REQUEST, "The Host header is missing."));
        };
        if let Some(origin) = headers.get(ORIGIN)
            && !self.allows_origin(origin, name)
        {
            return Err(Rejection::new(
                StatusCode::FORBIDDEN,
                "Pages from other origins may not call this server; --allow-origin allows one.",
            ));
        }
        Ok(())
    }

    fn allows_origin(&self, origin: &HeaderValue, host: &str) -> bool {
        let origin = origin.to_str().unwrap_or_default();
        let scheme = if self.is_secure { "https" } else { "http" };
        origin.eq_ignore_ascii_case(&format!("{scheme}://{host}")) || self.allows_page(origin)
    }

    fn allows_page(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    fn is_named(&self, name: &str) -> bool {
        if self.accepts_any_name {
            return true;
        }
        let Some((host, port)) = split_port(name, self.is_secure) else { return false };
        if self.public_host.as_ref().is_some_and(|public| public.eq_ignore_ascii_case(host)) {
            return true;
        }
        let is_localhost = host.eq_ignore_ascii_case("localhost");
        let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if self.address.ip().is_loopback() {
            let is_this = ip.is_some_and(|ip| ip.is_loopback());
            return (is_localhost || is_this) && port == self.address.port();
        }
        // No name can be rebound to an address that stands for itself.
        is_localhost || ip.is_some()
    }

    fn expected_names(&self, name: &str) -> String {
        let local_names = match self.address.ip().is_loopback() {
            true => format!("localhost:{0} or 127.0.0.1:{0}", self.address.port()),
            false => "an IP address or localhost".to_owned(),
        };
        let name: String = name.chars().take(MAX_QUOTED_CHARS).collect();
        match &self.public_host {
            Some(public) => format!(
                "The Host {name:?} does not name this server; expected {public}, the host of --public-url, or {local_names}."
            ),
            None => format!(
                "The Host {name:?} does not name this server; expected {local_names}. Behind a proxy, --public-url says how callers \
                 name it."
            ),
        }
    }

    /// The headers of the response to a request that asks whether a page may call; none for another request.
    pub(super) fn preflight<B>(
        &self,
        request: &Request<B>,
        allowed: &'static str,
    ) -> Option<HeaderMap> {
        let headers = request.headers();
        if request.method() != Method::OPTIONS
            || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        self.allowed_origin(headers)?;
        Some(HeaderMap::from_iter([
            (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allowed)),
            (ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
            (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
        ]))
    }

    /// The origin of the page that makes a request, if it is one that was allowed.
    pub(super) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        origin.to_str().is_ok_and(|origin| self.allows_page(origin)).then(|| origin.clone())
    }

    /// Lets the page of an origin read a response.
    pub(super) fn share_with(&self, origin: Option<HeaderValue>, response: &mut HeaderMap) {
        if !self.origins.is_empty() {
            response.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }
}

/// The host and the port of a name; clients leave out the default port.
fn split_port(name: &str, is_secure: bool) -> Option<(&str, u16)> {
    let default = if is_secure { 443 } else { 80 };
    match name.rsplit_once(':') {
        // The colons of an IPv6 address are within brackets.
        Some((host, port)) if !port.ends_with(']') => Some((host, port.parse().ok()?)),
        _ => Some((name, default)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str, has_token: bool, public_url: Option<&str>) -> Guard {
        let url = public_url.map(|url| Url::parse(url).unwrap());
        Guard::new((address.parse().unwrap(), false), has_token, url.as_ref(), Vec::new())
    }

    #[test]
    fn a_host_names_the_server() {
        let public = Some("https://mcp.example.com/mcp");
        for (address, has_token, public, name, expected) in [
            ("127.0.0.1:8080", true, None, "127.0.0.1:8080", true),
            ("127.0.0.1:8080", true, None, "LOCALHOST:8080", true),
            ("127.0.0.1:8080", true, None, "[::1]:8080", true),
            ("[::1]:8080", true, None, "localhost:8080", true),
            ("127.0.0.1:8080", true, None, "localhost", false),
            ("127.0.0.1:8080", true, None, "localhost:8081", false),
            ("127.0.0.1:80", true, None, "localhost", true),
            ("127.0.0.1:8080", true, None, "evil.example.com:8080", false),
            ("127.0.0.1:8080", true, None, "127.0.0.1.example.com:8080", false),
            ("127.0.0.1:8080", true, None, "10.0.0.1:8080", false),
            ("127.0.0.1:8080", true, None, "", false),
            ("127.0.0.1:8080", true, None, "localhost:x", false),
            ("127.0.0.1:8080", true, public, "mcp.example.com", true),
            ("127.0.0.1:8080", true, public, "mcp.example.com:443", true),
            ("127.0.0.1:8080", true, public, "mcp.example.com:8443", true),
            ("127.0.0.1:8080", true, public, "example.com", false),
            (
                "127.0.0.1:8080",
                true,
                Some("https://mcp.example.com:8443/mcp"),
                "mcp.example.com",
                true,
            ),
            ("127.0.0.1:8080", true, Some("https://[2001:db8::1]/mcp"), "[2001:db8::1]:443", true),
            ("0.0.0.0:8080", true, None, "any.example.com", true),
            ("0.0.0.0:8080", false, None, "any.example.com", false),
            ("0.0.0.0:8080", false, None, "192.168.1.5:8080", true),
            ("0.0.0.0:8080", false, None, "[fe80::1]:8080", true),
            ("0.0.0.0:8080", false, public, "mcp.example.com", true),
        ] {
            let guard = guard(address, has_token, public);
            assert_eq!(guard.is_named(name), expected, "{address} {has_token} {public:?} {name:?}");
        }
    }
}
