//! Connections: the databases, warehouses and apps that models read from.
//!
//! Source: API reference "List Connections", 2025-09-18. The API masks secrets in `configuration`.

use serde_json::{Map, Value};

use super::Actor;

response_type! {
    /// A connection.
    Connection {
        id: String,
        name: String,
        kind as "type": ConnectionType,
        organization_id: String,
        /// Settings of the connection; the API masks secrets.
        configuration: Map<String, Value>,
        /// For example `healthy`.
        status: String,
        status_error: String,
        saved: bool,
        policies: Vec<String>,
        parent_connection_id: String,
        api_calls_last_24_hours: i64,
        rate_limit: Map<String, Value>,
        created_at: String,
        created_by: Actor,
        updated_at: String,
        updated_by: Actor,
    }
}

response_type! {
    /// A connection type, e.g. PostgreSQL. Its forms are kept in `rest`.
    ConnectionType {
        id: String,
        name: String,
        /// What a connection of this type is used for.
        operations: Vec<String>,
        capabilities: Capabilities,
        use_oauth: bool,
        logo_url: String,
        logo_dark_url: String,
    }
}

response_type! {
    /// What connections of a type can be used for.
    Capabilities {
        source: bool,
        destination: bool,
        enrichment: bool,
        orchestration: bool,
        logging: bool,
    }
}
