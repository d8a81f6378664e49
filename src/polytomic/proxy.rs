//! The proxy that requests to the API take, by the same rules as the HTTP client's.

use hyper_util::client::proxy::matcher::Matcher;

use super::base_url::BaseUrl;

/// Host and port of the proxy for requests to `base_url`; none if they are direct.
pub(crate) fn proxy_for(base_url: &BaseUrl) -> Option<(String, u16)> {
    if base_url.is_loopback() {
        return None;
    }
    let uri = base_url.to_string().parse().ok()?;
    let proxy = Matcher::from_env().intercept(&uri)?;
    let uri = proxy.uri();
    let default_port = match uri.scheme_str() {
        Some("https") => 443,
        Some("socks5" | "socks5h" | "socks4" | "socks4a") => 1080,
        _ => 80,
    };
    Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(default_port)))
}
