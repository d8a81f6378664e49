//! What a list of tools costs the context of those who read it, and its limits: the bench reports it, a test holds it.
//!
//! An agent sees name, description and input schema of each tool; the rest of `tools/list` is for the client.

use serde_json::{Value, json};

/// What the result of `tools/list` may have, in bytes of compact JSON.
pub(super) const MAX_LIST_BYTES: usize = 40_000;
/// What an agent may see of it.
pub(super) const MAX_SEEN_BYTES: usize = 20_000;

/// The bytes of the result of `tools/list`, and those of the list that an agent sees.
pub(super) fn list_bytes(result: &Value) -> (usize, usize) {
    let tools = result["tools"].as_array();
    let seen: Vec<Value> = tools.into_iter().flatten().map(seen).collect();
    (bytes(result), bytes(&json!(seen)))
}

/// What an agent sees of a tool.
pub(super) fn seen(tool: &Value) -> Value {
    json!({
        "name": tool["name"], "description": tool["description"], "inputSchema": tool["inputSchema"],
    })
}

/// The bytes of a value as compact JSON.
pub(super) fn bytes(value: &Value) -> usize {
    value.to_string().len()
}
