//! The one place where a failure of the client's becomes what an agent reads: status to code, and words that say
//! no more than is known.
//!
//! Source: contract section 1.4; nothing of the API's text stands in `message` or `hint`.

use std::time::Duration;

use reqwest::Method;

use super::error::{Code, Outcome, ToolError};
use crate::polytomic::{Endpoint, Error, ErrorBody, Subject, chain};

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
        let tries = error.endpoint().map(|endpoint| endpoint.tries).unwrap_or_default();
        let key = error.endpoint().and_then(|endpoint| endpoint.idempotency_key.clone());
        let key = key.filter(|_| outcome == Outcome::Unknown && !tries.replayed);
        tracing::debug!(error = %chain(&error), "operation failed");
        let told = match error {
            Error::Configuration { message, hint } => Self::new(Code::NotConfigured, message, hint),
            Error::PathPart { .. } => Self::invalid_argument(
                "",
                "An argument is empty or consists of dots only; it names nothing in the API.",
            ),
            Error::Unsendable { endpoint, source } => Self::new(
                Code::InvalidArgument,
                format!("The request for {} cannot be built.", endpoint.operation.name),
                "Shorten the arguments: they have to fit into an address. A long SQL query goes to \
                 preview_model.",
            )
            .with_detail("cause", Some(chain(&source))),
            Error::Transport { .. } => transport(&error),
            Error::Timeout { endpoint, after, sent } => timeout(&endpoint, after, sent),
            Error::GivenUp { endpoint, .. } if outcome == Outcome::Unknown => Self::new(
                Code::Timeout,
                format!(
                    "{} was not sent again: there was no time left{}.",
                    endpoint.operation.name,
                    doubt(&endpoint)
                ),
                again(&endpoint),
            ),
            Error::GivenUp { endpoint, stopping: true } => Self::new(
                Code::Cancelled,
                format!("{} was not sent: the program stops.", endpoint.operation.name),
                "Call again when it is wanted.",
            ),
            Error::GivenUp { endpoint, .. } => Self::new(
                Code::Timeout,
                format!("{} was not sent: too little time was left for it.", endpoint.operation.name),
                "Call again.",
            ),
            Error::KeyTaken { .. } => Self::invalid_argument(
                "idempotency_key",
                "idempotency_key: this key was used with other arguments before; expected a new one.",
            ),
            Error::Status { endpoint, status, body, request_id, retry_after } => {
                refused(&endpoint, status, &body, retry_after, outcome)
                    .with_detail("request_id", request_id)
                    .with_detail("request", Some(endpoint.to_string()))
                    .with_detail("retry_after_seconds", retry_after.map(|wait| wait.as_secs()))
            }
            Error::Decoding { endpoint, reason, .. } => Self::new(
                Code::UpstreamError,
                format!(
                    "The answer to {} at {} is not what the Polytomic API promises{}.",
                    endpoint.operation.name,
                    endpoint.base_url,
                    doubt(&endpoint)
                ),
                "Check that POLYTOMIC_BASE_URL points at the Polytomic API and that no proxy answers \
                 in its place.",
            )
            .with_detail("reason", Some(reason)),
            Error::TooLarge { endpoint, limit, .. } => Self::new(
                Code::ResultTooLarge,
                format!("The answer to {} has more than {limit} bytes.", endpoint.operation.name),
                "Ask for less: a smaller `limit`, or a model that exposes fewer `fields`.",
            ),
            Error::JobFailed { kind, job_id, error } => Self::new(
                Code::JobFailed,
                "The job ended without success.",
                "Read details.error, correct what it names and call the tool again.",
            )
            .with_detail("error", error)
            .with_detail("job_id", Some(job_id))
            .with_detail("type", Some(kind)),
        };
        let mut told = Self { outcome, http_status, ..told };
        if tries.count > 1 {
            told = told.with_detail("tries", Some(tries.count));
        }
        if tries.held_back {
            told.message += " It was not tried again, since too many calls fail at present.";
        }
        told.retryable |= retryable;
        told.with_detail("idempotency_key", key)
    }
}

fn transport(error: &Error) -> ToolError {
    let Error::Transport { endpoint, sent, source } = error else { return ToolError::internal() };
    let url = &endpoint.base_url;
    let (message, hint) = if error.is_tls() {
        (
            format!("No trusted TLS connection to {url}."),
            "If your company's own certificate authority is in between, name a file with its \
             certificate in SSL_CERT_FILE; if the address speaks plain http, correct \
             POLYTOMIC_BASE_URL.",
        )
    } else if *sent {
        let doubt = doubt(endpoint);
        (
            format!("The connection to {url} broke before the answer was complete{doubt}."),
            again(endpoint),
        )
    } else {
        (
            format!("No connection to {url}."),
            "Check the network, the proxy variables and POLYTOMIC_BASE_URL, then call again.",
        )
    };
    ToolError::new(Code::UpstreamUnavailable, message, hint)
        .with_detail("cause", Some(chain(source.as_ref())))
}

fn timeout(endpoint: &Endpoint, after: Duration, sent: bool) -> ToolError {
    let seconds = after.as_secs_f64().ceil();
    if sent {
        let (url, doubt) = (&endpoint.base_url, doubt(endpoint));
        let message = format!("No answer from {url} within {seconds} s{doubt}.");
        return ToolError::new(Code::Timeout, message, again(endpoint));
    }
    ToolError::new(
        Code::Timeout,
        format!(
            "{} at {} had no turn within {seconds} s.",
            endpoint.operation.name, endpoint.base_url
        ),
        "Make fewer calls at once, or raise POLYTOMIC_MAX_IN_FLIGHT.",
    )
}

