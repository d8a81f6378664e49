//! Messages as the MCP server and the JSON-RPC server parse them.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json;
use crate::jsonrpc::message as jsonrpc;
use crate::mcp::message as mcp;
use crate::stdio::{Name, without_byte_order_mark};

/// Every request keeps its id, only requests get responses, and what is not JSON is a parse error.
pub fn messages(bytes: &[u8]) {
    let text = std::str::from_utf8(without_byte_order_mark(bytes));
    let is_json = text.is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    // Unparsed, as values may be nested too deeply.
    let object: BTreeMap<Name<'_>, &RawValue> = text
        .ok()
        .filter(|_| is_json)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let property = |name: &str| object.get(&Name(name.as_bytes().into())).map(|raw| raw.get());
    let parsed = |name: &str| property(name).and_then(|raw| serde_json::from_str(raw).ok());
    let method: Option<String> = parsed("method");
    let version: Option<String> = parsed("jsonrpc");
    let is_request = version.as_deref() == Some("2.0") && method.is_some();
    let is_response = property("method").is_none()
        && (property("result").is_some() || property("error").is_some());
    let id = property("id");
    let is_id = |id: &str| id.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit());
    let request_id = id.filter(|id| is_request && is_id(id));

    match mcp::parse(bytes) {
        Ok(mcp::Message::Incoming(message)) => {
            assert!(is_request);
            let message = json(&message);
            let property = |name: &str| message.get(name).and_then(Value::as_str);
            assert!(property("id") == request_id, "{message}");
            assert!(property("method") == method.as_deref(), "{message}");
        }
        Ok(mcp::Message::Response(_)) => assert!(is_response),
        Err(mcp::Rejection::Drop(_)) => assert!(!is_request || id.is_none()),
        Err(mcp::Rejection::Respond(response_id, code, text)) => {
            assert!(!is_response, "a response gets a response");
            assert!(is_json == (code.0 != -32700), "{code:?} {text}");
            assert!(text.chars().count() < 1_000, "{text}");
            let response_id = response_id.map(|id| id.to_string());
            assert!(
                request_id.is_none() || response_id.as_deref() == request_id,
                "{response_id:?}"
            );
        }
    }

    let entry = match jsonrpc::parse(bytes) {
        jsonrpc::Message::One(entry) => entry,
        jsonrpc::Message::Batch(entries) => {
            let values: Vec<IgnoredAny> =
                serde_json::from_str(text.unwrap_or_default()).unwrap_or_default();
            assert!(!entries.is_empty() && entries.len() == values.len());
            return;
        }
    };
    match entry {
        jsonrpc::Entry::Request(call, response_id) => {
            assert!(Some(response_id.to_string().as_str()) == id, "{response_id}");
            assert!(Some(&call.method) == method.as_ref(), "{}", call.method);
        }
        jsonrpc::Entry::Notification(_) => assert!(is_request && id.is_none()),
        jsonrpc::Entry::Response => assert!(is_response),
        jsonrpc::Entry::Invalid(response_id, error) => {
            assert!(!is_response, "a response gets a response");
            assert!(is_json == (error.code() != -32700), "{error:?}");
            let response_id = response_id.to_string();
            assert!(request_id.is_none_or(|id| id == response_id), "{response_id}");
        }
    }
}
