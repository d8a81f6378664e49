//! One message or one batch, read as the specification says.

use jsonrpsee::server::MethodResponse;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Id};
use serde_json::value::RawValue;

use crate::stdio::{self, Envelope, LenientEnvelope};

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const EMPTY_BATCH: &str = "A batch has at least one request.";

/// The most requests of one batch.
pub(super) const BATCH_LIMIT: u32 = 10_000;

/// What a line or a body holds.
pub(super) enum Message {
    /// One message.
    One(Entry),
    /// A batch, never empty.
    Batch(Vec<Entry>),
}

/// One message, also of a batch.
pub(super) enum Entry {
    /// A request, which is answered.
    Call(Call, Id<'static>),
    /// A notification: it runs, and nothing is answered.
    Notification(Call),
    /// Answered with an error.
    Refused(Id<'static>, ErrorObjectOwned),
    /// Itself an answer: never replied to, or two peers would answer each other for ever.
    Answer,
}

/// A method and its parameters as they stand.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) params: Option<Box<RawValue>>,
}

/// Reads bytes that are one message or one batch.
pub(super) fn read(bytes: &[u8]) -> Message {
    let refused = |code, message: String| Message::One(refuse(Id::Null, code, message));
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return refused(PARSE_ERROR, format!("This is not UTF-8: {error}.")),
    };
    if !text.trim_ascii_start().starts_with('[') {
        return Message::One(entry(text));
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(entries) if entries.is_empty() => refused(INVALID_REQUEST, EMPTY_BATCH.to_owned()),
        Ok(entries) if entries.len() > BATCH_LIMIT as usize => {
            refused(INVALID_REQUEST, format!("A batch has at most {BATCH_LIMIT} requests."))
        }
        Ok(entries) => Message::Batch(entries.iter().map(|raw| entry(raw.get())).collect()),
        Err(error) => refused(PARSE_ERROR, format!("This is not JSON: {error}.")),
    }
}

/// The answer to a batch of nothing.
pub(super) fn empty_batch() -> MethodResponse {
    let error = ErrorObject::owned(INVALID_REQUEST, EMPTY_BATCH, None::<()>);
    MethodResponse::error(Id::Null, error)
}

/// The answer to a line that was too long to be read.
pub(super) fn too_long(limit: usize) -> Entry {
    refuse(Id::Null, INVALID_REQUEST, stdio::too_long(limit))
}

fn entry(text: &str) -> Entry {
    let invalid = |id, message: &str| refuse(id, INVALID_REQUEST, message.to_owned());
    let Ok(envelope) = Envelope::read(text) else { return no_envelope(text) };
    let id = envelope.id.map(|raw| serde_json::from_str::<Id<'_>>(raw.get()).map(Id::into_owned));
    let readable = || match &id {
        Some(Ok(id)) => id.clone(),
        _ => Id::Null,
    };
    let Some(method) = &envelope.method else {
        if envelope.result.is_some() || envelope.error.is_some() {
            return Entry::Answer;
        }
        return invalid(readable(), "There is no method.");
    };
    if !envelope.is_version_2() {
        return invalid(readable(), "\"jsonrpc\" must be \"2.0\".");
    }
    let call = Call { method: method.to_string(), params: envelope.params.map(ToOwned::to_owned) };
    match id {
        None => Entry::Notification(call),
        Some(Ok(id)) => Entry::Call(call, id),
        Some(Err(_)) => {
            invalid(Id::Null, "An id is a string, a whole number from 0 upwards, or null.")
        }
    }
}

/// JSON that is no envelope, or no JSON at all.
fn no_envelope(text: &str) -> Entry {
    let outline = match LenientEnvelope::read(text) {
        Ok(outline) => outline,
        Err(error) => {
            return refuse(Id::Null, PARSE_ERROR, format!("This is not JSON: {error}."));
        }
    };
    if outline.is_answer() {
        return Entry::Answer;
    }
    let id = outline.id.and_then(|raw| serde_json::from_str::<Id<'_>>(raw.get()).ok());
    let message =
        "A request is an object with \"jsonrpc\": \"2.0\", a string as method, and an id.";
    refuse(id.map_or(Id::Null, Id::into_owned), INVALID_REQUEST, message.to_owned())
}

fn refuse(id: Id<'static>, code: i32, message: String) -> Entry {
    Entry::Refused(id, ErrorObject::owned(code, message, None::<()>))
}
