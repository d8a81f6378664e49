//! What the three tools accept, refuse, mask and report.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{accepting_api, launch, with_toolset};
use crate::support::{CONNECTION, Launch, Sandbox, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn an_operation_reads_writes_and_deletes_in_the_sandbox() {
    let sandbox = Sandbox::start();
    let mut session = Session::open(&with_toolset(sandbox.launch())).await;
    let syncs = json!({"operation": "list_bulk_syncs"});
    let syncs = session.call("call_read_operation", syncs).await;
    let sync = &syncs["response"]["data"][0]["id"];
    let get = json!({"operation": "get_bulk_sync", "path": {"id": sync}});
    let name = &session.call("call_read_operation", get).await["response"]["data"]["name"];
    assert_eq!(name, "Warehouse to target");
    let refresh = json!({"operation": "refresh_schemas", "path": {"id": CONNECTION}});
    session.call("call_write_operation", refresh).await;
    let delete = json!({
        "operation": "delete_connection", "path": {"id": CONNECTION}, "query": {"force": "true"},
        "expected_name": "SQLite (sandbox)",
    });
    let result = session.call("call_delete_operation", delete.clone()).await;
    assert_eq!(result["operation"], "delete_connection");
    let error = session.call_err("call_delete_operation", delete).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("not_found"), &json!("not_sent")));
}

#[tokio::test]
async fn what_the_sandbox_does_not_serve_is_explained() {
    let mut session = Session::open(&with_toolset(Launch::sandbox())).await;
    let error = session.call_err("call_read_operation", json!({"operation": "list_roles"})).await;
    assert!(error["message"].as_str().unwrap().ends_with("does not implement list_roles (501)."));
    assert!(error["hint"].as_str().unwrap().contains("sandbox"), "{error}");
    assert_eq!(error["retryable"], false);
}

#[tokio::test]
async fn wrong_calls_say_what_is_wrong_and_send_nothing() {
    let stub = Stub::start().await;
    let mut session = Session::open(&launch(&stub)).await;
    let read = |arguments: Value| ("call_read_operation", arguments);
    let write = |arguments: Value| ("call_write_operation", arguments);
    let id = json!({"id": UNKNOWN_ID});
    for ((tool, arguments), code, message, hint) in [
        (
            read(json!({"operation": "list_webhoks"})),
            "invalid_argument",
            "operation: unknown operation \"list_webhoks\"; did you mean \"list_webhooks\"?",
            "find_operations",
        ),
        (
            read(json!({"operation": "../../api/me"})),
            "invalid_argument",
            "operation: unknown operation \"../../api/me\"; expected the name of an operation of the API.",
            "find_operations",
        ),
        (
            write(json!({"operation": "list_webhooks"})),
            "invalid_argument",
            "The operation \"list_webhooks\" only reads, which this tool is not for.",
            "Call call_read_operation instead.",
        ),
        (
            write(json!({"operation": "delete_webhook"})),
            "invalid_argument",
            "The operation \"delete_webhook\" deletes something, which this tool is not for.",
            "Call call_delete_operation instead.",
        ),
        (
            write(json!({"operation": "create_webhook", "body": {}})),
            "access_denied",
            "The operation \"create_webhook\" returns or takes secrets, which this server does not allow.",
            "--allow-secret-operations",
        ),
        (
            write(json!({"operation": "activate_bulk_sync", "path": id, "body": {"activ": true}})),
            "invalid_argument",
            "Unknown argument \"body.activ\"; did you mean \"active\"? 1 more problem in details.problems.",
            "find_operations with `query` activate_bulk_sync and `detail` full",
        ),
        (
            write(json!({"operation": "activate_bulk_sync"})),
            "invalid_argument",
            "Argument \"path.id\" is missing: expected a UUID; 1 more problem in details.problems.",
            "find_operations",
        ),
        (
            read(json!({"operation": "list_events", "query": {"starting_after": "yesterday"}})),
            "invalid_argument",
            "query.starting_after: expected a string with a date and time, such as 2026-01-31T09:30:00Z, got the string \
             \"yesterday\".",
            "find_operations",
        ),
        (
            read(json!({"operation": "list_bulk_sync_statuses", "query": {"sync_id": 5}})),
            "invalid_argument",
            "query.sync_id: expected a string, or an array, got the number 5.",
            "find_operations",
        ),
        (
            read(json!({"operation": "get_schema", "path": {"id": CONNECTION, "schema_id": ".."}})),
            "invalid_argument",
            "path.schema_id: expected a string that is neither empty nor dots, got the string \"..\".",
            "find_operations",
        ),
        (
            write(json!({
                "operation": "update_bulk_sync_error_handling", "path": id, "body": {}, "idempotency_key": "12345678",
            })),
            "invalid_argument",
            "idempotency_key: expected none, since update_bulk_sync_error_handling is sent as PUT, which takes no key, \
             got \"12345678\".",
            "Correct the arguments",
        ),
    ] {
        let error = session.call_err(tool, arguments.clone()).await;
        assert_eq!(error["code"], code, "{arguments}: {error}");
        assert_eq!(error["message"], message, "{arguments}");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{arguments}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{arguments}");
    }
    assert_eq!(stub.lines().await, [""; 0]);
}

