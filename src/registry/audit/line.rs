//! One line of the audit log, as it is written and read.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// What a line reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The request is about to be sent.
    Started,
    /// The call has ended.
    Finished,
}

/// One line: a JSON object.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AuditLine {
    /// When it was written, in UTC.
    pub(crate) time: String,
    /// Identifies the call; the same in all of its lines.
    pub(crate) call: String,
    pub(crate) event: Event,
    pub(crate) tool: String,
    /// The operation of the API, if it was called by its name.
    pub(crate) operation: Option<String>,
    /// The last id in the path of that operation.
    pub(crate) object_id: Option<String>,
    /// Identifies the API key, if it was in the request of the call: 8 hexadecimal digits of a digest.
    pub(crate) account: Option<String>,
    /// `applied`, or the outcome of an error; `not_sent` without an error if there was nothing to change, `unknown`
    /// without one while a job is unfinished.
    pub(crate) outcome: Option<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) model_id: Option<String>,
    pub(crate) sync_id: Option<String>,
    pub(crate) connection_id: Option<String>,
    pub(crate) organization_id: Option<String>,
    /// The unfinished job that the call left behind.
    pub(crate) job_id: Option<String>,
    /// The key that was sent; only creates have one.
    pub(crate) idempotency_key: Option<String>,
    /// `asked`, `yes`, `name` or `never`; none if the call ended before.
    pub(crate) confirmation: Option<String>,
    pub(crate) duration_ms: Option<u64>,
}
