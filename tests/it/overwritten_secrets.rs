//! Updates that would overwrite a secret: with its redaction, its mask, damaged text or an empty value.

use serde_json::{Map, Value, json};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, JOB_ID, Launch, MODEL, Session, Stub, UNKNOWN_ID};

const SECRET: &str = "hunter2-hunter2";
/// That of [`Launch::against`].
const KEY: &str = "test-key-4711";
const REDACTED: &str = "[redacted API key]";

fn model(configuration: &Value) -> Value {
    json!({
        "id": UNKNOWN_ID, "name": "Users", "version": 1, "connection_id": CONNECTION, "configuration": configuration,
        "enricher": {"connection_id": CONNECTION, "enricher_id": JOB_ID, "configuration": {"object": "people", "api_key": SECRET}},
        "fields": [{"name": "id"}],
    })
}

/// An API with one model, as JSON text in any bytes.
async fn api(model: impl AsRef<[u8]>) -> Stub {
    let stub = Stub::start().await;
    let body = [b"{\"data\":", model.as_ref(), b"}"].concat();
    let response = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    for (method, path) in
        [("GET", MODEL), ("PUT", MODEL), ("POST", "/api/models"), ("POST", "/api/model-preview")]
    {
        stub.on(method, path, response.clone()).await;
    }
    stub
}

/// The bodies of the requests that write.
async fn written(stub: &Stub) -> Vec<Value> {
    let requests = stub.requests().await;
    let is_write = |path: &str| path == MODEL || path == "/api/models";
    let writes = requests.iter().filter(|r| r.method != "GET" && is_write(r.url.path()));
    writes.map(|r| r.body_json().unwrap()).collect()
}

fn update(mut properties: Value) -> Value {
    properties["model_id"] = json!(UNKNOWN_ID);
    properties
}

async fn session(stub: &Stub) -> Session {
    Session::open(&Launch::against(&stub.url())).await
}

#[tokio::test]
async fn the_redacted_api_key_is_not_written() {
    let header = |value: &str| json!({"headers": [{"name": "Authorization", "value": value}]});
    let encoded = format!("https://h/?a={}", KEY.replace('-', "%2D"));
    for (configuration, place) in [
        (header(&format!("Bearer {KEY}")), "configuration.headers[0].value"),
        (json!({"query": format!("select * from t where k = '{KEY}'")}), "configuration.query"),
        (json!({"url": encoded}), "configuration.url"),
        (json!({"a": {KEY: 1}}), "configuration.a.[redacted API key]"),
    ] {
        let stub = api(model(&configuration).to_string()).await;
        let mut session = session(&stub).await;
        for properties in [json!({"name": "V"}), json!({"name": "V", "dry_run": true})] {
            let error = session.call_err("update_model", update(properties)).await;
            assert_eq!(error["code"], "invalid_argument", "{configuration}: {error}");
            assert_eq!(error["outcome"], "not_sent", "{configuration}: {error}");
            assert_eq!(error["details"]["argument"], place, "{configuration}: {error}");
        }
        assert_eq!(written(&stub).await, Vec::<Value>::new());
        // What is replaced is not lost.
        let passed = json!({"configuration": {"query": "select 1", "headers": null, "a": null}});
        session.call("update_model", update(passed)).await;
        assert_eq!(written(&stub).await.len(), 1, "{configuration}");
    }
    let mut named = model(&json!({"table": "t"}));
    named["tracking_columns"] = json!(["a", KEY]);
    let stub = api(named.to_string()).await;
    let error = session(&stub).await.call_err("update_model", update(json!({"name": "V"}))).await;
    assert_eq!(error["details"]["argument"], "tracking_columns[1]", "{error}");
    // Nor by a caller who has copied it from a result.
    let stub = api(model(&json!({"table": "t"})).to_string()).await;
    let mut session = session(&stub).await;
    let definition = |configuration: Value| json!({"connection_id": CONNECTION, "name": "a", "configuration": configuration});
    for configuration in [
        json!({"query": format!("select '{REDACTED}'")}),
        header(&format!("Bearer {REDACTED}")),
        header("[redacted]"),
        header("Bearer [redacted]"),
    ] {
        for (tool, arguments) in [
            ("create_model", definition(configuration.clone())),
            ("preview_model", definition(configuration.clone())),
            ("update_model", update(json!({"configuration": configuration}))),
        ] {
            let error = session.call_err(tool, arguments).await;
            assert_eq!(error["code"], "invalid_argument", "{tool} {configuration}: {error}");
        }
    }
    assert_eq!(written(&stub).await, Vec::<Value>::new());
    session.call("create_model", definition(json!({"query": "select '[redacted]' as a"}))).await;
}

