//! Executions, as they are stored and as the API returns them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::syncs::sync::ModelField;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::sandbox) enum Status {
    Created,
    Running,
    /// Asked to stop, and not stopped yet.
    Canceling,
    Canceled,
    Completed,
    Failed,
}

impl Status {
    pub(in crate::sandbox) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Whether the execution has ended.
    pub(in crate::sandbox) fn is_final(self) -> bool {
        matches!(self, Self::Canceled | Self::Completed | Self::Failed)
    }
}

/// How many records were read, and what became of them.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::sandbox) struct Counts {
    /// Records of the model that passed the filters.
    pub(in crate::sandbox) total: u64,
    pub(in crate::sandbox) insert: u64,
    pub(in crate::sandbox) update: u64,
    pub(in crate::sandbox) delete: u64,
    /// Records that could not be written.
    pub(in crate::sandbox) error: u64,
    /// Always 0, as the target tells inserts from updates.
    pub(in crate::sandbox) upserts: u64,
    pub(in crate::sandbox) warnings: u64,
}

/// Which records an execution is limited to, and how it runs: the body of the request that starts it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::sandbox) struct StartOptions {
    /// Values of the first identity.
    pub(in crate::sandbox) identities: Option<Vec<String>>,
    /// Each is a list of fields that must have certain values.
    pub(in crate::sandbox) source_identities: Option<Vec<Vec<SourceIdentity>>>,
    pub(in crate::sandbox) resync: Option<bool>,
    pub(in crate::sandbox) test: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct SourceIdentity {
    pub(in crate::sandbox) source: ModelField,
    pub(in crate::sandbox) value: String,
}

/// A run of a sync.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Execution {
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) sync_id: Uuid,
    pub(in crate::sandbox) organization_id: Uuid,
    pub(in crate::sandbox) status: Status,
    pub(in crate::sandbox) created_at: String,
    pub(in crate::sandbox) started_at: Option<String>,
    pub(in crate::sandbox) completed_at: Option<String>,
    pub(in crate::sandbox) counts: Counts,
    pub(in crate::sandbox) errors: Vec<String>,
    pub(in crate::sandbox) options: StartOptions,
}

impl Execution {
    pub(in crate::sandbox) fn to_response(&self) -> Value {
        let r#type = match (self.options.test, self.options.resync) {
            (Some(true), _) => "test",
            (_, Some(true)) => "resync",
            _ => "manual",
        };
        json!({
            "completed_at": self.completed_at,
            "counts": self.counts,
            "created_at": self.created_at,
            "errors": self.errors,
            "id": self.id,
            "started_at": self.started_at,
            "status": self.status,
            "type": r#type,
            "version": null,
        })
    }
}
