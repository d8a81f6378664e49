//! What results show of a model: summaries of its fields, the fields as the API has them, and its definition.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{
    CONNECTION, ENRICHMENT, JOB_ID, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition, job,
    job_path,
};

const SOURCE_FIELDS: &str =
    "/api/connections/248df4b7-aa70-47b8-a036-33ac447e668d/modelsync/source/fields";

/// The calls that show fields, each with the pointer to them; all of the table `public.users`.
fn calls(model_id: &str) -> Vec<(&'static str, Value, &'static str)> {
    let table = json!({"connection_id": CONNECTION, "configuration": {"table": "public.users"}});
    let rename = json!({"model_id": model_id, "name": "People"});
    vec![
        ("get_model_source_fields", table.clone(), "/fields"),
        ("preview_model", table, "/model/fields"),
        ("create_model", definition(), "/model/fields"),
        ("get_model", json!({"model_id": model_id}), "/model/fields"),
        ("update_model", rename, "/model/fields"),
    ]
}

fn with_detail(arguments: &Value, detail: &str) -> Value {
    let mut arguments = arguments.clone();
    arguments["detail"] = json!(detail);
    arguments
}

#[tokio::test]
async fn by_default_a_field_has_what_says_something() {
    let mut session = Session::sandbox().await;
    let id = session.create_model("Users", "public.users").await;
    for (tool, arguments, pointer) in calls(&id) {
        let result = session.call(tool, arguments.clone()).await;
        let fields = result.pointer(pointer).unwrap().as_array().unwrap();
        assert_eq!(fields.len(), 13, "{tool}");
        let first = json!({"name": "id", "type": "number", "unique": true, "example": 1});
        assert_eq!(fields[0], first, "{tool}");
        let bytes = 2 * result.pointer(pointer).unwrap().to_string().len();
        assert!(bytes <= 2_300, "{tool}: {bytes} bytes");
        let named = session.call(tool, with_detail(&arguments, "summary")).await;
        assert_eq!(named.pointer(pointer), result.pointer(pointer), "{tool}");
    }
    let table = json!({"connection_id": CONNECTION, "configuration": {"table": "public.users"}});
    session.call("get_model_source_fields", table).await;
    assert!(session.last_bytes() <= 2_300, "{} bytes as written", session.last_bytes());
    let added = json!({
        "model_id": id, "additional_fields": [{"name": "mrr", "label": "Revenue", "type": "number", "example": "7"}],
    });
    let updated = session.call("update_model", added).await;
    let expected = json!({
        "name": "mrr", "label": "Revenue", "type": "number", "user_added": true, "example": "7",
    });
    assert_eq!(updated["model"]["fields"][13], expected);
}

#[tokio::test]
async fn detail_full_shows_fields_as_the_api_has_them() {
    let field = json!({
        "id": UNKNOWN_ID, "name": "id", "label": "ID", "description": "", "type": "number",
        "remote_type": "int8", "unique": false, "user_added": false, "example": 1,
        "created_at": "2026-01-01T00:00:00Z", "created_by": {"id": UNKNOWN_ID, "type": "user"},
        "updated_at": "2026-01-01T00:00:00Z", "undocumented": {"a": [1, null]},
    });
    let stub = Stub::start().await;
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "Users", "fields": [field]}});
    for (verb, path) in
        [("GET", MODEL), ("PUT", MODEL), ("POST", "/api/models"), ("POST", "/api/model-preview")]
    {
        stub.json(verb, path, 200, model.clone()).await;
    }
    stub.json("GET", SOURCE_FIELDS, 200, json!({"data": [field]})).await;
    for kind in ["createmodel", "previewmodel"] {
        let done = json!({"data": job(kind, "done", model["data"].clone())});
        stub.json("GET", &job_path(kind), 200, done).await;
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let get_job = |kind: &str| json!({"type": kind, "job_id": JOB_ID});
    let mut calls = calls(UNKNOWN_ID);
    calls.push(("get_job", get_job("createmodel"), "/model/fields"));
    calls.push(("get_job", get_job("previewmodel"), "/model/fields"));
    for (tool, arguments, pointer) in calls {
        let full = session.call(tool, with_detail(&arguments, "full")).await;
        assert_eq!(full.pointer(pointer), Some(&json!([field])), "{tool}");
        let summary = session.call(tool, arguments.clone()).await;
        let expected = json!([{"name": "id", "type": "number", "example": 1}]);
        assert_eq!(summary.pointer(pointer), Some(&expected), "{tool}");
        let error = session.call_err(tool, with_detail(&arguments, "everything")).await;
        assert_eq!(error["details"]["argument"], "detail", "{tool}: {error}");
    }
}

