//! What a call may use: the client, how the call is made, when it ends. It says nothing of who called.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bounds;
use super::error::{Code, Outcome, ToolError};
use crate::polytomic::{Answer, CallOptions, Client, Error, Job, JobStatus, Key, Model, ModelId};

/// Polling ends this long before the deadline, so that the handle can still be answered.
const BEFORE_DEADLINE: Duration = Duration::from_secs(2);

/// The arguments that are the same for all tools: the registry adds them to a tool's own, as far as they
/// make sense for it, and takes them off the call.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallArguments {
    /// Work in the background, e.g. `true` for over 10 s.
    #[serde(default, rename = "async")]
    pub(super) background: bool,
    /// Seconds to wait for a job, e.g. `60`.
    #[serde(default)]
    #[schemars(default = "default_wait", range(max = 600))]
    pub(super) wait_seconds: Option<u32>,
    /// Letters, digits, `-`, `_`, e.g. a UUID; one key is done once.
    #[serde(default)]
    #[schemars(length(min = 8, max = 255))]
    pub(super) idempotency_key: Option<IdempotencyKey>,
    /// Bytes at most, e.g. `90000`.
    #[serde(default)]
    #[schemars(range(min = bounds::LEAST_BYTES))]
    pub(super) max_bytes: Option<u64>,
}

/// How long a job is waited for where nobody says.
pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(30);

fn default_wait() -> u64 {
    DEFAULT_WAIT.as_secs()
}

/// A key as the API takes it.
#[derive(Debug, Clone, JsonSchema)]
pub(super) struct IdempotencyKey(String);

impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if text.bytes().all(is_plain) {
            return Ok(Self(text));
        }
        Err(de::Error::custom("expected letters, digits, `-` and `_` only, got other characters"))
    }
}

/// How large the answer may be, and how a smaller one is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Bytes, as the MCP face writes them.
    pub(super) limit: usize,
    /// Whether the tool takes `name_contains`.
    pub(super) narrows: bool,
}

/// Hears how a job goes each time it has been looked at. The words are ours, since a status may be any text
/// of the API's.
pub type Progress = Arc<dyn Fn(&'static str) + Send + Sync>;

fn words(job: &Job) -> &'static str {
    match job.status {
        Some(JobStatus::Created) => "the job waits to begin",
        Some(JobStatus::Running) => "the job is running",
        Some(JobStatus::Done) => "the job is done",
        Some(JobStatus::Failed) => "the job has failed",
        _ => "the job has not ended",
    }
}

/// What a call may use.
pub struct Context {
    client: Client,
    options: CallOptions,
    wait: Duration,
    size: Size,
    progress: Option<Progress>,
}

/// An answer of the API's after waiting: data, or the job and the call that goes on from there.
pub struct Settled<T> {
    /// What was asked for; absent while the job is unfinished.
    pub data: Option<T>,
    /// The job, where the API spoke of one.
    pub job: Option<Job>,
    /// Present while the job is unfinished.
    pub next: Option<NextCall>,
}

/// The call that goes on from here.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NextCall {
    tool: &'static str,
    arguments: NextArguments,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NextArguments {
    #[serde(rename = "type")]
    kind: String,
    job_id: String,
}

impl NextCall {
    /// How to ask for a job again; none without its type and id.
    #[must_use]
    pub fn get_job(job: &Job) -> Option<Self> {
        let (kind, job_id) = job.handle()?;
        let arguments = NextArguments { kind: kind.to_owned(), job_id: job_id.to_string() };
        Some(Self { tool: "get_job", arguments })
    }
}

impl Context {
    pub(super) fn new(
        client: Client,
        arguments: CallArguments,
        wait: Duration,
        deadline: Instant,
        size: Size,
        stop: CancellationToken,
        progress: Option<Progress>,
    ) -> Self {
        let options = CallOptions {
            background: arguments.background,
            idempotency_key: arguments.idempotency_key.map(|IdempotencyKey(key)| key),
            deadline: Some(deadline),
            stop: Some(stop),
        };
        Self { client, options, wait, size, progress }
    }

    /// How large the answer may be.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// The API.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How this call is made.
    #[must_use]
    pub fn call_options(&self) -> &CallOptions {
        &self.options
    }

    /// How a call reads what it has to know first: in the foreground.
    pub(super) fn reading_options(&self) -> CallOptions {
        CallOptions { background: false, idempotency_key: None, ..self.options.clone() }
    }

