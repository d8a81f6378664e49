//! The outside of a JSON-RPC message: what stands where, unread.

use std::borrow::Cow;

use serde::de::IgnoredAny;
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
/// types are. Values nested too deep, or numbers too big, for a parser of values do not hide its id.
#[derive(Default, Deserialize)]
pub(crate) struct Outline<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

impl<'a> Outline<'a> {
    /// Reads any JSON; what is no object has none of the members.
    pub(crate) fn read(text: &'a str) -> serde_json::Result<Self> {
        if text.trim_ascii_start().starts_with('{') {
            // A member that stands there twice is refused by the first, and is JSON all the same.
            serde_json::from_str(text)
                .or_else(|_| serde_json::from_str(text).map(|IgnoredAny| Self::default()))
        } else {
            serde_json::from_str(text).map(|IgnoredAny| Self::default())
        }
    }

    /// Whether it answers something, and so is never answered.
    pub(crate) fn is_answer(&self) -> bool {
        self.method.is_none() && (self.result.is_some() || self.error.is_some())
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
