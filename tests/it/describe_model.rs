//! `describe_model`: what a sample says of the fields, and how the syncs fare.

use serde_json::{Value, json};

use crate::support::{
    CONNECTION, Launch, MODEL, Sandbox, Session, Stub, TARGET, UNKNOWN_ID, users, wait_until,
};

const TOOL: &str = "describe_model";
/// Limit of its results, as they are written.
const MAX_BYTES: usize = 8_000;

fn with_tool(launch: Launch) -> Launch {
    launch.flag("--tools").flag(TOOL)
}

fn field<'a>(result: &'a Value, name: &str) -> &'a Value {
    let mut fields = result["fields"].as_array().unwrap().iter();
    fields.find(|field| field["name"] == name).unwrap_or_else(|| panic!("{name}: {result}"))
}

/// An API with a model of these fields and records.
async fn api(fields: Vec<Value>, records: Vec<Value>) -> Stub {
    let stub = Stub::start().await;
    let model = json!({"id": UNKNOWN_ID, "name": "Users", "identifier": "id", "fields": fields});
    let records: Vec<Value> =
        records.into_iter().map(|record| json!({ UNKNOWN_ID: record })).collect();
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    let sample = json!({"data": {"records": records}});
    stub.json("GET", &format!("{MODEL}/sample"), 200, sample).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": []})).await;
    stub
}

#[tokio::test]
async fn one_call_says_what_several_would() {
    let sandbox = Sandbox::start();
    let model = sandbox.post("/api/models", &users(json!({"identifier": "id"}))).await;
    let model = model.data()["id"].clone();
    let target = json!({"target": {"connection_id": TARGET, "object": "people"}, "mode": "create"});
    let sync = sandbox.add_sync("Nightly", &model, target).await;
    let executions = format!("/api/syncs/{}/executions", sync.as_str().unwrap());
    let started = sandbox.post(&executions, &json!({})).await;
    let execution = started.data()["id"].clone();
    let path = format!("{executions}/{}", execution.as_str().unwrap());
    wait_until("the execution", async || {
        let status = sandbox.get(&path).await.data()["status"].clone();
        !["created", "scheduled", "queued", "running"].contains(&status.as_str().unwrap())
    })
    .await;
    let mut session = Session::open(&with_tool(sandbox.launch())).await;
    let result = session.call(TOOL, json!({"model_id": model})).await;
    assert!(session.last_bytes() <= MAX_BYTES, "{}", session.last_bytes());
    assert_eq!(result["model"]["source"], "public.users");
    assert_eq!(result["fields"].as_array().unwrap().len(), 13);
    let id = field(&result, "id");
    assert_eq!((&id["nulls"], &id["distinct"]), (&json!(0.0), &json!(1.0)));
    let logins = field(&result, "last_login_at");
    assert!(logins["nulls"].as_f64().unwrap() > 0.0, "{logins}");
    assert!(field(&result, "plan")["distinct"].as_f64().unwrap() < 0.5, "{result}");
    assert_eq!(field(&result, "email")["examples"].as_array().unwrap().len(), 3);
    let expected = json!({"name": "id", "is_unique": true, "is_never_null": true});
    assert_eq!(result["identifier"], expected);
    let described = &result["syncs"][0];
    assert_eq!((&described["name"], &described["id"]), (&json!("Nightly"), &sync));
    assert_eq!(described["last_execution"]["id"], execution);
    assert!(described["last_execution"]["status"].is_string(), "{described}");
    assert_eq!(result.get("errors"), None, "{result}");
}

