//! Maps errors of the client to the errors that agents read; `status_error` is the only place where an HTTP status becomes
//! an error code.
//!
//! Source: contract section 1.4. No text from the API appears in `message` or `hint`, and no message claims more
//! than is known.

use std::fmt::Write;

use super::error::{ErrorCode, Outcome, ToolError};
use super::request_course::{
    is_described, outcome_clause, page_hint, retry_hint, seconds, time_of_retries, time_spent,
    with_body, with_course,
};
use super::status_error::status_error;
use crate::polytomic::{
    EarlierResponse, Error, ErrorBody, FailedRequest, ProxyRefusal, TlsFailure, error_chain,
};
use crate::state::StateUnavailable;

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
            match is_described(&request) {
                true => "Shorten the arguments in `path` and `query`: they must fit into a URL.",
                false => {
                    "Shorten the arguments: they must fit into a URL. Use preview_model for a long SQL query."
                }
            },
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
        Error::StateUnavailable { state, .. } => state.into(),
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
                _ if is_described(&request) && request.operation.writes => {
                    "Find out with an operation that reads it what was applied."
                }
                _ if is_described(&request) => {
                    "Request less, with `limit` or a filter in `query` if the operation has one. Call find_operations with \
                     `detail` full to see its parameters."
                }
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
                    "Find out what was changed before you call the tool again. Call get_model or list_models to see it."
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

impl From<StateUnavailable> for ToolError {
    fn from(StateUnavailable { place, reason }: StateUnavailable) -> Self {
        Self::new(
            ErrorCode::UpstreamUnavailable,
            format!(
                "The state of this server at {place} cannot be used, and the server writes nothing without it \
                 (--state-required). Nothing was sent."
            ),
            "Call again in a moment. If it fails again, the operator of the server has to repair what POLYTOMIC_STATE \
             names, or start it without --state-required (POLYTOMIC_STATE_REQUIRED).",
        )
        .with_detail("cause", Some(reason))
    }
}

fn connection_error(error: &Error) -> ToolError {
    let Error::Connection { request, sent, source } = error else { return ToolError::internal() };
    let url = &request.base_url;
    let (message, hint) = if let Some(failure) = error.tls_failure() {
        (format!("No trusted TLS connection to {url}{}.", tls_reason(failure)), tls_hint(failure))
    } else if let Some(refusal) = error.proxy_refusal() {
        match refusal {
            ProxyRefusal::NoPassword => (
                format!("The proxy requires a user name and password to connect to {url}."),
                "Set HTTPS_PROXY to the URL of the proxy with them, such as http://user:password@proxy:3128, or add the \
                 host to NO_PROXY if it can be reached without the proxy.",
            ),
            ProxyRefusal::Unreachable => (
                format!("Cannot connect to the proxy for {url}{}.", time_of_retries(request)),
                "Correct HTTPS_PROXY, or add the host to NO_PROXY if it can be reached without the proxy.",
            ),
            _ => (
                format!("The proxy does not connect to {url}."),
                "Check HTTPS_PROXY; add the host to NO_PROXY if it can be reached without the proxy, or ask for the proxy to allow it.",
            ),
        }
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

fn tls_reason(failure: TlsFailure) -> &'static str {
    match failure {
        TlsFailure::UnknownIssuer => {
            ": its certificate is not issued by an authority that this system trusts"
        }
        TlsFailure::OtherName => ": its certificate is for another name",
        TlsFailure::OtherTime => ": its certificate is not valid at this time",
        TlsFailure::NotTls => ": the other side does not speak TLS",
        _ => "",
    }
}

/// Which setting repairs it.
fn tls_hint(failure: TlsFailure) -> &'static str {
    match failure {
        TlsFailure::OtherName => {
            "Correct POLYTOMIC_BASE_URL; if a proxy responds in place of the service, correct HTTPS_PROXY, or add the \
             host to NO_PROXY."
        }
        TlsFailure::OtherTime => {
            "Correct the clock of this machine; if it is right, the operator of the service has to renew the certificate."
        }
        TlsFailure::NotTls => {
            "If the service uses plain http, correct POLYTOMIC_BASE_URL; if HTTPS_PROXY begins with https, try http."
        }
        _ => {
            "If a proxy of your company with its own certificate authority is in between, set POLYTOMIC_CA_FILE \
             (--ca-file) to a PEM file of that authority, or SSL_CERT_FILE to a file of all that are trusted; if the \
             service can be reached without the proxy, add its host to NO_PROXY."
        }
    }
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
