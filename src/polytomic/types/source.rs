//! What a connection can serve to a model, before the model exists.
//!
//! Source: API reference "Get Sync Source", 2025-09-18.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

/// The keys that a model's `configuration` may have on one connection.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Source {
    /// Key of the configuration to what it may be.
    #[schemars(with = "Option<Map<String, Value>>")]
    pub items: Option<Map<String, Value>>,
    /// Keys of which exactly one has to be filled.
    pub requires_one_of: Option<Vec<String>>,
    /// Plain settings, each with its type and choices.
    pub configuration: Option<Map<String, Value>>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}
