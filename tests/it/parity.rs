//! Every tool returns the same over MCP, over `rpc` on each transport, and with `call --output json`.

use std::collections::BTreeSet;

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{
    CONNECTION, Launch, MODEL, Server, Session, Stub, UNKNOWN_ID, job, over_call, over_http,
    over_mcp, over_rpc, over_websocket,
};

async fn stub() -> Stub {
    let stub = Stub::start().await;
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "Users", "fields": [{"name": "id"}]}, "job": null});
    let records = json!({"records": [{UNKNOWN_ID: {"b": null, "a": 1.5}}], "warnings": ["w"]});
    let items = json!({"table": {"items": ["public.users"]}});
    stub.json("GET", MODEL, 200, model.clone()).await;
    stub.json("POST", "/api/models", 200, model.clone()).await;
    stub.json("POST", "/api/model-preview", 200, model.clone()).await;
    stub.json("DELETE", MODEL, 200, json!({})).await;
    stub.json("GET", &format!("{MODEL}/sample"), 200, json!({"data": records})).await;
    stub.json(
        "GET",
        "/api/models",
        200,
        json!({"data": [model["data"]], "pagination": {"next_page_token": "t"}}),
    )
    .await;
    stub.json("GET", "/api/connections", 200, json!({"data": [{"id": CONNECTION, "name": "c"}]}))
        .await;
    let source = json!({"data": {"items": items, "requires_one_of": ["table"]}});
    stub.json("GET", &format!("/api/connections/{CONNECTION}/modelsync/source"), 200, source).await;
    let at = |rest: &str| format!("/api/connections/{CONNECTION}{rest}");
    let source = json!({"data": {"items": items, "requires_one_of": ["table"]}});
    stub.json("GET", &at("/modelsync/enrichment-source"), 200, source).await;
    let fields = json!({"data": [{"name": "id", "example": null}]});
    stub.json("GET", &at("/modelsync/source/fields"), 200, fields).await;
    let inputs = format!("/api/enrichment/{CONNECTION}/inputfields");
    stub.json("POST", &inputs, 200, json!({"data": [["email"], null]})).await;
    let connection = json!({"data": {"id": CONNECTION, "type": {"id": "mysql"}, "configuration": {"password": "p"}}});
    stub.json("GET", &at(""), 200, connection).await;
    stub.json("POST", "/api/connections/test", 422, json!({"message": "refused"})).await;
    let types =
        json!({"data": [{"id": "mysql", "capabilities": {"source": true}, "logo_url": "x"}]});
    stub.json("GET", "/api/connection_types", 200, types).await;
    let schema = json!({"type": "object", "properties": {}});
    stub.json("GET", "/api/connection_types/mysql", 200, schema).await;
    let sync = json!({"id": UNKNOWN_ID, "name": "s", "model_ids": [UNKNOWN_ID], "schedule": {"hour": null}});
    stub.json("GET", "/api/syncs", 200, json!({"data": [sync]})).await;
    stub.json("GET", &format!("/api/syncs/{UNKNOWN_ID}"), 200, json!({"data": sync})).await;
    let sync_path = format!("/api/syncs/{UNKNOWN_ID}");
    stub.json("POST", "/api/syncs", 200, json!({"data": sync})).await;
    stub.json("PUT", &sync_path, 200, json!({"data": sync})).await;
    stub.json("DELETE", &sync_path, 204, json!({})).await;
    stub.json("POST", &format!("{sync_path}/cancel"), 200, json!({"data": {"message": "m"}})).await;
    let execution = json!({"id": UNKNOWN_ID, "status": "completed", "counts": {"total": 1}});
    let executions = format!("{sync_path}/executions");
    stub.json("POST", &executions, 200, json!({"data": execution})).await;
    stub.json("GET", &executions, 200, json!({"data": [execution]})).await;
    let path = format!("{executions}/{UNKNOWN_ID}");
    stub.json("GET", &path, 200, json!({"data": execution})).await;
    let modes = json!([{"id": "create"}]);
    let objects = json!({"data": [{"id": "people", "name": "People", "modes": modes}]});
    stub.json("GET", &at("/modelsync/targetobjects"), 200, objects).await;
    let target = json!({"data": {"id": "people", "fields": [{"id": "mail", "required": true}]}});
    stub.json("GET", &at("/modelsync/target/fields"), 200, target).await;
    let webhook = json!({"id": UNKNOWN_ID, "secret": "s", "endpoint": "https://x"});
    stub.json("GET", "/api/webhooks", 200, json!({"data": [webhook]})).await;
    let path = format!("/api/webhooks/{UNKNOWN_ID}");
    stub.json("GET", &path, 200, json!({"data": webhook})).await;
    stub.json("POST", &format!("{path}/disable"), 200, json!({"data": webhook})).await;
    stub.on("DELETE", &path, ResponseTemplate::new(204)).await;
    stub.json("GET", "/api/me", 200, json!({"data": {"email": "a@b.c", "is_user": true}})).await;
    stub.json("PUT", MODEL, 200, model.clone()).await;
    let done = json!({"data": job("exportlogs", "done", json!({"url": "https://x"}))});
    stub.json("GET", "/api/jobs/exportlogs/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22", 200, done).await;
    stub.json(
        "GET",
        "/api/models/11111111-1111-4111-8111-111111111111",
        409,
        json!({"message": "busy"}),
    )
    .await;
    stub
}

