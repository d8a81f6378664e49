//! `call_delete_operation`: call any operation of the API that deletes something.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::contract::Kind;
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::api_operations::{
    OperationCall, OperationResponse, PathParameters, QueryParameters,
};

pub(super) struct CallDeleteOperation;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Its name, e.g. `delete_webhook`.
    #[schemars(length(min = 1, max = 100))]
    operation: String,
    #[serde(default)]
    path: Option<PathParameters>,
    #[serde(default)]
    query: Option<QueryParameters>,
    /// Fail if its object has another name, e.g. `Nightly`.
    #[serde(default)]
    expected_name: Option<String>,
}

impl Operation for CallDeleteOperation {
    const NAME: &'static str = "call_delete_operation";
    const TITLE: &'static str = "Call delete operation";
    const DESCRIPTION: &'static str = "Call an operation of the API that deletes something; this cannot be undone. Before: `find_operations` with `detail` \
        full.";
    const EFFECT: Effect = Effect::Destructive;
    const SHOWN_BY: [&'static str; 2] = ["call_read_operation", "find_operations"];
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = OperationResponse;

    async fn call(cx: &Context, args: Args) -> Result<OperationResponse, ToolError> {
        let Args { operation, path, query, expected_name } = args;
        let call = OperationCall { operation, path, query, expected_name, body: None };
        call.run(cx, Kind::Delete).await
    }
}