#[tokio::test]
async fn an_operation_with_a_tool_of_its_own_is_left_to_it() {
    let stub = Stub::start().await;
    let all = Launch::against(&stub.url()).flag("--toolsets").flag("all");
    let mut session = Session::open(&all).await;
    let call = json!({"operation": "sample_model"});
    let error = session.call_err("call_read_operation", call.clone()).await;
    assert_eq!(error["hint"], "Call sample_records instead.");
    // One that a setting hides stays hidden.
    let mut session = Session::open(&all.flag("--exclude-tools").flag("sample_records")).await;
    let error = session.call_err("call_read_operation", call).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("access_denied"), &json!("not_sent")));
    assert!(error["hint"].as_str().unwrap().contains("--toolsets"), "{error}");
    assert_eq!(stub.lines().await, [""; 0]);
}

#[tokio::test]
async fn a_call_is_sent_as_it_was_passed() {
    let stub = accepting_api().await;
    let mut session = Session::open(&launch(&stub)).await;
    let ids = json!(["11111111-1111-4111-8111-111111111111", UNKNOWN_ID]);
    let statuses =
        json!({"operation": "list_bulk_sync_statuses", "query": {"sync_id": ids, "all": "true"}});
    session.call("call_read_operation", statuses).await;
    let path = json!({"id": CONNECTION, "schema_id": "a/b ?#"});
    session.call("call_read_operation", json!({"operation": "get_schema", "path": path})).await;
    let body = "{\"name\": \"\", \"organization_id\": \"2\"}";
    session.call("call_write_operation", json!({"operation": "create_role", "body": body})).await;
    assert_eq!(
        stub.lines().await,
        [
            format!(
                "GET /api/bulk/syncs/status?all=true&sync_id=11111111-1111-4111-8111-111111111111&sync_id={UNKNOWN_ID}"
            ),
            format!("GET /api/connections/{CONNECTION}/schemas/a%2Fb%20%3F%23"),
            "POST /api/permissions/roles".to_owned(),
        ]
    );
    // An empty value is one.
    assert_eq!(stub.requests().await[2].body, b"{\"name\":\"\",\"organization_id\":\"2\"}");
}

#[tokio::test]
async fn empty_values_and_nulls_are_sent_or_refused_and_never_dropped() {
    let stub = accepting_api().await;
    let mut session = Session::open(&launch(&stub)).await;
    let ids = json!({"id": UNKNOWN_ID, "schema_id": "s"});
    for (operation, path, body) in [
        ("set_global_error_subscribers", json!({}), json!({"emails": []})),
        (
            "update_bulk_sync_schema",
            ids.clone(),
            json!({"fields": [], "filters": [{"function": "IsNull", "value": null}]}),
        ),
        ("patch_bulk_sync_schemas", json!({"id": UNKNOWN_ID}), json!({})),
        (
            "patch_bulk_sync_schemas",
            json!({"id": UNKNOWN_ID}),
            json!({"schemas": [{"id": "a", "filters": null, "partition_key": ""}]}),
        ),
    ] {
        let call = json!({"operation": operation, "path": path, "body": body});
        session.call("call_write_operation", call).await;
        let sent = stub.requests().await.pop().unwrap().body;
        assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap(), body, "{operation}");
    }
    session
        .call(
            "call_read_operation",
            json!({"operation": "list_events", "query": {"type": ""}, "body": {}}),
        )
        .await;
    assert_eq!(stub.lines().await.pop().unwrap(), "GET /api/events?type=");
    let count = stub.requests().await.len();
    let null = json!({"operation": "create_role", "body": {"name": "A", "organization_id": null}});
    let error = session.call_err("call_write_operation", null).await;
    assert_eq!(error["message"], "body.organization_id: expected a string, got null.");
    assert_eq!(stub.requests().await.len(), count);
}

