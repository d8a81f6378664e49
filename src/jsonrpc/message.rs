//! Parses one message or one batch, as the specification defines it, and writes responses.

use std::fmt;

use jsonrpsee::types::error::{INVALID_REQUEST_CODE, PARSE_ERROR_CODE};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::registry::{SentArguments, share};
use crate::stdio::{Envelope, FramingError, id_text, without_byte_order_mark};

/// Maximum number of requests in a batch.
const MAX_BATCH_REQUESTS: usize = 10_000;

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
    Request(Call, Id),
    /// A notification, which runs without a response.
    Notification(Call),
    /// An invalid message, which gets an error.
    Invalid(Id, ErrorObjectOwned),
    /// A response. It never gets a response itself, or two peers would respond to each other forever.
    Response,
}

/// A method and its unparsed params.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: SentArguments,
}

impl Message {
    /// As how many requests it counts for a limit on them.
    pub(super) fn share(&self) -> usize {
        match self {
            Self::One(entry) => entry.share(),
            Self::Batch(entries) => {
                entries.iter().map(Entry::share).sum::<usize>().max(entries.len())
            }
        }
    }
}

impl Entry {
    /// The response to it if it is not run; none to what gets none.
    pub(super) fn failing(self, error: impl FnOnce() -> ErrorObjectOwned) -> Option<String> {
        match self {
            Self::Request(_, id) => Some(response(&id, Err(error()))),
            Self::Invalid(id, error) => Some(response(&id, Err(error))),
            Self::Notification(_) | Self::Response => None,
        }
    }

    /// Whether there is a response to it.
    pub(super) fn gets_response(&self) -> bool {
        matches!(self, Self::Request(..) | Self::Invalid(..))
    }

    fn share(&self) -> usize {
        match self {
            Self::Request(call, _) | Self::Notification(call) => share(call.params.kept_bytes()),
            Self::Invalid(..) => 1,
            Self::Response => 0,
        }
    }
}

/// A string, a number or null, as its sender wrote it.
#[derive(Clone)]
pub(crate) struct Id(Box<str>);

impl Id {
    fn null() -> Self {
        Self("null".into())
    }

    fn parse(raw: &RawValue) -> Option<Self> {
        let text = id_text(raw).or((raw.get() == "null").then_some("null"));
        text.map(|text| Self(text.into()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Parses one message or one batch.
pub(crate) fn parse(bytes: &[u8]) -> Message {
    let invalid = |code, message: String| Message::One(invalid(None, code, message));
    let text = match std::str::from_utf8(without_byte_order_mark(bytes)) {
        Ok(text) => text,
        Err(error) => {
            return invalid(PARSE_ERROR_CODE, format!("The message is not UTF-8: {error}."));
        }
    };
    if !text.trim_ascii_start().starts_with('[') {
        return Message::One(parse_entry(text));
    }
    match serde_json::from_str(text) {
        Ok(RawEntries(entries)) if entries.is_empty() => {
            invalid(INVALID_REQUEST_CODE, "A batch must contain at least one request.".to_owned())
        }
        Ok(RawEntries(entries)) if entries.len() > MAX_BATCH_REQUESTS => {
            let message = format!("A batch must contain at most {MAX_BATCH_REQUESTS} requests.");
            invalid(INVALID_REQUEST_CODE, message)
        }
        Ok(RawEntries(entries)) => {
            Message::Batch(entries.iter().map(|raw| parse_entry(raw.get())).collect())
        }
        Err(error) => invalid(PARSE_ERROR_CODE, format!("The message is not JSON: {error}.")),
    }
}

/// The unparsed entries of a batch: at most one more than the limit, whatever its length.
struct RawEntries<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for RawEntries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = RawEntries<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<RawEntries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    if entries.len() <= MAX_BATCH_REQUESTS {
                        entries.push(entry);
                    }
                }
                Ok(RawEntries(entries))
            }
        }

        deserializer.deserialize_seq(Entries)
    }
}

/// The response to the request with `id`.
pub(crate) fn response(id: &Id, result: Result<Box<RawValue>, ErrorObjectOwned>) -> String {
    let (member, value) = match result {
        Ok(result) => ("result", result),
        Err(error) => ("error", to_raw_value(&error).unwrap_or_default()),
    };
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"{member}\":{value}}}")
}

/// An invalid message, with the id if it can be read.
fn invalid(id: Option<Id>, code: i32, message: impl Into<String>) -> Entry {
    let error = ErrorObject::owned(code, message, None::<()>);
    Entry::Invalid(id.unwrap_or_else(Id::null), error)
}

/// Input that is not a message.
pub(crate) fn reject(error: &FramingError) -> Message {
    Message::One(invalid(None, error.code(), error.to_string()))
}

fn parse_entry(text: &str) -> Entry {
    let envelope = match Envelope::parse(text) {
        Ok(envelope) if envelope.is_well_formed() => envelope,
        Ok(envelope) => return reject_malformed(&envelope),
        Err(error) => {
            return invalid(None, PARSE_ERROR_CODE, format!("The message is not JSON: {error}."));
        }
    };
    let id = envelope.id.map(Id::parse);
    let invalid = |id, message| invalid(id, INVALID_REQUEST_CODE, message);
    let Some(method) = &envelope.method else {
        if envelope.result.is_some() || envelope.error.is_some() {
            return Entry::Response;
        }
        return invalid(id.flatten(), "The method is missing.");
    };
    if !envelope.is_version_2() {
        return invalid(id.flatten(), "\"jsonrpc\" must be \"2.0\".");
    }
    let params = SentArguments::new("params", envelope.params);
    let call = Call { method: method.to_string(), params };
    match id {
        None => Entry::Notification(call),
        Some(Some(id)) => Entry::Request(call, id),
        Some(None) => {
            invalid(None, "The id must be a string or a number, of at most 65536 bytes, or null.")
        }
    }
}

/// Rejects JSON that is not an envelope.
fn reject_malformed(envelope: &Envelope<'_>) -> Entry {
    if envelope.is_response() {
        return Entry::Response;
    }
    invalid(
        envelope.id.and_then(Id::parse),
        INVALID_REQUEST_CODE,
        "A request must be an object with \"jsonrpc\": \"2.0\", a string as method, and an id.",
    )
}
