//! A request before it is sent: its operation, path, body and retry policy.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::Error;
use super::exact_numbers::{Reader, restore};
use super::failed_request::ApiOperation;

/// Everything but the unreserved characters (RFC 3986, section 2.3) is percent-encoded in a path segment.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One request before it is sent.
pub(super) struct Request {
    pub(super) operation: ApiOperation,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) retry: RetryPolicy,
}

impl Request {
    pub(super) fn get(operation: ApiOperation, path: String, query: Vec<(String, String)>) -> Self {
        let retry = RetryPolicy::ByMethod;
        Self { operation, method: Method::GET, path, query, body: None, retry }
    }

    /// A GET for one page of a list.
    pub(super) fn page(
        operation: ApiOperation,
        path: String,
        limit: Option<u32>,
        page_token: Option<&str>,
    ) -> Self {
        let limit = limit.map(|limit| ("limit".to_owned(), limit.to_string()));
        let token = page_token.map(|token| ("page_token".to_owned(), token.to_owned()));
        Self::get(operation, path, limit.into_iter().chain(token).collect())
    }

    pub(super) fn post(
        operation: ApiOperation,
        path: String,
        query: Vec<(String, String)>,
        body: &impl Serialize,
    ) -> Self {
        let json = json!(body).to_string();
        let body = Some(restore(&json, Reader::Api).into_owned().into_bytes());
        Self { method: Method::POST, body, ..Self::get(operation, path, query) }
    }

    pub(super) fn put(
        operation: ApiOperation,
        path: String,
        query: Vec<(String, String)>,
        body: &impl Serialize,
    ) -> Self {
        Self { method: Method::PUT, ..Self::post(operation, path, query, body) }
    }

    pub(super) fn delete(operation: ApiOperation, path: String) -> Self {
        Self { method: Method::DELETE, ..Self::get(operation, path, Vec::new()) }
    }
}

/// Which failures of a request are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// Those that are safe for its method.
    ByMethod,
    /// The same, except timeouts that running the operation as a job would avoid.
    UnlessSlow,
    /// None: the caller polls.
    Never,
}

/// Joins segments into a path.
pub(super) fn path(segments: &[&str]) -> Result<String, Error> {
    let mut path = String::new();
    for segment in segments {
        push_segment(&mut path, segment)?;
    }
    Ok(path)
}

/// The path of a template such as `/api/models/{id}`, with the values of its parameters.
pub(super) fn path_of_template(
    template: &str,
    values: &Map<String, Value>,
) -> Result<String, Error> {
    let mut path = String::new();
    for segment in template.split('/').skip(1) {
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => {
                let value = values.get(name).and_then(Value::as_str).unwrap_or_default();
                push_segment(&mut path, value)?;
            }
            None => path.extend(["/", segment]),
        }
    }
    Ok(path)
}

/// The only place where ids and names enter a URL: every byte but `A-Za-z0-9-._~` is percent-encoded, and segments that URL
/// parsers would fold away are rejected.
fn push_segment(path: &mut String, segment: &str) -> Result<(), Error> {
    if matches!(segment, "" | "." | "..") {
        return Err(Error::InvalidPathSegment { segment: segment.to_owned() });
    }
    path.push('/');
    path.extend(utf8_percent_encode(segment, ENCODED));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_segment_cannot_leave_its_position() {
        for (label, segment, expected) in [
            ("an id", "248df4b7-aa70", Some("/api/248df4b7-aa70")),
            ("slashes", "a/../b", Some("/api/a%2F..%2Fb")),
            ("query and fragment", "a?b#c", Some("/api/a%3Fb%23c")),
            ("percent", "%2e%2e", Some("/api/%252e%252e")),
            ("unicode", "ü", Some("/api/%C3%BC")),
            ("empty", "", None),
            ("current directory", ".", None),
            ("parent directory", "..", None),
        ] {
            assert_eq!(path(&["api", segment]).ok().as_deref(), expected, "{label}");
            let values = Map::from_iter([("id".to_owned(), json!(segment))]);
            let of_template = path_of_template("/api/{id}", &values);
            assert_eq!(of_template.ok().as_deref(), expected, "{label}");
        }
    }

    #[test]
    fn a_template_keeps_its_own_segments() {
        let path = path_of_template("/api/connections/connect/", &Map::new());
        assert_eq!(path.unwrap(), "/api/connections/connect/");
        assert!(path_of_template("/api/webhooks/{id}", &Map::new()).is_err());
    }
}
