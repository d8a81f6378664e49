//! Extractors for request bodies and paths, and checks that need no data.
//!
//! Bodies are read leniently: `null` means absent, and unknown properties are ignored.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use crate::sandbox::http::error::ApiError;

const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// A body that is too large is still read up to here: a client whose connection is closed while it
/// writes sees a broken connection in place of the error.
const MAX_DRAINED_BYTES: usize = 8 * MAX_BODY_BYTES;
const MAX_NAME_CHARACTERS: usize = 255;
/// Kept at each end of a long message: the start names the type of the value, the end what was expected.
const KEPT_CHARACTERS: usize = 120;

/// Extracts a JSON object from the body.
pub(in crate::sandbox) struct JsonObject<T>(pub(in crate::sandbox) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonObject<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        read_object(request).await.map(|(object, _)| Self(object))
    }
}

/// Reads a JSON object from the body. Returns its text as well, which has every digit.
///
/// # Errors
/// 400 for anything else, 413 and 415.
pub(in crate::sandbox) async fn read_object<T: DeserializeOwned>(
    request: Request,
) -> Result<(T, Vec<u8>), ApiError> {
    check_media_type(request.headers())?;
    let bytes = read_body(request.into_body()).await?;
    if bytes.trim_ascii().is_empty() {
        return Err(ApiError::invalid("The body is missing; expected a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let value = Value::deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|error| ApiError::invalid(format!("The body is not valid JSON: {error}.")))?;
    if !value.is_object() {
        return Err(ApiError::invalid("The body must be a JSON object."));
    }
    let object = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        ApiError::invalid(format!("{path}: {}.", in_words(&error.into_inner().to_string())))
    })?;
    Ok((object, bytes))
}

/// Rejects a body that is declared as something else than JSON.
fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(header) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let media_type = header.to_str().unwrap_or("not text");
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    is_json.then_some(()).ok_or_else(|| ApiError::unsupported_media_type(media_type))
}

/// A message of serde in the words of JSON, and without the value, which may be a secret.
fn in_words(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once(", expected ") else {
        return shorten(message);
    };
    let found = match found.split_once(['"', '`']) {
        Some((kind, _)) => kind.trim_end(),
        None => found,
    };
    let expected = match expected {
        "a sequence" => "an array",
        "a map" => "an object",
        "a boolean" => "true or false",
        "f64" => "a number",
        "i64" | "u64" | "u32" | "i32" | "u8" | "usize" => "an integer",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    let found = match found {
        "invalid type: sequence" => "invalid type: array",
        "invalid type: map" => "invalid type: object",
        "invalid type: integer" | "invalid type: floating point" => "invalid type: number",
        other => other,
    };
    shorten(&format!("{found}, expected {expected}"))
}

/// Removes the middle of a message that repeats a long value.
fn shorten(message: &str) -> String {
    let length = message.chars().count();
    if length <= 2 * KEPT_CHARACTERS {
        return message.to_owned();
    }
    let start = message.chars().take(KEPT_CHARACTERS);
    start.chain(['…']).chain(message.chars().skip(length - KEPT_CHARACTERS)).collect()
}

async fn read_body(mut body: Body) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // An incomplete body is not a request, so its idempotency key must stay free.
        let frame = frame.map_err(|_| ApiError::client_disconnected())?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else if length > MAX_DRAINED_BYTES {
            break;
        } else {
            bytes = Vec::new();
        }
    }
    if length > MAX_BODY_BYTES {
        return Err(ApiError::too_large(format!("The body exceeds {MAX_BODY_BYTES} bytes.")));
    }
    Ok(bytes)
}

/// Extracts the parameters of the path; bytes that are not UTF-8 lead to an error in JSON.
pub(in crate::sandbox) struct PathParameters<T>(pub(in crate::sandbox) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(ApiError::not_found("The id in the path is not valid UTF-8.")),
        }
    }
}

/// Validates the name of an object to be created or updated.
pub(in crate::sandbox) fn validate_name(name: Option<String>) -> Result<String, ApiError> {
    let name = name.ok_or_else(|| missing("name", "a string of 1 to 255 characters"))?;
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARACTERS {
        return Err(ApiError::invalid("name: expected a string of 1 to 255 characters."));
    }
    Ok(name)
}

/// Parses a boolean query parameter.
pub(in crate::sandbox) fn parse_bool(name: &str, value: &str) -> Result<bool, ApiError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ApiError::invalid(format!("{name}: expected true or false."))),
    }
}

/// Reads a boolean query parameter. `None` if it is absent or empty, as some clients send unset ones; the last one counts.
pub(in crate::sandbox) fn parse_flag(query: &str, name: &str) -> Result<Option<bool>, ApiError> {
    let values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let last = values.map(|(_, value)| value).filter(|value| !value.is_empty()).last();
    last.map(|value| parse_bool(name, &value)).transpose()
}

pub(in crate::sandbox) fn missing(name: &str, expected: &str) -> ApiError {
    ApiError::invalid(format!("{name}: missing; expected {expected}."))
}
