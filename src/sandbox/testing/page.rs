//! The page to watch, and how a browser opens it: with the code of the printed link, once, or with the API key.

use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use url::form_urlencoded;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::JsonObject;
use crate::sandbox::state::{HandlerResult, SharedState};

const PAGE: &str = include_str!("page/index.html");

/// Allows the style and the script of the page, and its own requests; nothing else, from nowhere.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |element: &str| {
        let (_, rest) = PAGE.split_once(&format!("<{element}>")).unwrap_or_default();
        let (content, _) = rest.split_once(&format!("</{element}>")).unwrap_or_default();
        STANDARD.encode(digest(&SHA256, content.as_bytes()))
    };
    let (style, script) = (hash("style"), hash("script"));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// `GET /sandbox/?code=…`
pub(super) async fn page(State(app): SharedState, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let code = parameters.find(|(name, _)| name == "code");
    let session = code.and_then(|(_, code)| app.testing.sessions.open_with_code(&code));
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, &POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (headers, PAGE).into_response();
    if let Some(cookie) = session.and_then(|session| cookie(request.headers(), &session)) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

#[derive(Deserialize)]
pub(super) struct SessionRequest {
    api_key: String,
}

/// `POST /sandbox/session`: opens a session for the API key of the administrator.
pub(super) async fn open_session(
    State(app): SharedState,
    headers: HeaderMap,
    JsonObject(request): JsonObject<SessionRequest>,
) -> HandlerResult<Response> {
    let caller = app.keys.caller(request.api_key.trim()).map_err(ApiError::unauthorized)?;
    if !caller.is_sandbox_admin() {
        return Err(ApiError::forbidden(
            "/sandbox needs the API key that the sandbox prints first.",
        ));
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = cookie(&headers, &app.testing.sessions.open()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// No script reads it, no other site makes a browser send it, and it ends with the browser.
fn cookie(headers: &HeaderMap, session: &str) -> Option<HeaderValue> {
    let name = cookie_name(headers);
    HeaderValue::from_str(&format!("{name}={session}; Path=/sandbox; HttpOnly; SameSite=Strict"))
        .ok()
}

/// The session of a browser.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    let name = cookie_name(headers);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let mut cookies = cookies.flat_map(|cookies| cookies.split(';'));
    cookies.find_map(|cookie| cookie.trim().strip_prefix(&name)?.strip_prefix('='))
}

/// Browsers share cookies among the ports of a host; each sandbox has a name of its own.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit(':').next().unwrap_or_default();
    format!("polytomic_sandbox_{port}")
}
