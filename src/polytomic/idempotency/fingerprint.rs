//! What makes a call the repetition of another one: an equal request to the same service within ten minutes.

use std::time::Duration;

use serde_json::Value;

use crate::polytomic::exact_numbers::mark;
use crate::polytomic::request::Request;
use crate::polytomic::sha256::{Sha256, sha256, to_hex};

/// How long an equal call gets the key of a call whose outcome is unknown.
pub(super) const REUSE_WINDOW: Duration = Duration::from_secs(600);

/// Identifies a request of one service and credential. Properties of the body are sorted. The query is left out, since
/// a repeated call with `async` means the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// `service` separates services and credentials that share a storage.
    pub(super) fn of(request: &Request, service: &str) -> Self {
        let body = request.body.as_deref().unwrap_or_default();
        let body = String::from_utf8_lossy(body);
        let body = match serde_json::from_str::<Value>(&mark(&body)) {
            Ok(mut value) => {
                value.sort_all_objects();
                value.to_string()
            }
            // Nested too deeply to be read.
            Err(_) => body.into_owned(),
        };
        let text = format!("{service}\n{} {}\n{body}", request.method, request.path);
        Self(sha256(text.as_bytes()))
    }

    /// Identifies the service itself.
    pub(super) fn of_service(service: &str) -> Self {
        Self(sha256(service.as_bytes()))
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self(sha256(b"example"))
    }

    pub(super) fn to_hex(self) -> String {
        to_hex(self.0)
    }
}

/// A name for a service and a credential from which the credential cannot be read.
pub(super) fn service_name(base_url: &str, secret: &str) -> String {
    to_hex(sha256(format!("{base_url}\n{secret}").as_bytes()))
}
