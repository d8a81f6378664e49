//! What has to be confirmed, by setting and by server.

use polytomic_mcp::tools::TOOLS;
use serde_json::{Value, json};

use super::client::{Client, ERAS, accept};
use crate::support::{CONNECTION, Launch, MODEL, Sandbox, Session, Stub, UNKNOWN_ID, definition};

#[tokio::test]
async fn never_asks_nobody_and_still_compares_the_name() {
    for era in ERAS {
        let mut client = Client::start(era, json!({"elicitation": {}}), "never").await;
        let id = client.model("Users").await;
        let clear = json!({"model_id": id, "clear": ["labels"]});
        let response = client.call("update_model", clear).await;
        client.session.expect_result("update_model", &response);
        for (tool, mut arguments) in [
            ("update_model", json!({"model_id": id, "clear": ["identifier"]})),
            ("delete_model", json!({"model_id": id, "force": true})),
        ] {
            arguments["expected_name"] = json!("Other");
            let error = client.call_err(tool, arguments.clone()).await;
            assert_eq!(error["code"], "conflict", "{error}");
            assert!(error["message"].as_str().unwrap().contains("`expected_name`"), "{error}");
            arguments["expected_name"] = json!("Users");
            let response = client.call(tool, arguments).await;
            client.session.expect_result(tool, &response);
        }
    }
}

#[tokio::test]
async fn writes_asks_before_each_write() {
    for era in ERAS {
        let mut client = Client::start(era, json!({"elicitation": {}}), "writes").await;
        let question = client.ask("create_model", definition()).await;
        let expected = format!("Create the model \"Users\" from connection {CONNECTION}?");
        assert_eq!(question.message, expected);
        let response = client.resolve(&question, json!({"action": "decline"})).await;
        let error = client.session.expect_error(&response);
        assert_eq!((&error["code"], &error["outcome"]), (&json!("cancelled"), &json!("not_sent")));
        let models = client.sandbox.get("/api/models").await;
        assert_eq!(models.data(), &json!([]));
        let question = client.ask("create_model", definition()).await;
        let response = client.resolve(&question, accept(json!(true))).await;
        let created = client.session.expect_result("create_model", &response);
        let id = created["model"]["id"].as_str().unwrap().to_owned();
        let rename = json!({"model_id": id, "name": "People"});
        let question = client.ask("update_model", rename).await;
        assert!(question.message.contains("It gets other values of: name."), "{question:?}");
        let response = client.resolve(&question, accept(json!(true))).await;
        client.session.expect_result("update_model", &response);
        let question = client.ask("update_model", json!({"model_id": id, "refresh": true})).await;
        assert!(question.message.contains("read again"), "{question:?}");
        let response = client.call("get_model", json!({"model_id": id})).await;
        client.session.expect_result("get_model", &response);
    }
}

#[test]
fn every_tool_that_writes_is_tested_here() {
    // A new one has to call `Context::confirm` as well.
    let writing = TOOLS.entries().filter(|entry| !entry.effect.is_read_only());
    let names: Vec<&str> = writing.map(|entry| entry.name).collect();
    let of_models = ["create_model", "update_model", "delete_model"];
    let of_syncs = SYNC_WRITES.map(|(tool, _)| tool);
    let of_operations = ["call_write_operation", "call_delete_operation"]; // see `operations`
    assert_eq!(names, [of_models.as_slice(), &of_syncs, &of_operations].concat());
}

/// The tools that write syncs, and what their question says beside the sync.
const SYNC_WRITES: [(&str, &str); 5] = [
    ("create_model_sync", "Create the sync"),
    ("update_model_sync", "It gets other values of: mode."),
    ("delete_model_sync", "This cannot be undone."),
    ("start_model_sync", "all records of its models again"),
    ("cancel_model_sync", "Stop the running execution"),
];

