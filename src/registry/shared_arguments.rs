//! The arguments that the registry adds to the schemas of tools and takes off their calls.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ToolError;
use super::{input, schema, truncation};

/// How long a call waits for its job by default.
pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// Arguments with the same meaning in every tool that takes them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SharedArguments {
    /// Start as a background job, e.g. `true`; rarely needed: the call waits anyway.
    #[serde(default, rename = "async")]
    run_async: Option<bool>,
    /// The same as `async`, which is a keyword in Python; not listed.
    #[serde(default)]
    background: Option<bool>,
    /// Seconds to wait for the job, 0 to 600, default 30, e.g. `60`.
    #[serde(default)]
    #[schemars(default = "default_wait_seconds", range(max = 600))]
    pub(super) wait_seconds: Option<u32>,
    /// 8 to 255 letters, digits, `-`, `_`, e.g. a UUID; one key creates once.
    #[serde(default)]
    #[schemars(length(min = 8, max = 255), extend("format" = schema::KEY))]
    pub(super) idempotency_key: Option<String>,
    /// Maximum bytes, at least 4000, e.g. `90000`.
    #[serde(default)]
    #[schemars(range(min = truncation::MIN_RESULT_BYTES))]
    pub(super) max_bytes: Option<u64>,
}

impl SharedArguments {
    /// Takes the shared arguments off a call, so that the tool's own are left.
    pub(super) fn take_from(arguments: &mut Map<String, Value>) -> Result<Self, ToolError> {
        let mut shared = Map::new();
        for name in ["async", "background", "wait_seconds", "idempotency_key", "max_bytes"] {
            if let Some(value) = arguments.shift_remove(name) {
                shared.insert(name.to_owned(), value);
            }
        }
        let shared: Self =
            if shared.is_empty() { Self::default() } else { input::deserialize(shared)? };
        if let (Some(run_async), Some(background)) = (shared.run_async, shared.background)
            && run_async != background
        {
            let message = format!(
                "background: expected {run_async} as in `async`, of which it is another name, got {background}."
            );
            return Err(ToolError::invalid_argument("background", message));
        }
        Ok(shared)
    }

    /// Whether the API starts a background job.
    pub(super) fn runs_in_background(&self) -> bool {
        self.run_async.or(self.background).unwrap_or_default()
    }
}

fn default_wait_seconds() -> u64 {
    DEFAULT_WAIT.as_secs()
}