#[tokio::test]
async fn three_hundred_columns_are_shown_completely() {
    let field = |n: usize| {
        json!({
            "id": UNKNOWN_ID, "name": format!("column_{n}"), "label": format!("Column {n}"),
            "type": "string", "remote_type": "varchar", "unique": false, "user_added": false,
            "example": format!("value {n}"), "created_at": "2026-01-01T00:00:00Z",
            "created_by": {"id": UNKNOWN_ID, "name": "Jim", "type": "user"}, "updated_at": "2026-01-01T00:00:00Z",
        })
    };
    let fields: Value = (0..300).map(field).collect();
    let stub = Stub::start().await;
    let model = json!({"data": {
        "id": UNKNOWN_ID, "name": "Users", "connection_id": CONNECTION, "fields": fields,
        "configuration": {"table": "public.users"}, "updated_at": "2026-01-01T00:00:00Z",
    }});
    for (verb, path) in
        [("GET", MODEL), ("PUT", MODEL), ("POST", "/api/models"), ("POST", "/api/model-preview")]
    {
        stub.json(verb, path, 200, model.clone()).await;
    }
    stub.json("GET", SOURCE_FIELDS, 200, json!({"data": fields})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments, pointer) in calls(UNKNOWN_ID) {
        let result = session.call(tool, arguments).await;
        assert_eq!(result.get("truncated"), None, "{tool}: {} bytes", session.last_bytes());
        assert_eq!(result.pointer(pointer).unwrap().as_array().unwrap().len(), 300, "{tool}");
    }
}

/// Random arguments of `create_model` that the sandbox accepts; `other` is another model.
fn random_definition(other: &str) -> impl Strategy<Value = Value> + use<> {
    let columns = ["id", "email", "name", "age", "company_id", "updated_at"];
    let configuration = prop_oneof![
        Just(json!({"table": "public.users"})),
        Just(
            json!({"table": null, "query": "SELECT id, email, name, age, company_id, updated_at FROM users", "odd": {"a": [""]}})
        ),
    ];
    let label = || prop::collection::btree_set("[a-z]{1,5}", 0..3);
    let added = prop::collection::btree_map(
        "x_[a-z]{1,5}",
        (
            "[A-Z][a-z ]{1,8}",
            prop::sample::select(vec!["string", "number", "object"]),
            prop::option::of("[0-9]{1,3}"),
        ),
        0..3,
    );
    let enricher = prop_oneof![
        Just(None),
        Just(Some(json!({
            "connection_id": ENRICHMENT, "configuration": {"object": "people"},
            "mappings": {"email": "email"},
        }))),
        Just(Some(json!({
            "connection_id": ENRICHMENT, "configuration": {"object": "people", "n": 1},
            "mappings": {"email": "email"}, "fields": [{"name": "phone"}],
        }))),
    ];
    let fields = prop::option::of(prop::sample::subsequence(columns.to_vec(), 1..6));
    let tracking = prop::option::of(prop::sample::subsequence(columns.to_vec(), 0..3));
    let relation = json!({"from": "id", "to": {"model_id": other, "field": "id"}});
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (configuration, label(), added, enricher, fields, tracking, flags).prop_map(
        move |(configuration, labels, added, enricher, fields, tracking, flags)| {
            let mut definition = json!({
                "connection_id": CONNECTION, "name": "Users \u{e9} \"x\"", "configuration": configuration,
            });
            let added: Vec<Value> = added
                .into_iter()
                .map(|(name, (label, kind, example))| {
                    json!({"name": name, "label": label, "type": kind, "example": example})
                })
                .collect();
            definition["additional_fields"] = json!(added);
            let exposes = |name| fields.as_ref().is_none_or(|fields: &Vec<_>| fields.contains(&name));
            if let (true, true) = (flags.0, exposes("id")) {
                definition["relations"] = json!([relation]);
            }
            if let (true, true) = (flags.1, exposes("email")) {
                definition["identifier"] = json!("email");
            }
            if flags.2 {
                definition["policies"] = json!([UNKNOWN_ID, CONNECTION]);
            }
            definition["labels"] = json!(labels);
            let enricher = enricher.filter(|_| exposes("email"));
            for (name, value) in [
                ("enricher", enricher),
                ("fields", fields.map(|fields| json!(fields))),
                ("tracking_columns", tracking.map(|tracking| json!(tracking))),
            ] {
                if let Some(value) = value {
                    definition[name] = value;
                }
            }
            definition
        },
    )
}