#[tokio::test]
async fn shares_are_those_of_the_sample() {
    let names = ["id", "plan", "note", "gone"];
    let fields = names.iter().map(|name| json!({"name": name, "type": "string"})).collect();
    let long = "x".repeat(100);
    let records = vec![
        json!({"id": 1, "plan": "pro", "note": null}),
        json!({"id": 1, "plan": "pro", "note": long}),
        json!({"id": null, "plan": "free", "note": {"a": [1]}}),
        json!({"id": 170_141_183_460_469_i64, "plan": "pro"}),
    ];
    let stub = api(fields, records).await;
    let mut session = Session::open(&with_tool(Launch::against(&stub.url()))).await;
    let result = session.call(TOOL, json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(result["sampled"], 4);
    for (name, nulls, distinct, examples) in [
        ("id", json!(0.25), json!(0.667), json!(["1", "170141183460469"])),
        ("plan", json!(0.0), json!(0.5), json!(["pro", "free"])),
        ("note", json!(0.5), json!(1.0), json!([format!("{}…", "x".repeat(40)), "{\"a\":[1]}"])),
    ] {
        let field = field(&result, name);
        assert_eq!(
            (&field["nulls"], &field["distinct"], &field["examples"]),
            (&nulls, &distinct, &examples),
            "{name}"
        );
    }
    // No record has it.
    assert_eq!(field(&result, "gone"), &json!({"name": "gone", "type": "string"}));
    let expected = json!({"name": "id", "is_unique": false, "is_never_null": false});
    assert_eq!(result["identifier"], expected);
}

#[tokio::test]
async fn what_an_enricher_adds_is_no_column_of_the_model() {
    let stub = Stub::start().await;
    let record = |id: Value| json!({ UNKNOWN_ID: {"id": id}, CONNECTION: {"id": 7} });
    let records = [json!(0), json!(1), Value::Null, Value::Null].map(record);
    let fields = json!([{"name": "id"}]);
    let model = json!({"id": UNKNOWN_ID, "name": "Users", "identifier": "id", "fields": fields});
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": []})).await;
    stub.json("GET", &format!("{MODEL}/sample"), 200, json!({"data": {"records": records}})).await;
    let mut session = Session::open(&with_tool(Launch::against(&stub.url()))).await;
    let result = session.call(TOOL, json!({"model_id": UNKNOWN_ID})).await;
    let expected = json!({"name": "id", "nulls": 0.5, "distinct": 1.0, "examples": ["0", "1"]});
    assert_eq!(field(&result, "id"), &expected);
    let expected = json!({"name": "id", "is_unique": true, "is_never_null": false});
    assert_eq!(result["identifier"], expected);
}

#[tokio::test]
async fn a_wide_model_stays_within_the_limit() {
    for (columns, examples) in [(22, 1), (300, 0)] {
        let name = |i: usize| format!("a_column_with_a_name_{i}");
        let fields = (0..columns).map(|i| json!({"name": name(i), "type": "string"})).collect();
        let record = |n: usize| -> Value {
            (0..columns).map(|i| (name(i), json!(format!("a value of some length {n}")))).collect()
        };
        let stub = api(fields, (0..5).map(record).collect()).await;
        let mut session = Session::open(&with_tool(Launch::against(&stub.url()))).await;
        let result = session.call(TOOL, json!({"model_id": UNKNOWN_ID})).await;
        assert!(session.last_bytes() <= MAX_BYTES, "{}", session.last_bytes());
        let first = &result["fields"][0];
        let shown = first["examples"].as_array().map_or(0, Vec::len);
        assert_eq!(shown, examples, "{columns}: {first}");
        assert_eq!(first["distinct"], 1.0);
        if columns == 300 {
            assert_eq!(result["truncated"]["list"], "fields", "{}", result["truncated"]);
            assert_eq!(result["truncated"]["total"], 300);
        }
        let all = json!({"model_id": UNKNOWN_ID, "max_bytes": 200_000});
        let result = session.call(TOOL, all).await;
        assert_eq!(result["fields"].as_array().unwrap().len(), columns);
        assert_eq!(result["fields"][0]["examples"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn what_cannot_be_read_does_not_hide_the_rest() {
    let stub = Stub::start().await;
    let fields = json!([{"name": "id", "type": "number"}]);
    let model = json!({"id": UNKNOWN_ID, "name": "Users", "identifier": "id", "fields": fields});
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    let broken = json!({"message": "no such table: secret-4711"});
    stub.json("GET", &format!("{MODEL}/sample"), 422, broken).await;
    stub.json("GET", "/api/syncs", 403, json!({"message": "no"})).await;
    let mut session = Session::open(&with_tool(Launch::against(&stub.url()))).await;
    let result = session.call(TOOL, json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(result["fields"], json!([{"name": "id", "type": "number"}]));
    for absent in ["sampled", "identifier", "syncs"] {
        assert_eq!(result.get(absent), None, "{result}");
    }
    assert!(result["errors"]["sample"].as_str().unwrap().contains("(422)"), "{result}");
    assert!(result["errors"]["syncs"].as_str().unwrap().contains("(403)"), "{result}");
    assert!(!result.to_string().contains("4711"), "{result}");
    // Without the model there is nothing.
    let unknown = json!({"model_id": CONNECTION});
    assert_eq!(session.call_err(TOOL, unknown).await["code"], "not_found");
}

#[tokio::test]
async fn examples_are_masked_as_records_are() {
    let fields = vec![json!({"name": "email", "type": "string"})];
    let records = vec![json!({"email": "jane@example.com"}), json!({"email": "joe@example.com"})];
    let stub = api(fields, records).await;
    let launch = with_tool(Launch::against(&stub.url())).flag("--mask").flag("personal");
    let mut session = Session::open(&launch).await;
    let result = session.call(TOOL, json!({"model_id": UNKNOWN_ID})).await;
    assert!(!result.to_string().contains("jane"), "{result}");
    assert_eq!(field(&result, "email")["distinct"], 1.0);
}
