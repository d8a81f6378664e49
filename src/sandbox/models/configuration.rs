//! The configuration of a model: which table, view or query it reads.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::Selection;

/// The configuration of a model, as it was sent: what the sandbox does not know is stored, and numbers keep their digits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::sandbox) struct Configuration(Box<RawValue>);

impl Configuration {
    /// Reads the table, view or query.
    ///
    /// # Errors
    /// 400 unless it is an object in which exactly one of them is set.
    pub(in crate::sandbox) fn selection(&self) -> Result<Selection, ApiError> {
        let properties: Map<String, Value> = serde_json::from_str(self.0.get())
            .map_err(|_| ApiError::invalid("configuration: expected an object."))?;
        parse_selection(&properties)
    }
}

/// Reads the table, view or query of a configuration.
///
/// # Errors
/// 400 unless exactly one of them is set.
pub(in crate::sandbox) fn parse_selection(
    configuration: &Map<String, Value>,
) -> Result<Selection, ApiError> {
    let mut selection = None;
    for key in Selection::KEYS {
        let candidate = match configuration.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(value)) if value.trim().is_empty() => continue,
            Some(Value::String(value)) => Selection::new(key, value.clone()),
            Some(_) => {
                return Err(ApiError::invalid(format!("configuration.{key}: expected a string.")));
            }
        };
        if selection.replace(candidate).is_some() {
            return Err(ApiError::invalid(
                "configuration: expected only one of table, view and query.",
            ));
        }
    }
    selection.ok_or_else(|| {
        ApiError::invalid("configuration: expected exactly one of table, view and query.")
    })
}
