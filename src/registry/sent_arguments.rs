//! The arguments of a call as a peer sent them: JSON text, whose size is checked before values are built from it.
//!
//! Values take many times the memory of their text. And clients write an object in several ways: PHP has `[]` for an
//! empty one, others pass it as JSON text, or as an empty text if there is nothing to pass.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use memchr::{memchr, memchr2};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::{ErrorCode, ToolError};
use super::problems::shorten;
use crate::polytomic::mark;

/// Maximum length of all arguments of a call.
const MAX_BYTES: usize = 8 << 20;
/// The same without the texts in each `configuration`: a value takes up to 80 times the memory of its JSON.
const MAX_BYTES_BESIDE_TEXTS: usize = 1 << 20;
/// The argument whose texts may be longer, since they can be queries; also inside another one, as in `enricher`.
const LONG_ARGUMENT: &str = "configuration";
/// The levels of an argument where it is looked for. No schema has more, and each is read once more.
const MAX_LEVELS: usize = 5;

/// Why arguments cannot be read, or why the call failed.
#[derive(Debug)]
pub(crate) enum CallError {
    /// What was sent is no object, or an object that cannot be read. The reason is a clause.
    Params(String),
    /// The call failed.
    Failed(ToolError),
}

impl CallError {
    /// The code of the error that it is for the caller.
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::Params(_) => ErrorCode::InvalidArgument,
            Self::Failed(error) => error.code,
        }
    }
}

impl From<ToolError> for CallError {
    fn from(error: ToolError) -> Self {
        Self::Failed(error)
    }
}

/// The unparsed arguments of a call.
#[derive(Debug, Clone)]
pub(crate) struct SentArguments {
    /// The property of the message that holds them.
    name: &'static str,
    /// Empty if they are too long, so that nothing long is kept.
    json: Arc<str>,
    bytes: usize,
}

impl SentArguments {
    /// `name`: the property of the message that holds them, for errors.
    pub(crate) fn new(name: &'static str, raw: Option<&RawValue>) -> Self {
        let json = raw.map_or("null", RawValue::get);
        let kept = if json.len() > MAX_BYTES { "" } else { json };
        Self { name, json: kept.into(), bytes: json.len() }
    }

    /// The length that is kept until they are parsed.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.json.len()
    }

    /// Parses them, with their numbers marked.
    ///
    /// # Errors
    /// `invalid_argument` for too many bytes and for text that is not the JSON of an object; [`CallError::Params`] for
    /// anything else.
    pub(crate) fn read(&self) -> Result<Map<String, Value>, CallError> {
        let (name, bytes) = (self.name, self.bytes);
        if bytes > MAX_BYTES {
            let message = format!("{name}: expected at most {MAX_BYTES} bytes, got {bytes}.");
            return Err(ToolError::invalid_argument(name, message).into());
        }
        let json = object_text(&self.json).map_err(|reason| match self.json.starts_with('"') {
            true => ToolError::invalid_argument(name, format!("{name}: {reason}.")).into(),
            false => CallError::Params(reason),
        })?;
        if json.len() > MAX_BYTES_BESIDE_TEXTS {
            let sizes = measure(&json).map_err(|error| CallError::Params(reason(&error)))?;
            sizes.check()?;
        }
        serde_json::from_str(&mark(&json)).map_err(|error| CallError::Params(reason(&error)))
    }
}

/// The object that JSON stands for, as JSON: null, an empty list and an empty text are an empty one, and a text is read
/// as JSON itself.
///
/// # Errors
/// What was expected, as a clause.
pub(crate) fn object_text(json: &str) -> Result<Cow<'_, str>, String> {
    const EMPTY: &str = "{}";
    match json.as_bytes().first() {
        Some(b'{') => Ok(json.into()),
        Some(b'n') => Ok(EMPTY.into()),
        Some(b'[') if is_empty_list(json) => Ok(EMPTY.into()),
        Some(b'[') => Err("expected an object, got a list".to_owned()),
        Some(b'"') => {
            let got = "expected an object, got a string";
            let text: String = serde_json::from_str(json)
                .map_err(|error| format!("{got} that cannot be read: {}", reason(&error)))?;
            let text = text.trim();
            if text.is_empty() || text == "null" || is_empty_list(text) {
                return Ok(EMPTY.into());
            }
            match serde_json::from_str(text) {
                Ok(IgnoredAny) if text.starts_with('{') => Ok(text.to_owned().into()),
                Ok(IgnoredAny) => Err(format!("{got}; the text is JSON of another type")),
                Err(error) => Err(format!("{got}; the text is not JSON: {error}")),
            }
        }
        _ => Err("expected an object, got a number or a truth value".to_owned()),
    }
}

