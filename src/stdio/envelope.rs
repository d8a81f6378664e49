//! The outside of a JSON-RPC message: what stands where, unread.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object of JSON-RPC. Which of its members belong together is the face's to say.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    /// As it stands; null is something else than nothing.
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
    /// Reads one; fails for all that is no JSON object, and for members of another type.
    pub(crate) fn read(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    pub(crate) fn is_version_2(&self) -> bool {
        self.jsonrpc.as_deref() == Some("2.0")
    }
}

/// What can be told of JSON that is no [`Envelope`]: the members that say how to refuse it, whatever their
/// types are. Values nested too deep, or numbers too big, for a parser of values do not hide its id, and of
/// a member that stands there twice the last one counts.
#[derive(Default)]
pub(crate) struct LenientEnvelope<'a> {
    pub(crate) id: Option<&'a RawValue>,
    method: bool,
    outcome: bool,
}

impl<'a> LenientEnvelope<'a> {
    /// Reads any JSON; what is no object has none of the members.
    pub(crate) fn read(text: &'a str) -> serde_json::Result<Self> {
        if text.trim_ascii_start().starts_with('{')
            && let Ok(outline) = serde_json::from_str(text)
        {
            return Ok(outline);
        }
        serde_json::from_str(text).map(|IgnoredAny| Self::default())
    }

    /// Whether it answers something, and so is never answered.
    pub(crate) fn is_answer(&self) -> bool {
        !self.method && self.outcome
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
        let mut outline = LenientEnvelope::default();
        while let Some(name) = map.next_key::<String>()? {
            let value: &RawValue = map.next_value()?;
            match name.as_str() {
                "id" => outline.id = Some(value),
                "method" => outline.method = true,
                "result" | "error" => outline.outcome = true,
                _ => {}
            }
        }
        Ok(outline)
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
