//! One call through each server, and its result.

use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Launch, Server, Session, next_message, send_text};

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
    result_of(&session.request(tool, arguments.clone()).await)
}

pub async fn over_http(server: &Server, tool: &str, arguments: &Value) -> CallResult {
    result_of(&server.call(tool, arguments.clone()).await)
}

/// Over a [`Server::websocket`].
pub async fn over_websocket(socket: &TcpStream, tool: &str, arguments: &Value) -> CallResult {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": tool, "params": arguments});
    let mut socket = socket.try_clone().unwrap();
    let exchange = tokio::task::spawn_blocking(move || {
        send_text(&mut socket, &request.to_string());
        next_message(&mut socket)
    });
    result_of(&exchange.await.unwrap())
}

/// The result of a response of JSON-RPC, or the error object of the tool.
fn result_of(response: &Value) -> CallResult {
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
