//! The identity of an API key.
//!
//! Source: API reference "Get Identity", 2025-09-18.

use serde_json::{Map, Value};

response_type! {
    /// Who a key acts as, and in which organization.
    Identity {
        /// Set for users only.
        id: String,
        email: String,
        organization_id: String,
        organization_name: String,
        role: String,
        is_user: bool,
        is_organization: bool,
        is_partner: bool,
        is_system: bool,
        /// Origin and limits of the key.
        credential: Map<String, Value>,
    }
}
