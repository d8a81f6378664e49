//! Maps errors of the client to the errors that agents read. The only place where an HTTP status becomes an
//! error code.
//!
//! Source: contract section 1.4. No text from the API appears in `message` or `hint`, and no message claims more
//! than is known.

use std::fmt::Write;
use std::time::Duration;

use reqwest::Method;

use super::error::{ErrorCode, Outcome, ToolError};
use crate::polytomic::{
    EarlierResponse, Error, ErrorBody, FailedRequest, KeyDefect, Subject, error_chain,
};

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        let outcome = if error.outcome_is_unknown() {
            Outcome::Unknown
        } else if error.was_not_sent() {
            Outcome::NotSent
        } else {
            Outcome::Refused
        };
        let (http_status, retryable) = (error.http_status(), error.is_retryable());
        let attempts = error.request().map(|request| request.attempts).unwrap_or_default();
        let key = error.request().and_then(|request| request.idempotency_key.clone());
        let key = key.filter(|_| outcome == Outcome::Unknown && !attempts.replayed);
        let earlier = error.request().and_then(|request| request.earlier.clone());
        tracing::debug!(error = %error_chain(&error), "operation failed");
        let mut mapped = Self { outcome, http_status, ..map(error, outcome) };
        if let Some(EarlierResponse { status, body }) = earlier {
            let name = match *body {
                ErrorBody { message: Some(_), .. } => "message",
                ErrorBody { text: Some(_), .. } => "body",
                _ => "key",
            };
            mapped = with_body(mapped, *body).with_detail("earlier_status", Some(status));
            // Not the reason for the status that is reported.
            let _ = write!(
                mapped.hint,
                " details.{name} is of an earlier attempt, with HTTP status {status}."
            );
        }
        if attempts.count > 1 {
            mapped = mapped.with_detail("attempts", Some(attempts.count));
        }
        if attempts.budget_exhausted {
            mapped.message += " It was not retried because too many calls are failing.";
        }
        mapped.retryable |= retryable;
        mapped.with_detail("idempotency_key", key)
    }
}

