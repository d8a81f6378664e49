//! Whether the API responds, for a balancer.

use std::time::Duration;

use serde_json::json;
use wiremock::ResponseTemplate;

use super::*;
use crate::support::ClosedPort;

const IDENTITY: &str = "/api/me";

#[tokio::test]
async fn a_server_with_a_key_is_ready_while_the_api_accepts_it() {
    for (status, expected) in [
        (200, None),
        (429, None),
        (401, Some("The API rejected the API key of the server (401).")),
        (403, Some("The API rejected the API key of the server (403).")),
        (404, Some("The API responded with HTTP status 404.")),
        (503, Some("The API responded with HTTP status 503.")),
    ] {
        let stub = Stub::start().await;
        stub.json("GET", IDENTITY, status, json!({"data": {"id": "4710"}})).await;
        let reason = with_key(&stub).is_ready().await.err();
        assert_eq!(reason.as_deref(), expected);
        let requests = stub.requests().await;
        assert_eq!(requests.len(), 1, "{status}");
        assert_eq!(requests[0].headers["authorization"], "Bearer key-of-settings-4710");
    }
}

#[tokio::test]
async fn a_server_without_a_key_is_ready_while_anything_responds() {
    for (status, expected) in [
        (200, None),
        (302, None),
        (404, None),
        (500, Some("The API responded with HTTP status 500.")),
    ] {
        let stub = Stub::start().await;
        stub.respond_to_others(ResponseTemplate::new(status)).await;
        let reason = shared(&stub).is_ready().await.err();
        assert_eq!(reason.as_deref(), expected);
        let requests = stub.requests().await;
        assert_eq!(requests.len(), 1, "{status}");
        assert!(!requests[0].headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn the_api_is_asked_once_for_all_that_ask_within_five_seconds() {
    let stub = Stub::start().await;
    let status = |status| ResponseTemplate::new(status).set_delay(Duration::from_millis(100));
    stub.on("GET", IDENTITY, status(200)).await;
    let registry = with_key(&stub);
    let checks = (0..50).map(|_| registry.is_ready());
    let results = futures_util::future::join_all(checks).await;
    assert!(results.iter().all(Result::is_ok));
    registry.is_ready().await.unwrap();
    // A caller that gives up leaves the probe to the others.
    assert_eq!(stub.requests().await.len(), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(5_001)).await;
    tokio::time::resume();
    let waiting = tokio::time::timeout(Duration::from_millis(20), registry.is_ready()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    registry.is_ready().await.unwrap();
    assert_eq!(stub.requests().await.len(), 2);
}

#[tokio::test]
async fn an_api_that_does_not_respond_is_waited_for_no_longer_than_a_result_is_kept() {
    let stub = Stub::start().await;
    let response = ResponseTemplate::new(200).set_delay(Duration::from_secs(600));
    stub.respond_to_others(response).await;
    for registry in [with_key(&stub), shared(&stub)] {
        let started = std::time::Instant::now();
        let reason = registry.is_ready().await.unwrap_err();
        assert_eq!(reason, "The API did not respond within 4.5 s.");
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_reason_names_no_host_and_no_setting_of_the_server() {
    let port = ClosedPort::new();
    let url = BaseUrl::parse(&port.url(), false).unwrap();
    let registry =
        Registry::with_keys_from_requests(TOOLS, move || Ok(ClientConfig::new(url.clone(), ())));
    let reason = registry.is_ready().await.unwrap_err();
    assert_eq!(reason, "There is no connection to the API.");
    let reason = Registry::unconnected(TOOLS).is_ready().await.unwrap_err();
    assert_eq!(
        reason,
        "A setting of the server is missing or invalid: every call fails, and says which."
    );
}
