//! One call on each face, and what it answered there.

use serde_json::{Value, json};

use super::{Launch, Session};

/// What a face answered: the result, or the error object.
pub type Answer = Result<Value, Value>;

pub async fn over_mcp(session: &mut Session, tool: &str, arguments: &Value) -> Answer {
    let params = json!({"name": tool, "arguments": arguments});
    let answer = session.request("tools/call", params).await;
    if answer["result"]["isError"] == json!(true) {
        Err(session.expect_error(&answer))
    } else {
        Ok(session.expect_result(tool, &answer))
    }
}

pub async fn over_rpc(session: &mut Session, tool: &str, arguments: &Value) -> Answer {
    let answer = session.request(tool, arguments.clone()).await;
    answer.get("result").cloned().ok_or_else(|| answer["error"]["data"].clone())
}

pub async fn over_call(launch: Launch, tool: &str, arguments: &Value) -> Answer {
    let launch = launch.flag("call").flag(tool).flag("--output").flag("json");
    let (status, stdout, stderr) =
        launch.flag("--json").flag(&arguments.to_string()).output().await;
    let answer: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    match answer.get("error") {
        Some(error) => Err(error.clone()),
        None => {
            assert_eq!(status, 0, "{stderr}");
            Ok(answer)
        }
    }
}
