//! How a failed request went, in words that its errors share: how long it took, what may have been applied, what to do
//! next, what the body of a response says.

use reqwest::Method;

use super::error::ToolError;
use crate::polytomic::{ErrorBody, FailedRequest, Subject};

/// The time of all attempts, and how many there were if it was not one.
pub(super) fn time_spent(request: &FailedRequest) -> String {
    match request.attempts.count {
        0 | 1 => format!(" after {} s", seconds(request)),
        count => format!(" after {} s ({count} attempts)", seconds(request)),
    }
}

/// The same, and nothing after one attempt.
pub(super) fn time_of_retries(request: &FailedRequest) -> String {
    if request.attempts.count > 1 { time_spent(request) } else { String::new() }
}

/// The time of all attempts: `0.2`, `3`.
pub(super) fn seconds(request: &FailedRequest) -> f64 {
    let seconds = request.attempts.elapsed.as_secs_f64();
    if seconds < 0.95 { ((seconds * 10.0).round() / 10.0).max(0.1) } else { seconds.round() }
}

/// Whether a change may have been applied: an agent has to know before it calls again.
pub(super) fn outcome_clause(request: &FailedRequest) -> &'static str {
    if request.operation.writes { "; the change may have been applied" } else { "" }
}

/// Whether the request is about a sync, and not about a model.
pub(super) fn is_about_sync(request: &FailedRequest) -> bool {
    matches!(request.operation.subject, Subject::Sync(_) | Subject::SyncDefinition)
}

/// Whether the request is of an operation that was called by its name.
pub(super) fn is_described(request: &FailedRequest) -> bool {
    request.operation.subject == Subject::Described
}

pub(super) fn retry_hint(request: &FailedRequest) -> &'static str {
    if request.operation.writes && is_described(request) {
        return match request.method {
            Method::POST => {
                "Call again with the same arguments within 10 minutes: the same idempotency key is sent, so \
                 nothing is done twice."
            }
            _ => {
                "Find out whether the change was applied, with an operation that reads it, before you call again."
            }
        };
    }
    if request.operation.writes && is_about_sync(request) {
        return match request.method {
            Method::POST => {
                "Call again with the same arguments within 10 minutes: the same idempotency key is sent, so \
                 nothing is done twice. list_model_syncs and list_model_sync_executions show what exists."
            }
            _ => {
                "Find out whether the change was applied before you call again. Call get_model_sync to see it."
            }
        };
    }
    if !request.operation.writes {
        "Call again; if it fails again, check the status of the service."
    } else if request.method == Method::POST {
        "Call again with the same arguments within 10 minutes: the same idempotency key is sent, so \
         nothing is created twice. list_models shows what exists."
    } else {
        "Find out whether the change was applied before you call again. Call get_model to see it."
    }
}

/// Adds to a message how long the attempts took, and whether a change may have been applied.
pub(super) fn with_course(
    mut error: ToolError,
    request: &FailedRequest,
    is_unknown: bool,
) -> ToolError {
    let clause = if is_unknown { outcome_clause(request) } else { "" };
    let message = error.message.trim_end_matches('.');
    error.message = format!("{message}{}{clause}.", time_of_retries(request));
    error
}

/// What to do about a page in place of a response of the API.
pub(super) fn page_hint(body: &ErrorBody) -> String {
    let read = if body.text.is_some() { " Read details.body." } else { "" };
    format!(
        "The response is not the Polytomic API's but a page of something in between, such as a proxy, a firewall or \
         a sign-in page.{read} Check the proxy variables HTTPS_PROXY and NO_PROXY, and that POLYTOMIC_BASE_URL \
         points to the Polytomic API."
    )
}

/// Adds what a body says.
pub(super) fn with_body(error: ToolError, body: ErrorBody) -> ToolError {
    error
        .with_detail("message", body.message)
        .with_detail("key", body.key)
        .with_detail("metadata", body.metadata)
        .with_detail("body", body.text)
        .with_detail("content_type", body.content_type)
        .with_detail("location", body.location)
}
