//! Executions: the runs of a model sync.
//!
//! Source: API reference "List Model Sync Executions" and "Get Model Sync Execution", 2025-09-18.

use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::ExecutionId;

response_type! {
    /// A run of a model sync.
    Execution {
        id: String,
        /// For example `running`, or `completed`.
        status: String,
        kind as "type": String,
        created_at: String,
        started_at: String,
        completed_at: String,
        /// Records by what was done with them: `total`, `insert`, `update`, `upserts`, `delete`, `error` and `warnings`.
        counts: Map<String, Value>,
        errors: Vec<String>,
        version: String,
    }
}

impl Execution {
    /// Its id; none if the response has none.
    #[must_use]
    pub fn execution_id(&self) -> Option<ExecutionId> {
        self.id.as_deref()?.parse().ok().map(ExecutionId)
    }

    /// Whether it has ended. A status outside the contract may be a new one for "running".
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.is_completed() || self.has_failed()
    }

    /// Whether it has ended before it had written everything.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let status = self.status.as_deref().unwrap_or_default();
        ["canceled", "failed", "interrupted"].contains(&status)
    }

    fn is_completed(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }
}

/// How to start an execution.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StartOptions {
    /// Whether all records are read and written again, not only changed ones.
    pub resync: Option<bool>,
    /// The only records to write, by the values of their identity.
    pub identities: Option<Vec<String>>,
}
