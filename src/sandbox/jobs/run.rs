//! Operations that may become jobs: completed within 10 s, or, with `async`, handed over to a background
//! job of up to 60 s.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{PathParameters, parse_flag};
use crate::sandbox::http::idempotency::ClientDisconnected;
use crate::sandbox::jobs::job::{Job, JobStatus, JobType};
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::idempotency::{ClaimedKey, Outcome};
use crate::sandbox::store::{Tx, jobs};
use crate::sandbox::testing::JobFault;

pub(in crate::sandbox) const SYNCHRONOUS_TIMEOUT: Duration = Duration::from_secs(10);
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(60);

/// Extracts how to run an operation: at once or in the background, and until which signal.
#[derive(Debug)]
pub(in crate::sandbox) struct JobOptions {
    run_in_background: bool,
    caller: Caller,
    key: Option<ClaimedKey>,
    disconnected: CancellationToken,
    fault: Option<JobFault>,
}

impl JobOptions {
    pub(in crate::sandbox) fn caller(&self) -> Caller {
        self.caller
    }
}

impl<S: Sync> FromRequestParts<S> for JobOptions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let run_in_background = parse_flag(query, "async")?.unwrap_or_default();
        let disconnected = parts
            .extensions
            .get::<ClientDisconnected>()
            .map(|ClientDisconnected(disconnected)| disconnected.clone());
        let disconnected = disconnected.unwrap_or_default();
        let caller = Caller::from_request_parts(parts, state).await?;
        let key = parts.extensions.get().cloned();
        let fault = parts.extensions.get().cloned();
        Ok(Self { run_in_background, caller, key, disconnected, fault })
    }
}

/// What an operation returns that may become a job.
#[derive(Debug, Serialize)]
pub(in crate::sandbox) struct Response<T> {
    pub(in crate::sandbox) data: T,
    pub(in crate::sandbox) job: Option<Job>,
}

/// The response with a job.
#[derive(Debug, Serialize)]
pub(in crate::sandbox) struct JobResponse {
    data: Job,
}

/// What the work of an operation ends with: reading its result in a transaction, after writing it there if it is stored.
pub(in crate::sandbox) type Change =
    Box<dyn FnOnce(&Tx<'_>) -> Result<Box<RawValue>, ApiError> + Send>;

/// Runs an operation, or starts it in the background, and builds the response `{data, job}`.
pub(in crate::sandbox) async fn run<F>(
    app: Arc<AppState>,
    r#type: JobType,
    options: JobOptions,
    work: impl FnOnce(Arc<AppState>, ReadLimit) -> F + Send + 'static,
) -> HandlerResult<Outcome>
where
    F: Future<Output = Result<Change, ApiError>> + Send + 'static,
{
    let JobOptions { run_in_background, caller, key, disconnected, fault } = options;
    let organization_id = caller.organization_id();
    // A job that is to fail is one that did not finish in time.
    if run_in_background || fault.is_some() {
        let job = Job::new(r#type, JobStatus::Created);
        let stored = job.clone();
        let add = move |tx: &Tx<'_>| {
            jobs::add(tx, organization_id, &stored)?;
            Ok(Response { data: (), job: Some(stored) })
        };
        let outcome = app.store.commit(key, add).await?;
        if let Some(fault) = fault {
            fail_job(&app, job, fault).await?;
            return Ok(outcome);
        }
        let work = work(Arc::clone(&app), ReadLimit::background(BACKGROUND_TIMEOUT));
        app.tasks.spawn(finish_in_background(Arc::clone(&app), job, work));
        return Ok(outcome);
    }
    let limit = ReadLimit::synchronous(SYNCHRONOUS_TIMEOUT, disconnected);
    let change = work(Arc::clone(&app), limit).await?;
    let job = Job::new(r#type, JobStatus::Done);
    let finish = move |tx: &Tx<'_>| {
        let result = change(tx)?;
        jobs::add(tx, organization_id, &Job { result: result.clone(), ..job.clone() })?;
        Ok(Response { data: result, job: Some(job) })
    };
    app.store.commit(key, finish).await
}

async fn finish_in_background(
    app: Arc<AppState>,
    job: Job,
    work: impl Future<Output = Result<Change, ApiError>> + Send + 'static,
) {
    let running = Job { status: JobStatus::Running, ..job.clone() };
    if app.store.write(move |tx| jobs::update(tx, &running)).await.is_err() {
        return; // Already logged, and a broken store cannot record the error for the caller.
    }
    // In its own task: a panic must not leave the job running forever.
    let work = app.tasks.spawn(work).await;
    let change = work.unwrap_or_else(|error| Err(ApiError::internal(&error)));
    let done = job.clone();
    let result = match change {
        Ok(change) => {
            let finish = move |tx: &Tx<'_>| {
                // A reset has deleted the job meanwhile.
                if !jobs::exists(tx, done.job_id)? {
                    return Ok(());
                }
                let result = change(tx)?;
                jobs::update(tx, &Job { status: JobStatus::Done, result, ..done })
            };
            app.store.write(finish).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        let error = Some(error.message().to_owned());
        let failed = Job { status: JobStatus::Failed, error, ..job };
        let _ = app.store.write(move |tx| jobs::update(tx, &failed)).await;
    }
}

/// Ends a job without its work, or lets it run forever.
async fn fail_job(app: &AppState, job: Job, fault: JobFault) -> Result<(), ApiError> {
    let job = match fault {
        JobFault::Fail(error) => Job { status: JobStatus::Failed, error: Some(error), ..job },
        JobFault::Endless => Job { status: JobStatus::Running, ..job },
    };
    app.store.write(move |tx| jobs::update(tx, &job)).await
}

/// `GET /api/jobs/{type}/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters((type_name, id)): PathParameters<(String, String)>,
) -> HandlerResult<Json<JobResponse>> {
    let Some(r#type) = JobType::ALL.into_iter().find(|r#type| r#type.as_str() == type_name) else {
        let names = JobType::ALL.map(JobType::as_str).join(", ");
        return Err(ApiError::invalid(format!("The job type must be one of {names}.")));
    };
    let unknown = || ApiError::unknown(&format!("{} job", r#type.as_str()), &id);
    let job_id = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let organization_id = caller.organization_id();
    let job = app.store.read(move |tx| jobs::find(tx, organization_id, r#type, job_id)).await?;
    let job = job.ok_or_else(unknown)?;
    Ok(Json(JobResponse { data: job }))
}
