//! Connect sessions: a user of the caller's product adds one connection on a page of the sandbox.

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::Duration;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::connect_session::ConnectSession;
use crate::sandbox::connections::handlers::find;
use crate::sandbox::connections::request::parse_redirect_url;
use crate::sandbox::connections::types;
use crate::sandbox::http::base_url::BaseUrl;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{JsonObject, missing, validate_name};
use crate::sandbox::http::idempotency::RequestKey;
use crate::sandbox::state::{HandlerResult, SharedState};
use crate::sandbox::store::idempotency::Outcome;
use crate::sandbox::store::{self, Tx, format_time};

/// The contract names neither unit nor default nor limit.
const DEFAULT_TTL_SECONDS: i64 = 60 * 60;
const MAX_TTL_SECONDS: i64 = 7 * 24 * 60 * 60;

#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct SessionBody {
    connection: Option<String>,
    dark: Option<bool>,
    name: Option<String>,
    organization_id: Option<Uuid>,
    redirect_url: Option<String>,
    ttl: Option<i64>,
    r#type: Option<String>,
    use_organization_name: Option<bool>,
    whitelist: Option<Vec<String>>,
}

/// `POST /api/connections/connect/`
pub(in crate::sandbox) async fn create(
    State(app): SharedState,
    caller: Caller,
    RequestKey(key): RequestKey,
    base_url: BaseUrl,
    JsonObject(body): JsonObject<SessionBody>,
) -> HandlerResult<Outcome> {
    caller.check_organization(body.organization_id)?;
    let name = validate_name(body.name)?;
    let redirect_url =
        body.redirect_url.ok_or_else(|| missing("redirect_url", "an http or https URL"))?;
    let redirect_url = parse_redirect_url(&redirect_url).map_err(ApiError::unprocessable)?;
    let ttl = body.ttl.unwrap_or(DEFAULT_TTL_SECONDS);
    if !(1..=MAX_TTL_SECONDS).contains(&ttl) {
        let message = format!("ttl: expected 1 to {MAX_TTL_SECONDS} seconds.");
        return Err(ApiError::unprocessable(&message));
    }
    let whitelist = body.whitelist.unwrap_or_default();
    for id in whitelist.iter().chain(&body.r#type) {
        types::find(id).map_err(|error| ApiError::unprocessable(error.message()))?;
    }
    let connection = match &body.connection {
        Some(id) => Some(find(&app, caller, id).await?),
        None => None,
    };
    let mut session = ConnectSession {
        token: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        id: Uuid::new_v4(),
        organization_id: caller.organization_id(),
        expires_at: String::new(),
        name,
        redirect_url,
        connection_id: connection.as_ref().map(|connection| connection.id),
        is_completed: false,
        r#type: body.r#type.or_else(|| connection.as_ref().map(|old| old.r#type.clone())),
        whitelist,
        dark: body.dark.unwrap_or_default(),
        organization_name: (body.use_organization_name != Some(false))
            .then(|| caller.organization_name().to_owned()),
    };
    if let Some(connection) = connection.filter(|connection| !session.allows(&connection.r#type)) {
        return Err(ApiError::unprocessable(&format!(
            "type, whitelist: connection {} is of type {}.",
            connection.id, connection.r#type
        )));
    }
    let create = move |tx: &Tx<'_>| {
        let expires_at =
            Duration::try_seconds(ttl).and_then(|ttl| tx.now().checked_add_signed(ttl));
        session.expires_at = format_time(expires_at.unwrap_or(tx.now()));
        store::connect_sessions::put(tx, &session)?;
        let redirect_url = format!("{base_url}/sandbox/connect?token={}", session.token);
        Ok(json!({ "data": { "redirect_url": redirect_url, "token": session.token } }))
    };
    app.store.commit(key, create).await
}

/// `GET /api/connections/connect/session`. The token takes the place of an API key.
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let query = query.unwrap_or_default();
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    let token = token.map(|(_, token)| token.into_owned()).unwrap_or_default();
    let session = app.store.read(move |tx| store::connect_sessions::find(tx, &token)).await?;
    let session = session.ok_or_else(|| {
        ApiError::unauthorized(
            "token: missing, unknown or expired; create another Connect session.",
        )
    })?;
    let whitelist = Some(&session.whitelist).filter(|whitelist| !whitelist.is_empty());
    Ok(Json(json!({ "data": {
        "connection_id": session.connection_id,
        "dark": session.dark,
        "expires_at": session.expires_at,
        "id": session.id,
        "logo": Value::Null,
        "name": session.name,
        "organization_name": session.organization_name,
        "redirect_url": session.redirect_url,
        "type": session.r#type,
        "whitelist": whitelist,
    } })))
}
