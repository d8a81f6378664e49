//! Idempotency keys: who runs first, and what came out.

use chrono::Utc;
use rusqlite::{OptionalExtension, params};

use crate::sandbox::error::ApiError;
use crate::sandbox::store::Store;

const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// An answer, as it went out.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct StoredResponse {
    pub(in crate::sandbox) status: u16,
    pub(in crate::sandbox) body: Vec<u8>,
}

/// What a request with a key finds.
pub(in crate::sandbox) enum Claim {
    /// Nobody had the key; the caller must end with `keep_outcome` or `release_key`.
    First,
    /// Another request has it and is not done.
    Running,
    /// A request with it was answered.
    Done(StoredResponse),
}

impl Store {
    pub(in crate::sandbox) async fn claim_key(&self, key: String) -> Result<Claim, ApiError> {
        self.transact(move |tx| {
            let now = Utc::now().timestamp();
            tx.prepare_cached(
                "DELETE FROM idempotency WHERE claimed_at <= ?1 AND status IS NOT NULL",
            )?
            .execute([now - KEPT_SECONDS])?;
            let claimed = tx
                .prepare_cached(
                    "INSERT OR IGNORE INTO idempotency (key, claimed_at) VALUES (?1, ?2)",
                )?
                .execute(params![key, now])?;
            if claimed > 0 {
                return Ok(Claim::First);
            }
            let done = tx
                .prepare_cached(
                    "SELECT status, body FROM idempotency WHERE key = ?1 AND status IS NOT NULL",
                )?
                .query_row([&key], |row| {
                    Ok(StoredResponse { status: row.get(0)?, body: row.get(1)? })
                })
                .optional()?;
            Ok(done.map_or(Claim::Running, Claim::Done))
        })
        .await
    }

    pub(in crate::sandbox) async fn keep_outcome(
        &self,
        key: String,
        outcome: StoredResponse,
    ) -> Result<(), ApiError> {
        self.transact(move |tx| {
            tx.prepare_cached("UPDATE idempotency SET status = ?2, body = ?3 WHERE key = ?1")?
                .execute(params![key, outcome.status, outcome.body])?;
            Ok(())
        })
        .await
    }

    pub(in crate::sandbox) async fn release_key(&self, key: String) -> Result<(), ApiError> {
        self.transact(move |tx| {
            tx.prepare_cached("DELETE FROM idempotency WHERE key = ?1 AND status IS NULL")?
                .execute([key])?;
            Ok(())
        })
        .await
    }
}
