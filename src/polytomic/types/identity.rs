//! Who a key is.
//!
//! Source: API reference "Get Identity", 2025-09-18.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

/// Whom a key acts as, and in which organization. Every property may be missing.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Identity {
    /// Of users only.
    pub id: Option<String>,
    pub email: Option<String>,
    pub organization_id: Option<String>,
    pub organization_name: Option<String>,
    pub role: Option<String>,
    pub is_user: Option<bool>,
    pub is_organization: Option<bool>,
    pub is_partner: Option<bool>,
    pub is_system: Option<bool>,
    /// How the key came about and what it is limited to.
    pub credential: Option<Map<String, Value>>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}
