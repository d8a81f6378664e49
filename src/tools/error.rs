//! What an agent reads when a call fails; what the client's failures become is in `failures`.
//!
//! Text that comes from outside (the API's messages, a job's error) goes into `details`, cut, and never
//! into `message` or `hint`: an agent takes those for our words.

use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::secrets;

/// The most characters of outside text in `details`, for each value.
const DETAIL_CHARACTERS: usize = 1_000;

/// Declares the kinds of failure once: the doc line is what docs/errors.md says of it.
macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $word:literal,)+) => {
        /// The kinds of failure. Words and order are a contract with scripts: the JSON-RPC face
        /// numbers them from 1, and none is ever renumbered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $name,)+
        }

        impl Code {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable word.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning.trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// A setting is missing or wrong.
    NotConfigured = "not_configured",
    /// The API refused the key.
    Unauthorized = "unauthorized",
    /// The key may not do this.
    Forbidden = "forbidden",
    /// Nothing by that id is visible to the key.
    NotFound = "not_found",
    /// An argument is wrong.
    InvalidArgument = "invalid_argument",
    /// Something under way, or a change in between, is in the way.
    Conflict = "conflict",
    /// The API takes no more calls for now.
    RateLimited = "rate_limited",
    /// No answer in time.
    Timeout = "timeout",
    /// The API cannot be reached, or says that it cannot serve now.
    UpstreamUnavailable = "upstream_unavailable",
    /// The API answered with an error of its own, or with something that cannot be read.
    UpstreamError = "upstream_error",
    /// The answer is larger than allowed.
    ResultTooLarge = "result_too_large",
    /// A job ended without success.
    JobFailed = "job_failed",
    /// The tool is switched off.
    AccessDenied = "access_denied",
    /// A person has to agree first.
    ConfirmationRequired = "confirmation_required",
    /// Syncs use the model.
    DependentsExist = "dependents_exist",
    /// The call was cancelled, by its caller or because the program stops.
    Cancelled = "cancelled",
    /// A fault of this program.
    Internal = "internal",
}

impl Code {
    /// Its number on the JSON-RPC face, from 1.
    #[must_use]
    pub fn number(self) -> i32 {
        let place = Self::ALL.iter().position(|code| *code == self).unwrap_or(usize::MAX);
        i32::try_from(place).unwrap_or(i32::MAX).saturating_add(1)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Timeout | Self::UpstreamUnavailable)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What became of the operation on the API's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was sent; nothing has changed.
    NotSent,
    /// The API said no; nothing has changed.
    Refused,
    /// It may or may not have been done.
    Unknown,
}

/// A failed call, as every face shows it.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize)]
pub struct ToolError {
    /// The kind of failure.
    pub code: Code,
    /// What was wrong, what was expected, what came.
    pub message: String,
    /// The next action; names a tool or a setting.
    pub hint: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// What became of the operation.
    pub outcome: Outcome,
    /// The API's HTTP status, when it answered.
    pub http_status: Option<u16>,
    /// Text and data from outside, cut.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Box<Map<String, Value>>,
}

impl ToolError {
    /// An error found before anything was sent.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
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

    /// A wrong argument, found before anything was sent; `argument` is its path.
    pub fn invalid_argument(argument: &str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message, "Correct the arguments and call again.")
            .with_detail("argument", (!argument.is_empty()).then_some(argument))
    }

    /// A fault of this program; the log has what happened.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "The call failed inside.",
            "The log on stderr has more; report it with the tool's name and arguments.",
        )
        .with_outcome(Outcome::Unknown)
    }

    /// Replaces the hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Says that the same call may succeed later.
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

    /// Adds a value from outside under `details`, text cut at 1,000 characters; no value adds nothing.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.details.insert(name.to_owned(), cut(value.into()));
        }
        self
    }
}

/// Secrets are masked. Text is cut; anything else that would be longer as JSON becomes cut text.
fn cut(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => *text = secrets::mask_text(text),
        Value::Object(map) => secrets::mask(map),
        _ => {}
    }
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => value.to_string(),
        _ => return value,
    };
    match text.char_indices().nth(DETAIL_CHARACTERS) {
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            Value::String(format!("{kept}… (cut)"))
        }
        None => value,
    }
}