/// Whether a change may have been made is what an agent has to know before it tries again.
fn doubt(endpoint: &Endpoint) -> &'static str {
    if endpoint.operation.writes { "; the change may have been made" } else { "" }
}

fn again(endpoint: &Endpoint) -> &'static str {
    if !endpoint.operation.writes {
        "Call again; if it happens once more, check the service's status."
    } else if endpoint.method == Method::POST {
        "Call again with the same arguments within 10 minutes: the same idempotency key goes along, so \
         that nothing is done twice. list_models shows what is there."
    } else {
        "Look with get_model whether it was done before you try again."
    }
}

/// The one place where an HTTP status becomes a code.
fn refused(
    endpoint: &Endpoint,
    status: u16,
    body: &ErrorBody,
    retry_after: Option<Duration>,
    outcome: Outcome,
) -> ToolError {
    let (name, url) = (endpoint.operation.name, &endpoint.base_url);
    let told = match status {
        400 | 422 => ToolError::new(
            Code::InvalidArgument,
            format!("The API refused the arguments ({status})."),
            "Read details.message, correct the arguments and call again.",
        ),
        401 => ToolError::new(
            Code::Unauthorized,
            "The API refused the key (401).",
            "Check POLYTOMIC_API_KEY, and POLYTOMIC_ORGANIZATION_ID if it is set.",
        ),
        403 => ToolError::new(
            Code::Forbidden,
            format!("The key may not do this (403): {name}."),
            "Use a key with the permission, or ask an administrator of the organization for it.",
        ),
        404 => not_found(endpoint),
        409 if endpoint.method == Method::POST && endpoint.tries.unsure => ToolError::new(
            Code::Conflict,
            format!("The first request of this {name} is still being worked on (409)."),
            "Call again with the same arguments in a minute: the same idempotency key goes along.",
        )
        .retryable(),
        409 => ToolError::new(
            Code::Conflict,
            "The API says that this conflicts with something else (409).",
            "Look at the present state with get_model or list_models before you call again.",
        ),
        408 => ToolError::new(
            Code::Timeout,
            format!("The API did not finish {name} in time (408){}.", doubt(endpoint)),
            if !endpoint.operation.may_become_a_job {
                again(endpoint)
            } else if endpoint.operation.writes {
                "Look with list_models whether it was done; if not, call again with `async` true."
            } else {
                "Call again with `async` true, and a `wait_seconds` that fits."
            },
        ),
        429 => ToolError::new(
            Code::RateLimited,
            "The API takes no more calls for now (429).",
            match retry_after {
                Some(wait) => format!("Wait {} s, then call again.", wait.as_secs()),
                None => "Wait a minute, then call again.".to_owned(),
            },
        ),
        502..=504 if outcome == Outcome::Unknown => ToolError::new(
            Code::UpstreamUnavailable,
            format!("{url} cannot serve now ({status}){}.", doubt(endpoint)),
            again(endpoint),
        ),
        502..=504 => ToolError::new(
            Code::UpstreamUnavailable,
            format!("{url} cannot serve now ({status})."),
            "Call again in a minute; if it stays, check the service's status.",
        ),
        300..=399 => ToolError::new(
            Code::UpstreamError,
            format!("{url} answered {name} with a redirect ({status}), which is not followed."),
            "Set POLYTOMIC_BASE_URL to the address the API is really at.",
        ),
        _ => ToolError::new(
            Code::UpstreamError,
            format!("{url} failed at {name} with HTTP status {status}."),
            "Read details.message; if it stays, tell Polytomic's support the request id.",
        ),
    };
    told.with_detail("message", body.message.as_deref())
        .with_detail("key", body.key.as_deref())
        .with_detail("metadata", body.metadata.clone())
        .with_detail("content_type", body.content_type.as_deref())
        .with_detail("location", body.location.as_deref())
}

fn not_found(endpoint: &Endpoint) -> ToolError {
    let (message, hint) = match endpoint.operation.subject {
        Subject::Model(id) => (
            format!("No model {id} is visible to this key."),
            "Call list_models for the ids it can use.",
        ),
        Subject::Connection(id) => (
            format!("No connection {id} is visible to this key."),
            "Call list_connections for the ids it can use.",
        ),
        Subject::Job(id) => (
            format!("No job {id} of that type is known."),
            "Use job_id and type as the call that started the job answered them.",
        ),
        Subject::Enrichment(id) => (
            format!("There is no connection {id} that can enrich."),
            "Call list_connections for the ids this key can use; list_connection_types with \
             `source_only` false says which types can enrich.",
        ),
        Subject::ConnectionType => (
            "There is no connection type of that id.".to_owned(),
            "Call list_connection_types with `source_only` false for the ids there are.",
        ),
        Subject::Sync(id) => (
            format!("No model sync {id} is visible to this key."),
            "Call list_model_syncs for the ids it can use.",
        ),
        Subject::Definition => (
            "The API knows nothing by one of the ids in the arguments.".to_owned(),
            "Read details.message; call list_connections for the connections this key can use.",
        ),
        _ => (
            format!("{} does not know {} (404).", endpoint.base_url, endpoint.operation.name),
            "Check that POLYTOMIC_BASE_URL points at the Polytomic API.",
        ),
    };
    ToolError::new(Code::NotFound, message, hint)
}