/// Code, message, hint and details; the caller adds what follows from the attempts.
fn map(error: Error, outcome: Outcome) -> ToolError {
    match error {
        Error::Configuration(error) => {
            ToolError::new(ErrorCode::NotConfigured, error.message, error.hint)
        }
        Error::InvalidPathSegment { .. } => ToolError::invalid_argument(
            "",
            "An argument is empty or consists only of dots; expected an id or a name.",
        ),
        Error::InvalidRequest { request, source } => ToolError::new(
            ErrorCode::InvalidArgument,
            format!("The request for {} cannot be built.", request.operation.name),
            "Shorten the arguments: they must fit into a URL. Use preview_model for a long SQL query.",
        )
        .with_detail("cause", Some(error_chain(&source))),
        Error::Connection { .. } => connection_error(&error),
        Error::Timeout { request, sent, .. } => timeout(&request, sent),
        Error::Abandoned { request, .. } if outcome == Outcome::Unknown => ToolError::new(
            ErrorCode::Timeout,
            format!(
                "{} was not retried: no time was left{}.",
                request.operation.name,
                outcome_clause(&request)
            ),
            retry_hint(&request),
        ),
        Error::Abandoned { request, shutting_down: true } => ToolError::new(
            ErrorCode::Cancelled,
            format!("{} was not sent: the server is shutting down.", request.operation.name),
            "Call again if the result is still wanted.",
        ),
        Error::Abandoned { request, .. } => ToolError::new(
            ErrorCode::Timeout,
            format!("{} was not sent: too little time was left.", request.operation.name),
            "Call again.",
        ),
        Error::KeyReused { .. } => ToolError::invalid_argument(
            "idempotency_key",
            "idempotency_key: expected a new key, got one that was used with other arguments.",
        ),
        Error::Status { request, status, body, request_id, retry_after } => {
            status_error(&request, status, &body, request_id.is_some(), retry_after, outcome)
                .with_detail("request_id", request_id)
                .with_detail("request", Some(request.to_string()))
                .with_detail("retry_after_seconds", retry_after.map(|delay| delay.as_secs()))
        }
        Error::Decoding { request, reason, body, .. } => {
            let mut error = ToolError::new(
                ErrorCode::UpstreamError,
                format!(
                    "The response to {} from {} does not follow the Polytomic API.",
                    request.operation.name, request.base_url
                ),
                if body.is_page {
                    page_hint(&body)
                } else {
                    let message = if body.message.is_some() { " and details.message" } else { "" };
                    format!(
                        "Read details.reason{message}. Check that POLYTOMIC_BASE_URL points to the Polytomic API; if it \
                         does, report the reason to Polytomic's support."
                    )
                },
            );
            if request.operation.writes {
                error.hint = format!("{} {}", error.hint, retry_hint(&request));
            }
            let error = with_course(error, &request, true);
            with_body(error, *body).with_detail("reason", Some(reason))
        }
        Error::ResponseTooLarge { request, limit, .. } => {
            let name = request.operation.name;
            let hint = match name {
                _ if request.operation.writes => {
                    "Call list_models to see what was applied. The response is smaller if the model exposes fewer \
                     `fields`."
                }
                "list_models" | "list_model_syncs" => "Request less: a smaller `limit`.",
                "get_model" | "preview_model" | "sample_model" => {
                    "Let the model expose fewer `fields`: the response is smaller then."
                }
                _ => "Report it to Polytomic's support: nothing makes this response smaller.",
            };
            let message = format!("The response to {name} exceeds {limit} bytes.");
            let error = ToolError::new(ErrorCode::ResultTooLarge, message, hint);
            with_course(error, &request, true)
        }
        Error::JobFailed { kind, job_id, error, was_stopped } => ToolError::new(
            ErrorCode::JobFailed,
            match was_stopped {
                true => "The job was stopped before it was done; a part of its work may have been done.",
                false => "The job failed.",
            },
            match error {
                _ if was_stopped => {
                    "Call get_model or list_models to see what was changed before you call the tool again."
                }
                Some(_) => "Read details.error, correct the cause and call the tool again.",
                None => "The API does not report why. Check the arguments and call the tool again.",
            },
        )
        .with_detail("error", error)
        .with_detail("job_id", Some(job_id))
        .with_detail("type", Some(kind)),
    }
}

fn connection_error(error: &Error) -> ToolError {
    let Error::Connection { request, sent, source } = error else { return ToolError::internal() };
    let url = &request.base_url;
    let (message, hint) = if error.is_tls() {
        (
            format!("No trusted TLS connection to {url}."),
            "If a proxy with its own certificate authority is in between, set SSL_CERT_FILE to a file \
             with its certificate; if the service uses plain http, correct POLYTOMIC_BASE_URL.",
        )
    } else if *sent {
        let (spent, clause) = (time_of_retries(request), outcome_clause(request));
        (
            format!(
                "The connection to {url} broke before the response was complete{spent}{clause}."
            ),
            retry_hint(request),
        )
    } else {
        (
            format!("Cannot connect to {url}{}.", time_of_retries(request)),
            "Check the network, the proxy variables HTTPS_PROXY and NO_PROXY, and POLYTOMIC_BASE_URL, then \
             call again.",
        )
    };
    ToolError::new(ErrorCode::UpstreamUnavailable, message, hint)
        .with_detail("cause", Some(error_chain(source.as_ref())))
}

fn timeout(request: &FailedRequest, sent: bool) -> ToolError {
    let (url, name) = (&request.base_url, request.operation.name);
    if sent || request.attempts.count > 1 {
        let (spent, clause) = (time_spent(request), outcome_clause(request));
        let message = format!("No response from {url}{spent}{clause}.");
        return ToolError::new(ErrorCode::Timeout, message, retry_hint(request));
    }
    ToolError::new(
        ErrorCode::Timeout,
        format!("{name} at {url} was queued for {} s and not sent.", seconds(request)),
        "Make fewer concurrent calls, or raise POLYTOMIC_MAX_IN_FLIGHT.",
    )
}

