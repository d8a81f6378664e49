//! Previews show which fields a model exposes; each response that they may get, and what is written after it.

use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use super::{changed_properties, field_changes};
use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, job, job_path};

/// A model whose stored source has `fields`; the API takes every update.
async fn stub_with(fields: Value) -> Stub {
    let stub = Stub::start().await;
    let model = json!({
        "id": UNKNOWN_ID, "name": "Users", "version": 3, "connection_id": CONNECTION,
        "configuration": {"query": "stored"}, "fields": fields,
    });
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    stub.json("PUT", MODEL, 200, json!({"data": {"id": UNKNOWN_ID, "name": "Users"}})).await;
    stub
}

/// Responds to previews of the stored source and of any other one.
async fn preview(stub: &Stub, stored: ResponseTemplate, new: ResponseTemplate) {
    let respond = move |request: &Request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let is_stored = body["configuration"] == json!({"query": "stored"});
        if is_stored { stored.clone() } else { new.clone() }
    };
    stub.respond("POST", "/api/model-preview", respond).await;
}

fn fields(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "type": "string"})).collect()
}

fn ok(names: &[&str]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"data": {"fields": fields(names)}}))
}

fn rejected(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_json(json!({"key": "k", "message": "no such column: emial"}))
}

/// An error that the API did not write.
fn without_key(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"message": "blocked"}))
}

