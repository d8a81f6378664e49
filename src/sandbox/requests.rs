//! Reading what clients send, leniently: `null` is absent, unknown properties are ignored. What
//! is left is checked as far as it can be without looking at the data.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::sandbox::error::ApiError;

const BODY_BYTES: usize = 10 * 1024 * 1024;
/// A body over the bound is still read up to here, since a client that is cut off while it
/// writes sees a broken connection in place of the answer.
const DRAINED_BYTES: usize = 8 * BODY_BYTES;
const NAME_CHARS: usize = 255;
/// Of a long refusal at either end: the start has the value's kind, the end what was expected.
const KEPT_CHARS: usize = 120;

/// A JSON object in the body.
pub(super) struct Object<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Object<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = read_body(request.into_body()).await?;
        if bytes.trim_ascii().is_empty() {
            return Err(ApiError::invalid("The body is missing: a JSON object is expected."));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = Value::deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value))
            .map_err(|error| ApiError::invalid(format!("The body is not valid JSON: {error}.")))?;
        if !value.is_object() {
            return Err(ApiError::invalid("The body must be a JSON object."));
        }
        serde_path_to_error::deserialize(value).map(Self).map_err(|error| {
            let path = error.path().to_string();
            ApiError::invalid(format!("{path}: {}.", shorten(&error.into_inner().to_string())))
        })
    }
}

/// The reader's words without the middle of a value that they repeat in full.
fn shorten(words: &str) -> String {
    let length = words.chars().count();
    if length <= 2 * KEPT_CHARS {
        return words.to_owned();
    }
    let start = words.chars().take(KEPT_CHARS);
    start.chain(['…']).chain(words.chars().skip(length - KEPT_CHARS)).collect()
}

async fn read_body(mut body: Body) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // A body that breaks off is no request, so its idempotency key must stay free.
        let frame = frame.map_err(|_| ApiError::client_left())?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else if length > DRAINED_BYTES {
            break;
        } else {
            bytes = Vec::new();
        }
    }
    if length > BODY_BYTES {
        return Err(ApiError::too_large(format!("The body is over {BODY_BYTES} bytes.")));
    }
    Ok(bytes)
}

/// The variable parts of the path, whatever bytes they were encoded from.
pub(super) struct PathParts<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParts<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(read)) => Ok(Self(read)),
            Err(_) => Err(ApiError::not_found("The id in the path is not UTF-8.")),
        }
    }
}

/// The name of something that is to be saved.
pub(super) fn check_name(name: Option<String>) -> Result<String, ApiError> {
    let name = name.ok_or_else(|| missing("name", "a string of 1 to 255 characters"))?;
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS {
        return Err(ApiError::invalid("name: expected a string of 1 to 255 characters."));
    }
    Ok(name)
}

/// A query parameter that is yes or no.
pub(super) fn read_bool(name: &str, value: &str) -> Result<bool, ApiError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ApiError::invalid(format!("{name}: expected true or false."))),
    }
}

pub(super) fn missing(name: &str, expected: &str) -> ApiError {
    ApiError::invalid(format!("{name}: it is missing; expected {expected}."))
}
