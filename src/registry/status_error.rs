//! Maps HTTP statuses to errors. A hint is what to read, check or correct, followed by how to call again; both are decided
//! apart and joined at the end.
//!
//! Source: contract section 1.4.

use std::time::Duration;

use reqwest::Method;

use super::error::{ErrorCode, Outcome, ToolError};
use super::request_course::{
    is_about_sync, is_described, page_hint, retry_hint, with_body, with_course,
};
use crate::polytomic::{ErrorBody, FailedRequest, KeyDefect, Subject};

/// The error of an HTTP status.
pub(super) fn status_error(
    request: &FailedRequest,
    status: u16,
    body: &ErrorBody,
    has_request_id: bool,
    retry_after: Option<Duration>,
    outcome: Outcome,
) -> ToolError {
    let (name, url) = (request.operation.name, &request.base_url);
    let is_unknown = outcome == Outcome::Unknown;
    let is_create = request.method == Method::POST && request.operation.writes;
    // A body that contradicts its status leaves the outcome unknown, whatever the error.
    let contradicts = body.success_status.is_some();
    let has_own_step = !contradicts && (status == 408 || (status == 409 && is_create));
    let is_undecided = is_unknown && request.operation.writes && !has_own_step;
    let read = if body.message.is_some() { "Read details.message. " } else { "" };
    // The hint is what to read, check or correct; how to call again is added below.
    let error = match status {
        400 if advises_async(request, body) => ToolError::new(
            ErrorCode::Timeout,
            format!("The API did not finish {name} in time (400)."),
            "Call again with `async` true, and a sufficient `wait_seconds`.",
        ),
        400 | 422 => ToolError::new(
            ErrorCode::InvalidArgument,
            format!("The API rejected the arguments ({status})."),
            format!("{read}Correct the arguments and call again."),
        ),
        401 => ToolError::new(
            ErrorCode::Unauthorized,
            "The API rejected the key (401).",
            key_hint(request),
        ),
        403 => ToolError::new(
            ErrorCode::Forbidden,
            format!("The key lacks the permission for {name} (403)."),
            "Use a key with the permission, or ask an administrator of the organization for it.",
        ),
        404 => not_found(request, read),
        407 => ToolError::new(
            ErrorCode::UpstreamError,
            format!("A proxy in front of {url} demands that its users sign in (407)."),
            "Set HTTPS_PROXY to the URL of the proxy with user name and password, or add the host to NO_PROXY \
             if it can be reached without the proxy.",
        ),
        409 if request.operation.has_conflicts && body.is_api_error && is_described(request) => {
            ToolError::new(
                ErrorCode::Conflict,
                format!(
                    "The API refused {name}, since the state of its object does not allow it (409)."
                ),
                format!(
                    "{read}Read the state with the operation that gets it before you call again."
                ),
            )
        }
        409 if request.operation.has_conflicts && body.is_api_error => ToolError::new(
            ErrorCode::Conflict,
            format!("The API refused {name}, since the state of the sync does not allow it (409)."),
            "Read details.message. list_model_sync_executions shows whether an execution runs.",
        ),
        409 if is_create => ToolError::new(
            ErrorCode::Conflict,
            format!("The first request of this {name} is still running (409)."),
            "Call again with the same arguments in a minute: the same idempotency key is sent.",
        )
        .retryable(),
        409 => ToolError::new(
            ErrorCode::Conflict,
            "The API reports a conflict (409).",
            match is_about_sync(request) {
                true => {
                    "Call get_model_sync or list_model_sync_executions for the current state, then call again."
                }
                false if is_described(request) => "Read the current state, then call again.",
                false => "Call get_model or list_models for the current state, then call again.",
            },
        ),
        408 => ToolError::new(
            ErrorCode::Timeout,
            format!("The API did not finish {name} in time (408)."),
            if !request.operation.supports_async {
                ""
            } else if request.method != Method::POST && request.operation.writes {
                "Call get_model to see whether the change was applied; if not, call again with `async` true."
            } else if request.operation.writes && request.attempts.replayed {
                // The key is given up: with it the API would return this error again.
                "A further call needs a new idempotency key and might create a second one. Call list_models first; if \
                 it is not there, call again with `async` true."
            } else if request.operation.writes {
                "Call again with `async` true and otherwise the same arguments within 10 minutes: the same \
                 idempotency key is sent, so nothing is created twice."
            } else {
                "Call again with `async` true, and a sufficient `wait_seconds`."
            },
        ),
        429 => ToolError::new(ErrorCode::RateLimited, "Rate limit exceeded (429).", {
            let time = retry_after.map(|delay| format!("{} s", delay.as_secs()));
            let time = time.unwrap_or_else(|| "a minute".to_owned());
            let then = if is_undecided { "" } else { ", then call again" };
            format!("Wait {time}{then}.")
        }),
        501 => ToolError::new(
            ErrorCode::UpstreamError,
            format!("{url} does not implement {name} (501)."),
            "Do without it. The sandbox implements only a part of the API.",
        ),
        502..=504 => ToolError::new(
            ErrorCode::UpstreamUnavailable,
            format!("{url} is unavailable ({status})."),
            "",
        ),
        300..=399 => ToolError::new(
            ErrorCode::UpstreamError,
            format!("{url} responded to {name} with a redirect ({status}), which is not followed."),
            "Set POLYTOMIC_BASE_URL to the final URL of the API.",
        ),
        200..=299 => ToolError::new(
            ErrorCode::UpstreamError,
            format!("{url} responded to {name} with an error, although its status is {status}."),
            format!("{read}If it fails again, report it to Polytomic's support."),
        ),
        _ => ToolError::new(
            ErrorCode::UpstreamError,
            match body.success_status {
                Some(actual) => format!(
                    "{url} responded to {name} with the error {status}, although its HTTP status is {actual}."
                ),
                None => format!("{url} failed at {name} with HTTP status {status}."),
            },
            if is_undecided {
                String::new()
            } else {
                let what = if has_request_id { "send the request id" } else { "report it" };
                format!("{read}If it fails again, {what} to Polytomic's support.")
            },
        ),
    };
    // Neither is a refusal of the API or its failure.
    let is_page = body.is_page && !matches!(status, 300..=399 | 407);
    let error = if is_page { of_page(error, request, status, body) } else { error };
    let mut error = with_course(error, request, is_unknown);
    let retry = retry_hint(request);
    let next = match status {
        _ if is_undecided => retry,
        _ if is_page && is_unknown && request.operation.writes => retry,
        408 | 429 | 500.. if is_page => "Call again in a minute.",
        _ if is_page => "",
        408 if !request.operation.supports_async => retry,
        502..=504 if is_unknown => retry,
        502..=504 => "Call again in a minute; if it fails again, check the status of the service.",
        _ => "",
    };
    let cause = error.hint;
    error.hint = match status {
        400 | 404 | 422 if is_undecided && !is_page && contradicts && is_create => {
            let exists = match is_about_sync(request) {
                true => {
                    "It may have been done all the same. list_model_syncs and list_model_sync_executions show it."
                }
                false if is_described(request) => {
                    "It may have been done all the same: read the state before you call again."
                }
                false => "The model may exist all the same. list_models shows whether it does.",
            };
            format!("{cause} {exists}")
        }
        // What the response rejects may have been accepted before.
        400 | 404 | 422 if is_undecided && !is_page => format!("{next} If it fails again: {cause}"),
        _ => format!("{cause} {next}").trim().to_owned(),
    };
    with_body(error, body.clone())
}