    /// Reads a model that a call has to know before it changes anything.
    ///
    /// # Errors
    /// As [`Client::get_model`]; `timeout` where its job is not done in time.
    pub(super) async fn read_model(&self, id: ModelId) -> Result<Model, ToolError> {
        let unchanged = |error: ToolError| error.with_outcome(Outcome::NotSent);
        let answer = self.client.get_model(id, &self.reading_options()).await;
        let answer = answer.map_err(|error| unchanged(error.into()))?;
        self.settle(answer).await.map_err(unchanged)?.data.ok_or_else(|| {
            ToolError::new(
                Code::Timeout,
                format!("Model {id} could not be read; nothing was changed."),
                "Call get_model for it, then this tool again.",
            )
        })
    }

    /// Waits for a job as long as the caller wants, at most until 2 s before the deadline or until the
    /// program is about to stop: then its handle is worth more than the rest of the wait.
    ///
    /// # Errors
    /// `job_failed`; what reading the job answers otherwise, with the job's handle in `details`.
    pub async fn wait_for(&self, job: Job) -> Result<Job, ToolError> {
        let asked = Instant::now() + self.wait;
        let until = match self.options.deadline {
            Some(deadline) => asked.min(deadline - BEFORE_DEADLINE),
            None => asked,
        };
        let enough = async {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.options.stopping() => {}
            }
        };
        let handle = (job.kind.clone(), job.job_id.clone());
        let seen = |job: &Job| {
            if let Some(progress) = &self.progress {
                progress(words(job));
            }
        };
        self.client.wait_for_job(job, enough, seen, &self.options).await.map_err(|error| {
            let failed = matches!(error, Error::JobFailed { .. });
            let told = ToolError::from(error);
            if failed {
                return told;
            }
            // The work goes on in the API although its job could not be read.
            let told = match told.http_status {
                Some(404) => told.with_hint("Look with list_models or get_model at what was done."),
                _ => told,
            };
            told.with_outcome(Outcome::Unknown)
                .with_detail("type", handle.0)
                .with_detail("job_id", handle.1)
        })
    }

    /// Makes of an answer what the caller gets: data as it is, even beside an unfinished job; a lone job
    /// is waited for, and its result read in place of the data.
    ///
    /// # Errors
    /// As [`Context::wait_for`]; `upstream_error` for a result that does not fit.
    pub async fn settle<T: DeserializeOwned>(
        &self,
        answer: Answer<T>,
    ) -> Result<Settled<T>, ToolError> {
        let (job, key) = match (answer.data, answer.job) {
            // The client has refused an answer with neither.
            (data @ Some(_), job) | (data, job @ None) => {
                return Ok(Settled { data, job, next: None });
            }
            (None, Some(job)) => (job, answer.key),
        };
        // Until it has ended or its handle is told, an equal call means the same: it gets the key, and with it
        // the job.
        key.iter().for_each(Key::open);
        let settled = self.settled(job).await;
        match settled {
            Err(error) if error.code != Code::JobFailed => {
                let key = key.as_ref().and_then(Key::of_change);
                Err(error.with_detail("idempotency_key", key))
            }
            ended => {
                key.iter().for_each(Key::close);
                ended
            }
        }
    }

    async fn settled<T: DeserializeOwned>(&self, job: Job) -> Result<Settled<T>, ToolError> {
        let job = self.wait_for(job).await?;
        if job.status != Some(JobStatus::Done) {
            let next = NextCall::get_job(&job);
            return Ok(Settled { data: None, job: Some(job), next });
        }
        let data = job.result.clone().map(|result| read_result(result, &job)).transpose()?;
        Ok(Settled { data, job: Some(job), next: None })
    }
}

/// Reads a job's result, which may or may not repeat the envelope (gap G7).
///
/// # Errors
/// `upstream_error` when it does not fit.
pub(super) fn read_result<T: DeserializeOwned>(result: Value, job: &Job) -> Result<T, ToolError> {
    serde_json::from_value(unwrapped(result)).map_err(|error| {
        ToolError::new(
            Code::UpstreamError,
            "The job is done, but its result is not what the Polytomic API promises.",
            "Look with list_models or get_model at what it has done.",
        )
        .with_outcome(Outcome::Unknown)
        .with_detail("reason", Some(error.to_string()))
        .with_detail("type", job.kind.clone())
        .with_detail("job_id", job.job_id.clone())
    })
}

/// Takes the envelope off: an object with only `data`, and maybe `job` (gap G7).
#[must_use]
pub(super) fn unwrapped(result: Value) -> Value {
    match result {
        Value::Object(mut map)
            if map.contains_key("data") && map.keys().all(|k| k == "data" || k == "job") =>
        {
            map.remove("data").unwrap_or_default()
        }
        other => other,
    }
}
