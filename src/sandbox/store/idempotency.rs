//! Idempotency keys of each organization, and the outcomes of their first requests.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::open::Store;
use crate::sandbox::store::transaction::Tx;

/// How long outcomes are kept.
const RETENTION_SECONDS: i64 = 24 * 60 * 60;

/// A response, as it was sent.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Outcome {
    pub(in crate::sandbox) status: u16,
    pub(in crate::sandbox) body: Vec<u8>,
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.body.is_empty() {
            return status.into_response();
        }
        (status, [(CONTENT_TYPE, "application/json")], Body::from(self.body)).into_response()
    }
}

/// A key that this process has claimed for a request.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct ClaimedKey {
    organization_id: String,
    key: String,
}

/// The result of claiming a key.
pub(in crate::sandbox) enum Claim {
    /// The key was free; the caller must finish with `finish` or `release`.
    Acquired(ClaimedKey),
    /// Another request with the key is still running.
    InFlight,
    /// A request with the key has completed.
    Completed(Outcome),
}

/// Claims a key, also from a process that died with it: its request has changed nothing, since a change commits the outcome
/// of its key.
pub(in crate::sandbox) fn claim(
    tx: &Tx<'_>,
    organization_id: Uuid,
    key: String,
) -> Result<Claim, ApiError> {
    let organization_id = organization_id.to_string();
    let now = tx.now().timestamp();
    tx.prepare_cached("DELETE FROM keys WHERE claimed_at <= ?1 AND status IS NOT NULL")?
        .execute([now - RETENTION_SECONDS])?;
    let stored = tx
        .prepare_cached(
            "SELECT owner, status, body FROM keys WHERE organization_id = ?1 AND key = ?2",
        )?
        .query_row([&organization_id, &key], |row| {
            let status: Option<u16> = row.get(1)?;
            Ok((row.get::<_, String>(0)?, status, row.get::<_, Option<Vec<u8>>>(2)?))
        })
        .optional()?;
    match stored {
        Some((_, Some(status), body)) => {
            return Ok(Claim::Completed(Outcome { status, body: body.unwrap_or_default() }));
        }
        Some((owner, None, _)) if tx.owner.is_alive(&owner) => return Ok(Claim::InFlight),
        _ => {}
    }
    tx.prepare_cached(
        "INSERT OR REPLACE INTO keys (organization_id, key, owner, claimed_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![organization_id, key, tx.owner.id(), now])?;
    Ok(Claim::Acquired(ClaimedKey { organization_id, key }))
}

/// Stores the outcome of a claimed key, unless it has one.
pub(in crate::sandbox) fn finish(
    tx: &Tx<'_>,
    ClaimedKey { organization_id, key }: &ClaimedKey,
    outcome: &Outcome,
) -> Result<(), ApiError> {
    tx.prepare_cached(
        "UPDATE keys SET status = ?3, body = ?4 WHERE organization_id = ?1 AND key = ?2 AND status IS NULL",
    )?
    .execute(params![organization_id, key, outcome.status, outcome.body])?;
    Ok(())
}

/// Frees a claimed key, unless it has an outcome.
pub(in crate::sandbox) fn release(
    tx: &Tx<'_>,
    ClaimedKey { organization_id, key }: &ClaimedKey,
) -> Result<(), ApiError> {
    tx.prepare_cached(
        "DELETE FROM keys WHERE organization_id = ?1 AND key = ?2 AND status IS NULL",
    )?
    .execute([organization_id, key])?;
    Ok(())
}

impl Store {
    /// Runs a change and stores its response as the outcome of `key`, in one transaction. `change` returns the body of the
    /// response.
    pub(in crate::sandbox) async fn commit<T: Serialize>(
        &self,
        key: Option<ClaimedKey>,
        change: impl FnOnce(&Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Outcome, ApiError> {
        self.write(move |tx| {
            let body = serde_json::to_vec(&change(tx)?);
            let body = body.map_err(|error| ApiError::internal(&error))?;
            let outcome = Outcome { status: StatusCode::OK.as_u16(), body };
            if let Some(key) = key {
                finish(tx, &key, &outcome)?;
            }
            Ok(outcome)
        })
        .await
    }
}
