//! A record of customers' data.
//!
//! Many clients read JSON numbers as doubles, and show another value where a double does not hold every digit. In
//! a record such a number is a string. Of two values with one name the last is kept, as JSON parsers do, but not
//! unnoticed.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

use super::ListItem;
use crate::polytomic::exact_numbers::inexact_to_strings;

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
    #[serde(skip)]
    has_repeated_names: bool,
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

    /// Whether a name came twice in one object, of which the last value is kept.
    #[must_use]
    pub fn has_repeated_names(&self) -> bool {
        self.has_repeated_names
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let repeated = Cell::new(false);
        let mut values = deserializer.deserialize_map(RecordVisitor(&repeated))?;
        let replaced: usize = values.values_mut().map(inexact_to_strings).sum();
        let has_numbers_as_strings = replaced > 0;
        Ok(Self { values, has_numbers_as_strings, has_repeated_names: repeated.get() })
    }
}

/// Reads an object, and reports a name that comes twice in it or in what it holds.
struct RecordVisitor<'a>(&'a Cell<bool>);

impl<'de> Visitor<'de> for RecordVisitor<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = map.next_key()? {
            if values.insert(name, map.next_value_seed(ValueVisitor(self.0))?).is_some() {
                self.0.set(true);
            }
        }
        Ok(values)
    }
}

/// Reads a value as `Value` does, and reports names that come twice.
#[derive(Clone, Copy)]
struct ValueVisitor<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for ValueVisitor<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueVisitor<'_> {
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
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        RecordVisitor(self.0).visit_map(map).map(Value::Object)
    }
}

impl ListItem for Record {
    /// A record may have any size.
    const PARSED_ITEMS: usize = 0;
}
