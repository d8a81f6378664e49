//! The notice beside a result: what was repaired in the responses it comes from, behind what the tool itself says.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::{RawValue, to_raw_value};

/// The property of a result.
pub(super) const NOTICE: &str = "notice";

/// Adds a sentence to the notice of a result.
pub(super) fn add_notice(result: &RawValue, sentence: &str) -> serde_json::Result<Box<RawValue>> {
    let Properties(properties) = serde_json::from_str(result.get())?;
    let existing = properties.iter().find(|(name, _)| name == NOTICE);
    let existing = existing.and_then(|(_, text)| serde_json::from_str::<String>(text.get()).ok());
    let notice = to_raw_value(&match existing {
        Some(existing) => format!("{existing} {sentence}"),
        None => sentence.to_owned(),
    })?;
    let others = properties.iter().filter(|(name, _)| name != NOTICE);
    object(others.map(|(name, value)| (name.as_str(), *value)).chain([(NOTICE, &*notice)]))
}

/// An object with these properties, written as text: they stay what they are.
pub(super) fn object<'a>(
    properties: impl Iterator<Item = (&'a str, &'a RawValue)>,
) -> serde_json::Result<Box<RawValue>> {
    let mut json = String::new();
    for (name, value) in properties {
        json.push(if json.is_empty() { '{' } else { ',' });
        json.push_str(&serde_json::to_string(name)?);
        json.push(':');
        json.push_str(value.get());
    }
    if json.is_empty() {
        json.push('{');
    }
    json.push('}');
    RawValue::from_string(json)
}

/// The properties of an object, with their values as text.
pub(super) struct Properties<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Properties<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Properties<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut properties = Vec::new();
                while let Some(property) = map.next_entry()? {
                    properties.push(property);
                }
                Ok(Properties(properties))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_added_or_continued() {
        for (result, expected) in [
            ("{}", r#"{"notice":"B \"."}"#),
            (r#"{"a":[1,{"notice":2}]}"#, r#"{"a":[1,{"notice":2}],"notice":"B \"."}"#),
            (r#"{"notice":"A.","x\"":1.50}"#, r#"{"x\"":1.50,"notice":"A. B \"."}"#),
        ] {
            let result = RawValue::from_string(result.to_owned()).unwrap();
            assert_eq!(add_notice(&result, "B \".").unwrap().get(), expected);
        }
    }
}
