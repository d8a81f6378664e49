//! What a connection can serve to a model, before the model exists.
//!
//! Source: API reference "Get Sync Source", 2025-09-18.

use serde_json::{Map, Value};

answer! {
    /// The keys that a model's `configuration` may have on one connection.
    Source {
        /// Key of the configuration to what it may be.
        #[schemars(with = "Option<Map<String, Value>>")]
        items: Map<String, Value>,
        /// Keys of which exactly one has to be filled.
        requires_one_of: Vec<String>,
        /// Plain settings, each with its type and choices.
        configuration: Map<String, Value>,
    }
}
