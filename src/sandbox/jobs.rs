//! Calls that may become jobs: answered within 10 s, or at once with a job that goes on in the
//! background for up to 60 s.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::app::{Answer, App, Shared};
use crate::sandbox::idempotency::Gone;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::requests::{PathParts, read_bool};
use crate::sandbox::sources::Limit;

pub(super) const SYNCHRONOUS: Duration = Duration::from_secs(10);
const BACKGROUND: Duration = Duration::from_secs(60);

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
    const ALL: [Self; 6] = [
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
    fn new(r#type: JobType, status: Status) -> Self {
        Self { job_id: Uuid::new_v4(), r#type, status, error: None, result: Value::Null }
    }
}

/// How the caller wants to be answered.
#[derive(Debug)]
pub(super) struct Call {
    asynchronous: bool,
    gone: CancellationToken,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let mut asynchronous = false;
        for (name, value) in
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        {
            if name == "async" {
                asynchronous = !value.is_empty() && read_bool("async", &value)?;
            }
        }
        let gone = parts.extensions.get::<Gone>().map(|Gone(gone)| gone.clone());
        Ok(Self { asynchronous, gone: gone.unwrap_or_default() })
    }
}

/// Does the work now or in the background, as the caller wants, and answers `{data, job}`.
pub(super) async fn answer<F>(
    app: Arc<App>,
    r#type: JobType,
    call: Call,
    work: impl FnOnce(Arc<App>, Limit) -> F + Send + 'static,
) -> Answer
where
    F: Future<Output = Result<Value, Refusal>> + Send + 'static,
{
    if call.asynchronous {
        let job = Job::new(r#type, Status::Created);
        app.store.add_job(job.clone()).await?;
        let work = work(Arc::clone(&app), Limit::background(BACKGROUND));
        app.tasks.spawn(run_in_background(Arc::clone(&app), job.clone(), work));
        return Ok(Json(json!({ "data": null, "job": job })));
    }
    let result = work(Arc::clone(&app), Limit::waiting(SYNCHRONOUS, call.gone)).await?;
    let job = Job::new(r#type, Status::Done);
    app.store.add_job(Job { result: result.clone(), ..job.clone() }).await?;
    Ok(Json(json!({ "data": result, "job": job })))
}

async fn run_in_background(
    app: Arc<App>,
    job: Job,
    work: impl Future<Output = Result<Value, Refusal>> + Send + 'static,
) {
    let failed = |message: &str| Job {
        status: Status::Failed,
        error: Some(message.to_owned()),
        ..job.clone()
    };
    let running = Job { status: Status::Running, ..job.clone() };
    if app.store.set_job(running).await.is_err() {
        return; // The cause is in the log, and the store that could tell the caller is broken.
    }
    // In a task of its own: a panic must not leave the job running for ever.
    let ended = match app.tasks.spawn(work).await {
        Ok(Ok(result)) => Job { status: Status::Done, result, ..job.clone() },
        Ok(Err(refusal)) => failed(refusal.message()),
        Err(error) => failed(Refusal::internal(&error).message()),
    };
    let _ = app.store.set_job(ended).await;
}

/// `GET /api/jobs/{type}/{id}`
pub(super) async fn get(
    State(app): Shared,
    PathParts((word, id)): PathParts<(String, String)>,
) -> Answer {
    let Some(r#type) = JobType::ALL.into_iter().find(|r#type| r#type.word() == word) else {
        let words = JobType::ALL.map(JobType::word).join(", ");
        return Err(Refusal::invalid(format!("The job type must be one of {words}.")));
    };
    let unknown = || Refusal::unknown(&format!("{} job", r#type.word()), &id);
    let job_id = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let job = app.store.job(r#type, job_id).await?.ok_or_else(unknown)?;
    Ok(Json(json!({ "data": job })))
}
