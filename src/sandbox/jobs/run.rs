//! Operations that may become jobs: completed within 10 s, or, with `async`, handed over to a background
//! job of up to 60 s.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{PathParameters, parse_bool};
use crate::sandbox::http::idempotency::ClientDisconnected;
use crate::sandbox::jobs::job::{Job, JobStatus, JobType};
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};

pub(in crate::sandbox) const SYNCHRONOUS_TIMEOUT: Duration = Duration::from_secs(10);
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(60);

/// Extracts how to run an operation: at once or in the background, and until which signal.
#[derive(Debug)]
pub(in crate::sandbox) struct JobOptions {
    run_in_background: bool,
    disconnected: CancellationToken,
}

impl<S: Sync> FromRequestParts<S> for JobOptions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let mut run_in_background = false;
        for (name, value) in
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        {
            if name == "async" {
                run_in_background = !value.is_empty() && parse_bool("async", &value)?;
            }
        }
        let disconnected = parts
            .extensions
            .get::<ClientDisconnected>()
            .map(|ClientDisconnected(disconnected)| disconnected.clone());
        Ok(Self { run_in_background, disconnected: disconnected.unwrap_or_default() })
    }
}

/// Runs an operation, or starts it in the background, and builds the response `{data, job}`.
pub(in crate::sandbox) async fn run<F>(
    app: Arc<AppState>,
    r#type: JobType,
    options: JobOptions,
    work: impl FnOnce(Arc<AppState>, ReadLimit) -> F + Send + 'static,
) -> HandlerResult
where
    F: Future<Output = Result<Value, ApiError>> + Send + 'static,
{
    if options.run_in_background {
        let job = Job::new(r#type, JobStatus::Created);
        app.store.add_job(job.clone()).await?;
        let work = work(Arc::clone(&app), ReadLimit::background(BACKGROUND_TIMEOUT));
        app.tasks.spawn(run_in_background(Arc::clone(&app), job.clone(), work));
        return Ok(Json(json!({ "data": null, "job": job })));
    }
    let limit = ReadLimit::synchronous(SYNCHRONOUS_TIMEOUT, options.disconnected);
    let result = work(Arc::clone(&app), limit).await?;
    let job = Job::new(r#type, JobStatus::Done);
    app.store.add_job(Job { result: result.clone(), ..job.clone() }).await?;
    Ok(Json(json!({ "data": result, "job": job })))
}

async fn run_in_background(
    app: Arc<AppState>,
    job: Job,
    work: impl Future<Output = Result<Value, ApiError>> + Send + 'static,
) {
    let failed = |message: &str| Job {
        status: JobStatus::Failed,
        error: Some(message.to_owned()),
        ..job.clone()
    };
    let running = Job { status: JobStatus::Running, ..job.clone() };
    if app.store.update_job(running).await.is_err() {
        return; // Already logged, and a broken store cannot record the error for the caller.
    }
    // In its own task: a panic must not leave the job running forever.
    let finished = match app.tasks.spawn(work).await {
        Ok(Ok(result)) => Job { status: JobStatus::Done, result, ..job.clone() },
        Ok(Err(error)) => failed(error.message()),
        Err(error) => failed(ApiError::internal(&error).message()),
    };
    let _ = app.store.update_job(finished).await;
}

/// `GET /api/jobs/{type}/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    PathParameters((type_name, id)): PathParameters<(String, String)>,
) -> HandlerResult {
    let Some(r#type) = JobType::ALL.into_iter().find(|r#type| r#type.as_str() == type_name) else {
        let names = JobType::ALL.map(JobType::as_str).join(", ");
        return Err(ApiError::invalid(format!("The job type must be one of {names}.")));
    };
    let unknown = || ApiError::unknown(&format!("{} job", r#type.as_str()), &id);
    let job_id = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let job = app.store.job(r#type, job_id).await?.ok_or_else(unknown)?;
    Ok(Json(json!({ "data": job })))
}