#[tokio::test]
async fn a_value_is_valid_by_any_of_its_schemas() {
    let stub = accepting_api().await;
    let mut session = Session::open(&launch(&stub)).await;
    let path = json!({"connection_id": UNKNOWN_ID, "schema_id": "s", "field_id": "f"});
    let call = |definition: Value| json!({"operation": "patch_schema_field", "path": path, "body": {"definition": definition}});
    for definition in [json!("binary"), json!("date"), json!(["array", "string"])] {
        session.call("call_write_operation", call(definition.clone())).await;
        let sent = stub.requests().await.pop().unwrap().body;
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(sent, json!({ "definition": definition }));
    }
    let error = session.call_err("call_write_operation", call(json!("dat"))).await;
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("\"date\"") && message.contains("got the string \"dat\""),
        "{message}"
    );
}

#[tokio::test]
async fn secrets_are_masked_and_a_mask_is_not_sent() {
    let stub = Stub::start().await;
    let webhook = json!({"id": UNKNOWN_ID, "endpoint": "https://u:pass-4711@x.example", "secret": "hush-4711"});
    let page = json!({"data": [webhook], "pagination": {"next_page_token": "t-2", "total": 5}});
    stub.json("GET", "/api/webhooks", 200, page).await;
    let mut session = Session::open(&launch(&stub).flag("--mask").flag("personal")).await;
    let result = session.call("call_read_operation", json!({"operation": "list_webhooks"})).await;
    assert!(!result.to_string().contains("4711"), "{result}");
    assert_eq!(result["response"]["data"][0]["id"], UNKNOWN_ID);
    assert_eq!(result["next_page_token"], "t-2");
    assert_eq!(result["response"]["pagination"], json!({"total": 5}));
    let body = json!({"source_configuration": {"password": "********"}});
    let call = json!({"operation": "update_bulk_sync", "path": {"id": UNKNOWN_ID}, "body": {
        "name": "n", "default_schedule": {"frequency": "manual"}, "source_connection_id": UNKNOWN_ID,
        "destination_connection_id": UNKNOWN_ID, "destination_configuration": {},
        "source_configuration": body["source_configuration"],
    }});
    let error = session.call_err("call_write_operation", call).await;
    assert_eq!(error["details"]["argument"], "body.source_configuration.password", "{error}");
    assert_eq!(stub.lines().await, ["GET /api/webhooks"]);
}

#[tokio::test]
async fn a_secret_that_is_asked_for_is_returned_if_that_is_allowed() {
    let stub = Stub::start().await;
    let path = format!("/api/organizations/{UNKNOWN_ID}/users/{UNKNOWN_ID}/keys");
    stub.json("POST", &path, 200, json!({"data": {"value": "issued-4711"}})).await;
    let file = format!("/api/syncs/{UNKNOWN_ID}/executions/{UNKNOWN_ID}/records/1.csv");
    let redirect =
        ResponseTemplate::new(302).insert_header("Location", "https://files.example/?sig=4711");
    stub.on("GET", &file, redirect).await;
    let allowed = launch(&stub).flag("--allow-secret-operations");
    let mut session = Session::open(&allowed).await;
    let key = json!({"operation": "create_user_api_key", "path": {"org_id": UNKNOWN_ID, "id": UNKNOWN_ID}});
    let result = session.call("call_write_operation", key.clone()).await;
    assert_eq!(result["response"]["data"]["value"], "issued-4711");
    let path =
        json!({"sync_id": UNKNOWN_ID, "id": UNKNOWN_ID, "type": "records", "filename": "1.csv"});
    let file = json!({"operation": "get_model_sync_execution_log_file", "path": path});
    let result = session.call("call_read_operation", file).await;
    assert_eq!(result["response"]["location"], "https://files.example/?sig=4711");
    let mut session = Session::open(&launch(&stub)).await;
    let error = session.call_err("call_write_operation", key).await;
    assert_eq!(error["code"], "access_denied");
}

