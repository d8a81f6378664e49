//! Responses with damage, and calls that get them.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, over_mcp};

pub(super) const REPAIRED: &str = "The API's response was repaired: ";

pub(super) fn raw(body: impl Into<Vec<u8>>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

/// The result of a call whose one response has this body.
pub(super) async fn call(
    path: &str,
    body: impl Into<Vec<u8>>,
    tool: &str,
    arguments: Value,
) -> Result<Value, Value> {
    let stub = Stub::start().await;
    stub.on("GET", path, raw(body)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    over_mcp(&mut session, tool, &arguments).await
}

pub(super) async fn sample(records: &[u8]) -> Result<Value, Value> {
    let body = [b"{\"data\":{\"records\":", records, b"}}"].concat();
    let arguments = json!({"model_id": UNKNOWN_ID});
    call(&format!("{MODEL}/sample"), body, "sample_records", arguments).await
}

/// A model with one damaged property, as JSON text.
pub(super) fn damaged(property: &str) -> String {
    format!(
        r#"{{"data":{{"id":"{UNKNOWN_ID}","name":"U","version":1,"connection_id":"{CONNECTION}","configuration":{{"table":"t"}},{property}}}}}"#
    )
}
