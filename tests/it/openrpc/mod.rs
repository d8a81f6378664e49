//! The OpenRPC document: right by OpenRPC's own meta-schema, and true of the methods there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Launch, Session};

async fn document() -> Value {
    let mut session = Session::start(&Launch::bare().flag("rpc").flag("--toolsets").flag("all"));
    session.request("rpc.discover", json!({})).await["result"].clone()
}

/// The meta-schema, with JSON Schema's own (a reference to elsewhere) taken as anything: schemas are
/// checked by themselves.
fn meta_schema() -> Value {
    fn without_outside(node: &mut Value) {
        match node {
            Value::Object(map) => {
                let outside = |v: &Value| v.as_str().is_some_and(|r| r.starts_with("https://"));
                if map.get("$ref").is_some_and(outside) {
                    map.clear();
                }
                map.values_mut().for_each(without_outside);
            }
            Value::Array(items) => items.iter_mut().for_each(without_outside),
            _ => {}
        }
    }
    let mut schema: Value = serde_json::from_str(include_str!("meta-schema.json")).unwrap();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    without_outside(&mut schema);
    schema
}

#[tokio::test]
async fn the_document_follows_the_meta_schema() {
    let document = document().await;
    let schema = meta_schema();
    jsonschema::validate(&schema, &document).unwrap_or_else(|error| panic!("{error}"));
    // The check can fail.
    let mut wrong = document.clone();
    wrong["methods"][0].as_object_mut().unwrap().remove("params");
    assert!(jsonschema::validate(&schema, &wrong).is_err());
    assert!(document["openrpc"].as_str().unwrap().starts_with("1.3."));
}

#[tokio::test]
async fn each_tool_is_a_method_with_the_schemas_of_its_file() {
    let document = document().await;
    let mut names = BTreeSet::new();
    for method in document["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        names.insert(name);
        let root = env!("CARGO_MANIFEST_DIR");
        let toolset = polytomic_mcp::tools::TOOLS.toolset_of(name).unwrap().name;
        let path = format!("{root}/tool-schemas/{toolset}/{name}.json");
        let text = std::fs::read_to_string(path).unwrap();
        let tool: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(method["paramStructure"], "by-name", "{name}");
        assert_eq!(method["result"]["schema"], tool["outputSchema"], "{name}");
        let properties = tool["inputSchema"]["properties"].as_object().unwrap();
        let params = method["params"].as_array().unwrap();
        assert_eq!(params.len(), properties.len(), "{name}");
        let mut optional_seen = false;
        for param in params {
            let key = param["name"].as_str().unwrap();
            assert_eq!(param["schema"], properties[key], "{name}.{key}");
            jsonschema::meta::validate(&param["schema"]).unwrap();
            let required =
                tool["inputSchema"]["required"].as_array().unwrap().contains(&json!(key));
            assert_eq!(param["required"], required, "{name}.{key}");
            assert!(!(required && optional_seen), "{name}: {key} stands behind an optional one");
            optional_seen |= !required;
        }
        assert_eq!(method["errors"].as_array().unwrap().len(), 17, "{name}");
    }
    let all: BTreeSet<&str> =
        polytomic_mcp::tools::TOOLS.entries().map(|entry| entry.name).collect();
    assert_eq!(names, all);
}

#[tokio::test]
async fn the_command_prints_the_same_document() {
    let launch = Launch::bare().flags(["schemas", "--openrpc", "--toolsets", "all"]);
    let (status, stdout, _) = launch.output().await;
    assert_eq!(status, 0);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), document().await);
}

#[test]
fn errors_are_numbered_from_1_in_an_order_that_never_changes() {
    let numbered: Vec<(i32, &str)> = polytomic_mcp::registry::ErrorCode::ALL
        .iter()
        .map(|code| (code.number(), code.as_str()))
        .collect();
    assert_eq!(
        numbered,
        [
            (1, "not_configured"),
            (2, "unauthorized"),
            (3, "forbidden"),
            (4, "not_found"),
            (5, "invalid_argument"),
            (6, "conflict"),
            (7, "rate_limited"),
            (8, "timeout"),
            (9, "upstream_unavailable"),
            (10, "upstream_error"),
            (11, "result_too_large"),
            (12, "job_failed"),
            (13, "access_denied"),
            (14, "confirmation_required"),
            (15, "dependents_exist"),
            (16, "cancelled"),
            (17, "internal"),
        ]
    );
}