/// Whether the API rejected a call that takes too long to wait for: for that it documents no status of its own.
fn advises_async(request: &FailedRequest, body: &ErrorBody) -> bool {
    let mut words =
        body.message.iter().flat_map(|message| message.split(|c: char| !c.is_alphanumeric()));
    request.operation.supports_async && words.any(|word| word.eq_ignore_ascii_case("async"))
}

/// The error of a status that came with a page.
fn of_page(error: ToolError, request: &FailedRequest, status: u16, body: &ErrorBody) -> ToolError {
    let code = match error.code {
        ErrorCode::Timeout | ErrorCode::RateLimited | ErrorCode::UpstreamUnavailable => error.code,
        // Not the API has refused.
        _ => ErrorCode::UpstreamError,
    };
    let (url, name) = (&request.base_url, request.operation.name);
    let message = format!(
        "Something in front of {url} responded to {name} with a page and HTTP status {status}."
    );
    ToolError { code, message, hint: page_hint(body), ..error }
}

/// What to check of a key that the API rejected.
fn key_hint(request: &FailedRequest) -> String {
    let source = &request.key_source;
    let defect = match request.key_defect {
        Some(KeyDefect::BearerPrefix) => {
            "begins with \"Bearer \", which the server adds itself: set it to the key alone."
        }
        Some(KeyDefect::Quotes) => {
            "stands in quotes, which are sent as a part of the key: remove them."
        }
        Some(KeyDefect::Shortened) => {
            "contains an ellipsis or stars, as a key that is shown only in part: copy the complete key."
        }
        Some(KeyDefect::Invisible) => {
            "contains a character that cannot be seen, such as a zero-width space: type the key, or copy it from \
             another place."
        }
        Some(KeyDefect::Blank) => {
            "contains a blank: copy the key again, without it and what does not belong to the key."
        }
        _ => "",
    };
    let defect = match defect {
        "" => format!("Check {source}."),
        defect => format!("{} {defect}", capitalized(source)),
    };
    let organization = request.organization_source.as_deref().map_or_else(String::new, |source| {
        format!(
            " {} is set as well, and the key is sent together with it: check that the key belongs to that organization, \
             or unset it.",
            capitalized(source)
        )
    });
    format!("{defect}{organization}")
}

