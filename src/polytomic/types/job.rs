//! Jobs, and the records that one kind of job samples.
//!
//! Source: API reference "Get Job", 2025-09-18. The shape of a job's `result` is undocumented for models;
//! gap G7 has the interpretation followed here.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use super::JobId;

/// A background job of the API.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "named as in the API reference")]
pub struct Job {
    pub job_id: Option<String>,
    /// The job's type as in the path of `get_job`, e.g. `createmodel`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub status: Option<JobStatus>,
    /// Why it failed.
    pub error: Option<String>,
    /// What the job produced, of any type; only when done. Tools return it beside the job.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    pub result: Option<Value>,
    /// Properties outside the contract.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rest = Map::deserialize(deserializer)?;
        let mut take = |name| rest.shift_remove(name).filter(|value: &Value| !value.is_null());
        let result = take("result");
        let word = take("status").map(into_text);
        let status = word.as_deref().map(|word| JobStatus::new(word, result.is_some()));
        let error = take("error").map(into_message).or_else(|| {
            // What a word other than the contract's says of the end is all there is.
            let word = word.filter(|word| status == Some(JobStatus::Failed) && word != "failed")?;
            Some(format!("The job ended with the status {word}."))
        });
        let (job_id, kind) = (take("job_id").map(into_text), take("type").map(into_text));
        Ok(Self { job_id, kind, status, error, result, rest })
    }
}

/// A string as it is, anything else as JSON.
fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The message of an error, which may be an object.
fn into_message(error: Value) -> String {
    match error.get("message") {
        Some(Value::String(message)) if !message.is_empty() => message.clone(),
        _ => into_text(error),
    }
}

impl Job {
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

    /// Whether it is done or failed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status, Some(JobStatus::Done | JobStatus::Failed))
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
    /// A status outside the contract, as the API spells it. Whether the job has ended is unknown.
    Other(String),
}

impl JobStatus {
    /// Reads a status without regard to case, and the words of other APIs for an end; for a good end only if the job
    /// has a result.
    fn new(word: &str, has_result: bool) -> Self {
        match word.trim().to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
            "created" => Self::Created,
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" | "failure" | "canceled" | "cancelled" | "error" | "errored" | "aborted"
            | "timed_out" | "timedout" | "timeout" | "expired" => Self::Failed,
            "completed" | "complete" | "success" | "succeeded" | "successful" | "finished"
                if has_result =>
            {
                Self::Done
            }
            _ => Self::Other(word.to_owned()),
        }
    }

    /// The status as the contract spells it, or any other word as the API does.
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
