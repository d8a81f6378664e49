//! Jobs in the shape of the API.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum JobType {
    CreateModel,
    UpdateModel,
    PreviewModel,
    SampleModel,
    /// Known to the API, never started here.
    ExportLogs,
    /// Known to the API, never started here.
    ConnectionProxy,
}

impl JobType {
    pub(super) const ALL: [Self; 6] = [
        Self::CreateModel,
        Self::UpdateModel,
        Self::PreviewModel,
        Self::SampleModel,
        Self::ExportLogs,
        Self::ConnectionProxy,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::CreateModel => "createmodel",
            Self::UpdateModel => "updatemodel",
            Self::PreviewModel => "previewmodel",
            Self::SampleModel => "samplemodel",
            Self::ExportLogs => "exportlogs",
            Self::ConnectionProxy => "connectionproxy",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Created,
    Running,
    Done,
    Failed,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// A word that `word` never gave counts as failed.
    pub(super) fn from_word(word: &str) -> Self {
        let all = [Self::Created, Self::Running, Self::Done];
        all.into_iter().find(|status| status.word() == word).unwrap_or(Self::Failed)
    }
}

/// A job, in the shape of the API.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Job {
    pub(super) job_id: Uuid,
    pub(super) r#type: JobType,
    pub(super) status: Status,
    pub(super) error: Option<String>,
    pub(super) result: Value,
}

impl Job {
    pub(super) fn new(r#type: JobType, status: Status) -> Self {
        Self { job_id: Uuid::new_v4(), r#type, status, error: None, result: Value::Null }
    }
}