/// A noun at the beginning of a sentence.
fn capitalized(noun: &str) -> String {
    match noun.strip_prefix('t') {
        Some(rest) => format!("T{rest}"),
        None => noun.to_owned(),
    }
}

fn not_found(request: &FailedRequest, read: &str) -> ToolError {
    let (message, hint) = match request.operation.subject {
        Subject::Model(id) => (
            format!("No model {id} is visible to this key."),
            "Call list_models for the ids it can use.",
        ),
        Subject::Connection(id) => (
            format!("No connection {id} is visible to this key."),
            "Call list_connections for the ids it can use.",
        ),
        Subject::Job(id) => (
            format!("No job {id} of this type exists."),
            "Pass job_id and type exactly as returned by the call that started the job.",
        ),
        Subject::Enrichment(id) => (
            format!("No connection {id} that can enrich records is visible to this key."),
            "Call list_connections for the ids it can use. list_connection_types with `source_only` \
             false shows which types can enrich.",
        ),
        Subject::ConnectionType => (
            "No connection type has this id.".to_owned(),
            "Call list_connection_types with `source_only` false for the ids of all types.",
        ),
        Subject::Sync(id) => (
            format!("No model sync {id} is visible to this key."),
            "Call list_model_syncs for the ids it can use.",
        ),
        Subject::Execution(id) => (
            format!("Either the sync or its execution {id} is not visible to this key."),
            "Call list_model_syncs for the syncs, and list_model_sync_executions for the executions of one.",
        ),
        Subject::Target(id) => (
            format!("Connection {id} is not visible to this key, or has no such object."),
            "Call get_target_objects for the objects of a connection, list_connections for the connections.",
        ),
        Subject::SyncDefinition => {
            return ToolError::new(
                ErrorCode::NotFound,
                "One of the ids in the arguments is unknown to the API.",
                format!(
                    "{read}Call list_model_syncs, list_models and list_connections for the ids that this key can use."
                ),
            );
        }
        Subject::Described => {
            return ToolError::new(
                ErrorCode::NotFound,
                format!("{} found nothing that this key can see (404).", request.operation.name),
                format!(
                    "{read}Correct the ids in `path` and `body`. Call find_operations for the operation that lists them."
                ),
            );
        }
        Subject::Definition => {
            return ToolError::new(
                ErrorCode::NotFound,
                "One of the ids in the arguments is unknown to the API.",
                format!("{read}Call list_connections for the connections this key can use."),
            );
        }
        _ => (
            format!("{} does not support {} (404).", request.base_url, request.operation.name),
            "Check that POLYTOMIC_BASE_URL points to the Polytomic API.",
        ),
    };
    ToolError::new(ErrorCode::NotFound, message, hint)
}