#[tokio::test]
async fn settings_hold_for_every_kind_of_operation() {
    let stub = Stub::start().await;
    let path = json!({"id": UNKNOWN_ID});
    let delete = json!({"operation": "delete_webhook", "path": path});
    let write = json!({"operation": "disable_webhook", "path": path});
    for (flag, tool, arguments) in [
        ("--read-only", "call_write_operation", &write),
        ("--read-only", "call_delete_operation", &delete),
        ("--access=write", "call_delete_operation", &delete),
        ("--own-only", "call_write_operation", &write),
        ("--own-only", "call_delete_operation", &delete),
    ] {
        let mut session = Session::open(&launch(&stub).flag(flag)).await;
        let error = session.call_err(tool, arguments.clone()).await;
        assert_eq!(error["code"], "access_denied", "{flag} {tool}: {error}");
    }
    assert_eq!(stub.lines().await, [""; 0]);
}

#[tokio::test]
async fn a_lost_response_is_asked_for_again_with_the_same_key() {
    let stub = Stub::start().await;
    let path = format!("/api/webhooks/{UNKNOWN_ID}/enable");
    let bodies = std::sync::atomic::AtomicUsize::new(0);
    stub.respond("POST", &path, move |_: &wiremock::Request| {
        match bodies.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => ResponseTemplate::new(502),
            _ => ResponseTemplate::new(200).set_body_json(json!({"data": {"id": UNKNOWN_ID}})),
        }
    })
    .await;
    let mut session = Session::open(&launch(&stub)).await;
    let call = json!({"operation": "enable_webhook", "path": {"id": UNKNOWN_ID}});
    session.call("call_write_operation", call).await;
    let requests = stub.requests().await;
    let keys: Vec<_> = requests.iter().map(|r| r.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_large_response_is_truncated_and_says_how_to_get_more() {
    let stub = Stub::start().await;
    let items: Vec<Value> =
        (0..2_000).map(|i| json!({"id": UNKNOWN_ID, "name": format!("Webhook {i}")})).collect();
    stub.json("GET", "/api/permissions/roles", 200, json!({"data": items})).await;
    let mut session = Session::open(&launch(&stub)).await;
    let call = json!({"operation": "list_roles"});
    let result = session.call("call_read_operation", call.clone()).await;
    assert_eq!(result["truncated"]["list"], "response.data", "{}", result["truncated"]);
    assert_eq!(result["truncated"]["total"], 2_000);
    let hint = result["truncated"]["how_to_get_more"].as_str().unwrap();
    let bytes: u64 =
        hint.split(|c: char| !c.is_ascii_digit()).find_map(|n| n.parse().ok()).unwrap();
    let mut call = call;
    call["max_bytes"] = json!(bytes);
    let result = session.call("call_read_operation", call).await;
    assert_eq!(result["response"]["data"].as_array().unwrap().len(), 2_000);
}

#[tokio::test]
async fn the_audit_log_names_the_operation_and_its_object() {
    let stub = Stub::start().await;
    let path = format!("/api/webhooks/{UNKNOWN_ID}/disable");
    stub.json("POST", &path, 200, json!({"data": {"secret": "hush-4711"}})).await;
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let launch = launch(&stub).flag("--audit-log").flag(log.to_str().unwrap());
    let mut session = Session::open(&launch).await;
    let call = json!({"operation": "disable_webhook", "path": {"id": UNKNOWN_ID}});
    session.call("call_write_operation", call).await;
    session.close().await;
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("4711"), "{text}");
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["operation"], "disable_webhook");
        assert_eq!(line["object_id"], UNKNOWN_ID);
    }
    let flags = ["audit", log.to_str().unwrap()];
    let (status, table, _) = Launch::bare().flags(flags).output().await;
    assert_eq!(status, 0);
    assert!(table.contains("disable_webhook"), "{table}");
}
