//! `get_connection`: get one connection, and with `detail` its configuration with secrets masked.
//!
//! Source: API reference "Get Connection", 2025-09-18.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::list_connections::{Summary, render, schemas};
use crate::polytomic::ConnectionId;
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::listing::Detail;

pub(super) struct GetConnection;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
    #[serde(default)]
    detail: Detail,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The connection; its secrets are masked.
    #[schemars(with = "Summary")]
    connection: Map<String, Value>,
}

impl Operation for GetConnection {
    const NAME: &'static str = "get_connection";
    const TITLE: &'static str = "Get connection";
    const DESCRIPTION: &'static str = "Get a connection: its type and last known status (`test_connection` \
        checks it now); with `detail` full also its configuration, with secrets masked. Before: `list_connections`.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let id = args.connection_id;
        let connection = cx.client().get_connection(id, &cx.call_options()).await?;
        let schemas = schemas(cx, args.detail, std::slice::from_ref(&connection)).await;
        Ok(Output { connection: render(connection, args.detail, &schemas) })
    }
}
