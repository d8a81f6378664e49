//! Messages as real clients write them: what carries no meaning here refuses nothing, in both eras of the protocol.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{Launch, Server, Session, Stub, stateless};

/// What clients send in place of an object that they leave empty.
const EMPTY: [&str; 7] = ["{}", "[]", "[ ]", "null", r#""""#, r#""{}""#, r#""[]""#];
/// What they send where nothing of the value is used.
const ANYTHING: [&str; 12] = [
    "{}",
    "[]",
    "null",
    "true",
    "0",
    r#""""#,
    r#""x""#,
    "[1]",
    r#"{"roots":true}"#,
    r#"{"sampling":[],"elicitation":null,"experimental":"x","extensions":[{}]}"#,
    r#"{"name":"c"}"#,
    r#"{"name":1,"version":null,"icons":[{"src":"i.png","sizes":"48x48"}]}"#,
];

async fn respond(session: &mut Session, message: &str) -> Value {
    session.exchange(format!("{message}\n").as_bytes()).await
}

#[tokio::test]
async fn messages_of_real_clients_are_served() {
    let mut session = Session::sandbox().await;
    for message in [
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":[],"clientInfo":{"name":"c","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":true},"clientInfo":{"name":"c","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c"}}}"#,
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1","icons":[{"src":"https://e.example/i.png","sizes":"48x48"}]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"list_connections","arguments":[]}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"list_connections","arguments":"{}"}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"list_models","arguments":{"cursor":"","connection_id":"","detail":"","name_contains":""}}}"#,
    ] {
        let response = respond(&mut session, message).await;
        let result = &response["result"];
        assert!(result.is_object() && result["isError"] != true, "{message}: {response}");
        if message.contains("initialize") {
            assert!(message.contains(result["protocolVersion"].as_str().unwrap()), "{response}");
        }
    }
}

#[tokio::test]
async fn what_is_not_used_cannot_refuse_a_start() {
    for (member, other) in [("capabilities", "clientInfo"), ("clientInfo", "capabilities")] {
        for value in ANYTHING {
            let mut session = Session::start(&Launch::sandbox());
            let params = format!(r#"{{"protocolVersion":"2025-11-25","{member}":{value}}}"#);
            let message =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{params}}}"#);
            let response = respond(&mut session, &message).await;
            assert_eq!(
                response["result"]["protocolVersion"], "2025-11-25",
                "{message}: {response}"
            );
            // Without the other member, too; and what follows is served.
            assert!(!message.contains(other));
            session.call("list_connections", json!({})).await;
        }
    }
}

