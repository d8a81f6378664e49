//! Arguments in other spellings: values as text, floats, null, `arguments` as text, `background` for `async`.

use serde_json::{Value, json};

use super::fixtures::{parent, sent, tools};
use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn coerced_arguments_send_the_same_requests_as_valid_ones() {
    let model = json!({
        "id": UNKNOWN_ID, "name": "Users", "connection_id": UNKNOWN_ID, "configuration": {"table": "t"},
        "version": 3,
    });
    let page = json!({"data": [model, model], "pagination": {"next_page_token": null}});
    let mut count = 0;
    for tool in tools(&mut Session::open(&Launch::bare()).await).await {
        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, json!({"data": model})).await;
        stub.json("GET", "/api/models", 200, page.clone()).await;
        stub.json("GET", "/api/syncs", 200, page.clone()).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        for (mut call, part) in tool.parts() {
            if part.name == "cursor" {
                let page = session.call(&tool.name, json!({"limit": 1})).await;
                call["cursor"] = page["next_cursor"].clone();
            }
            let expected = sent(&stub, &mut session, &tool, &call, &part.path).await;
            let value = call.pointer(&part.pointer).unwrap().clone();
            let mut spellings = Vec::new();
            if part.kind() != "string" {
                spellings.push(json!(value.to_string()));
                spellings.push(json!(format!(" {value:#} ")));
            }
            if let Some(integer) = value.as_i64() {
                let float: Value = serde_json::from_str(&format!("{integer}.0")).unwrap();
                spellings.push(json!(float.to_string()));
                spellings.push(float);
            }
            for spelling in spellings {
                let mut call = call.clone();
                *call.pointer_mut(&part.pointer).unwrap() = spelling.clone();
                let coerced = sent(&stub, &mut session, &tool, &call, &part.path).await;
                assert_eq!(coerced, expected, "{}: {} as {spelling}", tool.name, part.path);
                count += 1;
            }
            if !part.required {
                parent(&mut call, &part).remove(&part.name).unwrap();
                let absent = sent(&stub, &mut session, &tool, &call, &part.path).await;
                parent(&mut call, &part).insert(part.name.clone(), Value::Null);
                let null = sent(&stub, &mut session, &tool, &call, &part.path).await;
                assert_eq!(null, absent, "{}: {} as null", tool.name, part.path);
                count += 1;
            }
        }
    }
    assert!(count >= 250, "{count}");
}

#[tokio::test]
async fn the_arguments_of_a_call_may_be_json_text() {
    let mut session = Session::sandbox().await;
    let call = async |session: &mut Session, tool: &str, arguments: &str| {
        session.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    };
    let expected = session.call("list_models", json!({"limit": 1})).await;
    for text in [r#"{"limit": 1}"#, " {\"limit\":\"1\"}\n", r#"{"limit": 1, "cursor": null}"#] {
        let response = call(&mut session, "list_models", text).await;
        assert_eq!(session.expect_result("list_models", &response), expected, "{text}");
    }
    for text in ["", "  ", "{}", "null"] {
        let response = call(&mut session, "get_identity", text).await;
        session.expect_result("get_identity", &response);
    }
    let response = call(&mut session, "get_model", r#"{"model_id": "x"}"#).await;
    assert_eq!(session.expect_error(&response)["details"]["argument"], "model_id");
    for (text, reason) in [
        ("{\"limit\": 1", "not JSON"),
        ("limit=1", "not JSON"),
        ("[1]", "another type"),
        ("5", "another type"),
        (r#""{}""#, "another type"),
    ] {
        let response = call(&mut session, "list_models", text).await;
        let error = session.expect_error(&response);
        assert_eq!(error["code"], "invalid_argument", "{text}: {error}");
        assert_eq!(error["details"]["argument"], "arguments", "{text}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("arguments: expected an object"), "{text}: {error}");
        assert!(message.contains(reason), "{text}: {error}");
    }
    // An unknown tool is reported before its arguments, and `_meta` beside them is read.
    let response = call(&mut session, "list_modles", "{").await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
    let params = json!({"name": "get_identity", "arguments": "{}", "_meta": {"progressToken": 1}});
    let response = session.request("tools/call", params).await;
    session.expect_result("get_identity", &response);
}

#[tokio::test]
async fn arguments_as_text_and_null_are_accepted_together() {
    let mut session = Session::sandbox().await;
    let created = session
        .call(
            "create_model",
            json!({
                "connection_id": CONNECTION, "name": "Users",
                "configuration": "{\"table\": \"public.users\"}",
                "fields": "[\"id\", \"email\"]", "identifier": null, "async": "false",
                "wait_seconds": "10",
            }),
        )
        .await;
    assert_eq!(created["model"]["fields"].as_array().unwrap().len(), 2, "{created}");
}

#[tokio::test]
async fn background_is_another_name_of_async() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut count = 0;
    for tool in tools(&mut session).await {
        let takes_async = tool.schema["properties"].get("async").is_some();
        assert!(tool.schema["properties"].get("background").is_none(), "{}", tool.name);
        let call = |extra: Value| {
            let mut call = tool.minimal.clone();
            call.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
            call
        };
        if !takes_async {
            let error = session.call_err(&tool.name, call(json!({"background": true}))).await;
            assert_eq!(error["details"]["argument"], "background", "{error}");
            continue;
        }
        let expected = sent(&stub, &mut session, &tool, &call(json!({"async": true})), "").await;
        let absent = sent(&stub, &mut session, &tool, &tool.minimal, "").await;
        for (extra, expected) in [
            (json!({"background": true}), &expected),
            (json!({"background": "true"}), &expected),
            (json!({"background": true, "async": true}), &expected),
            (json!({"background": true, "async": "true"}), &expected),
            (json!({"background": true, "async": null}), &expected),
            (json!({"background": "", "async": true}), &expected),
            (json!({"background": [], "async": {}}), &absent),
            (json!({"background": false}), &absent),
            (json!({"background": "false", "async": false}), &absent),
            (json!({"background": null}), &absent),
        ] {
            let sent = sent(&stub, &mut session, &tool, &call(extra.clone()), "").await;
            assert_eq!(&sent, expected, "{}: {extra}", tool.name);
        }
        let before = stub.lines().await.len();
        for (extra, argument) in [
            (json!({"background": true, "async": false}), "background"),
            (json!({"background": false, "async": "true"}), "background"),
            (json!({"background": "later"}), "background"),
            (json!({"backgroud": true}), "backgroud"),
        ] {
            let error = session.call_err(&tool.name, call(extra.clone())).await;
            assert_eq!(error["code"], "invalid_argument", "{extra}: {error}");
            assert_eq!(error["details"]["argument"], argument, "{extra}: {error}");
        }
        assert_eq!(stub.lines().await.len(), before, "{}", tool.name);
        count += 1;
    }
    assert!(count >= 5, "{count}");
}
