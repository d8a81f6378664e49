//! Calls that may become jobs: answered within 10 s, or at once with a job that goes on in the
//! background for up to 60 s.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::error::ApiError;
use crate::sandbox::idempotency::ClientDisconnected;
use crate::sandbox::job::{Job, JobType, Status};
use crate::sandbox::requests::{PathParts, read_bool};
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};

pub(super) const SYNCHRONOUS: Duration = Duration::from_secs(10);
const BACKGROUND: Duration = Duration::from_secs(60);

/// How the caller wants to be answered.
#[derive(Debug)]
pub(super) struct Call {
    asynchronous: bool,
    gone: CancellationToken,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let mut asynchronous = false;
        for (name, value) in
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        {
            if name == "async" {
                asynchronous = !value.is_empty() && read_bool("async", &value)?;
            }
        }
        let gone = parts
            .extensions
            .get::<ClientDisconnected>()
            .map(|ClientDisconnected(gone)| gone.clone());
        Ok(Self { asynchronous, gone: gone.unwrap_or_default() })
    }
}

/// Does the work now or in the background, as the caller wants, and answers `{data, job}`.
pub(super) async fn answer<F>(
    app: Arc<AppState>,
    r#type: JobType,
    call: Call,
    work: impl FnOnce(Arc<AppState>, ReadLimit) -> F + Send + 'static,
) -> HandlerResult
where
    F: Future<Output = Result<Value, ApiError>> + Send + 'static,
{
    if call.asynchronous {
        let job = Job::new(r#type, Status::Created);
        app.store.add_job(job.clone()).await?;
        let work = work(Arc::clone(&app), ReadLimit::background(BACKGROUND));
        app.tasks.spawn(run_in_background(Arc::clone(&app), job.clone(), work));
        return Ok(Json(json!({ "data": null, "job": job })));
    }
    let result = work(Arc::clone(&app), ReadLimit::waiting(SYNCHRONOUS, call.gone)).await?;
    let job = Job::new(r#type, Status::Done);
    app.store.add_job(Job { result: result.clone(), ..job.clone() }).await?;
    Ok(Json(json!({ "data": result, "job": job })))
}

async fn run_in_background(
    app: Arc<AppState>,
    job: Job,
    work: impl Future<Output = Result<Value, ApiError>> + Send + 'static,
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
        Err(error) => failed(ApiError::internal(&error).message()),
    };
    let _ = app.store.set_job(ended).await;
}

/// `GET /api/jobs/{type}/{id}`
pub(super) async fn get(
    State(app): SharedState,
    PathParts((word, id)): PathParts<(String, String)>,
) -> HandlerResult {
    let Some(r#type) = JobType::ALL.into_iter().find(|r#type| r#type.word() == word) else {
        let words = JobType::ALL.map(JobType::word).join(", ");
        return Err(ApiError::invalid(format!("The job type must be one of {words}.")));
    };
    let unknown = || ApiError::unknown(&format!("{} job", r#type.word()), &id);
    let job_id = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let job = app.store.job(r#type, job_id).await?.ok_or_else(unknown)?;
    Ok(Json(json!({ "data": job })))
}
