//! The jobs: of background work, and of calls that were answered at once.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;
use uuid::Uuid;

use crate::sandbox::error::ApiError;
use crate::sandbox::job::{Job, JobType, Status};
use crate::sandbox::store::Store;

/// How many jobs are remembered, the newest: every sample leaves one.
const KEPT: i64 = 1_000;

impl Store {
    pub(in crate::sandbox) async fn add_job(&self, job: Job) -> Result<(), ApiError> {
        self.transact(move |tx| {
            let Job { job_id, r#type, status, error, result } = job;
            tx.prepare_cached(
                "INSERT INTO jobs (id, type, status, error, result) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                job_id.to_string(),
                r#type.word(),
                status.word(),
                error,
                result.to_string()
            ])?;
            forget_old(tx, tx.last_insert_rowid() - KEPT)
        })
        .await
    }

    /// Writes how the job stands; one that has been forgotten stays so.
    pub(in crate::sandbox) async fn set_job(&self, job: Job) -> Result<(), ApiError> {
        self.transact(move |tx| {
            tx.prepare_cached(
                "UPDATE jobs SET status = ?2, error = ?3, result = ?4 WHERE id = ?1",
            )?
            .execute(params![
                job.job_id.to_string(),
                job.status.word(),
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
                .query_row([&job_id.to_string(), r#type.word()], |row| {
                    let status: String = row.get(0)?;
                    let result: Option<String> = row.get(2)?;
                    Ok(Job {
                        job_id,
                        r#type,
                        status: Status::from_word(&status),
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

fn forget_old(tx: &Transaction<'_>, up_to: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM jobs WHERE number <= ?1 AND status IN ('done', 'failed')")?
        .execute([up_to])?;
    Ok(())
}
