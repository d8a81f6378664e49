//! The envelope of a JSON-RPC message, with its members unparsed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A JSON-RPC object. The server decides which of its members belong together.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    /// Unparsed; null differs from absent.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) error: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Parses a message; fails for anything but a JSON object, and for members of the wrong type.
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    pub(crate) fn is_version_2(&self) -> bool {
        self.jsonrpc.as_deref() == Some("2.0")
    }
}

/// The id of a request as its sender wrote it, so that the response repeats it byte for byte; none for anything but a
/// string or a number. Ids are equal if their texts are: 1 and 1.0 are two requests.
pub(crate) fn id_text(raw: &RawValue) -> Option<&str> {
    let is_id = |first: char| matches!(first, '"' | '-' | '0'..='9');
    Some(raw.get()).filter(|text| text.starts_with(is_id))
}

/// What is known of JSON that is not an [`Envelope`]: the members that decide how to reject it, whatever their
/// types. Values nested too deeply and numbers too large to parse do not hide the id; of a duplicate member the
/// last one counts.
#[derive(Default)]
pub(crate) struct LenientEnvelope<'a> {
    pub(crate) id: Option<&'a RawValue>,
    method: bool,
    is_result_or_error: bool,
}

impl<'a> LenientEnvelope<'a> {
    /// Parses any JSON; anything but an object has none of the members.
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        if text.trim_ascii_start().starts_with('{')
            && let Ok(envelope) = serde_json::from_str(text)
        {
            return Ok(envelope);
        }
        serde_json::from_str(text).map(|IgnoredAny| Self::default())
    }

    /// Whether it is a response, which never gets a response.
    pub(crate) fn is_response(&self) -> bool {
        !self.method && self.is_result_or_error
    }
}

impl<'de> Deserialize<'de> for LenientEnvelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = LenientEnvelope<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LenientEnvelope<'de>, A::Error> {
        let mut envelope = LenientEnvelope::default();
        while let Some(name) = map.next_key::<String>()? {
            let value: &RawValue = map.next_value()?;
            match name.as_str() {
                "id" => envelope.id = Some(value),
                "method" => envelope.method = true,
                "result" | "error" => envelope.is_result_or_error = true,
                _ => {}
            }
        }
        Ok(envelope)
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
