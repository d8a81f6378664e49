//! Parses one message or one batch, as the specification defines it.

use jsonrpsee::server::MethodResponse;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Id};
use serde_json::value::RawValue;

use crate::stdio::{self, Envelope, LenientEnvelope};

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const EMPTY_BATCH: &str = "A batch must contain at least one request.";

/// Maximum number of requests in a batch.
pub(crate) const MAX_BATCH_REQUESTS: u32 = 10_000;

/// The content of a line or body.
pub(crate) enum Message {
    /// One message.
    One(Entry),
    /// A batch, never empty.
    Batch(Vec<Entry>),
}

/// One message, alone or in a batch.
pub(crate) enum Entry {
    /// A request, which gets a response.
    Request(Call, Id<'static>),
    /// A notification, which runs without a response.
    Notification(Call),
    /// An invalid message, which gets an error.
    Invalid(Id<'static>, ErrorObjectOwned),
    /// A response. It never gets a response itself, or two peers would respond to each other forever.
    Response,
}

/// A method and its unparsed params.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Option<Box<RawValue>>,
}

/// Parses one message or one batch.
pub(crate) fn parse(bytes: &[u8]) -> Message {
    let invalid = |code, message: String| Message::One(invalid(Id::Null, code, message));
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return invalid(PARSE_ERROR, format!("The message is not UTF-8: {error}.")),
    };
    if !text.trim_ascii_start().starts_with('[') {
        return Message::One(parse_entry(text));
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(entries) if entries.is_empty() => invalid(INVALID_REQUEST, EMPTY_BATCH.to_owned()),
        Ok(entries) if entries.len() > MAX_BATCH_REQUESTS as usize => {
            let message = format!("A batch must contain at most {MAX_BATCH_REQUESTS} requests.");
            invalid(INVALID_REQUEST, message)
        }
        Ok(entries) => Message::Batch(entries.iter().map(|raw| parse_entry(raw.get())).collect()),
        Err(error) => invalid(PARSE_ERROR, format!("The message is not JSON: {error}.")),
    }
}

/// The response to an empty batch.
pub(crate) fn empty_batch() -> MethodResponse {
    let error = ErrorObject::owned(INVALID_REQUEST, EMPTY_BATCH, None::<()>);
    MethodResponse::error(Id::Null, error)
}

/// The error for a line over the limit.
pub(crate) fn line_too_long(limit: usize) -> Entry {
    invalid(Id::Null, INVALID_REQUEST, stdio::line_too_long(limit))
}

fn parse_entry(text: &str) -> Entry {
    let invalid_request = |id, message: &str| invalid(id, INVALID_REQUEST, message.to_owned());
    let Ok(envelope) = Envelope::parse(text) else { return reject_malformed(text) };
    let id = envelope.id.map(|raw| serde_json::from_str::<Id<'_>>(raw.get()).map(Id::into_owned));
    let id_or_null = || match &id {
        Some(Ok(id)) => id.clone(),
        _ => Id::Null,
    };
    let Some(method) = &envelope.method else {
        if envelope.result.is_some() || envelope.error.is_some() {
            return Entry::Response;
        }
        return invalid_request(id_or_null(), "The method is missing.");
    };
    if !envelope.is_version_2() {
        return invalid_request(id_or_null(), "\"jsonrpc\" must be \"2.0\".");
    }
    let call = Call { method: method.to_string(), params: envelope.params.map(ToOwned::to_owned) };
    match id {
        None => Entry::Notification(call),
        Some(Ok(id)) => Entry::Request(call, id),
        Some(Err(_)) => {
            let message = "The id must be a string, an integer from 0 upwards, or null.";
            invalid_request(Id::Null, message)
        }
    }
}

/// Rejects JSON that is not an envelope, or text that is not JSON.
fn reject_malformed(text: &str) -> Entry {
    let envelope = match LenientEnvelope::parse(text) {
        Ok(envelope) => envelope,
        Err(error) => {
            return invalid(Id::Null, PARSE_ERROR, format!("The message is not JSON: {error}."));
        }
    };
    if envelope.is_response() {
        return Entry::Response;
    }
    let id = envelope.id.and_then(|raw| serde_json::from_str::<Id<'_>>(raw.get()).ok());
    let message =
        "A request must be an object with \"jsonrpc\": \"2.0\", a string as method, and an id.";
    invalid(id.map_or(Id::Null, Id::into_owned), INVALID_REQUEST, message.to_owned())
}

fn invalid(id: Id<'static>, code: i32, message: String) -> Entry {
    Entry::Invalid(id, ErrorObject::owned(code, message, None::<()>))
}
