//! The address under which a client knows the sandbox, for links to its own pages.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use url::Url;

use crate::sandbox::http::error::ApiError;

/// Extracts the address from the Host header; without a slash at its end.
#[derive(Debug)]
pub(in crate::sandbox) struct BaseUrl(String);

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for BaseUrl {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let url = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
        let url = url.filter(|url| url.path() == "/" && url.username().is_empty());
        let url = url.ok_or_else(|| ApiError::invalid("Host: expected a host, with its port."))?;
        Ok(Self(url.origin().ascii_serialization()))
    }
}
