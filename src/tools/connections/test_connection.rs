//! `test_connection`: test whether a stored connection works.
//!
//! Source: API reference "Test Connection", 2025-09-18. The API can test any configuration; this tool always tests
//! the stored one, so that no secret passes through an agent and no other host is reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::polytomic::{ConnectionId, Error};
use crate::registry::{Context, Effect, Operation, ToolError, redaction};

pub(super) struct TestConnection;

const MAX_REASON_CHARACTERS: usize = 1_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    connection_id: ConnectionId,
    /// Whether the connection works.
    works: bool,
    /// Message of the API if it does not.
    reason: Option<String>,
}

impl Operation for TestConnection {
    const NAME: &'static str = "test_connection";
    const TITLE: &'static str = "Test connection";
    const DESCRIPTION: &'static str = "Test whether a stored connection works now, with its \
        stored configuration. Before: `list_connections`.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let (client, options, connection_id) =
            (cx.client(), &cx.call_options(), args.connection_id);
        let connection = client.get_connection(connection_id, options).await?;
        let kind = connection.kind.and_then(|kind| kind.id);
        if kind.is_none() {
            // Without its type, any connection would seem not to work.
            cx.require_undamaged(&Value::Null)?;
        }
        let kind = kind.unwrap_or_default();
        match client.test_connection(connection_id, &kind, options).await {
            Ok(()) => Ok(Output { connection_id, works: true, reason: None }),
            // A connection that does not work is a result of this tool, not an error.
            Err(Error::Status { status: 200..=299 | 400 | 422, body, .. }) if !body.is_page => {
                let reason = body.message.map(|message| {
                    redaction::mask_text(&message).chars().take(MAX_REASON_CHARACTERS).collect()
                });
                Ok(Output { connection_id, works: false, reason })
            }
            Err(error) => Err(error.into()),
        }
    }
}
