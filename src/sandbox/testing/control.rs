//! The endpoints below `/sandbox`, which are not part of the API. They control the sandbox, and need the key of its
//! administrator; a browser with a session may watch.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::sandbox::executions;
use crate::sandbox::http::credentials::authenticate;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::JsonObject;
use crate::sandbox::seed;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::{self, administration, format_time};
use crate::sandbox::testing::rule::{FaultRule, InvalidRule};
use crate::sandbox::testing::{page, watch};

/// How many requests a page of the log has, at most and by default.
const MAX_LOG_ENTRIES: usize = 500;
/// The clock stays between the years 1 and 9999.
const MAX_OFFSET_SECONDS: i64 = 100 * 366 * 24 * 60 * 60;

pub(in crate::sandbox) fn router(app: &Arc<AppState>) -> Router {
    Router::new()
        .route("/sandbox", get(async || Redirect::permanent("/sandbox/")))
        .route("/sandbox/", get(page::page))
        .route("/sandbox/session", post(page::open_session))
        .route("/sandbox/events", get(watch::events))
        .route("/sandbox/state", get(watch::state))
        .route("/sandbox/log", get(log))
        .route("/sandbox/faults", get(list_faults).post(add_faults).delete(clear_faults))
        .route("/sandbox/clock", get(get_clock).post(move_clock))
        .route("/sandbox/reset", post(reset))
        .method_not_allowed_fallback(async || {
            let methods = [&Method::GET, &Method::POST, &Method::DELETE];
            ApiError::method_not_allowed(&methods)
        })
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), protect))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(app))
}

/// Lets those pass who may: from this machine, and with the key or a session.
async fn protect(State(app): SharedState, request: Request, next: Next) -> Response {
    match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(app: &AppState, request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    check_host(headers)?;
    if matches!(request.uri().path(), "/sandbox" | "/sandbox/") {
        return Ok(()); // The page itself has no data.
    }
    // A browser sends its cookies along with the requests of other sites, and on this machine with those of other ports.
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(ApiError::forbidden(
            "This is only for the sandbox's own page, not for other sites.",
        ));
    }
    if request.uri().path() == "/sandbox/session" {
        return Ok(());
    }
    if headers.contains_key(AUTHORIZATION) {
        let caller = authenticate(headers, &app.keys)?;
        return match caller.is_sandbox_admin() {
            true => Ok(()),
            false => Err(ApiError::forbidden(
                "/sandbox needs the API key that the sandbox prints first.",
            )),
        };
    }
    let has_session =
        page::session(headers).is_some_and(|session| app.testing.sessions.is_open(session));
    if has_session && request.method() == Method::GET {
        return Ok(());
    }
    Err(ApiError::unauthorized(match has_session {
        true => "A session may only watch; pass the API key as Bearer in the Authorization header.",
        false => {
            "The Authorization header is missing; expected \"Bearer\" and the sandbox's API key."
        }
    }))
}

/// Rejects names of other hosts, which would resolve to this machine in an attack by DNS rebinding, and pages of other sites.
fn check_host(headers: &HeaderMap) -> Result<(), ApiError> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'))
        .map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost", "[::1]"].contains(&name.to_ascii_lowercase().as_str()) {
        return Err(ApiError::forbidden(
            "Host: expected 127.0.0.1, localhost or [::1], with the port.",
        ));
    }
    match headers.get(ORIGIN) {
        Some(origin) if origin.as_bytes() != format!("http://{host}").as_bytes() => {
            Err(ApiError::forbidden(
                "Origin: this is only for the sandbox's own page, not for other sites.",
            ))
        }
        _ => Ok(()),
    }
}

/// `GET /sandbox/log?after=NUMBER&limit=COUNT`
async fn log(State(app): SharedState, request: Request) -> HandlerResult {
    let (mut after, mut limit) = (0, MAX_LOG_ENTRIES);
    for (name, value) in
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
    {
        let invalid = |expected: &str| ApiError::invalid(format!("{name}: expected {expected}."));
        match &*name {
            "after" => {
                let number =
                    value.parse().map_err(|_| invalid("the number of an entry, such as `next`"));
                after = number?;
            }
            "limit" => {
                let number =
                    value.parse().ok().filter(|limit| (1..=MAX_LOG_ENTRIES).contains(limit));
                limit = number.ok_or_else(|| invalid("a whole number from 1 to 500"))?;
            }
            _ => return Err(invalid("only the query parameters after and limit")),
        }
    }
    let (entries, next) = app.testing.log.after(after, limit);
    Ok(Json(
        json!({ "data": entries, "next": next, "has_more": next < app.testing.log.last() && !entries.is_empty() }),
    ))
}

/// `GET /sandbox/faults`
async fn list_faults(State(app): SharedState) -> Json<Value> {
    Json(json!({ "data": app.testing.faults.list() }))
}

/// `POST /sandbox/faults`
async fn add_faults(State(app): SharedState, JsonObject(body): JsonObject<Value>) -> HandlerResult {
    let rules = FaultRule::parse_json(&body);
    app.testing.faults.add(rules.map_err(|InvalidRule(problem)| ApiError::invalid(problem))?);
    Ok(list_faults(State(app)).await)
}

/// `DELETE /sandbox/faults`
async fn clear_faults(State(app): SharedState) -> Json<Value> {
    app.testing.faults.clear();
    list_faults(State(app)).await
}

/// `POST /sandbox/reset`: everything as at the first start, rules of the command line included.
async fn reset(State(app): SharedState) -> HandlerResult<StatusCode> {
    let seed_data = app.testing.seed_data;
    app.store
        .write(move |tx| {
            administration::clear(tx)?;
            seed::add_objects(tx, seed_data)
        })
        .await?;
    let target = app.sources.target().to_owned();
    let clear = tokio::task::spawn_blocking(move || executions::clear_target(&target));
    clear.await.map_err(|error| ApiError::internal(&error))??;
    app.testing.faults.restore();
    app.testing.log.clear();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequest {
    advance_seconds: Option<i64>,
    offset_seconds: Option<i64>,
    now: Option<DateTime<Utc>>,
}

/// `GET /sandbox/clock`
async fn get_clock(State(app): SharedState) -> HandlerResult {
    let clock = |tx: &store::Tx<'_>| Ok((tx.now(), administration::clock_offset(tx)?));
    let (now, offset_seconds) = app.store.read(clock).await?;
    Ok(Json(json!({ "data": { "now": format_time(now), "offset_seconds": offset_seconds } })))
}

/// `POST /sandbox/clock`
async fn move_clock(
    State(app): SharedState,
    JsonObject(request): JsonObject<ClockRequest>,
) -> HandlerResult {
    let change = move |tx: &store::Tx<'_>| {
        let offset = administration::clock_offset(tx)?;
        let offset = match request {
            ClockRequest { advance_seconds: Some(seconds), offset_seconds: None, now: None } => {
                offset.saturating_add(seconds)
            }
            ClockRequest { advance_seconds: None, offset_seconds: Some(seconds), now: None } => {
                seconds
            }
            ClockRequest { advance_seconds: None, offset_seconds: None, now: Some(time) } => {
                offset.saturating_add((time - tx.now()).num_seconds())
            }
            _ => {
                let expected = "Expected one of advance_seconds, offset_seconds (0 is the real time) and now (RFC 3339).";
                return Err(ApiError::invalid(expected));
            }
        };
        if offset.abs() > MAX_OFFSET_SECONDS {
            return Err(ApiError::invalid("The clock moves by at most 100 years."));
        }
        administration::set_clock_offset(tx, offset)
    };
    app.store.write(change).await?;
    get_clock(State(app)).await
}