#[tokio::test]
async fn writes_asks_before_each_write_of_a_sync() {
    let flags = ["--confirm", "writes", "--toolsets", "all"];
    for era in ERAS {
        let mut client = Client::with_flags(era, json!({"elicitation": {}}), &flags).await;
        let model = client.model("Users").await;
        let sync = client.sandbox.add_sync("Nightly", &json!(model), json!({})).await;
        for (tool, part) in SYNC_WRITES {
            let arguments = match tool {
                "create_model_sync" => json!({
                    "name": "Nightly", "mode": "create", "fields": [],
                    "target": {"connection_id": CONNECTION, "object": "People"},
                }),
                "update_model_sync" => json!({"sync_id": sync, "mode": "append"}),
                "start_model_sync" => json!({"sync_id": sync, "resync": true}),
                _ => json!({"sync_id": sync}),
            };
            let question = client.ask(tool, arguments).await;
            for part in [part, "\"Nightly\"", "\"People\"", CONNECTION, "mode \"create\""] {
                assert!(question.message.contains(part), "{tool}: {part} in {question:?}");
            }
            let response = client.resolve(&question, json!({"action": "decline"})).await;
            let error = client.session.expect_error(&response);
            assert_eq!(error["code"], "cancelled", "{tool}: {error}");
        }
        let path = format!("/api/syncs/{}", sync.as_str().unwrap());
        assert_eq!(client.sandbox.get(&path).await.data()["mode"], "create");
        let executions = client.sandbox.get(&format!("{path}/executions")).await;
        assert_eq!(executions.data(), &json!([]), "nothing was started");
        // Without anybody to ask, the name does.
        let mut client = Client::with_flags(era, json!({}), &flags).await;
        let model = client.model("Users").await;
        let sync = client.sandbox.add_sync("Nightly", &json!(model), json!({})).await;
        let mut delete = json!({"sync_id": sync});
        let error = client.call_err("delete_model_sync", delete.clone()).await;
        assert_eq!(error["details"]["name"], "Nightly", "{error}");
        delete["expected_name"] = json!("Nightly");
        let response = client.call("delete_model_sync", delete).await;
        client.session.expect_result("delete_model_sync", &response);
    }
}

#[tokio::test]
async fn a_model_cannot_be_created_unasked_under_writes() {
    for era in ERAS {
        let mut client = Client::start(era, json!({}), "writes").await;
        let error = client.call_err("create_model", definition()).await;
        assert_eq!(error["code"], "confirmation_required", "{error}");
        assert!(error["hint"].as_str().unwrap().contains("--confirm destructive"), "{error}");
        assert_eq!(client.sandbox.get("/api/models").await.data(), &json!([]));
        let id = client.model("Users").await;
        let mut rename = json!({"model_id": id, "name": "People"});
        let error = client.call_err("update_model", rename.clone()).await;
        assert_eq!(error["code"], "confirmation_required", "{error}");
        rename["expected_name"] = json!("Users");
        let response = client.call("update_model", rename).await;
        client.session.expect_result("update_model", &response);
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_passed_has_another_hint() {
    for name in
        [json!("n".repeat(1_001)), json!("postgres://u:hunter22@h/d"), json!(""), Value::Null]
    {
        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, json!({"data": {"id": UNKNOWN_ID, "name": name}})).await;
        stub.json("GET", "/api/syncs", 200, json!({"data": []})).await;
        let launch = Launch::against(&stub.url()).flag("--confirm").flag("destructive");
        let mut session = Session::open(&launch).await;
        let error = session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
        assert_eq!(error["code"], "confirmation_required", "{error}");
        assert!(error["hint"].as_str().unwrap().contains("--confirm never"), "{error}");
    }
}

#[tokio::test]
async fn json_rpc_has_nobody_to_ask() {
    let sandbox = Sandbox::start();
    let launch = Launch::unconfigured()
        .variable("POLYTOMIC_BASE_URL", &sandbox.url)
        .variable("POLYTOMIC_API_KEY", &sandbox.key)
        .flag("rpc");
    let model = sandbox.create(json!({"table": "public.users"})).await;
    let id = model["id"].as_str().unwrap();
    let mut session = Session::start(&launch);
    let response = session.request("delete_model", json!({"model_id": id})).await;
    let error = &response["error"]["data"];
    assert_eq!(error["code"], "confirmation_required", "{response}");
    assert!(error["hint"].as_str().unwrap().contains("`expected_name`"), "{response}");
    assert_eq!(error["details"]["name"], model["name"], "{response}");
    let named = json!({"model_id": id, "expected_name": model["name"]});
    let response = session.request("delete_model", named).await;
    assert_eq!(response["result"]["deleted"], true, "{response}");

    let model: Value = sandbox.create(json!({"table": "public.users"})).await;
    let mut session = Session::start(&launch.flag("--confirm").flag("never"));
    let response = session.request("delete_model", json!({"model_id": model["id"]})).await;
    assert_eq!(response["result"]["deleted"], true, "{response}");
}
