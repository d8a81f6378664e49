//! One call through each server, and its result.

use serde_json::{Value, json};

use super::{Launch, Session};

/// The result of a call, or its error object.
pub type CallResult = Result<Value, Value>;

pub async fn over_mcp(session: &mut Session, tool: &str, arguments: &Value) -> CallResult {
    let params = json!({"name": tool, "arguments": arguments});
    let response = session.request("tools/call", params).await;
    if response["result"]["isError"] == json!(true) {
        Err(session.expect_error(&response))
    } else {
        Ok(session.expect_result(tool, &response))
    }
}

pub async fn over_rpc(session: &mut Session, tool: &str, arguments: &Value) -> CallResult {
    let response = session.request(tool, arguments.clone()).await;
    response.get("result").cloned().ok_or_else(|| response["error"]["data"].clone())
}

pub async fn over_call(launch: Launch, tool: &str, arguments: &Value) -> CallResult {
    let launch = launch.flag("call").flag(tool).flag("--output").flag("json");
    let (status, stdout, stderr) =
        launch.flag("--json").flag(&arguments.to_string()).output().await;
    let result: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    match result.get("error") {
        Some(error) => Err(error.clone()),
        None => {
            assert_eq!(status, 0, "{stderr}");
            Ok(result)
        }
    }
}
