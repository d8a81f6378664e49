//! Jobs, as the API returns them.

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::sandbox) enum JobType {
    CreateModel,
    UpdateModel,
    PreviewModel,
    SampleModel,
    /// Part of the API, never started by the sandbox.
    ExportLogs,
    /// Part of the API, never started by the sandbox.
    ConnectionProxy,
}

impl JobType {
    pub(in crate::sandbox) const ALL: [Self; 6] = [
        Self::CreateModel,
        Self::UpdateModel,
        Self::PreviewModel,
        Self::SampleModel,
        Self::ExportLogs,
        Self::ConnectionProxy,
    ];

    pub(in crate::sandbox) fn as_str(self) -> &'static str {
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
pub(in crate::sandbox) enum JobStatus {
    Created,
    Running,
    Done,
    Failed,
}

impl JobStatus {
    pub(in crate::sandbox) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether the job has ended.
    pub(in crate::sandbox) fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }

    /// Parses a stored status; an unknown one counts as failed.
    pub(in crate::sandbox) fn parse(text: &str) -> Self {
        let unfailed = [Self::Created, Self::Running, Self::Done];
        unfailed.into_iter().find(|status| status.as_str() == text).unwrap_or(Self::Failed)
    }
}

/// A job, as the API returns it.
#[derive(Debug, Clone, Serialize)]
pub(in crate::sandbox) struct Job {
    pub(in crate::sandbox) job_id: Uuid,
    pub(in crate::sandbox) r#type: JobType,
    pub(in crate::sandbox) status: JobStatus,
    pub(in crate::sandbox) error: Option<String>,
    pub(in crate::sandbox) result: Box<RawValue>,
}

impl Job {
    pub(in crate::sandbox) fn new(r#type: JobType, status: JobStatus) -> Self {
        Self {
            job_id: Uuid::new_v4(),
            r#type,
            status,
            error: None,
            result: RawValue::NULL.to_owned(),
        }
    }
}