#[tokio::test]
async fn an_empty_object_may_be_written_in_every_way() {
    let mut session = Session::sandbox().await;
    for empty in EMPTY {
        // Any other text is a cursor.
        let cursor = if empty.starts_with('"') { r#""""# } else { empty };
        for (method, params) in [
            ("ping", empty.to_owned()),
            ("tools/list", empty.to_owned()),
            ("resources/list", empty.to_owned()),
            ("resources/templates/list", empty.to_owned()),
            ("ping", format!(r#"{{"_meta":{empty}}}"#)),
            ("tools/list", format!(r#"{{"_meta":{empty},"cursor":{cursor}}}"#)),
            (
                "tools/call",
                format!(r#"{{"name":"list_connections","arguments":{empty},"_meta":{empty}}}"#),
            ),
            (
                "tools/call",
                format!(r#"{{"name":"list_connections","inputResponses":{empty},"task":{empty}}}"#),
            ),
        ] {
            let message =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            let response = respond(&mut session, &message).await;
            let result = &response["result"];
            assert!(result.is_object() && result["isError"] != true, "{message}: {response}");
        }
    }
    // Params as text, with what they hold.
    let params = json!(r#"{"name": "get_model", "arguments": {"model_id": "x"}}"#);
    let response = session.request("tools/call", params).await;
    assert_eq!(session.expect_error(&response)["details"]["argument"], "model_id");
}

#[tokio::test]
async fn the_stateless_era_reads_its_meta_as_forgivingly() {
    let mut session = Session::start(&Launch::sandbox());
    for value in ANYTHING {
        let value: Value = serde_json::from_str(value).unwrap();
        for name in ["clientCapabilities", "clientInfo", "logLevel"] {
            let mut params = stateless(json!({"name": "list_connections", "arguments": []}));
            params["_meta"][format!("io.modelcontextprotocol/{name}")] = value.clone();
            let response = session.request("tools/call", params.clone()).await;
            session.expect_result("list_connections", &response);
            for method in ["tools/list", "server/discover"] {
                let response = session.request(method, params.clone()).await;
                assert!(response["result"].is_object(), "{method} {name} {value}: {response}");
            }
        }
    }
    let params = stateless(json!({}));
    let as_text = json!({"_meta": params["_meta"].to_string()});
    assert!(session.request("tools/list", as_text).await["result"].is_object());
}

#[tokio::test]
async fn what_carries_a_meaning_is_refused_with_its_name() {
    let mut session = Session::open(&Launch::bare()).await;
    for (method, params, named) in [
        ("initialize", json!({}), "protocolVersion"),
        ("initialize", json!({"protocolVersion": []}), "protocolVersion"),
        ("initialize", json!({"protocolVersion": 20251125}), "protocolVersion"),
        ("initialize", json!(5), "expected an object"),
        ("ping", json!([1]), "expected an object"),
        ("ping", json!("x"), "not JSON"),
        ("tools/list", json!({"_meta": 5}), "_meta"),
        (
            "tools/list",
            json!({"_meta": {"io.modelcontextprotocol/protocolVersion": 5}}),
            "protocolVersion",
        ),
        ("tools/list", json!({"cursor": 5}), "cursor"),
        ("tools/list", json!({"cursor": "x"}), "cursor"),
        ("tools/call", json!([]), "name"),
        ("tools/call", json!({"name": 5}), "name"),
        ("tools/call", json!({"name": []}), "name"),
        ("tools/call", json!({"name": "list_connections", "arguments": [1]}), "arguments"),
        ("tools/call", json!({"name": "list_connections", "arguments": true}), "arguments"),
        ("resources/read", json!({"uri": {}}), "uri"),
    ] {
        let response = session.request(method, params.clone()).await;
        assert_eq!(response["error"]["code"], -32602, "{method} {params}: {response}");
        let message = response["error"]["message"].as_str().unwrap();
        assert!(message.contains(named), "{method} {params}: {response}");
    }
}

#[tokio::test]
async fn a_name_that_is_no_text_hides_neither_the_id_nor_the_rest() {
    const NAMES: [&str; 4] = [r"\ud83d", r"a\udc00b", r"\ud83dx\ud83d", r"\uDFFF\n"];
    let server = Server::start(Launch::sandbox()).await;
    let mut rpc = Session::start(&Launch::sandbox().flag("rpc"));
    let mut mcp = Session::start(&Launch::bare());
    for name in NAMES {
        for id in ["9223372036854775808", "-0", "1.5", "1e3", r#""\ud83d""#] {
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"#);
            let message =
                |rest: &str| format!(r#"{{"{name}":[],"jsonrpc":"2.0","id":{id},{rest}}}"#);
            let (ping, bad) = (message(r#""method":"ping","params":[]"#), message(r#""method":5"#));
            let call = message(r#""method":"list_connections","params":"{}""#);
            for (message, member) in [(&ping, "\"result\":"), (&bad, "\"error\":{\"code\":-32600")]
            {
                mcp.send_raw(format!("{message}\n").as_bytes()).await;
                let line = mcp.next_line().await;
                assert!(line.starts_with(&format!("{expected}{member}")), "{message}: {line}");
            }
            for (message, member) in [(&call, "\"result\":"), (&bad, "\"error\":{\"code\":-32600")]
            {
                rpc.send_raw(format!("{message}\n").as_bytes()).await;
                let line = rpc.next_line().await;
                let posted =
                    server.post(message.clone()).send().await.unwrap().text().await.unwrap();
                for line in [line, posted] {
                    assert!(line.starts_with(&format!("{expected}{member}")), "{message}: {line}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_progress_token_comes_back_as_it_was_sent() {
    let stub = Stub::slow(std::time::Duration::from_secs(60)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for token in ["9223372036854775808", "-0", "1.5", "1e3", r#""\u0061""#] {
        let params = format!(
            r#"{{"name":"get_model","arguments":{{"model_id":"{}"}},"_meta":{{"progressToken":{token}}}}}"#,
            crate::support::UNKNOWN_ID
        );
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":{token},"method":"tools/call","params":{params}}}"#);
        session.send_raw(format!("{message}\n").as_bytes()).await;
    }
    let mut tokens = Vec::new();
    for _ in 0..5 {
        let line = session.next_line().await;
        let params: std::collections::HashMap<String, &RawValue> = serde_json::from_str(&line)
            .map(|message: std::collections::HashMap<String, &RawValue>| {
                serde_json::from_str(message["params"].get()).unwrap()
            })
            .unwrap();
        tokens.push(params["progressToken"].get().to_owned());
    }
    tokens.sort();
    assert_eq!(tokens, [r#""\u0061""#, "-0", "1.5", "1e3", "9223372036854775808"]);
}
