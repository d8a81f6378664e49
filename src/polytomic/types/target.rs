//! What a connection accepts as the target of a model sync.
//!
//! Source: API reference "Get Target Fields" and "List Target Objects", 2025-09-18.

use serde_json::{Map, Value};

response_type! {
    /// An object of a connection that a sync can write to.
    TargetObject {
        id: String,
        name: String,
        /// How it can be written to.
        #[schemars(with = "Option<Vec<Map<String, Value>>>")]
        modes: Vec<TargetMode>,
    }
}

response_type! {
    /// A mode of a sync. Lists of objects call it `id`, the description of one object `mode`.
    TargetMode {
        id: String,
        mode: String,
        label: String,
        description: String,
        requires_identity: bool,
        supports_field_sync_mode: bool,
        supports_per_field_mode: bool,
        supports_target_filters: bool,
    }
}

response_type! {
    /// What an object accepts.
    Target {
        id: String,
        name: String,
        #[schemars(with = "Option<Vec<Map<String, Value>>>")]
        modes: Vec<TargetMode>,
        #[schemars(with = "Option<Vec<Map<String, Value>>>")]
        fields: Vec<TargetField>,
        /// What the connection can do, e.g. create fields.
        properties: Map<String, Value>,
        refreshed_at: String,
    }
}

response_type! {
    /// A field that a sync can write.
    TargetField {
        id: String,
        name: String,
        kind as "type": String,
        description: String,
        required: bool,
        createable: bool,
        updateable: bool,
        supports_identity: bool,
        source_type: String,
        association: bool,
        multiple_associations: bool,
        encryptable: bool,
        filterable: bool,
        filter_functions: Vec<Value>,
        identity_functions: Vec<Value>,
        values: Vec<Value>,
    }
}
