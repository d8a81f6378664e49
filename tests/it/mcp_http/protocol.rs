//! Messages and their headers, in both eras.

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::{
    CONNECTION, Era, HttpResponse, Launch, MODEL, Server, Stub, UNKNOWN_ID, message,
};

#[tokio::test]
async fn tools_are_listed_and_called_in_both_eras() {
    let server = Server::mcp(Launch::sandbox()).await;
    assert!(server.url.ends_with("/mcp"), "{}", server.url);
    for era in Era::BOTH {
        let response = server.mcp_request(era, "tools/list", json!({})).await;
        assert_eq!(response.header("content-type"), Some("application/json"), "{era:?}");
        let list = response.json();
        assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(20), "{era:?}");
        let is_stateless = era == Era::Stateless;
        assert_eq!(list["result"]["ttlMs"].is_number(), is_stateless, "{era:?}");
        assert_eq!(list["result"]["resultType"].is_string(), is_stateless, "{era:?}");
        let connections = server.mcp_call(era, "list_connections", json!({})).await;
        assert_eq!(connections["connections"][0]["id"], CONNECTION, "{era:?}");
        let error = server.mcp_call_err(era, "get_model", json!({"model_id": UNKNOWN_ID})).await;
        assert_eq!(error["code"], "not_found", "{era:?}");
        let arguments = json!({"name": "no_such_tool"});
        let response = server.mcp_request(era, "tools/call", arguments).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (200, &json!(-32602)));
    }
}