fn is_empty_list(json: &str) -> bool {
    let inside = json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// The reason without its position, which counts from the beginning of a part of the message.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

/// The lengths of arguments, without the texts in `configuration`.
#[derive(Default)]
struct Sizes {
    total: usize,
    longest: usize,
    name_of_longest: String,
}

impl Sizes {
    fn check(&self) -> Result<(), ToolError> {
        if self.total <= MAX_BYTES_BESIDE_TEXTS {
            return Ok(());
        }
        let name = shorten(&self.name_of_longest);
        let message = format!(
            "{name}: expected at most {MAX_BYTES_BESIDE_TEXTS} bytes in all arguments, not counting texts in \
             \"{LONG_ARGUMENT}\", got {}.",
            self.total
        );
        Err(ToolError::invalid_argument(&name, message))
    }
}

fn measure(object: &str) -> serde_json::Result<Sizes> {
    struct Arguments;

    impl<'de> Visitor<'de> for Arguments {
        type Value = Sizes;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sizes, A::Error> {
            let mut sizes = Sizes::default();
            while let Some(name) = map.next_key::<String>()? {
                let value = map.next_value::<&RawValue>()?.get();
                let bytes = name.len() + value.len() - long_texts(&name, value, MAX_LEVELS);
                sizes.total += bytes;
                if bytes > sizes.longest {
                    (sizes.longest, sizes.name_of_longest) = (bytes, name);
                }
            }
            Ok(sizes)
        }
    }

    serde_json::Deserializer::from_str(object).deserialize_map(Arguments)
}

/// The length of the texts in each `configuration` in the value of a property.
fn long_texts(name: &str, json: &str, levels: usize) -> usize {
    if name == LONG_ARGUMENT {
        return json.len() - bytes_beside_texts(json);
    }
    match json.as_bytes().first() {
        Some(b'{' | b'[') if levels > 0 => {
            let mut json = serde_json::Deserializer::from_str(json);
            // What cannot be read becomes an error later.
            json.deserialize_any(LongTexts { levels: levels - 1 }).unwrap_or_default()
        }
        // An object as text.
        Some(b'"') if json.contains(LONG_ARGUMENT) => {
            let text: String = serde_json::from_str(json).unwrap_or_default();
            let text = text.trim_start();
            let is_json = text.starts_with(['{', '[']);
            let long = if is_json { long_texts("", text, levels) } else { 0 };
            if long > 0 { json.len() - (text.len() - long) } else { 0 }
        }
        _ => 0,
    }
}

/// Adds up the [`long_texts`] of the properties of an object, or the items of a list.
struct LongTexts {
    levels: usize,
}

impl<'de> Visitor<'de> for LongTexts {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut bytes = 0;
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            bytes += long_texts(&name, value.get(), self.levels);
        }
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let mut bytes = 0;
        while let Some(item) = list.next_element::<&RawValue>()? {
            bytes += long_texts("", item.get(), self.levels);
        }
        Ok(bytes)
    }
}

