//! Callers with keys and access tokens of their own, and what the server says about itself.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::issuer::TestIssuer;
use crate::support::{
    Era, HttpResponse, Launch, Sandbox, Server, acceptance, deletion, message, next_message,
    send_text, users,
};

/// A server whose callers bring keys of a sandbox.
async fn shared(sandbox: &Sandbox) -> Server {
    let launch = Launch::bare().variable("POLYTOMIC_BASE_URL", &sandbox.url);
    Server::of(launch.flag("http").flag("--keys-from").flag("request")).await
}

fn headers_with_key(mut headers: HeaderMap, key: &str) -> HeaderMap {
    headers.insert("x-polytomic-api-key", HeaderValue::from_str(key).unwrap());
    headers
}

async fn call(server: &Server, era: Era, key: &str, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let (body, headers) = message(era, 1, "tools/call", params);
    server.mcp_send(&body, headers_with_key(headers, key)).await.json()["result"].clone()
}

#[tokio::test]
async fn each_caller_sees_what_belongs_to_its_key() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let (ours, other) = (&sandbox.key, &sandbox.with_key("other_organization").key);
    let server = shared(&sandbox).await;
    for era in Era::BOTH {
        let create = users(json!({}));
        let created = call(&server, era, ours, "create_model", create).await;
        let id = &created["structuredContent"]["model"]["id"];
        assert!(id.is_string(), "{created}");
        let model = json!({"model_id": id});
        let read = call(&server, era, ours, "get_model", model.clone()).await;
        assert_eq!(read["structuredContent"]["model"]["name"], "Users", "{read}");
        let read = call(&server, era, other, "get_model", model).await;
        assert_eq!(read["isError"], true, "{read}");
        let list = call(&server, era, other, "list_models", json!({})).await;
        assert_eq!(list["structuredContent"]["models"], json!([]), "{list}");
    }
    // Without a key the tools are listed, and a call says what to send.
    let list = server.mcp_request(Era::Stateless, "tools/list", json!({})).await.json();
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(20));
    let error = server.mcp_call_err(Era::Stateless, "list_models", json!({})).await;
    assert_eq!(error["code"], "not_configured", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("X-Polytomic-Api-Key"), "{error}");
    let expired = &sandbox.with_key("expired").key;
    let result = call(&server, Era::Stateless, expired, "list_models", json!({})).await;
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("X-Polytomic-Api-Key") && !text.contains(expired.as_str()), "{text}");
}

#[tokio::test]
async fn a_cursor_and_a_decision_are_of_no_use_to_another_caller() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let (ours, other) = (&sandbox.key, &sandbox.with_key("other_organization").key);
    let launch = Launch::unconfigured().variable("POLYTOMIC_BASE_URL", &sandbox.url);
    let server = Server::of(launch.flag("http").flag("--keys-from").flag("request")).await;
    let create = users(json!({}));
    call(&server, Era::Stateless, ours, "create_model", create.clone()).await;
    let created = call(&server, Era::Stateless, ours, "create_model", create).await;
    let model = &created["structuredContent"]["model"];
    let list = call(&server, Era::Stateless, ours, "list_models", json!({"limit": 1})).await;
    let cursor = &list["structuredContent"]["next_cursor"];
    assert!(cursor.is_string(), "{list}");
    let next = json!({"limit": 1, "cursor": cursor});
    let list = call(&server, Era::Stateless, ours, "list_models", next.clone()).await;
    assert!(list["structuredContent"]["models"].is_array(), "{list}");
    let list = call(&server, Era::Stateless, other, "list_models", next).await;
    assert!(list["content"][0]["text"].as_str().unwrap().contains("invalid_argument"), "{list}");

    let delete = async |key: &str, continuation: &Value| {
        let (body, headers) = deletion(model, continuation);
        server.mcp_send(&body, headers_with_key(headers, key)).await.json()["result"].clone()
    };
    let decision = acceptance(&delete(ours, &json!({})).await);
    let refused = delete(other, &decision).await;
    assert!(refused["content"][0]["text"].as_str().unwrap().contains("requestState"), "{refused}");
    let deleted = delete(ours, &decision).await;
    assert_eq!(deleted["structuredContent"]["deleted"], true, "{deleted}");
}

#[tokio::test]
async fn json_rpc_takes_the_key_of_a_post_or_of_a_handshake() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let launch = Launch::bare().variable("POLYTOMIC_BASE_URL", &sandbox.url);
    let server = Server::start(launch.variable("POLYTOMIC_KEYS_FROM", "request")).await;
    let request = r#"[{"jsonrpc":"2.0","id":1,"method":"get_identity"}]"#;
    let send = async |key: Option<&str>| {
        let mut post = server.post(request);
        if let Some(key) = key {
            post = post.header("x-polytomic-api-key", key);
        }
        HttpResponse::of(post.send().await.unwrap()).await.json()[0].clone()
    };
    let response = send(Some(&sandbox.key)).await;
    assert!(response["result"]["identity"].is_object(), "{response}");
    assert_eq!(send(None).await["error"]["data"]["code"], "not_configured");
    assert_eq!(send(Some("")).await["error"]["data"]["code"], "not_configured");
    let header = format!("X-Polytomic-Api-Key: {}\n", sandbox.key);
    let mut socket = server.websocket_with(&header);
    send_text(&mut socket, r#"{"jsonrpc":"2.0","id":1,"method":"get_identity"}"#);
    assert!(next_message(&mut socket)["result"]["identity"].is_object());
}

