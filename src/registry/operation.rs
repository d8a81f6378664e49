//! What a tool is: one trait, implemented once for each tool.

use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::error::ToolError;
use super::schema::SameArguments;
use super::truncation::TruncatedList;

/// What a call does to stored data. The annotations that clients see are computed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Adds or changes data.
    Write {
        /// A second call with the same arguments has no further effect.
        idempotent: bool,
        /// Existing data may be overwritten.
        overwrites: bool,
    },
    /// Removes data.
    Destructive,
}

impl Effect {
    /// Whether stored data stays unchanged.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        self == Self::Read
    }

    /// Whether data may be lost. In MCP, false means that the tool only adds.
    #[must_use]
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Destructive | Self::Write { overwrites: true, .. })
    }

    /// Whether a second equal call has no further effect.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Self::Write { idempotent: false, .. })
    }
}

/// One operation: a tool of the MCP server, a method of the JSON-RPC server.
pub trait Operation: 'static {
    /// Name of the tool and of its file, in snake_case.
    const NAME: &'static str;
    /// Display name.
    const TITLE: &'static str;
    /// What the tool does, what to call before and after; at most 600 characters.
    const DESCRIPTION: &'static str;
    /// What a call does to stored data.
    const EFFECT: Effect;
    /// Whether the tool takes `async` and `wait_seconds`, since the API may respond with a job.
    const JOB: bool = false;
    /// Arguments that the advertised schema leaves to another tool; they are validated all the same.
    const SAME_AS: Option<SameArguments> = None;
    /// The argument with which, if it is true, a call changes nothing.
    const DRY_RUN: Option<&'static str> = None;
    /// Whether it creates a model, which is remembered as one that `--own-only` may change.
    const CREATES_MODEL: bool = false;
    /// The tools that show what a call of this one has changed: first the one that gets its object, then one that needs no id.
    const SHOWN_BY: [&'static str; 2] = ["get_model", "list_models"];
    /// Size limit of its results, if it is less than that of other tools; `max_bytes` raises it.
    const MAX_BYTES: Option<usize> = None;
    /// Whether results may be large; if so, the tool lists `max_bytes`, which every tool takes.
    const LARGE_RESULTS: bool = true;
    /// The arguments.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// The result.
    type Output: Serialize + JsonSchema + Send;

    /// Runs the operation.
    fn call(
        cx: &Context,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;

    /// Whether this call has changed stored data; if so, it must not be repeated to see the rest of its result.
    fn has_changed_data(_output: &Self::Output) -> bool {
        !Self::EFFECT.is_read_only()
    }

    /// Whether a part of the result is of use; if not, a result that is too large is an error.
    fn may_be_truncated(_output: &Self::Output) -> bool {
        true
    }

    /// The list that the tool has truncated itself, as reported in `truncated`.
    fn truncated_by_tool(_output: &Self::Output) -> Option<TruncatedList> {
        None
    }

    /// The cursor that continues `list` if only its first `shown` items are returned.
    fn cursor_after(_output: &Self::Output, _list: &str, _shown: usize) -> Option<String> {
        None
    }
}
