//! A record of customers' data.
//!
//! Many clients read JSON numbers as doubles, and show another value where a double does not hold every digit. In
//! a record such a number is a string. Of two values with one name the last is kept, as JSON parsers do, but not
//! unnoticed.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

use super::ListItem;
use crate::polytomic::exact_numbers::inexact_to_strings;
use crate::polytomic::repeated_names::note_repeated_name;

/// A sampled record: the values of fields by the id of the model or enricher.
///
/// An integer outside ±(2^53 - 1), or a decimal that a double does not hold exactly, is a string with the digits
/// that the API sent. Other numbers may be marked, see [`marked_number`](crate::polytomic::marked_number).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Record {
    values: Map<String, Value>,
    #[serde(skip)]
    has_numbers_as_strings: bool,
}

impl Record {
    /// The values of fields by the id of the model or enricher.
    #[must_use]
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Whether a number became a string.
    #[must_use]
    pub fn has_numbers_as_strings(&self) -> bool {
        self.has_numbers_as_strings
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = deserializer.deserialize_map(ObjectVisitor)?;
        let replaced: usize = values.values_mut().map(inexact_to_strings).sum();
        Ok(Self { values, has_numbers_as_strings: replaced > 0 })
    }
}

/// Reads an object, and notes a name that comes twice in it or in what it holds.
struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = map.next_key()? {
            if values.insert(name, map.next_value_seed(ValueVisitor)?).is_some() {
                note_repeated_name();
            }
        }
        Ok(values)
    }
}

/// Reads a value as `Value` does, and notes names that come twice.
struct ValueVisitor;

impl<'de> DeserializeSeed<'de> for ValueVisitor {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(ValueVisitor)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        ObjectVisitor.visit_map(map).map(Value::Object)
    }
}

impl ListItem for Record {
    /// A record may have any size.
    const PARSED_ITEMS: usize = 0;
}
