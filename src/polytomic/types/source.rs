//! Sources: what a connection can serve to a model, before the model exists.
//!
//! Source: API reference "Get Sync Source", 2025-09-18.

use serde_json::{Map, Value};

response_type! {
    /// The properties that a model's `configuration` can have on one connection.
    Source {
        /// Choices by property of the configuration.
        #[schemars(with = "Option<Map<String, Value>>")]
        items: Map<String, Value>,
        /// Properties of which exactly one is required.
        requires_one_of: Vec<String>,
        /// Further settings, each with its type and choices.
        configuration: Map<String, Value>,
    }
}