#[tokio::test]
async fn an_initialize_returns_a_session_id_that_nothing_needs() {
    let server = Server::mcp(Launch::sandbox()).await;
    for version in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let params = json!({
            "protocolVersion": version, "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let (body, mut headers) = message(Era::Initialize, 1, "initialize", params);
        headers.remove("mcp-protocol-version");
        let response = server.mcp_send(&body, headers.clone()).await;
        assert_eq!(response.json()["result"]["protocolVersion"], version);
        let session = response.headers["mcp-session-id"].clone();
        let visible = session.as_bytes().iter().all(u8::is_ascii_graphic);
        assert!(visible && !session.is_empty(), "{session:?}");
        let (body, _) = message(Era::Initialize, 2, "tools/list", json!({}));
        for session in [Some(session), Some(HeaderValue::from_static("lost")), None] {
            let mut headers = headers.clone();
            headers.extend(session.map(|id| (HeaderName::from_static("mcp-session-id"), id)));
            let response = server.mcp_send(&body, headers).await;
            assert!(response.json()["result"]["tools"].is_array(), "{version}: {response:?}");
            assert_eq!(response.header("mcp-session-id"), None, "only initialize begins a session");
        }
    }
    let (body, headers) = message(Era::Stateless, 1, "server/discover", json!({}));
    let response = server.mcp_send(&body, headers).await;
    assert_eq!(response.header("mcp-session-id"), None);
    let versions = &response.json()["result"]["supportedVersions"];
    assert!(versions.as_array().unwrap().contains(&json!("2026-07-28")), "{versions}");
}

#[tokio::test]
async fn headers_that_do_not_fit_their_message_are_refused() {
    let server = Server::mcp(Launch::sandbox()).await;
    let call = json!({"name": "list_models", "arguments": {}});
    let prompt = json!({"name": "review-models"});
    let mismatch = (400, json!(-32020));
    for (label, method, params, changes, expected) in [
        ("complete", "tools/call", &call, vec![], (200, Value::Null)),
        ("no version", "tools/call", &call, vec![("mcp-protocol-version", "")], mismatch.clone()),
        (
            "another version",
            "tools/call",
            &call,
            vec![("mcp-protocol-version", "2025-11-25")],
            mismatch.clone(),
        ),
        (
            "an unknown version",
            "tools/call",
            &call,
            vec![("mcp-protocol-version", "2099-01-01")],
            mismatch.clone(),
        ),
        ("no method", "tools/call", &call, vec![("mcp-method", "")], mismatch.clone()),
        (
            "another method",
            "tools/call",
            &call,
            vec![("mcp-method", "tools/list")],
            mismatch.clone(),
        ),
        (
            "a method in capitals",
            "tools/call",
            &call,
            vec![("mcp-method", "Tools/Call")],
            mismatch.clone(),
        ),
        ("no name", "tools/call", &call, vec![("mcp-name", "")], mismatch.clone()),
        ("another name", "tools/call", &call, vec![("mcp-name", "delete_model")], mismatch.clone()),
        (
            "a name in Base64",
            "tools/call",
            &call,
            vec![("mcp-name", "=?base64?bGlzdF9tb2RlbHM=?=")],
            (200, Value::Null),
        ),
        (
            "another name in Base64",
            "tools/call",
            &call,
            vec![("mcp-name", "=?base64?ZGVsZXRl?=")],
            mismatch.clone(),
        ),
        (
            "broken Base64",
            "tools/call",
            &call,
            vec![("mcp-name", "=?base64?%%%?=")],
            mismatch.clone(),
        ),
        ("a prompt", "prompts/get", &prompt, vec![], (200, Value::Null)),
        (
            "another prompt",
            "prompts/get",
            &prompt,
            vec![("mcp-name", "create-model")],
            mismatch.clone(),
        ),
        (
            "a name that nothing needs",
            "tools/list",
            &json!({}),
            vec![("mcp-name", "x")],
            (200, Value::Null),
        ),
        ("an unknown method", "tools/nothing", &json!({}), vec![], (404, json!(-32601))),
        ("a method of the other era", "initialize", &json!({}), vec![], (404, json!(-32601))),
        ("ping", "ping", &json!({}), vec![], (404, json!(-32601))),
    ] {
        let (body, mut headers) = message(Era::Stateless, 7, method, params.clone());
        for (name, value) in changes {
            headers.remove(name);
            if !value.is_empty() {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
        }
        let response = server.mcp_send(&body, headers).await;
        let json = response.json();
        assert_eq!((response.status, json["error"]["code"].clone()), expected, "{label}: {json}");
        assert_eq!(json["id"], 7, "{label}");
    }
    // A proxy that takes the first of two values would see another call than the server.
    let (body, mut headers) = message(Era::Stateless, 7, "tools/call", call);
    headers.append("mcp-name", HeaderValue::from_static("delete_model"));
    let response = server.mcp_send(&body, headers).await;
    assert_eq!((response.status, response.json()["error"]["code"].clone()), mismatch);
}

#[tokio::test]
async fn versions_are_those_of_the_header_or_the_oldest() {
    let server = Server::mcp(Launch::sandbox()).await;
    for (version, expected) in [
        (Some("2025-11-25"), (200, Value::Null)),
        (Some("2025-06-18"), (200, Value::Null)),
        (None, (200, Value::Null)),
        (Some("1900-01-01"), (400, json!(-32022))),
        (Some("not a version"), (400, json!(-32022))),
        // Of the stateless era, without what it requires.
        (Some("2026-07-28"), (400, json!(-32020))),
    ] {
        let (body, mut headers) = message(Era::Initialize, 1, "tools/list", json!({}));
        headers.remove("mcp-protocol-version");
        let name = HeaderName::from_static("mcp-protocol-version");
        headers.extend(version.map(|version| (name, HeaderValue::from_static(version))));
        let response = server.mcp_send(&body, headers).await;
        let json = response.json();
        assert_eq!(
            (response.status, json["error"]["code"].clone()),
            expected,
            "{version:?}: {json}"
        );
        if response.status == 400 && json["error"]["code"] == -32022 {
            assert!(json["error"]["data"]["supported"].is_array(), "{json}");
        }
    }
    // Metadata that is incomplete.
    let (mut body, headers) = message(Era::Stateless, 1, "tools/list", json!({}));
    body["params"]["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    let response = server.mcp_send(&body, headers).await;
    assert_eq!((response.status, &response.json()["error"]["code"]), (400, &json!(-32602)));
}

#[tokio::test]
async fn what_is_no_request_gets_no_result() {
    let server = Server::mcp(Launch::sandbox()).await;
    let (_, headers) = message(Era::Initialize, 1, "tools/list", json!({}));
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for (label, body, status, code) in [
        ("a notification", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 202, None),
        ("an unknown notification", r#"{"jsonrpc":"2.0","method":"notifications/x"}"#, 202, None),
        (
            "a cancellation",
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            202,
            None,
        ),
        ("a response", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 202, None),
        ("no JSON", "hello", 400, Some(-32700)),
        ("an empty body", "", 400, Some(-32700)),
        ("no UTF-8", "\u{0}", 400, Some(-32700)),
        ("a number", "5", 400, Some(-32600)),
        ("a batch", &format!("[{list},{list}]"), 400, Some(-32600)),
        ("an empty batch", "[]", 400, Some(-32600)),
        ("no version", r#"{"id":1,"method":"tools/list"}"#, 400, Some(-32600)),
        (
            "an id that is an object",
            r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#,
            400,
            Some(-32600),
        ),
        ("a byte-order mark", &format!("\u{feff}{list}"), 200, None),
    ] {
        let request =
            server.client.post(&server.url).headers(headers.clone()).body(body.to_owned());
        let response = HttpResponse::of(request.send().await.unwrap()).await;
        assert_eq!(response.status, status, "{label}: {response:?}");
        match code {
            Some(code) => assert_eq!(response.json()["error"]["code"], code, "{label}"),
            None => assert_eq!(response.text.is_empty(), status == 202, "{label}"),
        }
    }
    for (label, name, value, status) in [
        ("a form's type", "content-type", "text/plain", 415),
        ("UTF-16", "content-type", "application/json; charset=utf-16", 415),
        ("compressed", "content-encoding", "gzip", 415),
        ("UTF-8", "content-type", "application/json; charset=utf-8", 200),
        ("a page is wanted", "accept", "text/html", 406),
        ("anything is wanted", "accept", "*/*", 200),
        ("JSON is wanted", "accept", "application/json", 200),
    ] {
        let mut headers = headers.clone();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        let request = server.client.post(&server.url).headers(headers).body(list);
        let response = HttpResponse::of(request.send().await.unwrap()).await;
        assert_eq!(response.status, status, "{label}: {response:?}");
    }
    for (method, path, status, allow) in [
        ("GET", "/mcp", 405, Some("POST")),
        ("DELETE", "/mcp", 405, Some("POST")),
        ("PUT", "/mcp", 405, Some("POST")),
        ("GET", "/", 404, None),
        ("POST", "/mcp/x", 404, None),
    ] {
        let request = server.client.request(method.parse().unwrap(), server.url_of(path));
        let response = HttpResponse::of(request.send().await.unwrap()).await;
        assert_eq!((response.status, response.header("allow")), (status, allow), "{method} {path}");
        assert!(response.text.contains("/mcp"), "{response:?}");
    }
}

#[tokio::test]
async fn ids_are_repeated_as_they_were_sent() {
    let server = Server::mcp(Launch::sandbox()).await;
    let (_, headers) = message(Era::Initialize, 1, "ping", json!({}));
    for id in ["-5", "1.50", "\"a\\u0062\"", "18446744073709551616", "0"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let request = server.client.post(&server.url).headers(headers.clone()).body(body);
        let response = HttpResponse::of(request.send().await.unwrap()).await;
        assert!(
            response.text.starts_with(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":")),
            "{response:?}"
        );
    }
}

#[tokio::test]
async fn a_progress_token_makes_the_response_a_stream() {
    let stub = Stub::slow(Duration::from_secs(5)).await;
    let server = Server::mcp(Launch::against(&stub.url())).await;
    for era in Era::BOTH {
        let params = json!({
            "name": "get_model", "arguments": {"model_id": UNKNOWN_ID},
            "_meta": {"progressToken": "p-1"},
        });
        let response = server.mcp_request(era, "tools/call", params).await;
        assert_eq!(response.header("x-accel-buffering"), Some("no"), "{era:?}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{era:?}");
        let events = response.events();
        let (last, progress) = events.split_last().unwrap();
        assert_eq!(
            last["result"]["structuredContent"]["model"]["name"], "Users",
            "{era:?}: {last}"
        );
        assert!(!progress.is_empty(), "{era:?}");
        for event in progress {
            assert_eq!(event["method"], "notifications/progress", "{era:?}: {event}");
            assert_eq!(event["params"]["progressToken"], "p-1", "{era:?}: {event}");
        }
        // A client that takes no events gets the result alone.
        let params = json!({
            "name": "list_connection_types", "arguments": {}, "_meta": {"progressToken": 1},
        });
        let (body, mut headers) = message(era, 1, "tools/call", params);
        headers.insert("accept", HeaderValue::from_static("application/json"));
        assert_eq!(server.mcp_send(&body, headers).await.json()["id"], 1, "{era:?}");
    }
}

#[tokio::test]
async fn a_response_that_takes_long_becomes_a_stream() {
    let stub = Stub::slow(Duration::from_secs(11)).await;
    let server = Server::mcp(Launch::against(&stub.url())).await;
    let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
    let response = server.mcp_request(Era::Stateless, "tools/call", params).await;
    let events = response.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["result"]["structuredContent"]["model"]["name"], "Users");
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call_in_the_stateless_era_only() {
    for (era, is_finished) in [(Era::Stateless, false), (Era::Initialize, true)] {
        let stub = Stub::slow(Duration::from_secs(2)).await;
        let mut server = Server::mcp(Launch::against(&stub.url())).await;
        let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
        let (body, headers) = message(era, 1, "tools/call", params);
        let request = server.client.post(&server.url).headers(headers).body(body.to_string());
        let request = tokio::spawn(request.send());
        stub.wait_for_requests(1).await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        let started = std::time::Instant::now();
        server.signal();
        let status = tokio::time::timeout(Duration::from_secs(10), server.child.wait()).await;
        assert!(status.expect("it ends").unwrap().success());
        // A call that goes on is finished before the process ends.
        let took = started.elapsed();
        assert_eq!(took > Duration::from_millis(900), is_finished, "{era:?}: {took:?}");
        assert_eq!(stub.lines().await, [format!("GET {MODEL}")]);
    }
}

#[tokio::test]
async fn notifications_cancelled_ends_the_request_of_its_session() {
    let stub = Stub::slow(Duration::from_secs(20)).await;
    let server = Server::mcp(Launch::against(&stub.url())).await;
    let initialize = async || {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let response = server.mcp_request(Era::Initialize, "initialize", params).await;
        response.headers["mcp-session-id"].clone()
    };
    let (session, other) = (initialize().await, initialize().await);
    let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
    let (body, mut headers) = message(Era::Initialize, 5, "tools/call", params);
    headers.insert("mcp-session-id", session.clone());
    let call = server.client.post(&server.url).headers(headers.clone()).body(body.to_string());
    let call = tokio::spawn(async { HttpResponse::of(call.send().await.unwrap()).await });
    stub.wait_for_requests(1).await;
    let response = server.mcp_send(&body, headers.clone()).await;
    assert_eq!(response.json()["error"]["code"], -32600, "an id in flight: {response:?}");
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}});
    let mut of_other = headers.clone();
    of_other.insert("mcp-session-id", other);
    assert_eq!(server.mcp_send(&cancel, of_other).await.status, 202);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!call.is_finished(), "another session has cancelled it");
    assert_eq!(server.mcp_send(&cancel, headers).await.status, 202);
    let response =
        tokio::time::timeout(Duration::from_secs(5), call).await.expect("it ends").unwrap();
    assert!(response.text.contains("cancelled"), "{response:?}");
}

