//! `call_write_operation`: call any operation of the API that creates, changes or starts something.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::contract::Kind;
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::api_operations::{
    Body, OperationCall, OperationResponse, PathParameters, QueryParameters,
};

pub(super) struct CallWriteOperation;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Its name, e.g. `start_bulk_sync`.
    #[schemars(length(min = 1, max = 100))]
    operation: String,
    #[serde(default)]
    path: Option<PathParameters>,
    #[serde(default)]
    query: Option<QueryParameters>,
    #[serde(default)]
    body: Option<Body>,
    /// Fail if its object has another name, e.g. `Nightly`.
    #[serde(default)]
    expected_name: Option<String>,
}

impl Operation for CallWriteOperation {
    const NAME: &'static str = "call_write_operation";
    const TITLE: &'static str = "Call write operation";
    const DESCRIPTION: &'static str = "Call an operation of the API that creates, changes or starts something. PUT replaces the whole object. Before: \
        `find_operations` with `detail` full.";
    const EFFECT: Effect = Effect::Write { idempotent: false, overwrites: true };
    const SHOWN_BY: [&'static str; 2] = ["call_read_operation", "find_operations"];
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = OperationResponse;

    async fn call(cx: &Context, args: Args) -> Result<OperationResponse, ToolError> {
        let Args { operation, path, query, body, expected_name } = args;
        let call = OperationCall { operation, path, query, body, expected_name };
        call.run(cx, Kind::Write).await
    }
}
