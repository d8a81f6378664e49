//! Idempotency keys, and the responses of their first requests.

use chrono::Utc;
use rusqlite::{OptionalExtension, params};

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::open::Store;

/// How long responses are kept.
const RETENTION_SECONDS: i64 = 24 * 60 * 60;

/// A response, as it was sent.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct StoredResponse {
    pub(in crate::sandbox) status: u16,
    pub(in crate::sandbox) body: Vec<u8>,
}

/// The result of claiming a key.
pub(in crate::sandbox) enum Claim {
    /// The key was free; the caller must finish with `store_response` or `release_key`.
    Acquired,
    /// Another request with the key is still running.
    InFlight,
    /// A request with the key has completed.
    Completed(StoredResponse),
}

impl Store {
    pub(in crate::sandbox) async fn claim_key(&self, key: String) -> Result<Claim, ApiError> {
        self.transact(move |tx| {
            let now = Utc::now().timestamp();
            tx.prepare_cached(
                "DELETE FROM idempotency WHERE claimed_at <= ?1 AND status IS NOT NULL",
            )?
            .execute([now - RETENTION_SECONDS])?;
            let claimed = tx
                .prepare_cached(
                    "INSERT OR IGNORE INTO idempotency (key, claimed_at) VALUES (?1, ?2)",
                )?
                .execute(params![key, now])?;
            if claimed > 0 {
                return Ok(Claim::Acquired);
            }
            let stored = tx
                .prepare_cached(
                    "SELECT status, body FROM idempotency WHERE key = ?1 AND status IS NOT NULL",
                )?
                .query_row([&key], |row| {
                    Ok(StoredResponse { status: row.get(0)?, body: row.get(1)? })
                })
                .optional()?;
            Ok(stored.map_or(Claim::InFlight, Claim::Completed))
        })
        .await
    }

    pub(in crate::sandbox) async fn store_response(
        &self,
        key: String,
        response: StoredResponse,
    ) -> Result<(), ApiError> {
        self.transact(move |tx| {
            tx.prepare_cached("UPDATE idempotency SET status = ?2, body = ?3 WHERE key = ?1")?
                .execute(params![key, response.status, response.body])?;
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
