//! Jobs, and the answers that may be one: `{"data": …, "job": …}`, either filled.
//!
//! Source: API reference "Get Job", 2025-09-18. What a job's `result` looks like is not written for
//! models; gap G7 holds the reading followed here.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::JobId;
use crate::polytomic::Key;

answer! {
    /// Background work of the API.
    Job {
        job_id: String,
        /// The word for the path of `get_job`, e.g. `createmodel`.
        #[serde(rename = "type")]
        kind: String,
        status: JobStatus,
        /// Why it failed.
        error: String,
        /// What it produced, any type; only when done. Results of tools give it beside the job.
        #[serde(skip_serializing)]
        #[schemars(skip)]
        result: Value,
    }
}

impl Job {
    /// What it takes to ask for it: type and id. The type becomes part of an address and of our words,
    /// so one that is no plain word is none.
    #[must_use]
    pub fn handle(&self) -> Option<(&str, JobId)> {
        let kind = self.kind.as_deref().filter(|kind| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            (1..=64).contains(&kind.len()) && kind.bytes().all(plain)
        })?;
        let id = Uuid::parse_str(self.job_id.as_deref()?).ok()?;
        Some((kind, JobId(id)))
    }

    /// Whether it is done or failed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status, Some(JobStatus::Done | JobStatus::Failed))
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStatus {
    /// Not started.
    Created,
    /// At work.
    Running,
    /// Finished; `result` is there.
    Done,
    /// Finished without success; `error` says why.
    Failed,
    /// A word the contract does not know.
    Other(String),
}

impl JobStatus {
    /// The API's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
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
        let word = String::deserialize(deserializer)?;
        Ok(match word.as_str() {
            "created" => Self::Created,
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => Self::Other(word),
        })
    }
}

/// The API adds words now and then, so the schema says text, not an enumeration.
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

/// An answer that is finished (`data`), a job to wait for, or both.
#[derive(Debug, Deserialize)]
pub struct Answer<T> {
    /// What was asked for, when it was ready in time.
    #[serde(default = "Option::default")]
    pub data: Option<T>,
    /// The job that does or did the work.
    #[serde(default)]
    pub job: Option<Job>,
    /// The key under which it was asked: whoever waits for the job keeps it open until then.
    #[serde(skip)]
    pub(crate) key: Option<Key>,
}

/// Records read from a model, and what went wrong while reading.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Key: model or enricher id; value: field name to value.
    pub records: Option<Vec<Map<String, Value>>>,
    /// Problems that did not stop the sampling.
    #[serde(deserialize_with = "null_as_empty")]
    pub warnings: Vec<String>,
}

pub(crate) fn null_as_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
