//! Connect sessions, found by their tokens.

use rusqlite::{OptionalExtension, params};

use crate::sandbox::connections::connect_session::ConnectSession;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::objects::{decode, encode};
use crate::sandbox::store::transaction::{Tx, format_time};

/// Adds a session, or replaces the one with its token. Those that have expired are removed.
pub(in crate::sandbox) fn put(tx: &Tx<'_>, session: &ConnectSession) -> Result<(), ApiError> {
    tx.prepare_cached("DELETE FROM connect_sessions WHERE expires_at <= ?1")?
        .execute([format_time(tx.now())])?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO connect_sessions (token, organization_id, expires_at, body)
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        session.token,
        session.organization_id.to_string(),
        session.expires_at,
        encode(session)?
    ])?;
    Ok(())
}

/// The session with this token, of any organization: who has the token may see it. `None` once it has expired.
pub(in crate::sandbox) fn find(
    tx: &Tx<'_>,
    token: &str,
) -> Result<Option<ConnectSession>, ApiError> {
    let body: Option<String> = tx
        .prepare_cached("SELECT body FROM connect_sessions WHERE token = ?1 AND expires_at > ?2")?
        .query_row([token, &format_time(tx.now())], |row| row.get(0))
        .optional()?;
    Ok(body.map(|body| decode(0, &body)).transpose()?)
}
