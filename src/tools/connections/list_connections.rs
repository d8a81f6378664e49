//! `list_connections`: list the connections that models can read from.
//!
//! Source: API reference "List Connections", 2025-09-18; the API does not page them. Summaries leave out
//! configurations and logos, which are of no use for choosing a connection and cost context.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Connection, ConnectionType};
use crate::registry::{Context, Effect, Operation, ToolError, redaction};
use crate::tools::listing::{Detail, NameFilter};

pub(super) struct ListConnections;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default)]
    name_contains: Option<NameFilter>,
    #[serde(default)]
    detail: Detail,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The connections visible to the key.
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

/// The schemas of configurations, by connection type.
pub(super) type Schemas = BTreeMap<String, Arc<Map<String, Value>>>;

/// Reads the schemas of the configurations that are shown, as far as there are any.
pub(super) async fn schemas(cx: &Context, detail: Detail, connections: &[Connection]) -> Schemas {
    let shown = connections.iter().filter(|connection| {
        detail == Detail::Full && connection.configuration.as_ref().is_some_and(|c| !c.is_empty())
    });
    let kinds: BTreeSet<&String> = shown.filter_map(|c| c.kind.as_ref()?.id.as_ref()).collect();
    let options = cx.read_options();
    let read = async |kind: &String| {
        let schema = cx.client().known_type_schema(kind, &options).await;
        Some((kind.clone(), schema?))
    };
    join_all(kinds.into_iter().map(read)).await.into_iter().flatten().collect()
}

/// A connection at a level of detail, with secrets masked: the schema of its type says what is one, or else its name.
pub(super) fn render(
    connection: Connection,
    detail: Detail,
    schemas: &Schemas,
) -> Map<String, Value> {
    let kind = connection.kind.as_ref().and_then(|kind| kind.id.as_ref());
    let schema = kind.and_then(|kind| schemas.get(kind)).cloned();
    let mut rendered = detail.render(connection, Summary::from);
    redaction::mask_connection(&mut rendered, schema.as_deref());
    rendered
}

impl Operation for ListConnections {
    const NAME: &'static str = "list_connections";
    const TITLE: &'static str = "List connections";
    const DESCRIPTION: &'static str = "List the connected databases, warehouses and apps: id, \
        name, type and whether they work. After: `get_model_source` for what a model can read \
        from one.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let mut connections = cx.client().list_connections(&cx.call_options()).await?;
        let filter = args.name_contains.as_ref();
        connections.retain(|connection| NameFilter::matches(filter, connection.name.as_deref()));
        let schemas = schemas(cx, args.detail, &connections).await;
        let render = |connection| render(connection, args.detail, &schemas);
        Ok(Output { connections: connections.into_iter().map(render).collect() })
    }
}