#[tokio::test]
async fn a_stream_hides_no_status_and_no_session_id() {
    let server = Server::mcp(Launch::sandbox()).await;
    let token = json!({"_meta": {"progressToken": 1}});
    for (label, accept, params) in [
        ("a progress token", "application/json, text/event-stream", token),
        ("events only", "text/event-stream", json!({})),
    ] {
        let (body, mut headers) = message(Era::Stateless, 1, "tools/nothing", params.clone());
        headers.insert("accept", HeaderValue::from_static(accept));
        let response = server.mcp_send(&body, headers).await;
        assert_eq!(
            (response.status, &response.json()["error"]["code"]),
            (404, &json!(-32601)),
            "{label}"
        );
        let mut initialize = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        initialize.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
        let (body, mut headers) = message(Era::Initialize, 1, "initialize", initialize);
        headers.insert("accept", HeaderValue::from_static(accept));
        let response = server.mcp_send(&body, headers).await;
        assert_eq!(response.events().len(), 1, "{label}");
        assert!(response.header("mcp-session-id").is_some(), "{label}: {response:?}");
    }
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let (_, mut headers) = message(Era::Initialize, 1, "ping", json!({}));
    headers.insert("mcp-protocol-version", HeaderValue::from_static("1900-01-01"));
    let response = server.mcp_send(&notification, headers).await;
    assert_eq!((response.status, &response.json()["error"]["code"]), (400, &json!(-32022)));
}
