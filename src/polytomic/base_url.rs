//! The base URL of the API: an origin, and a path if the API is served below a prefix.
//!
//! Source: contract section 1 "Self-hosted": a missing scheme is added, trailing slashes are trimmed.

use std::net::IpAddr;

use url::{Host, Url};

use super::configuration_error::ConfigurationError;

/// The base URL of all operations, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    loopback: bool,
}

impl BaseUrl {
    /// Parses a base URL: `app.polytomic.com`, `https://host/prefix/`. Plain http is rejected unless the host
    /// is this machine or `allow_http` is set, since the API key would be sent unencrypted.
    ///
    /// # Errors
    /// [`ConfigurationError`] that says what is wrong with the URL.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, ConfigurationError> {
        let invalid = |reason: &str| {
            ConfigurationError::new(
                format!("The base URL is invalid: {reason}."),
                "Set POLYTOMIC_BASE_URL to the URL of the service, e.g. https://app.polytomic.com, or \
                 unset it to use the hosted service.",
            )
        };
        let text = text.trim();
        let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let mut url = Url::parse(&full).map_err(|error| invalid(&error.to_string()))?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(invalid("its scheme is neither https nor http")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it contains a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has a query or a fragment"));
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            None => return Err(invalid("it has no host")),
        };
        if !https && !loopback && !allow_http {
            return Err(ConfigurationError::new(
                "The base URL uses plain http to another machine: the API key would be sent \
                 unencrypted.",
                "Use https in POLYTOMIC_BASE_URL, or set POLYTOMIC_ALLOW_HTTP=1 if you trust the network.",
            ));
        }
        // Every path begins with /api, so a trailing /api is redundant.
        let prefix = url.path().trim_end_matches('/');
        let prefix = prefix.strip_suffix("/api").unwrap_or(prefix).trim_end_matches('/').to_owned();
        url.set_path(&prefix);
        Ok(Self { url, loopback })
    }

    /// The URL of a path, which begins with a slash and is percent-encoded.
    pub(super) fn with_path(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&[self.url.path().trim_end_matches('/'), path].concat());
        url
    }

    /// Host, without the brackets of an IPv6 address, and port.
    pub(crate) fn host_and_port(&self) -> (String, u16) {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        (host, self.url.port_or_known_default().unwrap_or(443))
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_completed_or_rejected_with_the_reason() {
        for (label, text, allow_http, expected) in [
            ("bare host", "app.polytomic.com", false, Ok("https://app.polytomic.com")),
            ("slashes", "https://p.example.com///", false, Ok("https://p.example.com")),
            ("with /api", "https://p.example.com/api/", false, Ok("https://p.example.com")),
            ("a host named api", "https://api/", false, Ok("https://api")),
            ("prefix", "https://p.example.com/poly/", false, Ok("https://p.example.com/poly")),
            ("port without scheme", "p.example.com:8443", false, Ok("https://p.example.com:8443")),
            ("loopback", "http://127.0.0.2:80", false, Ok("http://127.0.0.2")),
            ("loopback by name", "http://localhost:9000", false, Ok("http://localhost:9000")),
            ("loopback v6", "http://[::1]:9000", false, Ok("http://[::1]:9000")),
            ("allowed", "http://p.example.com", true, Ok("http://p.example.com")),
            ("plain http", "http://p.example.com", false, Err("unencrypted")),
            (
                "a host that only starts with localhost",
                "http://localhost.example.com",
                false,
                Err("unencrypted"),
            ),
            ("credentials", "https://a:b@p.example.com", false, Err("user name")),
            ("query", "https://p.example.com?a=1", false, Err("query")),
            ("scheme", "ftp://p.example.com", false, Err("scheme")),
            ("empty", "", false, Err("is invalid")),
            ("white space", "https://p example.com", false, Err("is invalid")),
        ] {
            let parsed = BaseUrl::parse(text, allow_http).map(|url| url.to_string());
            match (parsed, expected) {
                (Ok(parsed), Ok(expected)) => assert_eq!(parsed, expected, "{label}"),
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{label}: {error}");
                }
                (parsed, expected) => panic!("{label}: {parsed:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn a_path_is_added_as_it_is() {
        for base in
            ["https://p.example.com", "https://p.example.com:8443/poly/", "http://[::1]:9000"]
        {
            let base = BaseUrl::parse(base, false).unwrap();
            for path in ["/api/models", "/api/m%2F..%2Fb/%252e%C3%BC~-._", "/api/a%3Fb%23c"] {
                assert_eq!(base.with_path(path).as_str(), format!("{base}{path}"));
            }
        }
    }
}
