//! Jobs of background work, and of operations that completed at once.

use rusqlite::{OptionalExtension, params};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::jobs::job::{Job, JobStatus, JobType};
use crate::sandbox::store::transaction::Tx;

/// Only the newest are kept, since every sample adds one.
const MAX_JOBS: i64 = 1_000;
/// How long a job can be polled after its start.
const RETENTION_SECONDS: i64 = 24 * 60 * 60;

const LOST: &str = "The sandbox was stopped while this job was running; retry the request.";

pub(in crate::sandbox) fn add(
    tx: &Tx<'_>,
    organization_id: Uuid,
    job: &Job,
) -> Result<(), ApiError> {
    let now = tx.now().timestamp();
    tx.prepare_cached(
        "INSERT INTO jobs (id, organization_id, owner, created_at, type, status, error, result)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        job.job_id.to_string(),
        organization_id.to_string(),
        tx.owner.id(),
        now,
        job.r#type.as_str(),
        job.status.as_str(),
        job.error,
        job.result.get()
    ])?;
    tx.prepare_cached(
        "DELETE FROM jobs WHERE created_at <= ?2 OR (number <= ?1 AND status IN ('done', 'failed'))",
    )?
    .execute([tx.last_insert_rowid() - MAX_JOBS, now - RETENTION_SECONDS])?;
    Ok(())
}

/// Updates a job. Does nothing if it has been deleted meanwhile.
pub(in crate::sandbox) fn update(tx: &Tx<'_>, job: &Job) -> Result<(), ApiError> {
    tx.prepare_cached("UPDATE jobs SET status = ?2, error = ?3, result = ?4 WHERE id = ?1")?
        .execute(params![
            job.job_id.to_string(),
            job.status.as_str(),
            job.error,
            job.result.get()
        ])?;
    Ok(())
}

pub(in crate::sandbox) fn exists(tx: &Tx<'_>, job_id: Uuid) -> Result<bool, ApiError> {
    let mut statement = tx.prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?;
    Ok(statement.exists([job_id.to_string()])?)
}

/// Finds a job, failed if the process that ran it has ended.
pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    organization_id: Uuid,
    r#type: JobType,
    job_id: Uuid,
) -> Result<Option<Job>, ApiError> {
    let oldest = tx.now().timestamp() - RETENTION_SECONDS;
    let row = tx
        .prepare_cached(
            "SELECT status, error, result, owner FROM jobs
             WHERE id = ?1 AND organization_id = ?2 AND type = ?3 AND created_at > ?4",
        )?
        .query_row(
            params![job_id.to_string(), organization_id.to_string(), r#type.as_str(), oldest],
            |row| {
                let (status, result): (String, Option<String>) = (row.get(0)?, row.get(2)?);
                let result = result.and_then(|result| RawValue::from_string(result).ok());
                let status = JobStatus::parse(&status);
                let result = result.unwrap_or_else(|| RawValue::NULL.to_owned());
                let job = Job { job_id, r#type, status, error: row.get(1)?, result };
                Ok((job, row.get::<_, String>(3)?))
            },
        )
        .optional()?;
    Ok(row.map(|(job, owner)| {
        if job.status.is_final() || tx.owner.is_alive(&owner) {
            return job;
        }
        Job { status: JobStatus::Failed, error: Some(LOST.to_owned()), ..job }
    }))
}