#[tokio::test]
async fn a_key_sent_to_a_server_with_one_key_for_all_is_not_ignored() {
    let server = Server::of(Launch::sandbox().flag("http")).await;
    for era in Era::BOTH {
        let result = call(&server, era, "key-4711", "list_models", json!({})).await;
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("not_configured") && text.contains("--keys-from request"), "{text}");
        assert!(!text.contains("key-4711"), "{text}");
    }
}

#[tokio::test]
async fn an_access_token_of_the_issuer_says_who_calls() {
    let issuer = TestIssuer::start().await;
    let launch = Launch::sandbox().flag("http").flag("--oauth-issuer").flag(&issuer.url);
    let server = Server::of(launch).await;
    let audience = server.url.clone();
    let (body, headers) = message(Era::Stateless, 1, "tools/list", json!({}));
    let send = async |token: Option<&str>| {
        let mut headers = headers.clone();
        if let Some(token) = token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            headers.insert("authorization", bearer);
        }
        server.mcp_send(&body, headers).await
    };
    assert_eq!(send(Some(&issuer.token(json!({"aud": audience})))).await.status, 200);
    let metadata = server.url_of("/.well-known/oauth-protected-resource/mcp");
    for (label, token) in [
        ("none", None),
        ("no token", Some("no token".to_owned())),
        ("of another audience", Some(issuer.token(json!({"aud": "https://other.example.com"})))),
        ("expired", Some(issuer.token(json!({"aud": audience, "exp": 1_000_000_000})))),
        ("of another issuer", Some(TestIssuer::start().await.token(json!({"aud": audience})))),
    ] {
        let response = send(token.as_deref()).await;
        assert_eq!(response.status, 401, "{label}: {response:?}");
        let challenge = response.header("www-authenticate").unwrap();
        let expected = format!("Bearer resource_metadata=\"{metadata}\"");
        assert!(challenge.starts_with(&expected), "{label}: {challenge}");
        assert_eq!(challenge.contains("invalid_token"), token.is_some(), "{label}: {challenge}");
    }
    issuer.rotate();
    assert_eq!(send(Some(&issuer.token(json!({"aud": audience})))).await.status, 200, "a new key");
    for path in
        ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]
    {
        let response = server.client.get(server.url_of(path)).send().await.unwrap();
        let document = HttpResponse::of(response).await.json();
        assert_eq!(document["resource"], server.url, "{path}");
        assert_eq!(document["authorization_servers"], json!([issuer.url]), "{path}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_is_reported_and_may_come_back() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let launch = Launch::sandbox().flag("http").flag("--oauth-issuer").flag(&url);
    let server = Server::of(launch.flag("--oauth-audience").flag("polytomic")).await;
    let (body, mut headers) = message(Era::Stateless, 1, "tools/list", json!({}));
    let other = TestIssuer::start().await.token(json!({"aud": "polytomic", "iss": url}));
    let bearer = HeaderValue::from_str(&format!("Bearer {other}")).unwrap();
    headers.insert(HeaderName::from_static("authorization"), bearer);
    let response = server.mcp_send(&body, headers).await;
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")), "{response:?}");
}

#[tokio::test]
async fn metrics_count_calls_and_health_follows_the_api() {
    let sandbox = Sandbox::start();
    let launch = Launch::against(&sandbox.url).variable("POLYTOMIC_API_KEY", &sandbox.key);
    let server = Server::of(launch.flag("http")).await;
    let get = async |path: &str| {
        HttpResponse::of(server.client.get(server.url_of(path)).send().await.unwrap()).await
    };
    assert_eq!(get("/readyz").await.status, 200);
    server.mcp_call(Era::Stateless, "list_models", json!({})).await;
    server.mcp_call_err(Era::Initialize, "get_model", json!({"model_id": "x"})).await;
    let metrics = get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        r#"polytomic_mcp_calls_total{outcome="ok",tool="list_models"} 1"#,
        r#"polytomic_mcp_calls_total{outcome="invalid_argument",tool="get_model"} 1"#,
        "polytomic_mcp_calls_in_flight 0",
    ] {
        assert!(metrics.text.lines().any(|l| l == line), "{line} in\n{}", metrics.text);
    }
    assert!(!metrics.text.contains(&sandbox.key));

    let wrong = Launch::against(&sandbox.url).variable("POLYTOMIC_API_KEY", "wrong-key-4711");
    let server = Server::of(wrong.flag("http")).await;
    let response = server.client.get(server.url_of("/readyz")).send().await.unwrap();
    let response = HttpResponse::of(response).await;
    assert_eq!(response.status, 503, "{response:?}");
    let health = server.client.get(server.url_of("/healthz")).send().await.unwrap();
    assert_eq!(health.status().as_u16(), 200);
}
