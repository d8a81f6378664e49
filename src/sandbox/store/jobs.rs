//! Jobs of background work, and of operations that completed at once.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::jobs::job::{Job, JobStatus, JobType};
use crate::sandbox::store::open::Store;

/// Only the newest are kept, since every sample adds one.
const MAX_JOBS: i64 = 1_000;

impl Store {
    pub(in crate::sandbox) async fn add_job(&self, job: Job) -> Result<(), ApiError> {
        self.transact(move |tx| {
            let Job { job_id, r#type, status, error, result } = job;
            tx.prepare_cached(
                "INSERT INTO jobs (id, type, status, error, result) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                job_id.to_string(),
                r#type.as_str(),
                status.as_str(),
                error,
                result.to_string()
            ])?;
            delete_old_jobs(tx, tx.last_insert_rowid() - MAX_JOBS)
        })
        .await
    }

    /// Updates a job. Does nothing if it has been deleted meanwhile.
    pub(in crate::sandbox) async fn update_job(&self, job: Job) -> Result<(), ApiError> {
        self.transact(move |tx| {
            tx.prepare_cached(
                "UPDATE jobs SET status = ?2, error = ?3, result = ?4 WHERE id = ?1",
            )?
            .execute(params![
                job.job_id.to_string(),
                job.status.as_str(),
                job.error,
                job.result.to_string()
            ])?;
            Ok(())
        })
        .await
    }

    pub(in crate::sandbox) async fn job(
        &self,
        r#type: JobType,
        job_id: Uuid,
    ) -> Result<Option<Job>, ApiError> {
        self.transact(move |tx| {
            tx.prepare_cached("SELECT status, error, result FROM jobs WHERE id = ?1 AND type = ?2")?
                .query_row([&job_id.to_string(), r#type.as_str()], |row| {
                    let status: String = row.get(0)?;
                    let result: Option<String> = row.get(2)?;
                    Ok(Job {
                        job_id,
                        r#type,
                        status: JobStatus::parse(&status),
                        error: row.get(1)?,
                        result: result
                            .and_then(|result| serde_json::from_str(&result).ok())
                            .unwrap_or(Value::Null),
                    })
                })
                .optional()
        })
        .await
    }
}

fn delete_old_jobs(tx: &Transaction<'_>, up_to: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM jobs WHERE number <= ?1 AND status IN ('done', 'failed')")?
        .execute([up_to])?;
    Ok(())
}