async fn put_bodies(stub: &Stub) -> Vec<Value> {
    let requests = stub.requests().await;
    let puts = requests.iter().filter(|request| request.method == "PUT");
    puts.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

fn repair() -> Value {
    json!({"model_id": UNKNOWN_ID, "configuration": {"query": "repaired"}})
}

#[tokio::test]
async fn a_broken_source_is_repaired_as_if_the_model_exposed_everything() {
    for (label, stored, status) in [
        ("every stored name is in the new source", fields(&["id", "name"]), 400),
        ("a status of another kind of rejection", fields(&["id", "name"]), 422),
        ("the connection is gone", fields(&["id", "name"]), 404),
        ("no stored names", json!([]), 400),
        ("no list of stored names", json!(null), 400),
    ] {
        let stub = stub_with(stored).await;
        preview(&stub, rejected(status), ok(&["id", "name", "email"])).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        for dry_run in [true, false] {
            let mut arguments = repair();
            arguments["dry_run"] = json!(dry_run);
            let result = session.call("update_model", arguments).await;
            let notice = result["notice"].as_str().unwrap_or_default();
            assert!(notice.contains("assumed"), "{label}: {result}");
            assert_eq!(result["not_exposed"], json!([]), "{label}: {result}");
            let added = result["fields_added"].as_array().unwrap();
            assert!(added.contains(&json!("email")), "{label}: {result}");
            assert_eq!(changed_properties(&result), ["configuration"], "{label}");
        }
        let expected = json!({
            "connection_id": CONNECTION, "name": "Users", "configuration": {"query": "repaired"},
        });
        assert_eq!(put_bodies(&stub).await, [expected], "{label}");
    }
}

#[tokio::test]
async fn a_broken_source_whose_names_the_new_one_lacks_needs_fields() {
    let stub = stub_with(fields(&["id", "emial"])).await;
    preview(&stub, rejected(400), ok(&["id", "email"])).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("update_model", repair()).await;
    assert_eq!(error["details"]["missing"], json!({"fields": ["emial"]}), "{error}");
    assert_eq!(put_bodies(&stub).await, Vec::<Value>::new());
    let mut arguments = repair();
    arguments["clear"] = json!(["fields"]);
    let updated = session.call("update_model", arguments).await;
    let expected =
        json!({"fields_added": ["email"], "fields_removed": ["emial"], "not_exposed": []});
    assert_eq!(field_changes(&updated), expected, "{updated}");
}

#[tokio::test]
async fn without_any_preview_the_stored_names_are_kept_and_the_result_says_so() {
    let stub = stub_with(fields(&["id", "name"])).await;
    preview(&stub, rejected(400), rejected(400)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let updated = session.call("update_model", repair()).await;
    assert!(updated["notice"].as_str().unwrap().contains("kept"), "{updated}");
    assert_eq!(put_bodies(&stub).await[0]["fields"], json!(["id", "name"]));
}

#[tokio::test]
async fn nothing_is_changed_if_a_preview_fails_without_a_definite_response() {
    let gateway = |status| ResponseTemplate::new(status).set_body_string("<html>");
    let glitches = [
        ("bad gateway", gateway(502).insert_header("retry-after", "600"), "upstream_unavailable"),
        ("unavailable", gateway(503), "upstream_unavailable"),
        ("timeout", gateway(504).insert_header("retry-after", "600"), "upstream_unavailable"),
        ("unauthorized", rejected(401), "unauthorized"),
        ("forbidden", rejected(403), "forbidden"),
        ("rate limit", rejected(429), "rate_limited"),
        ("failure", rejected(500), "upstream_error"),
        ("not the API", gateway(200), "upstream_error"),
        ("a gateway's rejection", gateway(400), "upstream_error"),
        ("a gateway's 404", gateway(404), "upstream_error"),
        ("a gateway's 422 as JSON", without_key(422), "invalid_argument"),
    ];
    for (label, glitch, code) in glitches {
        for (stored, new) in
            [(glitch.clone(), ok(&["id", "name"])), (ok(&["id", "name"]), glitch.clone())]
        {
            let stub = stub_with(fields(&["id", "name"])).await;
            preview(&stub, stored, new.clone()).await;
            let mut session = Session::open(&Launch::against(&stub.url())).await;
            let error = session.call_err("update_model", repair()).await;
            assert_eq!(
                (&error["code"], &error["outcome"]),
                (&json!(code), &json!("not_sent")),
                "{label}: {error}"
            );
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("nothing was changed"), "{label}: {error}");
            assert!(error["hint"].as_str().unwrap().contains("`fields`"), "{label}: {error}");
            assert_eq!(put_bodies(&stub).await, Vec::<Value>::new(), "{label}");

            // What is written then does not depend on a preview.
            let mut arguments = repair();
            arguments["fields"] = json!(["id"]);
            let updated = session.call("update_model", arguments).await;
            let is_known = updated["not_exposed"] == json!(["name"]);
            assert_ne!(is_known, updated["notice"].is_string(), "{label}: {updated}");
            assert_eq!(put_bodies(&stub).await[0]["fields"], json!(["id"]), "{label}");
        }
    }
}

#[tokio::test]
async fn the_jobs_of_previews_are_waited_for() {
    let done = |kind: &str, result: Value| json!({"data": job(kind, "done", result)});
    for (label, result, fields) in [
        ("a list of fields", done("previewmodel", fields(&["id", "name"])), None),
        ("a model", done("previewmodel", json!({"fields": fields(&["id", "name"])})), None),
        (
            "a failed job is a rejection",
            json!({"data": job("previewmodel", "failed", Value::Null)}),
            Some(json!(["id", "name"])),
        ),
    ] {
        let stub = stub_with(self::fields(&["id", "name"])).await;
        let started = json!({"job": job("previewmodel", "created", Value::Null)});
        stub.json("POST", "/api/model-preview", 200, started).await;
        stub.json("GET", &job_path("previewmodel"), 200, result).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let updated = session.call("update_model", repair()).await;
        assert_eq!(updated["notice"].is_string(), fields.is_some(), "{label}: {updated}");
        assert_eq!(put_bodies(&stub).await[0].get("fields"), fields.as_ref(), "{label}");
    }
    // A job that is not done in time decides nothing.
    let stub = stub_with(fields(&["id", "name"])).await;
    let started = json!({"job": job("previewmodel", "created", Value::Null)});
    stub.json("POST", "/api/model-preview", 200, started).await;
    let running = json!({"data": job("previewmodel", "running", Value::Null)});
    stub.json("GET", &job_path("previewmodel"), 200, running).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut arguments = repair();
    arguments["wait_seconds"] = json!(0);
    let error = session.call_err("update_model", arguments).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("timeout"), &json!("not_sent")));
    assert!(error["message"].as_str().unwrap().contains("nothing was changed"), "{error}");
    assert_eq!(put_bodies(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_name_that_is_no_column_of_the_stored_source_either_is_left_to_the_api() {
    let stub = Stub::start().await;
    let model = json!({
        "id": UNKNOWN_ID, "name": "Users", "connection_id": CONNECTION, "identifier": "Account.Id",
        "configuration": {"query": "stored"}, "fields": fields(&["id"]),
    });
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    stub.json("PUT", MODEL, 200, json!({"data": model})).await;
    preview(&stub, ok(&["id"]), ok(&["id", "email"])).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    session.call("update_model", repair()).await;
    assert_eq!(put_bodies(&stub).await[0]["identifier"], "Account.Id");
}

#[tokio::test]
async fn a_preview_without_columns_exposes_nothing_new_and_is_not_called_a_rejection() {
    for (label, stored, new, notice) in [
        ("the stored source", ok(&[]), ok(&["id", "name", "ssn"]), "returned no columns"),
        ("both sources", ok(&[]), ok(&[]), "kept without a check"),
    ] {
        let stub = stub_with(fields(&["id", "name"])).await;
        preview(&stub, stored, new).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let updated = session.call("update_model", repair()).await;
        let shown = updated["notice"].as_str().unwrap();
        assert!(shown.contains(notice) && !shown.contains("rejected"), "{label}: {updated}");
        assert_eq!(put_bodies(&stub).await[0]["fields"], json!(["id", "name"]), "{label}");
    }
}

#[tokio::test]
async fn fields_of_an_enrichment_are_neither_removed_nor_added_by_a_new_source() {
    let with = |fields: Option<Value>| {
        let mut enricher =
            json!({"connection_id": CONNECTION, "enricher_id": UNKNOWN_ID, "mappings": {"a": "b"}});
        if let Some(fields) = fields {
            enricher["fields"] = fields;
        }
        enricher
    };
    let (listed, all) = (with(Some(json!([{"name": "phone"}]))), with(None));
    let added = json!({"fields_added": ["ssn"], "fields_removed": [], "not_exposed": []});
    let kept = json!({"fields_added": [], "fields_removed": [], "not_exposed": ["email", "ssn"]});
    let refresh = json!({"fields_added": ["ssn"], "fields_removed": [], "not_exposed": []});
    for (label, names, enricher, patch, expected) in [
        ("listed", vec!["id", "email", "phone"], &listed, json!({}), added.clone()),
        ("listed, but not by the model", vec!["id", "email"], &listed, json!({}), added.clone()),
        ("all that it has", vec!["id", "email", "phone"], &all, json!({}), added),
        ("a selection", vec!["id", "phone"], &listed, json!({}), kept.clone()),
        ("a selection, all that it has", vec!["id", "phone"], &all, json!({}), kept),
        (
            "a refresh",
            vec!["id", "email", "phone"],
            &all,
            json!({"refresh": true, "configuration": {"query": "stored"}, "clear": ["fields"]}),
            refresh,
        ),
        (
            "fields that are passed, while those of the enrichment are unknown",
            vec!["id", "email", "phone"],
            &all,
            json!({"fields": ["id"]}),
            json!({}),
        ),
    ] {
        let stub = Stub::start().await;
        let model = json!({
            "id": UNKNOWN_ID, "name": "Users", "version": 3, "connection_id": CONNECTION,
            "configuration": {"query": "stored"}, "fields": fields(&names), "enricher": enricher,
        });
        stub.json("GET", MODEL, 200, json!({"data": model})).await;
        let stored =
            if label == "a refresh" { ok(&["id", "email", "ssn"]) } else { ok(&["id", "email"]) };
        preview(&stub, stored, ok(&["id", "email", "ssn"])).await;
        let started = json!({"job": job("updatemodel", "created", Value::Null)});
        stub.json("PUT", MODEL, 200, started).await;
        let running = json!({"data": job("updatemodel", "running", Value::Null)});
        stub.json("GET", &job_path("updatemodel"), 200, running).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        for dry_run in [true, false] {
            let mut arguments = repair();
            arguments["dry_run"] = json!(dry_run);
            arguments["wait_seconds"] = json!(0);
            for (name, value) in patch.as_object().unwrap() {
                arguments[name] = value.clone();
            }
            let result = session.call("update_model", arguments).await;
            assert_eq!(field_changes(&result), expected, "{label}: {result}");
            assert_eq!(result["notice"].is_string(), expected == json!({}), "{label}: {result}");
        }
    }
}