/// The time of all attempts, and how many there were if it was not one.
fn time_spent(request: &FailedRequest) -> String {
    match request.attempts.count {
        0 | 1 => format!(" after {} s", seconds(request)),
        count => format!(" after {} s ({count} attempts)", seconds(request)),
    }
}

/// The same, and nothing after one attempt.
fn time_of_retries(request: &FailedRequest) -> String {
    if request.attempts.count > 1 { time_spent(request) } else { String::new() }
}

fn seconds(request: &FailedRequest) -> f64 {
    request.attempts.elapsed.as_secs_f64().round().max(1.0)
}

/// Whether a change may have been applied: an agent has to know before it calls again.
fn outcome_clause(request: &FailedRequest) -> &'static str {
    if request.operation.writes { "; the change may have been applied" } else { "" }
}

fn retry_hint(request: &FailedRequest) -> &'static str {
    if !request.operation.writes {
        "Call again; if it fails again, check the status of the service."
    } else if request.method == Method::POST {
        "Call again with the same arguments within 10 minutes: the same idempotency key is sent, so \
         nothing is created twice. list_models shows what exists."
    } else {
        "Call get_model to see whether the change was applied before you call again."
    }
}

/// What to do about a page in place of a response of the API.
fn page_hint(body: &ErrorBody) -> String {
    let read = if body.text.is_some() { " Read details.body." } else { "" };
    format!(
        "The response is not the Polytomic API's but a page of something in between, such as a proxy, a firewall or \
         a sign-in page.{read} Check the proxy variables HTTPS_PROXY and NO_PROXY, and that POLYTOMIC_BASE_URL \
         points to the Polytomic API."
    )
}

/// Adds what a body says.
fn with_body(error: ToolError, body: ErrorBody) -> ToolError {
    error
        .with_detail("message", body.message)
        .with_detail("key", body.key)
        .with_detail("metadata", body.metadata)
        .with_detail("body", body.text)
        .with_detail("content_type", body.content_type)
        .with_detail("location", body.location)
}

fn status_error(
    request: &FailedRequest,
    status: u16,
    body: &ErrorBody,
    has_request_id: bool,
    retry_after: Option<Duration>,
    outcome: Outcome,
) -> ToolError {
    let (name, url) = (request.operation.name, &request.base_url);
    let is_unknown = outcome == Outcome::Unknown;
    let read = if body.message.is_some() { "Read details.message. " } else { "" };
    let error = match status {
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
        409 if request.method == Method::POST && request.operation.writes => ToolError::new(
            ErrorCode::Conflict,
            format!("The first request of this {name} is still running (409)."),
            "Call again with the same arguments in a minute: the same idempotency key is sent.",
        )
        .retryable(),
        409 => ToolError::new(
            ErrorCode::Conflict,
            "The API reports a conflict (409).",
            "Call get_model or list_models for the current state before you call again.",
        ),
        408 => ToolError::new(
            ErrorCode::Timeout,
            format!("The API did not finish {name} in time (408)."),
            if !request.operation.supports_async {
                retry_hint(request)
            } else if request.method != Method::POST && request.operation.writes {
                "Call get_model to see whether the change was applied; if not, call again with `async` true."
            } else if request.operation.writes && request.attempts.replayed {
                // The key is given up: with it the API would return this error again.
                "Call list_models first: a further call needs a new idempotency key and might create a second one. \
                 If it is not there, call again with `async` true."
            } else if request.operation.writes {
                "Call again with `async` true and otherwise the same arguments within 10 minutes: the same \
                 idempotency key is sent, so nothing is created twice."
            } else {
                "Call again with `async` true, and a sufficient `wait_seconds`."
            },
        ),
        429 => ToolError::new(
            ErrorCode::RateLimited,
            "Rate limit exceeded (429).",
            match retry_after {
                Some(delay) => format!("Wait {} s, then call again.", delay.as_secs()),
                None => "Wait a minute, then call again.".to_owned(),
            },
        ),
        502..=504 => ToolError::new(
            ErrorCode::UpstreamUnavailable,
            format!("{url} is unavailable ({status})."),
            match outcome {
                Outcome::Unknown => retry_hint(request),
                _ => "Call again in a minute; if it fails again, check the status of the service.",
            },
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
            if is_unknown && request.operation.writes {
                retry_hint(request).to_owned()
            } else {
                let what = if has_request_id { "send the request id" } else { "report it" };
                format!("{read}If it fails again, {what} to Polytomic's support.")
            },
        ),
    };
    let error = match status {
        // Not a refusal of the API, and not its failure.
        407 => error,
        ..300 | 400.. if body.is_page => of_page(error, request, status, body, is_unknown),
        _ => error,
    };
    let mut error = with_course(error, request, is_unknown);
    // A body that contradicts its status leaves the outcome unknown, whatever the error.
    let contradicts = body.success_status.is_some();
    let is_create = request.method == Method::POST && request.operation.writes;
    let has_own_hint = !contradicts && (status == 408 || (status == 409 && is_create));
    let retry_hint = retry_hint(request);
    let is_undecided = is_unknown && request.operation.writes && !has_own_hint;
    if is_undecided && !error.hint.contains(retry_hint) {
        let first = error.hint.replace(", then call again.", ".");
        error.hint = match status {
            400 | 404 | 422 if contradicts && is_create => {
                format!("{} list_models shows whether the model exists all the same.", error.hint)
            }
            // What the response rejects may have been accepted before.
            400 | 404 | 422 => format!("{retry_hint} If it fails again: {first}"),
            _ => format!("{first} {retry_hint}"),
        };
    }
    with_body(error, body.clone())
}

