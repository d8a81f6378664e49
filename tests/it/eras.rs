//! Both eras of the protocol, and their mixtures on one pipe.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, Session, stateless};

fn assert_tools_listed(response: &Value) {
    let tools = response["result"]["tools"].as_array().unwrap_or_else(|| panic!("{response}"));
    assert_eq!(tools.len(), crate::support::default_tools(), "{response}");
}

async fn old(session: &mut Session) {
    assert_tools_listed(&session.request("tools/list", json!({})).await);
}

async fn new(session: &mut Session) {
    let response = session.request("tools/list", stateless(json!({}))).await;
    assert_tools_listed(&response);
    let result = &response["result"];
    assert_eq!(result["resultType"], "complete", "{response}");
    assert!(result["ttlMs"].as_u64().unwrap() > 0, "{response}");
    assert!(result["cacheScope"].is_string(), "{response}");
    let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"];
    assert_eq!(server, "polytomic-mcp", "{response}");
}

async fn discover(session: &mut Session) {
    let response = session.request("server/discover", stateless(json!({}))).await;
    let result = &response["result"];
    let versions = result["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")), "{response}");
    assert!(versions.contains(&json!("2024-11-05")), "{response}");
    assert_eq!(result["resultType"], "complete");
    assert!(result["ttlMs"].as_u64().unwrap() > 0, "{response}");
}

#[tokio::test]
async fn initialize_alone_serves_each_older_version() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut session = Session::start(&Launch::sandbox());
        let result = session.initialize(version).await;
        assert_eq!(result["protocolVersion"], version);
        assert_eq!(result["serverInfo"]["name"], "polytomic-mcp");
        assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(result["capabilities"]["tools"].is_object());
        assert!(result["instructions"].as_str().unwrap().chars().count() <= 2_000);
        old(&mut session).await;
        for (method, params) in [
            ("tools/list", json!({})),
            ("tools/call", json!({"name": "list_connections"})),
            ("tools/call", json!({"name": "get_model", "arguments": {"model_id": "x"}})),
        ] {
            let response = session.request(method, params).await;
            assert!(response["result"].is_object(), "{version}: {response}");
            for key in ["resultType", "ttlMs", "cacheScope", "_meta"] {
                assert_eq!(response["result"].get(key), None, "{version} has no {key}: {response}");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_version_gets_a_known_one() {
    for version in ["2099-01-01", "2026-07-28", "1.0"] {
        let mut session = Session::start(&Launch::bare());
        let result = session.initialize(version).await;
        assert_eq!(result["protocolVersion"], "2025-11-25", "{version}");
        old(&mut session).await;
    }
}

#[tokio::test]
async fn the_stateless_era_needs_neither_discover_nor_initialize() {
    let mut session = Session::start(&Launch::sandbox());
    new(&mut session).await;
    let params = json!({"name": "list_connections", "arguments": {}});
    let response = session.request("tools/call", stateless(params)).await;
    let found = session.expect_result("list_connections", &response);
    assert_eq!(found["connections"][0]["id"], CONNECTION);
    assert_eq!(response["result"]["resultType"], "complete");
    let server = &response["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"];
    assert_eq!(server, "polytomic-mcp");
    let params = json!({"name": "get_model", "arguments": {"model_id": "x"}});
    let response = session.request("tools/call", stateless(params)).await;
    assert_eq!(session.expect_error(&response)["code"], "invalid_argument");
    assert_eq!(response["result"]["resultType"], "complete");
    assert!(response["result"]["_meta"].is_object(), "{response}");
}

#[tokio::test]
async fn the_eras_can_be_mixed_in_any_order() {
    let mut session = Session::start(&Launch::bare());
    discover(&mut session).await;
    new(&mut session).await;
    session.initialize("2025-11-25").await;
    old(&mut session).await;
    new(&mut session).await;
    discover(&mut session).await;
    old(&mut session).await;
    session.initialize("2025-06-18").await;
    old(&mut session).await;

    let mut session = Session::start(&Launch::bare());
    session.initialize("2025-11-25").await;
    new(&mut session).await;
    old(&mut session).await;
}

#[tokio::test]
async fn a_request_must_have_a_version() {
    let mut session = Session::start(&Launch::bare());
    let bare = session.request("tools/list", json!({})).await;
    assert_eq!(bare["error"]["code"], -32602, "{bare}");
    let bare = session.request("tools/call", json!({"name": "list_models"})).await;
    assert_eq!(bare["error"]["code"], -32602, "{bare}");
    let bare = session.request("server/discover", json!({})).await;
    assert_eq!(bare["error"]["code"], -32602, "{bare}");

    let mut params = stateless(json!({}));
    params["_meta"].as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
    let response = session.request("tools/list", params).await;
    assert_eq!(response["error"]["code"], -32602, "{response}");

    let mut params = stateless(json!({}));
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let response = session.request("tools/list", params).await;
    assert_eq!(response["error"]["code"], -32022, "{response}");
    let supported = response["error"]["data"]["supported"].as_array().unwrap();
    assert!(supported.contains(&json!("2026-07-28")), "{response}");

    // What came before spoils neither era.
    new(&mut session).await;
    session.initialize("2025-11-25").await;
    old(&mut session).await;
}

#[tokio::test]
async fn ping_belongs_to_the_older_era() {
    let mut session = Session::start(&Launch::bare());
    session.expect_silence().await;
    let response = session.request("ping", stateless(json!({}))).await;
    assert_eq!(response["error"]["code"], -32601, "{response}");
    assert!(response["error"]["message"].as_str().unwrap().contains(' '), "{response}");
}
