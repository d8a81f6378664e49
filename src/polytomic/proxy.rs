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

/// The variable that should name a proxy for requests to `base_url` and names none that the HTTP client understands, so that
/// requests are direct; none if that is what the variables say.
#[expect(clippy::disallowed_methods, reason = "the variables of the HTTP client, by its rules")]
pub(crate) fn ignored_proxy_variable(base_url: &BaseUrl) -> Option<&'static str> {
    if base_url.is_loopback() || proxy_for(base_url).is_some() {
        return None;
    }
    let uri = base_url.to_string().parse().ok()?;
    let first = |names: &[&'static str]| {
        names.iter().find_map(|name| Some((*name, std::env::var(name).ok()?)))
    };
    let excluded = first(&["NO_PROXY", "no_proxy"]).map(|(_, hosts)| hosts).unwrap_or_default();
    let any = Matcher::builder().all("http://localhost").no(excluded).build();
    any.intercept(&uri)?;
    let of_scheme: &[&str] = match base_url.is_https() {
        true => &["HTTPS_PROXY", "https_proxy"],
        false => &["HTTP_PROXY", "http_proxy"],
    };
    let set = [first(of_scheme), first(&["ALL_PROXY", "all_proxy"])];
    set.into_iter().flatten().find(|(_, value)| !value.trim().is_empty()).map(|(name, _)| name)
}
