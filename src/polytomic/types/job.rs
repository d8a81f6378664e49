//! Jobs, and the records that one kind of job samples.
//!
//! Source: API reference "Get Job", 2025-09-18. The shape of a job's `result` is undocumented for models;
//! gap G7 has the interpretation followed here.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{JobId, LongList, RawJson, Record, tolerance};

response_type! {
    /// A background job of the API.
    Job {
        job_id: String,
        /// The job's type as in the path of `get_job`, e.g. `createmodel`.
        kind as "type": String,
        status: JobStatus,
        /// Why it failed.
        error: JobError,
        /// What the job produced, of any type; only when done. Tools return it beside the job.
        #[serde(skip_serializing)]
        #[schemars(skip)]
        result: RawJson,
    } then Job::read_other_status
}

/// What the end of a job delivers, which decides whether a word that the API does not document is a good end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// A result, unless the type of the job is that of a deletion.
    Result,
    /// Nothing: the job is a deletion, whatever its type.
    Nothing,
}

impl Job {
    /// Reads the words of other APIs for an end; for a good end only if the job has a result, or is a deletion, which
    /// has none.
    pub(in crate::polytomic) fn read_other_status(self) -> Self {
        self.read_status(Delivery::Result)
    }

    /// The same for a job that delivers this.
    pub(in crate::polytomic) fn read_status(self, delivery: Delivery) -> Self {
        let may_lack_result = delivery == Delivery::Nothing || self.is_deletion();
        self.read_end(may_lack_result)
    }

    /// Whether its type says so. The API does not document the types of deletions.
    fn is_deletion(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default().to_ascii_lowercase();
        ["delete", "deletion", "remove", "removal"].iter().any(|word| kind.contains(word))
    }

    fn read_end(mut self, may_lack_result: bool) -> Self {
        let Some(JobStatus::Other(word)) = &self.status else { return self };
        match normalized(word).as_str() {
            end @ ("failure" | "error" | "errored" | "canceled" | "cancelled" | "aborted"
            | "timed_out" | "timedout" | "timeout" | "expired") => {
                // Without an error of the job, the word is all that is known.
                let error = JobError(format!("The job ended with the status {word}."));
                self.error.get_or_insert(error);
                let has_failed = matches!(end, "failure" | "error" | "errored");
                self.status = Some(if has_failed { JobStatus::Failed } else { JobStatus::Stopped });
            }
            "completed" | "complete" | "success" | "succeeded" | "successful" | "finished"
                if may_lack_result || self.result.is_some() =>
            {
                self.status = Some(JobStatus::Done);
            }
            _ => {}
        }
        self
    }

    /// Type and id, needed to poll the job. The type becomes part of a URL and of our messages, so anything
    /// but a plain word counts as absent.
    #[must_use]
    pub fn handle(&self) -> Option<(&str, JobId)> {
        let kind = self.kind.as_deref().filter(|kind| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            (1..=64).contains(&kind.len()) && kind.bytes().all(plain)
        })?;
        let id = Uuid::parse_str(self.job_id.as_deref()?).ok()?;
        Some((kind, JobId(id)))
    }

    /// Whether it is done, failed or stopped.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status, Some(JobStatus::Done | JobStatus::Failed | JobStatus::Stopped))
    }
}

/// Status of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStatus {
    /// Not yet started.
    Created,
    /// In progress.
    Running,
    /// Finished, with a `result`.
    Done,
    /// Finished with an `error`.
    Failed,
    /// Cancelled or out of time, which does not say that what it did until then was undone.
    Stopped,
    /// A status outside the contract, as the API spells it. Whether the job has ended is unknown.
    Other(String),
}

impl JobStatus {
    /// The status as the contract spells it, or any other word as the API does.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Other(word) => word,
        }
    }
}

impl Serialize for JobStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for JobStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = into_text(Value::deserialize(deserializer)?);
        Ok(match normalized(&word).as_str() {
            "created" => Self::Created,
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => Self::Other(word),
        })
    }
}

/// A status without regard to case and to how its words are joined.
fn normalized(status: &str) -> String {
    status.trim().to_ascii_lowercase().replace(['-', ' '], "_")
}

/// A string as it is, anything else as JSON.
fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The error of a job: a text, or the message of an object, or else its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct JobError(pub String);

impl<'de> Deserialize<'de> for JobError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let error = Value::deserialize(deserializer)?;
        Ok(Self(match error.get("message") {
            Some(Value::String(message)) if !message.is_empty() => message.clone(),
            _ => into_text(error),
        }))
    }
}

/// The API may add statuses, so the schema says string, not an enumeration.
impl JsonSchema for JobStatus {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JobStatus".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

/// Sampled records of a model, and warnings about the sampling.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Key: model or enricher id; value: field name to value.
    pub records: Option<LongList<Record>>,
    /// Problems that did not stop the sampling.
    #[serde(deserialize_with = "missing_as_empty")]
    pub warnings: Vec<String>,
}

/// Null and, with tolerance, a value of another type are empty.
fn missing_as_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    tolerance::optional(deserializer).map(Option::unwrap_or_default)
}
