//! The address of a Redis server, and how it is shown: without user name and password.

use std::fmt;

use url::Url;

/// Stands for a user name and password.
const MASK: &str = "********";

/// The URL of a Redis server: `redis://`, or `rediss://` for TLS, with a host, and maybe a user name, a password, a port and
/// the number of a database.
#[derive(Clone, PartialEq, Eq)]
pub struct StateUrl(Url);

/// Why a text is no such URL. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidStateUrl(&'static str);

impl StateUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`InvalidStateUrl`].
    pub fn parse(text: &str) -> Result<Self, InvalidStateUrl> {
        let invalid = |reason| Err(InvalidStateUrl(reason));
        let Ok(url) = Url::parse(text.trim()) else { return invalid("a URL that cannot be read") };
        if !matches!(url.scheme(), "redis" | "rediss") {
            return invalid("a URL of another kind");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return invalid("a URL without a host");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return invalid("a URL with a query or a fragment");
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() && database.parse::<u32>().is_err() {
            return invalid("a URL with a path that is no number of a database");
        }
        Ok(Self(url))
    }

    /// Whether it has a user name or a password.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    pub(super) fn uses_tls(&self) -> bool {
        self.0.scheme() == "rediss"
    }

    pub(super) fn full(&self) -> Url {
        self.0.clone()
    }

    /// A text without the user name and the password, in whatever form it quotes them.
    pub(super) fn redact(&self, text: &str) -> String {
        let decode = |part: &str| {
            percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
        };
        let password = self.0.password().unwrap_or_default();
        let mut text = text.to_owned();
        for secret in [password.to_owned(), decode(password)] {
            if !secret.is_empty() {
                text = text.replace(&secret, MASK);
            }
        }
        text
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.0.scheme(), self.0.host_str().unwrap_or_default());
        let user = if self.has_credentials() { format!("{MASK}@") } else { String::new() };
        let port = self.0.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = self.0.path().trim_end_matches('/');
        write!(f, "{scheme}://{user}{host}{port}{path}")
    }
}

impl fmt::Debug for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateUrl({self})")
    }
}

/// The value of a setting that may be such a URL, as it may be shown.
pub(crate) fn masked(text: &str) -> String {
    match (text.contains("://"), StateUrl::parse(text)) {
        (false, _) => text.to_owned(),
        (true, Ok(url)) => url.to_string(),
        // Where its password is cannot be known.
        (true, Err(_)) => format!("{}://{MASK}", text.split("://").next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_password() {
        for (text, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1"),
            ("redis://127.0.0.1:6380/2", "redis://127.0.0.1:6380/2"),
            ("rediss://:s3cret@redis.example.com/", "rediss://********@redis.example.com"),
            ("redis://user:s%33cret@[::1]:1/0", "redis://********@[::1]:1/0"),
            ("redis://s3cret@", "redis://********"),
            ("redis://:s3cret@host/?x=s3cret", "redis://********"),
            ("http://:s3cret@host", "http://********"),
            ("/var/lib/state", "/var/lib/state"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
        let url = StateUrl::parse("redis://:s%33cret@host").unwrap();
        assert_eq!(url.redact("no s%33cret, no s3cret"), "no ********, no ********");
        assert!(!format!("{url:?}").contains("cret"));
    }

    #[test]
    fn an_invalid_url_is_refused_without_being_quoted() {
        for text in [
            "redis://",
            "redis://:s3cret@",
            "redis+unix:///run/redis.sock",
            "http://:s3cret@host",
            "redis://host/x",
            "redis://host/-1",
            "rediss://host/#insecure",
            "redis://host?protocol=resp2",
        ] {
            let error = StateUrl::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("a URL") && !error.contains("s3cret"), "{text}: {error}");
        }
    }
}
