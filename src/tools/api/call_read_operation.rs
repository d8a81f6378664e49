//! `call_read_operation`: call any operation of the API that changes nothing.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::contract::Kind;
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::api_operations::{
    Body, OperationCall, OperationResponse, PathParameters, QueryParameters,
};

pub(super) struct CallReadOperation;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Its name, e.g. `list_bulk_syncs`.
    #[schemars(length(min = 1, max = 100))]
    operation: String,
    #[serde(default)]
    path: Option<PathParameters>,
    #[serde(default)]
    query: Option<QueryParameters>,
    #[serde(default)]
    body: Option<Body>,
}

impl Operation for CallReadOperation {
    const NAME: &'static str = "call_read_operation";
    const TITLE: &'static str = "Call read operation";
    const DESCRIPTION: &'static str = "Call an operation of the API that changes nothing. Before: `find_operations` with `detail` full. A list continues \
        with `next_page_token` as `page_token` in `query`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = OperationResponse;

    async fn call(cx: &Context, args: Args) -> Result<OperationResponse, ToolError> {
        let Args { operation, path, query, body } = args;
        let call = OperationCall { operation, path, query, body, expected_name: None };
        call.run(cx, Kind::Read).await
    }
}
