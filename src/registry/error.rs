//! The error of a failed call, as every server returns it. Errors of the client become it in `client_error`.
//!
//! Text from outside (messages of the API, errors of jobs) goes into `details`, truncated, and never into
//! `message` or `hint`, which an agent trusts as ours.

use serde::Serialize;
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::redaction;
use crate::polytomic::{Reader, restore};

/// Maximum characters of text from outside in one value of `details`.
pub(super) const MAX_DETAIL_CHARACTERS: usize = 1_000;
/// Stands behind a text that was truncated.
pub(super) const TRUNCATED: &str = "… (truncated)";

/// Declares the error codes once: docs/errors.md is generated from the doc lines.
macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $word:literal,)+) => {
        /// The kind of an error. Names and order are a contract with scripts: the JSON-RPC server numbers the
        /// codes from 1, and none is ever renumbered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $name,)+
        }

        impl ErrorCode {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The code as it appears in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What the code means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning.trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// A setting is missing or invalid.
    NotConfigured = "not_configured",
    /// The API rejected the key.
    Unauthorized = "unauthorized",
    /// The key lacks the permission.
    Forbidden = "forbidden",
    /// No object with this id is visible to the key.
    NotFound = "not_found",
    /// An argument is invalid.
    InvalidArgument = "invalid_argument",
    /// Another request, or a change made in the meantime, conflicts with the call.
    Conflict = "conflict",
    /// Rate limit of the API exceeded, or too many calls in flight.
    RateLimited = "rate_limited",
    /// No response in time.
    Timeout = "timeout",
    /// The API cannot be reached, or reports that it is unavailable.
    UpstreamUnavailable = "upstream_unavailable",
    /// The API responded with an internal error, or with a response that cannot be read; or a proxy responded in its place.
    UpstreamError = "upstream_error",
    /// The result exceeds its size limit.
    ResultTooLarge = "result_too_large",
    /// A job failed.
    JobFailed = "job_failed",
    /// A setting disables the tool, or does not let it change this model.
    AccessDenied = "access_denied",
    /// The user has to confirm the call first.
    ConfirmationRequired = "confirmation_required",
    /// Syncs read from the model.
    DependentsExist = "dependents_exist",
    /// The call was cancelled by its caller, or by the server shutting down; or the user was asked, and declined.
    Cancelled = "cancelled",
    /// A bug in this server.
    Internal = "internal",
}

impl ErrorCode {
    /// The code's number over JSON-RPC, from 1.
    #[must_use]
    pub fn number(self) -> i32 {
        let index = Self::ALL.iter().position(|code| *code == self).unwrap_or(usize::MAX);
        i32::try_from(index).unwrap_or(i32::MAX).saturating_add(1)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Timeout | Self::UpstreamUnavailable)
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Whether a failed call may have changed anything in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No write was sent; nothing has changed.
    NotSent,
    /// The API refused; nothing has changed.
    Refused,
    /// The change may or may not have been applied.
    Unknown,
}

/// The error of a failed call, as every server returns it.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize)]
pub struct ToolError {
    /// The kind of error.
    pub code: ErrorCode,
    /// What was wrong, what was expected, what was passed.
    pub message: String,
    /// The next action; names a tool or a setting.
    pub hint: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Whether anything may have changed.
    pub outcome: Outcome,
    /// HTTP status of the API's response, if there was one.
    pub http_status: Option<u16>,
    /// Text and data from outside, truncated.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Box<Map<String, Value>>,
}

impl ToolError {
    /// An error found before anything was sent.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            retryable: code.is_retryable(),
            outcome: Outcome::NotSent,
            http_status: None,
            details: Box::default(),
        }
    }

    /// An invalid argument, found before anything was sent; `argument` is its path.
    pub fn invalid_argument(argument: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message, "Correct the arguments and call again.")
            .with_detail("argument", (!argument.is_empty()).then_some(argument))
    }

    /// A bug in this server; the log has the cause.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            ErrorCode::Internal,
            "Internal error.",
            "See the log on stderr, and report the error with the tool's name and arguments.",
        )
        .with_outcome(Outcome::Unknown)
    }

    /// The error as JSON text, with every digit of the numbers in `details`.
    pub(crate) fn to_json(&self) -> String {
        restore(&json!(self).to_string(), Reader::Client).into_owned()
    }

    /// Replaces the hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Marks the error as retryable.
    pub(super) fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Replaces the outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Adds a value from outside to `details`, with secrets masked and text truncated at 1,000 characters. Without
    /// a value nothing is added.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.details.insert(name.to_owned(), sanitize(value.into()));
        }
        self
    }
}

/// Masks secrets and truncates text. Any other value that is too long as JSON becomes truncated text.
fn sanitize(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => *text = redaction::mask_text(text),
        Value::Object(map) => redaction::mask(map),
        _ => {}
    }
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => {
            restore(&value.to_string(), Reader::Client).into_owned()
        }
        _ => return value,
    };
    match text.char_indices().nth(MAX_DETAIL_CHARACTERS) {
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            Value::String(format!("{kept}{TRUNCATED}"))
        }
        None => value,
    }
}
