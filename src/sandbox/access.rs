//! Who is let in, and who they are: one made-up user in one made-up organization.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::{Uuid, uuid};

use crate::sandbox::app::App;
use crate::sandbox::refusal::Refusal;

pub(super) const ORGANIZATION: Uuid = uuid!("7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41");
const USER: Uuid = uuid!("c2a4e0b8-93d7-4f16-8a5d-6e1b7f20d394");

/// Who made or changed something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Actor {
    id: Uuid,
    name: String,
    r#type: String,
}

impl Actor {
    /// The only one there is.
    pub(super) fn user() -> Self {
        Self { id: USER, name: "Sandbox User".to_owned(), r#type: "user".to_owned() }
    }
}

/// `GET /api/me`
pub(super) async fn identity() -> Json<Value> {
    Json(json!({ "data": {
        "email": "sandbox@example.com",
        "id": USER,
        "is_organization": false,
        "is_partner": false,
        "is_system": false,
        "is_user": true,
        "organization_id": ORGANIZATION,
        "organization_name": "Sandbox",
    } }))
}

pub(super) async fn require_key(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    match check(request.headers(), &app.api_key) {
        Ok(()) => next.run(request).await,
        Err(message) => {
            let mut response = Refusal::unauthorized(message).into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

fn check(headers: &HeaderMap, api_key: &str) -> Result<(), &'static str> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err("The Authorization header is missing: send Bearer and the sandbox's key.");
    };
    let (scheme, credentials) = header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .ok_or("The Authorization header must be Bearer and a key, or Basic and a pair.")?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return same(credentials, api_key).then_some(()).ok_or("This is not the sandbox's key.");
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("The Authorization scheme must be Bearer or Basic.");
    }
    let pair = STANDARD.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok());
    let (organization, key) = pair
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .ok_or("Basic takes base64 of the organization's id, a colon, and the key.")?;
    let organization = organization.trim().parse() == Ok(ORGANIZATION);
    (same(key.trim(), api_key) && organization)
        .then_some(())
        .ok_or("This is not the sandbox's organization and key.")
}

/// Compares without telling by the time it takes how much was right.
fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}