#[tokio::test]
async fn every_tool_returns_the_same_on_each_server() {
    let stub = stub().await;
    let launch = Launch::against(&stub.url()).flag("--toolsets").flag("all");
    let mut mcp = Session::open(&launch).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    let server = Server::start(launch.clone()).await;
    let socket = server.websocket();
    let definition =
        json!({"connection_id": CONNECTION, "name": "Users", "configuration": {"table": "t"}});
    let cases = [
        ("list_models", json!({"limit": "5"})),
        ("list_models", json!({"limit": 51})),
        ("get_model", json!({"model_id": UNKNOWN_ID})),
        ("get_model", json!({"model_id": "11111111-1111-4111-8111-111111111111"})),
        ("get_model", json!({"model_id": "22222222-2222-4222-8222-222222222222"})),
        ("get_model", json!({})),
        (
            "get_model_source",
            json!({"connection_id": CONNECTION, "configuration": "{\"table\": \"t\"}"}),
        ),
        ("preview_model", definition.clone()),
        ("create_model", definition),
        ("create_model", json!({"name": 5})),
        ("sample_records", json!({"model_id": UNKNOWN_ID, "async": null})),
        ("update_model", json!({"model_id": UNKNOWN_ID, "name": "People"})),
        (
            "update_model",
            json!({"model_id": UNKNOWN_ID, "relations": [{"from": "a", "to": {"field": "b"}}]}),
        ),
        ("delete_model", json!({"model_id": UNKNOWN_ID})),
        ("delete_model", json!({"model_id": UNKNOWN_ID, "force": true})),
        (
            "get_model_source_fields",
            json!({"connection_id": CONNECTION, "configuration": {"table": "t"}}),
        ),
        ("get_enrichment_source", json!({"connection_id": CONNECTION})),
        (
            "get_enrichment_fields",
            json!({"connection_id": CONNECTION, "configuration": {"object": "people"}}),
        ),
        ("get_connection", json!({"connection_id": CONNECTION, "detail": "full"})),
        ("test_connection", json!({"connection_id": CONNECTION})),
        ("list_connection_types", json!({"source_only": "true"})),
        ("get_connection_type_schema", json!({"connection_type": "mysql"})),
        ("get_connection_type_schema", json!({"connection_type": ".."})),
        ("list_model_syncs", json!({"model_id": UNKNOWN_ID})),
        ("get_model_sync", json!({"sync_id": UNKNOWN_ID})),
        (
            "create_model_sync",
            json!({"name": "s", "mode": "create", "fields": [], "target": {"connection_id": CONNECTION}}),
        ),
        ("update_model_sync", json!({"sync_id": UNKNOWN_ID, "name": "t"})),
        ("delete_model_sync", json!({"sync_id": UNKNOWN_ID, "expected_name": "t"})),
        ("delete_model_sync", json!({"sync_id": UNKNOWN_ID})),
        ("start_model_sync", json!({"sync_id": UNKNOWN_ID})),
        ("cancel_model_sync", json!({"sync_id": UNKNOWN_ID})),
        ("list_model_sync_executions", json!({"sync_id": UNKNOWN_ID})),
        ("get_model_sync_execution", json!({"sync_id": UNKNOWN_ID, "execution_id": UNKNOWN_ID})),
        ("get_target_objects", json!({"connection_id": CONNECTION})),
        ("describe_model", json!({"model_id": UNKNOWN_ID})),
        ("find_operations", json!({"query": "webhooks"})),
        ("call_read_operation", json!({"operation": "list_webhooks", "query": {}})),
        ("call_read_operation", json!({"operation": "list_webhoks"})),
        (
            "call_write_operation",
            json!({"operation": "disable_webhook", "path": {"id": UNKNOWN_ID}}),
        ),
        ("call_write_operation", json!({"operation": "disable_webhook", "path": {"id": "x"}})),
        (
            "call_delete_operation",
            json!({"operation": "delete_webhook", "path": {"id": UNKNOWN_ID}}),
        ),
        ("get_target_fields", json!({"connection_id": CONNECTION, "object": "people"})),
        ("get_identity", json!({})),
        (
            "get_job",
            json!({"type": "exportlogs", "job_id": "0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22"}),
        ),
        ("list_connections", json!({})),
        ("list_connections", json!({"unheard_of": 1})),
    ];
    let mut called = BTreeSet::new();
    for (tool, arguments) in &cases {
        called.insert(*tool);
        let first = over_mcp(&mut mcp, tool, arguments).await;
        let second = over_rpc(&mut rpc, tool, arguments).await;
        let third = over_call(launch.clone(), tool, arguments).await;
        assert_eq!(first, second, "{tool} {arguments}: MCP and rpc");
        assert_eq!(first, third, "{tool} {arguments}: MCP and call");
        let fourth = over_http(&server, tool, arguments).await;
        assert_eq!(first, fourth, "{tool} {arguments}: MCP and HTTP");
        let fifth = over_websocket(&socket, tool, arguments).await;
        assert_eq!(first, fifth, "{tool} {arguments}: MCP and WebSocket");
    }
    let all: BTreeSet<&str> =
        polytomic_mcp::tools::TOOLS.entries().map(|entry| entry.name).collect();
    assert_eq!(called, all, "a tool is missing from the table");
}