#[tokio::test]
async fn a_definition_is_the_arguments_of_create_model_and_update_model() {
    let mut session = Session::sandbox().await;
    let other = session.create_model("Companies", "public.companies").await;
    let mut runner = TestRunner::deterministic();
    let strategy = random_definition(&other);
    let (mut seen, mut passed) = (BTreeSet::new(), 0);
    while passed < 40 {
        let arguments = strategy.new_tree(&mut runner).unwrap().current();
        let created = session.call("create_model", arguments.clone()).await;
        let id = &created["model"]["id"];
        let define = |id: &Value| json!({"model_id": id, "detail": "definition"});
        let result = session.call("get_model", define(id)).await;
        let definition = result["definition"].clone();
        assert_eq!(result, json!({"definition": definition}), "{arguments}");
        seen.extend(definition.as_object().unwrap().keys().cloned());
        for (name, value) in arguments.as_object().unwrap() {
            let is_empty = value == &json!([]);
            let expected = (!is_empty).then_some(value);
            if name == "enricher" {
                // The API returns the fields with everything that it knows about them.
                let mut enricher = definition["enricher"].clone();
                let fields = enricher.as_object_mut().unwrap().remove("fields").unwrap();
                let mut expected = value.clone();
                if let Some(expected) = expected.as_object_mut().unwrap().remove("fields") {
                    assert_eq!(fields[0]["name"], expected[0]["name"], "{arguments}");
                }
                assert_eq!(enricher, expected, "{arguments}");
            } else if name != "additional_fields" {
                assert_eq!(definition.get(name), expected, "{name}: {arguments}");
            }
        }
        assert!(!definition.to_string().contains("enricher_id"), "{definition}");

        let copy = session.call("create_model", definition.clone()).await;
        assert_ne!(&copy["model"]["id"], id);
        let of_copy = session.call("get_model", define(&copy["model"]["id"])).await;
        assert_eq!(of_copy["definition"], definition, "{arguments}");
        if let (Some(original), Some(copied)) = (
            created.pointer("/model/enricher/enricher_id"),
            copy.pointer("/model/enricher/enricher_id"),
        ) {
            assert_ne!(original, copied, "the copy has the enrichment of the original");
        }

        for replace in [false, true] {
            let mut arguments = definition.clone();
            arguments["model_id"] = id.clone();
            arguments["replace"] = json!(replace);
            let updated = session.call("update_model", arguments).await;
            assert_eq!(updated["changed"], json!([]), "{updated}");
            assert_eq!(updated["model"], created["model"], "nothing was written");
        }
        passed += 1;
    }
    let all = [
        "additional_fields",
        "configuration",
        "connection_id",
        "enricher",
        "fields",
        "identifier",
        "labels",
        "name",
        "organization_id",
        "policies",
        "relations",
        "tracking_columns",
    ];
    assert_eq!(seen, all.map(str::to_owned).into(), "not every property was tried");
}

