//! Toolset `api`: operations that are found by plain words, and called by their names.

mod calls;
mod generated;
mod search;
mod secrets;

use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{Launch, Session, Stub};

/// An API that accepts everything.
async fn accepting_api() -> Stub {
    let stub = Stub::start().await;
    let respond = |_: &Request| ResponseTemplate::new(200).set_body_json(json!({"data": {}}));
    stub.respond_to_others(respond).await;
    stub
}

/// A server over an API, with toolset `api`.
fn launch(stub: &Stub) -> Launch {
    with_toolset(Launch::against(&stub.url()))
}

fn with_toolset(launch: Launch) -> Launch {
    launch.flag("--toolsets").flag("api")
}

/// The tool that calls the operations of a method that only reads or not.
fn tool(method: &str, is_read_only: bool) -> &'static str {
    match method {
        "DELETE" => "call_delete_operation",
        _ if is_read_only => "call_read_operation",
        _ => "call_write_operation",
    }
}

/// The operations that `find_operations` returns.
async fn find(session: &mut Session, arguments: Value) -> Vec<Value> {
    let result = session.call("find_operations", arguments).await;
    result["operations"].as_array().unwrap().clone()
}

/// Their names.
async fn names(session: &mut Session, query: &str, limit: usize) -> Vec<String> {
    let found = find(session, json!({"query": query, "limit": limit})).await;
    found.iter().map(|operation| operation["operation"].as_str().unwrap().to_owned()).collect()
}
