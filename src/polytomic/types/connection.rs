//! Connections: the databases, warehouses and apps that models read from.
//!
//! Source: API reference "List Connections", 2025-09-18. Secrets come masked in `configuration`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::Actor;

/// A connection as the API answers it. Every property may be missing.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Connection {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<ConnectionType>,
    pub organization_id: Option<String>,
    /// Settings of the connection; secrets are masked by the API.
    pub configuration: Option<Map<String, Value>>,
    /// For example `healthy`.
    pub status: Option<String>,
    pub status_error: Option<String>,
    pub saved: Option<bool>,
    pub policies: Option<Vec<String>>,
    pub parent_connection_id: Option<String>,
    pub api_calls_last_24_hours: Option<i64>,
    pub rate_limit: Option<Map<String, Value>>,
    pub created_at: Option<String>,
    pub created_by: Option<Actor>,
    pub updated_at: Option<String>,
    pub updated_by: Option<Actor>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// A type that connections can have, e.g. PostgreSQL. Every property may be missing.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct ConnectionKind {
    pub id: Option<String>,
    pub name: Option<String>,
    pub capabilities: Option<Capabilities>,
    pub use_oauth: Option<bool>,
    /// Forms, logos and other properties, as the API has them.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// What connections of a type can be used for.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Capabilities {
    pub source: Option<bool>,
    pub destination: Option<bool>,
    pub enrichment: Option<bool>,
    pub orchestration: Option<bool>,
    pub logging: Option<bool>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// What kind of connection it is.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct ConnectionType {
    pub id: Option<String>,
    pub name: Option<String>,
    pub operations: Option<Vec<String>>,
    pub logo_url: Option<String>,
    pub logo_dark_url: Option<String>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}