/// Adds to a message how long the attempts took, and whether a change may have been applied.
fn with_course(mut error: ToolError, request: &FailedRequest, is_unknown: bool) -> ToolError {
    let clause = if is_unknown { outcome_clause(request) } else { "" };
    let message = error.message.trim_end_matches('.');
    error.message = format!("{message}{}{clause}.", time_of_retries(request));
    error
}

/// The error of a status that came with a page.
fn of_page(
    error: ToolError,
    request: &FailedRequest,
    status: u16,
    body: &ErrorBody,
    is_unknown: bool,
) -> ToolError {
    let next = match status {
        _ if is_unknown && request.operation.writes => retry_hint(request),
        408 | 429 | 500.. => "Call again in a minute.",
        _ => "",
    };
    let hint = format!("{} {next}", page_hint(body));
    let code = match error.code {
        ErrorCode::Timeout | ErrorCode::RateLimited | ErrorCode::UpstreamUnavailable => error.code,
        // Not the API has refused.
        _ => ErrorCode::UpstreamError,
    };
    let (url, name) = (&request.base_url, request.operation.name);
    let message = format!(
        "Something in front of {url} responded to {name} with a page and HTTP status {status}."
    );
    ToolError { code, message, hint: hint.trim_end().to_owned(), ..error }
}

/// What to check of a key that the API rejected.
fn key_hint(request: &FailedRequest) -> String {
    let defect = match request.key_defect {
        Some(KeyDefect::BearerPrefix) => {
            "POLYTOMIC_API_KEY begins with \"Bearer \", which the server adds itself: set it to the key alone."
        }
        Some(KeyDefect::Quotes) => {
            "POLYTOMIC_API_KEY stands in quotes, which are sent as a part of the key: remove them."
        }
        Some(KeyDefect::Shortened) => {
            "POLYTOMIC_API_KEY contains an ellipsis or stars, as a key that is shown only in part: copy the \
             complete key."
        }
        Some(KeyDefect::Invisible) => {
            "POLYTOMIC_API_KEY contains a character that cannot be seen, such as a zero-width space: type the \
             key, or copy it from another place."
        }
        Some(KeyDefect::Blank) => {
            "POLYTOMIC_API_KEY contains a blank: copy the key again, without it and what does not belong to the key."
        }
        _ => "Check POLYTOMIC_API_KEY.",
    };
    let organization = if request.has_organization_id {
        " POLYTOMIC_ORGANIZATION_ID is set as well, and the key is sent together with it: check that the key \
         belongs to that organization, or unset it."
    } else {
        ""
    };
    format!("{defect}{organization}")
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
            "Call list_connections for the ids it can use; list_connection_types with `source_only` \
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