/// The length of JSON without the characters of its strings; of an object as text, that of the object.
fn bytes_beside_texts(json: &str) -> usize {
    if json.starts_with('"') {
        let text: String = serde_json::from_str(json).unwrap_or_default();
        let is_json = text.trim_start().starts_with(['{', '[']);
        return if is_json { bytes_beside_texts(text.trim_start()) } else { 0 };
    }
    let (mut rest, mut bytes) = (json.as_bytes(), 0);
    while let Some(start) = memchr(b'"', rest) {
        bytes += start + 2;
        rest = rest.get(start + 1..).unwrap_or_default();
        while let Some(at) = memchr2(b'"', b'\\', rest) {
            let is_end = rest.get(at) == Some(&b'"');
            rest = rest.get(at + if is_end { 1 } else { 2 }..).unwrap_or_default();
            if is_end {
                break;
            }
        }
    }
    bytes + rest.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &str) -> Result<Value, String> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        match SentArguments::new("arguments", Some(raw)).read() {
            Ok(arguments) => Ok(Value::Object(arguments)),
            Err(CallError::Params(reason)) => Err(reason),
            Err(CallError::Failed(error)) => Err(error.message),
        }
    }

    #[test]
    fn an_object_may_be_written_in_several_ways() {
        for json in
            ["{}", "null", "[]", "[ \n ]", r#""""#, r#"" \t""#, r#""{}""#, r#""[]""#, r#""null""#]
        {
            assert_eq!(read(json), Ok(json!({})), "{json}");
        }
        for json in [r#"{"a":[1.50]}"#, r#""{\"a\":[1.50]}""#, r#"" {\"a\": [1.50]}\n""#] {
            assert_eq!(read(json), Ok(json!({"a": ["\u{7f}1.50"]})), "{json}");
        }
        for json in
            ["[1]", "5", "true", "-1", r#""x""#, r#""[1]""#, r#""5""#, r#""{""#, r#""\ud83d""#]
        {
            assert!(read(json).unwrap_err().contains("expected an object, got "), "{json}");
        }
    }

    #[test]
    fn the_size_is_limited_before_values_are_built() {
        let text = |bytes: usize| "x".repeat(bytes - 2);
        for (arguments, expected) in [
            (json!({"a": text(MAX_BYTES_BESIDE_TEXTS - 1)}), None),
            (json!({"a": text(MAX_BYTES_BESIDE_TEXTS)}), Some("a: expected at most 1048576 bytes")),
            (json!({"configuration": {"query": text(7 << 20)}}), None),
            (json!({"configuration": {"query": "\"\\".repeat(400_000)}}), None),
            (json!({"enricher": {"configuration": {"query": text(2 << 20)}}}), None),
            (
                json!({"enricher": json!({"configuration": {"query": "é\n".repeat(400_000)}}).to_string()}),
                None,
            ),
            (json!({"enricher": {"configuration": json!({"a": text(2 << 20)}).to_string()}}), None),
            (json!({"a": [{"configuration": text(2 << 20)}]}), None),
            (
                json!({"enricher": {"configuration": {}, "note": text(2 << 20)}}),
                Some("enricher: expected at most 1048576 bytes"),
            ),
            (
                json!({"enricher": {"configuration": {"keys": vec![0; 600_000]}}}),
                Some("enricher: expected"),
            ),
            (json!({"note": format!("configuration {}", text(2 << 20))}), Some("note: expected")),
            (json!({"configuration": {"keys": vec![0; 600_000]}}), Some("configuration: expected")),
            (
                json!({"configuration": {"keys": vec!["a"; 400_000]}}),
                Some("configuration: expected"),
            ),
            (
                json!({"configuration": json!({"a": vec!["a"; 360_000]}).to_string()}),
                Some("configuration: expected"),
            ),
            (
                json!({"configuration": text(MAX_BYTES)}),
                Some("arguments: expected at most 8388608"),
            ),
            (json!({"b": 1, "configuration": {}, "c": vec!["a"; 300_000]}), Some("c: expected")),
            (
                json!({"a": text(500_000), "b": text(500_001), "c": text(100_000)}),
                Some("b: expected at most 1048576 bytes"),
            ),
            (json!({text(MAX_BYTES_BESIDE_TEXTS + 3): 1}), Some("xxx")),
        ] {
            for json in [arguments.to_string(), json!(arguments.to_string()).to_string()] {
                let message = read(&json).err();
                assert_eq!(message.is_some(), expected.is_some(), "{message:?} {expected:?}");
                assert!(message.as_deref().unwrap_or_default().len() < 200);
                assert!(
                    expected.is_none_or(|expected| message.unwrap().starts_with(expected)),
                    "{expected:?}"
                );
            }
        }
    }
}
