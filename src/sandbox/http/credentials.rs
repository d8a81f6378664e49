//! Authentication: the API key as Bearer token, or as Basic credentials with the organization's id.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::sandbox::account::ORGANIZATION;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::state::AppState;

pub(in crate::sandbox) async fn require_key(
    State(app): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    match check_credentials(request.headers(), &app.api_key) {
        Ok(()) => next.run(request).await,
        Err(message) => {
            let mut response = ApiError::unauthorized(message).into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

fn check_credentials(headers: &HeaderMap, api_key: &str) -> Result<(), &'static str> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err(
            "The Authorization header is missing; expected \"Bearer\" and the sandbox's API key.",
        );
    };
    let (scheme, credentials) =
        header.to_str().ok().and_then(|header| header.split_once(' ')).ok_or(
            "The Authorization header must be \"Bearer\" or \"Basic\", followed by credentials.",
        )?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return equal(credentials, api_key).then_some(()).ok_or("Invalid API key.");
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("The Authorization scheme must be Bearer or Basic.");
    }
    let pair = STANDARD.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok());
    let (organization, key) = pair
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .ok_or("Basic credentials must be the organization's id and the API key, joined by a colon, in base64.")?;
    let is_organization = organization.trim().parse() == Ok(ORGANIZATION);
    (equal(key.trim(), api_key) && is_organization)
        .then_some(())
        .ok_or("Invalid organization id or API key.")
}

/// Compares in constant time: the duration must not reveal how much of the key is right.
fn equal(key: &str, expected: &str) -> bool {
    key.as_bytes().ct_eq(expected.as_bytes()).into()
}
