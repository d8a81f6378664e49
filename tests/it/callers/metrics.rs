//! The numbers of a registry in Prometheus' text format.

use std::time::Duration;

use polytomic_mcp::registry::CallSignals;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::*;
use crate::support::{CONNECTION, Fault, FaultyServer, MODEL, UNKNOWN_ID};

/// The value of a series; none if there is no such series.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

fn calls(text: &str, tool: &str, outcome: &str) -> Option<f64> {
    let series = format!(r#"polytomic_mcp_calls_total{{outcome="{outcome}",tool="{tool}"}}"#);
    value(text, &series)
}

fn attempts(text: &str, outcome: &str) -> Option<f64> {
    value(text, &format!(r#"polytomic_mcp_api_attempts_total{{outcome="{outcome}"}}"#))
}

#[tokio::test]
async fn calls_are_counted_by_tool_and_outcome() {
    let stub = stub_with_connections().await;
    let registry = shared(&stub).with_metrics();
    for _ in 0..2 {
        call(&registry, Some(KEY_OF_ADA), "list_connections", json!({})).await.unwrap();
    }
    let unknown = json!({"model_id": UNKNOWN_ID});
    call(&registry, Some(KEY_OF_ADA), "get_model", unknown.clone()).await.unwrap_err();
    call(&registry, Some(KEY_OF_ADA), "get_model", json!({})).await.unwrap_err();
    call(&registry, None, "get_model", unknown).await.unwrap_err();
    let text = registry.metrics();
    for (tool, outcome, expected) in [
        ("list_connections", "ok", Some(2.0)),
        ("get_model", "ok", None),
        ("get_model", "not_found", Some(1.0)),
        ("get_model", "invalid_argument", Some(1.0)),
        ("get_model", "not_configured", Some(1.0)),
    ] {
        assert_eq!(calls(&text, tool, outcome), expected, "{tool} {outcome}: {text}");
    }
    let duration = r#"polytomic_mcp_call_duration_seconds_count{tool="list_connections"}"#;
    assert_eq!(value(&text, duration), Some(2.0), "{text}");
    assert_eq!((attempts(&text, "2xx"), attempts(&text, "4xx")), (Some(2.0), Some(1.0)), "{text}");
    let version = format!(r#"polytomic_mcp_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&text, &version), Some(1.0), "{text}");
    assert!(value(&text, "process_start_time_seconds").unwrap() > 1.7e9, "{text}");
    // What callers and the API send is in no label.
    assert!(!text.contains("4711") && !text.contains(UNKNOWN_ID), "{text}");
}

#[tokio::test]
async fn a_call_in_flight_is_counted_until_it_is_cancelled_or_dropped() {
    let stub = Stub::slow(Duration::from_secs(600)).await;
    let registry = with_key(&stub).with_metrics();
    let in_flight = || value(&registry.metrics(), "polytomic_mcp_calls_in_flight");
    let arguments = json!({"model_id": UNKNOWN_ID});
    let signals = CallSignals::default();
    let cancel = signals.cancel.clone();
    let cancelled = run(&registry, "get_model", arguments.clone(), signals);
    let dropped = run(&registry, "get_model", arguments, CallSignals::default());
    let dropped = tokio::time::timeout(Duration::from_secs(600), dropped);
    let both = async {
        tokio::select! {
            _ = dropped => panic!("the API does not respond"),
            result = cancelled => result.unwrap_err(),
        }
    };
    let (_, ()) = tokio::join!(both, async {
        stub.wait_for_requests(2).await;
        assert_eq!(in_flight(), Some(2.0));
        cancel.cancel();
    });
    let text = registry.metrics();
    assert_eq!(in_flight(), Some(0.0));
    assert_eq!(calls(&text, "get_model", "cancelled"), Some(2.0), "{text}");
    assert_eq!(attempts(&text, "no_response"), Some(2.0), "{text}");
}

#[tokio::test]
async fn attempts_are_counted_by_the_class_of_their_status() {
    let success = || Fault::Response(200, "", json!({"data": []}));
    let faults = vec![
        Fault::Response(503, "", json!({"error": {"message": "busy"}})),
        success(),
        Fault::Response(302, "location: /login\r\n", json!({})),
    ];
    let api = FaultyServer::start(faults).await;
    let url = BaseUrl::parse(&api.url, false).unwrap();
    let key = Credential::bearer("key").unwrap();
    let registry = Registry::new(TOOLS, Ok(ClientConfig::new(url, key))).with_metrics();
    call(&registry, None, "list_connections", json!({})).await.unwrap();
    call(&registry, None, "list_connections", json!({})).await.unwrap_err();
    let text = registry.metrics();
    for (outcome, expected) in
        [("2xx", 1.0), ("3xx", 1.0), ("4xx", 0.0), ("5xx", 1.0), ("no_response", 0.0)]
    {
        assert_eq!(attempts(&text, outcome), Some(expected), "{outcome}: {text}");
    }
    assert_eq!(value(&text, "polytomic_mcp_api_retries_total"), Some(1.0), "{text}");
}

#[tokio::test]
async fn polls_of_a_job_are_attempts() {
    let stub = Stub::start().await;
    let job =
        crate::support::job("createmodel", "done", json!({"id": UNKNOWN_ID, "name": "Users"}));
    let started = crate::support::job("createmodel", "running", serde_json::Value::Null);
    stub.json("POST", "/api/models", 200, json!({"data": null, "job": started})).await;
    stub.json("GET", &crate::support::job_path("createmodel"), 200, json!({"data": job})).await;
    let registry = with_key(&stub).with_metrics();
    let arguments = crate::support::definition();
    call(&registry, None, "create_model", arguments).await.unwrap();
    let count = stub.requests().await.len();
    assert!(count >= 2);
    assert_eq!(attempts(&registry.metrics(), "2xx"), Some(count as f64));
}

#[tokio::test]
async fn without_being_asked_for_nothing_is_counted() {
    let stub = stub_with_connections().await;
    let registry = with_key(&stub);
    call(&registry, None, "list_connections", json!({})).await.unwrap();
    assert_eq!(registry.metrics(), "");
}

#[tokio::test]
async fn two_registries_have_numbers_of_their_own() {
    let stub = Stub::start().await;
    stub.on("GET", MODEL, ResponseTemplate::new(404)).await;
    let [first, second] = [with_key(&stub).with_metrics(), with_key(&stub).with_metrics()];
    let arguments = json!({"connection_id": CONNECTION});
    call(&first, None, "get_connection", arguments).await.unwrap_err();
    assert_eq!(calls(&first.metrics(), "get_connection", "not_found"), Some(1.0));
    assert_eq!(calls(&second.metrics(), "get_connection", "not_found"), None);
}
