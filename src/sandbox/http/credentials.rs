//! Authentication: the API key as Bearer token, or as Basic credentials with the organization's id.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sandbox::accounts::{Caller, Keys};
use crate::sandbox::http::error::ApiError;

/// The caller whose key a request has.
///
/// # Errors
/// 401, with the header that it requires.
pub(in crate::sandbox) fn authenticate(
    headers: &HeaderMap,
    keys: &Keys,
) -> Result<Caller, ApiError> {
    let caller = find_caller(headers, keys);
    caller.map_err(ApiError::unauthorized)
}

fn find_caller(headers: &HeaderMap, keys: &Keys) -> Result<Caller, &'static str> {
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
        return keys.caller(credentials);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("The Authorization scheme must be Bearer or Basic.");
    }
    let pair = STANDARD.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok());
    let (organization, key) = pair
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .ok_or("Basic credentials must be the organization's id and the API key, joined by a colon, in base64.")?;
    let caller = keys.caller(key.trim())?;
    (organization.trim().parse() == Ok(caller.organization_id()))
        .then_some(caller)
        .ok_or("Invalid organization id or API key.")
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get().copied();
        caller.ok_or_else(|| ApiError::internal(&"a route without authentication"))
    }
}