/// A model whose `configuration` and other properties are JSON text.
fn with(properties: &str) -> String {
    format!(
        r#"{{"id":"{UNKNOWN_ID}","name":"Users","version":1,"connection_id":"{CONNECTION}",{properties}}}"#
    )
}

#[tokio::test]
async fn no_damaged_secret_is_kept() {
    let enricher = format!(
        r#""configuration":{{"table":"t"}},"enricher":{{"connection_id":"{CONNECTION}","configuration":{{"api_key":"#
    );
    let bad_byte = [with(&format!("{enricher}\"?\"}}}}")).into_bytes()];
    let bad_byte: Vec<u8> =
        bad_byte.concat().into_iter().map(|b| if b == b'?' { 0xff } else { b }).collect();
    for (stored, properties) in [
        (
            with(r#""configuration":{"a":1,"password":"\ud83dx"}"#).into_bytes(),
            json!({"configuration": {"a": 2}}),
        ),
        (
            with(r#""configuration":{"a":1,"auth":{"b":1,"password":NaN}}"#).into_bytes(),
            json!({"configuration": {"a": 2, "auth": {"b": 2}}}),
        ),
        (
            bad_byte,
            json!({"enricher": {"connection_id": CONNECTION, "configuration": {"object": "x"}}}),
        ),
    ] {
        let stub = api(&stored).await;
        let mut session = session(&stub).await;
        let error = session.call_err("update_model", update(properties.clone())).await;
        assert_eq!(error["code"], "upstream_error", "{properties}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{properties}: {error}");
        assert_eq!(written(&stub).await, Vec::<Value>::new(), "{properties}");
    }
    // A new secret replaces the damaged one.
    let stub = api(with(r#""configuration":{"a":1,"password":"\ud83dx"}"#)).await;
    let passed = json!({"configuration": {"a": 2, "password": "new"}});
    session(&stub).await.call("update_model", update(passed.clone())).await;
    assert_eq!(written(&stub).await[0]["configuration"], passed["configuration"]);
}

#[tokio::test]
async fn an_empty_value_erases_no_secret() {
    let stored = json!({
        "path": "/v1", "password": SECRET, "headers": [{"name": "Authorization", "value": SECRET}],
        "auth": {"type": "basic", "basic": {"username": "u", "password": SECRET}}, "limit": "5",
    });
    let stub = api(model(&stored).to_string()).await;
    let mut session = session(&stub).await;
    for (configuration, place) in [
        (json!({"path": "/v2", "password": ""}), "configuration.password"),
        (json!({"path": "/v2", "password": " "}), "configuration.password"),
        (json!({"path": "/v2", "headers": []}), "configuration.headers"),
        (json!({"path": "/v2", "headers": [{}]}), "configuration.headers"),
        (json!({"path": "/v2", "auth": ""}), "configuration.auth"),
        (
            json!({"path": "/v2", "auth": {"basic": {"password": ""}}}),
            "configuration.auth.basic.password",
        ),
        (
            json!({"path": "/v2", "headers": [{"name": "Authorization", "value": ""}]}),
            "configuration.headers[0].value",
        ),
    ] {
        for is_dry_run in [true, false] {
            let properties = json!({"configuration": configuration, "dry_run": is_dry_run});
            let error = session.call_err("update_model", update(properties)).await;
            assert_eq!(error["code"], "invalid_argument", "{configuration}: {error}");
            assert_eq!(error["details"]["argument"], place, "{configuration}: {error}");
            assert!(error["hint"].as_str().unwrap().contains("null"), "{error}");
        }
    }
    let enricher =
        json!({"connection_id": CONNECTION, "configuration": {"object": "x", "api_key": ""}});
    let error = session.call_err("update_model", update(json!({"enricher": enricher}))).await;
    assert_eq!(error["details"]["argument"], "enricher.configuration.api_key", "{error}");
    assert_eq!(written(&stub).await, Vec::<Value>::new());
    // Other properties may be empty, null drops a secret, and `replace` and another connection keep none.
    for properties in [
        json!({"configuration": {"path": "", "limit": 5}}),
        json!({"configuration": {"path": "/v2", "password": null, "headers": null}}),
        json!({"configuration": {"path": "/v2", "password": ""}, "connection_id": CONNECTION, "name": "V", "replace": true}),
        json!({"configuration": {"path": "/v2", "password": ""}, "connection_id": UNKNOWN_ID}),
    ] {
        session.call("update_model", update(properties)).await;
    }
    assert_eq!(written(&stub).await.len(), 4);
}

#[tokio::test]
async fn blank_text_is_empty() {
    let stored = json!({
        "id": UNKNOWN_ID, "name": "Users", "version": 1, "connection_id": CONNECTION, "configuration": {"table": "t"},
        "fields": [{"name": "id"}], "identifier": "id", "labels": ["a"], "policies": [CONNECTION],
        "organization_id": CONNECTION, "tracking_columns": ["id"],
    });
    let stub = api(stored.to_string()).await;
    let mut session = session(&stub).await;
    for (name, value) in [
        ("identifier", json!(" ")),
        ("name", json!("\t")),
        ("fields", json!([" "])),
        ("labels", json!([" ", ""])),
        ("policies", json!(["\u{a0}"])),
        ("tracking_columns", json!([" "])),
        ("organization_id", json!("  ")),
    ] {
        let properties = Map::from_iter([(name.to_owned(), value.clone())]);
        let error = session.call_err("update_model", update(properties.into())).await;
        assert_eq!(error["code"], "invalid_argument", "{name}: {value}: {error}");
    }
    assert_eq!(written(&stub).await, Vec::<Value>::new());
    session.call("get_model", json!({"model_id": UNKNOWN_ID, "detail": " "})).await;
    stub.json("GET", "/api/models", 200, json!({"data": [stored]})).await;
    session.call("list_models", json!({"cursor": " ", "name_contains": " "})).await;
}

#[tokio::test]
async fn every_form_of_a_mask_is_refused_for_a_secret() {
    let stored = json!({"path": "/v1", "password": SECRET, "headers": [{"name": "Authorization", "value": SECRET}]});
    let stub = api(model(&stored).to_string()).await;
    let mut session = session(&stub).await;
    for mask in [
        ".....",
        "••",
        "***",
        "Bearer ***",
        "sk-****",
        "****1234",
        "•••• 1234",
        "***...",
        "＊＊＊＊",
        "········",
        "…",
        "[redacted]",
        "Basic ••••",
    ] {
        let headers = json!([{"name": "Authorization", "value": mask}]);
        for configuration in [json!({"password": mask}), json!({"headers": headers})] {
            let properties = json!({"configuration": configuration});
            let error = session.call_err("update_model", update(properties)).await;
            assert_eq!(error["code"], "invalid_argument", "{configuration}: {error}");
        }
    }
    let escaped =
        json!({"body": r#"{"password":"\u002a\u002a\u002a\u002a\u002a\u002a\u002a\u002a"}"#});
    let error = session.call_err("update_model", update(json!({"configuration": escaped}))).await;
    assert_eq!(error["details"]["argument"], "configuration.body", "{error}");
    assert_eq!(written(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_only_looks_like_a_mask_is_written() {
    for configuration in [
        json!({"delimiter": "***"}),
        json!({"separator": "••••", "pattern": "/data/**/*.csv"}),
        json!({"query_text": "/******** all ********/ select 1"}),
        json!({"text": "-- ********\nselect 1"}),
        json!({"password": "a*b**c", "glob": "**"}),
    ] {
        let stub = api(model(&configuration).to_string()).await;
        let mut session = session(&stub).await;
        session.call("update_model", update(json!({"name": "V"}))).await;
        assert_eq!(written(&stub).await[0]["configuration"], configuration);
        let mut changed = configuration.clone();
        changed["limit"] = json!(5);
        session.call("update_model", update(json!({"configuration": changed}))).await;
        assert_eq!(written(&stub).await[1]["configuration"], changed);
    }
}
