//! A record of customers' data.
//!
//! Many clients read JSON numbers as doubles, and show another value where a double does not hold every digit. In
//! a record such a number is a string.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

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
        let mut values = Map::deserialize(deserializer)?;
        let replaced: usize = values.values_mut().map(inexact_to_strings).sum();
        Ok(Self { values, has_numbers_as_strings: replaced > 0 })
    }
}

impl ListItem for Record {
    /// A record may have any size.
    const PARSED_ITEMS: usize = 0;
}
