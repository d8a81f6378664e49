//! Who a key is.
//!
//! Source: API reference "Get Identity", 2025-09-18.

use serde_json::{Map, Value};

answer! {
    /// Whom a key acts as, and in which organization.
    Identity {
        /// Of users only.
        id: String,
        email: String,
        organization_id: String,
        organization_name: String,
        role: String,
        is_user: bool,
        is_organization: bool,
        is_partner: bool,
        is_system: bool,
        /// How the key came about and what it is limited to.
        credential: Map<String, Value>,
    }
}
