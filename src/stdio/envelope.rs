//! The envelope of a JSON-RPC message, with its members unparsed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A JSON-RPC object. The server decides which of its members belong together. Null differs from absent.
#[derive(Default)]
pub(crate) struct Envelope<'a> {
    jsonrpc: Option<&'a RawValue>,
    pub(crate) id: Option<&'a RawValue>,
    /// The method; none if it is not a string.
    pub(crate) method: Option<Cow<'a, str>>,
    pub(crate) params: Option<&'a RawValue>,
    pub(crate) result: Option<&'a RawValue>,
    pub(crate) error: Option<&'a RawValue>,
    has_method: bool,
    is_well_formed: bool,
}

impl<'a> Envelope<'a> {
    /// Parses any JSON. Of a duplicate member the last one counts, so that the id can be read.
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        if !text.trim_ascii_start().starts_with('{') {
            return serde_json::from_str(text).map(|IgnoredAny| Self::default());
        }
        let names = ["jsonrpc", "id", "method", "params", "result", "error"];
        let (members, has_duplicates) = read_members(text, names)?;
        let [jsonrpc, id, raw_method, params, result, error] = members;
        let method = raw_method.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let has_method = raw_method.is_some();
        let is_well_formed = !has_duplicates && has_method == method.is_some();
        Ok(Self { jsonrpc, id, method, params, result, error, has_method, is_well_formed })
    }

    /// Whether it is one object without duplicate members, whose method is a string if there is one.
    pub(crate) fn is_well_formed(&self) -> bool {
        self.is_well_formed
    }

    pub(crate) fn is_version_2(&self) -> bool {
        let version = self.jsonrpc.map(|raw| serde_json::from_str::<Cow<'_, str>>(raw.get()));
        version.is_some_and(|version| version.is_ok_and(|version| version == "2.0"))
    }

    /// Whether it is a response, which never gets a response.
    pub(crate) fn is_response(&self) -> bool {
        !self.has_method && (self.result.is_some() || self.error.is_some())
    }
}

/// Longer ids are none: they are kept as long as their requests.
const MAX_ID_BYTES: usize = 64 << 10;

/// The id of a request as its sender wrote it, so that the response repeats it byte for byte; none for anything but a
/// string or a number. Ids are equal if their texts are: 1 and 1.0 are two requests.
pub(crate) fn id_text(raw: &RawValue) -> Option<&str> {
    let is_id = |first: char| matches!(first, '"' | '-' | '0'..='9');
    Some(raw.get()).filter(|text| text.starts_with(is_id) && text.len() <= MAX_ID_BYTES)
}

/// The members of an object with these names, unparsed, and whether one of them is there twice; then the last one
/// counts. What the other members hold does not matter: no value is nested too deeply, and no name or text has to be
/// Unicode.
pub(crate) fn read_members<'a, const N: usize>(
    object: &'a str,
    names: [&str; N],
) -> serde_json::Result<([Option<&'a RawValue>; N], bool)> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let members = Members(names).deserialize(&mut deserializer)?;
    deserializer.end()?;
    if members.has_control_character {
        // serde_json does not look for them in a name that is read as bytes.
        serde_json::from_str::<IgnoredAny>(object)?;
    }
    Ok((members.values, members.has_duplicates))
}

struct Members<'n, const N: usize>([&'n str; N]);

struct Found<'de, const N: usize> {
    values: [Option<&'de RawValue>; N],
    has_duplicates: bool,
    has_control_character: bool,
}

impl<'de, const N: usize> DeserializeSeed<'de> for Members<'_, N> {
    type Value = Found<'de, N>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = Found<'de, N>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut values, mut has_duplicates, mut has_control_character) = ([None; N], false, false);
        while let Some(Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            has_control_character |= name.iter().any(u8::is_ascii_control);
            let known = self.0.iter().zip(&mut values);
            for (_, slot) in known.filter(|(known, _)| known.as_bytes() == &*name) {
                has_duplicates |= slot.replace(value).is_some();
            }
        }
        Ok(Found { values, has_duplicates, has_control_character })
    }
}

/// The name of a member as bytes: half a surrogate pair, which no string can hold, does not hide the other members.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name<'a>(pub(crate) Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(bytes.to_vec())))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}
