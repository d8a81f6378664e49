//! Who may call, TLS, health, and how the server starts and ends: of `http` and `rpc --listen` alike.

use std::process::Stdio;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::{
    Era, HttpResponse, Launch, Server, Stub, Terminal, UNKNOWN_ID, exit_code, message,
};

#[tokio::test]
async fn every_request_needs_the_token_but_health_checks() {
    let launch = Launch::sandbox().variable("POLYTOMIC_HTTP_TOKEN", "token-4711");
    let server = Server::mcp(launch.clone()).await;
    let (body, headers) = message(Era::Stateless, 1, "tools/list", json!({}));
    let wrong = "Bearer error=\"invalid_token\"";
    for (label, token, challenge) in [
        ("none", None, Some("Bearer")),
        ("another", Some("Bearer token-4712"), Some(wrong)),
        ("another scheme", Some("Basic token-4711"), Some("Bearer")),
        ("the token", Some("Bearer token-4711"), None),
        ("the token, in another spelling of the scheme", Some("bearer token-4711"), None),
    ] {
        let mut headers = headers.clone();
        let name = HeaderName::from_static("authorization");
        headers.extend(token.map(|token| (name, HeaderValue::from_static(token))));
        let response = server.mcp_send(&body, headers).await;
        assert_eq!(response.status, if challenge.is_some() { 401 } else { 200 }, "{label}");
        assert_eq!(response.header("www-authenticate"), challenge, "{label}");
    }
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 401), ("/mcp", 401)] {
        let response = server.client.get(server.url_of(path)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
    // `rpc` takes the same token.
    let server = Server::start(launch).await;
    let request = server.post(r#"{"jsonrpc":"2.0","id":1,"method":"list_models"}"#);
    let unauthorized = request.try_clone().unwrap().send().await.unwrap();
    assert_eq!(unauthorized.status().as_u16(), 401);
    let response = request.header("authorization", "Bearer token-4711").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
}

#[tokio::test]
async fn a_start_that_would_let_anybody_call_is_refused_unless_it_is_wanted() {
    let beyond = |command: &str| {
        let launch = Launch::sandbox().flag(command).flag("--listen").flag("0.0.0.0:0");
        launch.variable("POLYTOMIC_LOG", "off")
    };
    for (label, launch, word) in [
        ("no token", beyond("http"), "POLYTOMIC_HTTP_TOKEN"),
        ("no token for rpc", beyond("rpc"), "POLYTOMIC_RPC_TOKEN"),
        ("no issuer", beyond("http").flag("--auth").flag("oauth"), "--oauth-issuer"),
        (
            "an issuer at any address",
            beyond("http").flag("--oauth-issuer").flag("https://login.example.com"),
            "--public-url",
        ),
        (
            "the word token",
            Launch::sandbox().flag("http").flag("--auth").flag("token"),
            "--auth token says that a token is required",
        ),
        (
            "flags of a port without one",
            Launch::sandbox().flag("rpc").flag("--auth").flag("none"),
            "add --listen to serve on a port",
        ),
        (
            "a token and none",
            beyond("http").flag("--auth").flag("none").variable("POLYTOMIC_HTTP_TOKEN", "t-4711"),
            "--auth none",
        ),
        (
            "a token that no header can hold",
            Launch::sandbox().flag("http").variable("POLYTOMIC_HTTP_TOKEN", "two words"),
            "POLYTOMIC_HTTP_TOKEN has blanks",
        ),
        (
            "a token beyond ASCII",
            Launch::sandbox().flag("http").variable("POLYTOMIC_HTTP_TOKEN", "tökén"),
            "POLYTOMIC_HTTP_TOKEN has blanks",
        ),
        (
            "an audience without an issuer",
            Launch::sandbox().flag("http").flag("--oauth-audience").flag("polytomic"),
            "--oauth-issuer",
        ),
        (
            "a sandbox in memory whose state is required",
            Launch::sandbox().flag("http").flag("--state-required"),
            "--sandbox-data",
        ),
        (
            "an invalid setting",
            Launch::sandbox().flag("http").variable("POLYTOMIC_TIMEOUT_SECONDS", "soon"),
            "POLYTOMIC_TIMEOUT_SECONDS",
        ),
        (
            "half of TLS",
            Launch::sandbox().flag("http").flag("--tls-key").flag("/key.pem"),
            "--tls-cert",
        ),
        (
            "an origin with a path",
            Launch::sandbox().flag("http").flag("--allow-origin").flag("https://a.example.com/x"),
            "--allow-origin",
        ),
        (
            "a public URL without a scheme",
            Launch::sandbox().flag("http").flag("--public-url").flag("mcp.example.com"),
            "--public-url",
        ),
    ] {
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{label}: {stderr}");
        assert!(stderr.contains(word), "{label}: {stderr}");
    }
}

#[tokio::test]
async fn only_pages_that_are_allowed_may_call() {
    let launch = Launch::sandbox()
        .flag("http")
        .flag("--allow-origin")
        .flag("https://app.example.com,http://localhost:6274");
    let server = Server::of(launch).await;
    let (body, headers) = message(Era::Stateless, 1, "tools/list", json!({}));
    let public = format!("http://{}", server.address());
    for (label, name, value, status, shared) in [
        ("no page", "x-nothing", "1", 200, false),
        ("an allowed page", "origin", "https://app.example.com", 200, true),
        ("another allowed page", "origin", "http://localhost:6274", 200, true),
        ("our own page", "origin", &public, 200, false),
        ("a foreign page", "origin", "https://evil.example.com", 403, false),
        (
            "a part of an allowed name",
            "origin",
            "https://app.example.com.evil.example.com",
            403,
            false,
        ),
        ("another port", "origin", "https://app.example.com:8443", 403, false),
        ("a file", "origin", "null", 403, false),
        ("a rebound name", "host", "evil.example.com", 403, false),
    ] {
        let mut headers = headers.clone();
        headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        let response = server.mcp_send(&body, headers).await;
        assert_eq!(response.status, status, "{label}: {response:?}");
        let origin = response.header("access-control-allow-origin");
        assert_eq!(origin, shared.then_some(value), "{label}");
    }
    for (origin, status) in [("https://app.example.com", 204), ("https://evil.example.com", 403)] {
        let request = server.client.request(reqwest::Method::OPTIONS, &server.url);
        let request =
            request.header("origin", origin).header("access-control-request-method", "POST");
        let response = HttpResponse::of(request.send().await.unwrap()).await;
        assert_eq!(response.status, status, "{origin}: {response:?}");
        if status == 204 {
            let headers = response.header("access-control-allow-headers").unwrap();
            assert!(headers.contains("mcp-protocol-version"), "{headers}");
            assert_eq!(response.header("access-control-allow-methods"), Some("POST"));
        }
    }
    // What a target or a header names besides the Host has to be this server as well.
    let address = server.address();
    for (label, head, expected) in [
        (
            "a foreign target",
            format!("GET http://evil.example.com/healthz HTTP/1.1\nHost: {address}\n\n"),
            "403",
        ),
        (
            "our target",
            format!("GET http://{address}/healthz HTTP/1.1\nHost: {address}\n\n"),
            "200",
        ),
        (
            "two Hosts",
            format!("GET /healthz HTTP/1.1\nHost: {address}\nHost: {address}\n\n"),
            "400",
        ),
        ("no Host", "GET /healthz HTTP/1.1\n\n".to_owned(), "400"),
    ] {
        let line = server.raw(&head);
        assert!(line.contains(expected), "{label}: {line}");
    }
}

#[tokio::test]
async fn a_server_behind_a_proxy_is_known_by_its_public_url() {
    let public = "https://mcp.example.com";
    let server = Server::of(Launch::sandbox().flag("http").flag("--public-url").flag(public)).await;
    assert_eq!(server.announcement["public_url"], "https://mcp.example.com/mcp");
    let (body, headers) = message(Era::Stateless, 1, "tools/list", json!({}));
    for (host, origin, status) in [
        ("mcp.example.com", None, 200),
        ("mcp.example.com:8443", None, 200),
        ("mcp.example.com", Some("https://mcp.example.com"), 200),
        ("mcp.example.com", Some("https://evil.example.com"), 403),
        ("other.example.com", None, 403),
    ] {
        let mut headers = headers.clone();
        headers.insert("host", HeaderValue::from_static(host));
        headers.extend(
            origin.map(|origin| {
                (HeaderName::from_static("origin"), HeaderValue::from_static(origin))
            }),
        );
        let response = server.mcp_send(&body, headers).await;
        assert_eq!(response.status, status, "{host} {origin:?}: {response:?}");
        let is_quoted = response.text.contains(host) && response.text.contains("mcp.example.com");
        assert!(status == 200 || origin.is_some() || is_quoted, "{response:?}");
    }
    let request = server.client.post(server.url_of("/mcp/")).headers(headers);
    assert_eq!(request.body(body.to_string()).send().await.unwrap().status().as_u16(), 200);
    let response = server.client.get(server.url_of("/mcp/x")).send().await.unwrap();
    let response = HttpResponse::of(response).await;
    assert_eq!(response.status, 404);
    assert!(response.text.contains("/metrics"), "{response:?}");
}

#[tokio::test]
async fn tls_serves_http_1_and_2() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let launch = Launch::sandbox().flag("http");
    let with_tls = |certificate: &std::path::Path, key: &std::path::Path| {
        let launch = launch.clone().flag("--tls-cert").flag(certificate.to_str().unwrap());
        launch.flag("--tls-key").flag(key.to_str().unwrap())
    };
    let server = Server::of(with_tls(&certificate, &key)).await;
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let url = server.url.replace("127.0.0.1", "localhost");
    let (body, headers) = message(Era::Stateless, 1, "tools/list", json!({}));
    for (version, builder) in [
        (reqwest::Version::HTTP_11, reqwest::Client::builder().http1_only()),
        (reqwest::Version::HTTP_2, reqwest::Client::builder()),
    ] {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = builder.tls_certs_only([certificate]).no_proxy().build().unwrap();
        let request = client.post(&url).headers(headers.clone()).body(body.to_string());
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
    }
    let encrypted = directory.path().join("encrypted.pem");
    std::fs::write(
        &encrypted,
        made.signing_key.serialize_pem().replace("PRIVATE", "ENCRYPTED PRIVATE"),
    )
    .unwrap();
    for (label, certificate, key, word) in [
        ("an encrypted key", certificate.clone(), encrypted, "is encrypted"),
        ("no such file", directory.path().join("none.pem"), key.clone(), "cannot read"),
        ("the key as certificate", key.clone(), key.clone(), "no certificate"),
        ("the certificate as key", certificate.clone(), certificate.clone(), "no private key"),
    ] {
        let (status, _, stderr) = with_tls(&certificate, &key).output().await;
        assert_eq!(status, 1, "{label}: {stderr}");
        assert!(stderr.contains(word), "{label}: {stderr}");
    }
}

#[tokio::test]
async fn a_signal_lets_calls_finish_and_refuses_new_ones() {
    let stub = Stub::slow(Duration::from_secs(1)).await;
    let mut server = Server::mcp(Launch::against(&stub.url())).await;
    let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
    let (body, headers) = message(Era::Stateless, 1, "tools/call", params);
    let call = server.client.post(&server.url).headers(headers).body(body.to_string());
    let call = tokio::spawn(async { HttpResponse::of(call.send().await.unwrap()).await });
    stub.wait_for_requests(1).await;
    server.signal();
    let response = call.await.unwrap().json();
    assert_eq!(response["result"]["structuredContent"]["model"]["name"], "Users", "{response}");
    let status = tokio::time::timeout(Duration::from_secs(10), server.child.wait()).await;
    assert!(status.expect("it ends").unwrap().success());
    assert!(server.client.get(server.url_of("/healthz")).send().await.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_period_gets_an_outcome() {
    let stub = Stub::slow(Duration::from_secs(30)).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_DRAIN_SECONDS", "1");
    let server = Server::start(launch).await;
    let params = json!({"model_id": UNKNOWN_ID});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "get_model", "params": params});
    let call = tokio::spawn(server.post(call.to_string()).send());
    stub.wait_for_requests(1).await;
    let log = server.stderr_to_end().await;
    let response = HttpResponse::of(call.await.unwrap().unwrap()).await.json();
    assert_eq!(response["error"]["data"]["code"], "cancelled", "{response}");
    assert!(!log.contains("were cut off"), "{log}");
}

#[tokio::test]
async fn a_response_that_outlasts_the_grace_period_is_logged() {
    let launch = Launch::sandbox().variable("POLYTOMIC_DRAIN_SECONDS", "1");
    let server = Server::start(launch.variable("POLYTOMIC_LOG", "warn")).await;
    let batch = json!(vec![json!({"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}); 200]);
    // The head has arrived, and most of the body does not fit into the buffers between.
    let response = server.post(batch.to_string()).send().await.unwrap();
    let log = server.stderr_to_end().await;
    assert!(log.contains("were cut off"), "{log}");
    drop(response);
}

#[tokio::test]
async fn the_log_has_refused_requests_and_a_warning_where_others_can_read_along() {
    let public = ["--listen", "0.0.0.0:0", "--public-url", "https://mcp.example.com"];
    for (flags, is_warned) in
        [(&public[..2], true), (&public, false), (&["--listen", "localhost:0"], false)]
    {
        let launch = Launch::sandbox().flag("http").flags(flags);
        let launch = launch.variable("POLYTOMIC_HTTP_TOKEN", "token-4711");
        let launch = launch.variable("POLYTOMIC_LOG", "debug");
        let server = Server::of(launch).await;
        let url = server.url.replace("0.0.0.0", "127.0.0.1");
        assert_eq!(server.client.post(url).send().await.unwrap().status().as_u16(), 401);
        let log = server.stderr_to_end().await;
        assert_eq!(log.contains("can be read on the way"), is_warned, "{flags:?}: {log}");
        assert!(log.contains("request refused") && log.contains("401"), "{flags:?}: {log}");
        assert!(!log.contains("token-4711"), "{flags:?}: {log}");
    }
}

#[tokio::test]
async fn flags_of_other_servers_get_the_one_of_this_server() {
    for (command, flag, word) in [
        (Some("http"), "--token", "POLYTOMIC_HTTP_TOKEN"),
        (Some("rpc"), "--token", "POLYTOMIC_HTTP_TOKEN"),
        (Some("http"), "--port", "polytomic-mcp http --listen"),
        (Some("rpc"), "--port", "polytomic-mcp rpc --listen"),
        (None, "--listen", "polytomic-mcp http --listen"),
    ] {
        let launch = Launch::bare().flags(command).flags([flag, "4711"]);
        let (status, _, stderr) = launch.output().await;
        assert_eq!(status, 2, "{command:?} {flag}: {stderr}");
        assert!(stderr.contains(word), "{command:?} {flag}: {stderr}");
    }
}

#[tokio::test]
async fn a_terminal_shows_what_to_paste_into_a_client() {
    let launch = Launch::bare().variable("POLYTOMIC_HTTP_TOKEN", "token-4711").flag("http");
    let launch = launch.flag("--keys-from").flag("request");
    let (screen, terminal) = Terminal::open();
    let mut command = launch.command();
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdout(terminal).spawn().unwrap();
    drop(command); // and with it our copy of the terminal
    screen.until("mcpServers").await;
    screen.until("X-Polytomic-Api-Key").await;
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").arg(id).status().unwrap().success());
    assert_eq!(exit_code(&mut child).await, Some(0));
    let text = screen.finish();
    assert!(
        text.contains("Serving MCP at http://127.0.0.1:") && !text.contains("token-4711"),
        "{text}"
    );
    let (_, json) = text.split_once("mcpServers`:").unwrap();
    let json: Value = serde_json::from_str(json).unwrap();
    let entry = &json["mcpServers"]["polytomic"];
    assert_eq!(entry["headers"]["Authorization"], "Bearer ${POLYTOMIC_HTTP_TOKEN}", "{json}");
}
