//! `list_connections`: what models can be made over.
//!
//! Source: API reference "List Connections", 2025-09-18; the API does not page them. Configurations and
//! logos are left out unless asked for: they help nobody to choose, and cost context.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Connection, ConnectionType};
use crate::tools::detail::{Detail, NamePart, contains};
use crate::tools::{Context, Effect, Operation, ToolError, secrets};

pub(super) struct ListConnections;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default)]
    name_contains: Option<NamePart>,
    #[serde(default)]
    detail: Detail,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The connections that the key can see.
    #[schemars(with = "Vec<Summary>")]
    connections: Vec<Map<String, Value>>,
}

/// A connection without its configuration and logos.
#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Summary {
    id: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<TypeSummary>,
    status: Option<String>,
    status_error: Option<String>,
    organization_id: Option<String>,
    updated_at: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
struct TypeSummary {
    id: Option<String>,
    name: Option<String>,
}

impl From<ConnectionType> for TypeSummary {
    fn from(kind: ConnectionType) -> Self {
        Self { id: kind.id, name: kind.name }
    }
}

impl From<Connection> for Summary {
    fn from(connection: Connection) -> Self {
        Self {
            id: connection.id,
            name: connection.name,
            kind: connection.kind.map(TypeSummary::from),
            status: connection.status,
            status_error: connection.status_error,
            organization_id: connection.organization_id,
            updated_at: connection.updated_at,
        }
    }
}

/// A connection as it may be shown.
pub(super) fn shown(connection: Connection, detail: Detail) -> Map<String, Value> {
    let mut shown = detail.of(connection, Summary::from);
    secrets::mask(&mut shown);
    shown
}

impl Operation for ListConnections {
    const NAME: &'static str = "list_connections";
    const TITLE: &'static str = "List connections";
    const DESCRIPTION: &'static str = "List the databases, warehouses and apps that are \
        connected: id, name, type and whether they work. After: `get_model_source` for what a \
        model may read there.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let mut connections = cx.client().list_connections(cx.call_options()).await?;
        connections.retain(|c| contains(c.name.as_deref(), args.name_contains.as_ref()));
        Ok(Output { connections: connections.into_iter().map(|c| shown(c, args.detail)).collect() })
    }
}