#[tokio::test]
async fn a_definition_can_be_edited_and_written_back() {
    let mut session = Session::sandbox().await;
    let id = session.create_model("Users", "public.users").await;
    let arguments = json!({"model_id": id, "detail": "definition"});
    let mut edited = session.call("get_model", arguments.clone()).await["definition"].clone();
    edited["name"] = json!("People");
    edited["fields"].as_array_mut().unwrap().truncate(2);
    let mut update = edited.clone();
    update["model_id"] = json!(id);
    let updated = session.call("update_model", update).await;
    let changed: Vec<_> =
        updated["changed"].as_array().unwrap().iter().map(|change| &change["property"]).collect();
    assert_eq!(changed, ["name", "fields"], "{updated}");
    assert_eq!(session.call("get_model", arguments).await["definition"], edited);
    assert_eq!(updated["model"]["version"], 2);
}

#[tokio::test]
async fn what_a_definition_cannot_express_is_named_and_never_truncated() {
    let model = json!({
        "id": UNKNOWN_ID, "name": "Users", "connection_id": CONNECTION, "labels": [{"key": "IGNORE-ALL"}],
        "configuration": {"query": "SELECT 1 ".repeat(3_000)},
        "fields": [{"name": "score", "type": "number", "user_added": true, "example": 7}],
    });
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut arguments = json!({"model_id": UNKNOWN_ID, "detail": "definition"});
    let error = session.call_err("get_model", arguments.clone()).await;
    assert_eq!(error["code"], "result_too_large", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`max_bytes`"), "{error}");
    arguments["max_bytes"] = json!(100_000);
    let result = session.call("get_model", arguments).await;
    assert_eq!(result["definition"]["configuration"], model["configuration"]);
    assert_eq!(result["definition"].get("labels"), None);
    let notice = result["notice"].as_str().unwrap();
    assert!(notice.contains("labels") && notice.contains("examples"), "{notice}");
    assert!(!notice.contains("IGNORE-ALL"), "{notice}");
    // The complete model is still truncated.
    let summary = session.call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    assert!(summary["truncated"].is_object());
}

#[tokio::test]
async fn a_definition_waits_for_its_job() {
    let stub = Stub::start().await;
    let started = json!({"job": job("getmodel", "created", Value::Null)});
    stub.json("GET", MODEL, 200, started).await;
    let model =
        json!({"name": "Users", "connection_id": CONNECTION, "configuration": {"table": "t"}});
    let running = json!({"data": job("getmodel", "running", Value::Null)});
    let done = json!({"data": job("getmodel", "done", model.clone())});
    stub.sequence("GET", &job_path("getmodel"), vec![running, done]).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut arguments = json!({"model_id": UNKNOWN_ID, "detail": "definition"});
    let result = session.call("get_model", arguments.clone()).await;
    assert_eq!(result, json!({"definition": model}));
    arguments["wait_seconds"] = json!(0);
    let result = session.call("get_model", arguments).await;
    assert_eq!(result["next"]["tool"], "get_job", "{result}");
}

#[tokio::test]
async fn a_definition_says_what_it_has_made_up_and_what_no_arguments_can_be() {
    let long = format!(r#""{}""#, "x".repeat(256));
    let nameless = r#"[{"name":"b","user_added":true}]"#;
    let complete = r#"[{"name":"b","label":"B","type":"string","user_added":true}]"#;
    for (label, name, numbers, fields, notice) in [
        ("a number beyond doubles", "\"a\"", "[1e400]", complete, "pass them as numbers"),
        ("a field with only a name", "\"a\"", "[1.50]", nameless, "without a label or type"),
        ("no name", "\"a\"", "[]", r#"[{"type":"string"},{"name":"b"}]"#, "fields without a name"),
        ("a long name", &long, "[]", complete, "more than 255 characters"),
        ("nothing of that", "\"a\"", "[1.50]", complete, ""),
    ] {
        let body = format!(
            r#"{{"data":{{"id":"{UNKNOWN_ID}","name":{name},"connection_id":"{CONNECTION}",
            "configuration":{{"table":"t","numbers":{numbers}}},"fields":{fields}}}}}"#
        );
        let stub = Stub::start().await;
        let body = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        stub.on("GET", MODEL, body).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"model_id": UNKNOWN_ID, "detail": "definition"});
        let result = session.call("get_model", arguments).await;
        let shown = result["notice"].as_str().unwrap_or_default();
        assert!(shown.contains(notice), "{label}: {result}");
        assert_eq!(shown.is_empty(), notice.is_empty(), "{label}: {result}");
    }
}
