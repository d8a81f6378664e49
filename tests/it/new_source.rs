//! `update_model` with another source: which fields the model has then, and what the result says about them.

use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, job, job_path};

/// Creates a model in the sandbox; returns its id.
async fn create(session: &mut Session, configuration: Value, more: Value) -> String {
    let mut definition = more;
    definition["connection_id"] = json!(CONNECTION);
    definition["name"] = json!("Users");
    definition["configuration"] = configuration;
    let created = session.call("create_model", definition).await;
    created["model"]["id"].as_str().unwrap().to_owned()
}

fn names(fields: &Value) -> Vec<&str> {
    fields.as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect()
}

/// What a result says about the fields.
fn field_changes(result: &Value) -> Value {
    let mut changes = result.as_object().unwrap().clone();
    changes.retain(|name, _| ["fields_added", "fields_removed", "not_exposed"].contains(&&**name));
    changes.into()
}

/// Names of the changed properties.
fn changed_properties(result: &Value) -> Vec<&str> {
    let changed = result["changed"].as_array().unwrap();
    changed.iter().map(|change| change["property"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_fields_follow_a_new_source_as_the_model_exposes_them() {
    let query = |columns: &str| json!({"query": format!("SELECT {columns} FROM users")});
    let score = json!([{"name": "score", "label": "Score", "type": "number"}]);
    for (label, before, more, after, patch, expected_fields, expected) in [
        (
            "a model that exposes everything, pointed at another table",
            json!({"table": "public.users"}),
            json!({}),
            json!({"table": "public.orders"}),
            json!({}),
            vec![
                "id",
                "user_id",
                "status",
                "total",
                "currency",
                "items",
                "ordered_at",
                "updated_at",
            ],
            json!({
                "fields_added": ["user_id", "status", "total", "currency", "items", "ordered_at"],
                "fields_removed": [
                    "email", "name", "age", "is_active", "plan", "country", "signup_date",
                    "last_login_at", "balance", "company_id", "created_at",
                ],
                "not_exposed": [],
            }),
        ),
        (
            "a query that gains a column",
            query("id, name"),
            json!({}),
            query("id, name, email"),
            json!({}),
            vec!["id", "name", "email"],
            json!({"fields_added": ["email"], "fields_removed": [], "not_exposed": []}),
        ),
        (
            "a query that loses a column",
            query("id, name, email"),
            json!({}),
            query("id, name"),
            json!({}),
            vec!["id", "name"],
            json!({"fields_added": [], "fields_removed": ["email"], "not_exposed": []}),
        ),
        (
            "a selection that is kept",
            json!({"table": "public.users"}),
            json!({"fields": ["id", "email"]}),
            query("id, email, age"),
            json!({}),
            vec!["id", "email"],
            json!({"fields_added": [], "fields_removed": [], "not_exposed": ["age"]}),
        ),
        (
            "added fields that stay",
            query("id, name"),
            json!({"additional_fields": score}),
            query("id, name, email"),
            json!({}),
            vec!["id", "name", "email", "score"],
            json!({"fields_added": ["email"], "fields_removed": [], "not_exposed": []}),
        ),
        (
            "an added field in place of a column",
            query("id, name"),
            json!({"additional_fields": [{"name": "name", "label": "N", "type": "string"}]}),
            query("id, name, email"),
            json!({}),
            vec!["id", "email", "name"],
            json!({"fields_added": ["email"], "fields_removed": [], "not_exposed": []}),
        ),
        (
            "fields that are passed",
            query("id, name"),
            json!({}),
            query("id, name, email"),
            json!({"fields": ["id", "email"]}),
            vec!["id", "email"],
            json!({"fields_added": ["email"], "fields_removed": ["name"], "not_exposed": ["name"]}),
        ),
        (
            "a selection that is cleared",
            json!({"table": "public.users"}),
            json!({"fields": ["id", "email"]}),
            query("id, email, age"),
            json!({"clear": ["fields"]}),
            vec!["id", "email", "age"],
            json!({"fields_added": ["age"], "fields_removed": [], "not_exposed": []}),
        ),
        (
            "a replacement",
            json!({"table": "public.users"}),
            json!({"fields": ["id", "email"]}),
            query("id, email, age"),
            json!({"replace": true, "name": "Users", "connection_id": CONNECTION}),
            vec!["id", "email", "age"],
            json!({"fields_added": ["age"], "fields_removed": [], "not_exposed": []}),
        ),
    ] {
        let mut session = Session::sandbox().await;
        let id = create(&mut session, before, more).await;
        let stored = session.call("get_model", json!({"model_id": id})).await;
        let mut arguments = patch.clone();
        arguments["model_id"] = json!(id);
        arguments["configuration"] = after;
        arguments["dry_run"] = json!(true);
        let dry_run = session.call("update_model", arguments.clone()).await;
        assert_eq!(field_changes(&dry_run), expected, "{label}, dry run: {dry_run}");
        assert_eq!(session.call("get_model", json!({"model_id": id})).await, stored, "{label}");
        arguments["dry_run"] = json!(false);
        let updated = session.call("update_model", arguments).await;
        assert_eq!(field_changes(&updated), expected, "{label}: {updated}");
        assert_eq!(names(&updated["model"]["fields"]), expected_fields, "{label}");
        assert_eq!(dry_run["changed"], updated["changed"], "{label}");
        assert_eq!(updated.get("notice"), None, "{label}: {updated}");
        if patch == json!({}) {
            assert_eq!(changed_properties(&updated), ["configuration"], "{label}");
        }
        let after = session.call("get_model", json!({"model_id": id})).await;
        assert_eq!(after["model"], updated["model"], "{label}");
    }
}

#[tokio::test]
async fn only_a_change_of_source_and_a_refresh_report_about_fields() {
    let mut session = Session::sandbox().await;
    let selection = json!({"fields": ["id", "email"]});
    let id = create(&mut session, json!({"query": "SELECT id, email, age FROM users"}), selection);
    let id = id.await;
    let renamed = session.call("update_model", json!({"model_id": id, "name": "People"})).await;
    assert_eq!(field_changes(&renamed), json!({}), "{renamed}");
    let refreshed = session.call("update_model", json!({"model_id": id, "refresh": true})).await;
    let expected = json!({"fields_added": [], "fields_removed": [], "not_exposed": ["age"]});
    assert_eq!(field_changes(&refreshed), expected, "{refreshed}");
}

#[tokio::test]
async fn columns_that_the_new_source_lacks_are_named_with_the_argument_to_pass() {
    let mut session = Session::sandbox().await;
    let more = json!({
        "identifier": "email", "tracking_columns": ["updated_at", "created_at"],
        "fields": ["id", "email", "updated_at"],
    });
    let id = create(&mut session, json!({"table": "public.users"}), more).await;
    let stored = session.call("get_model", json!({"model_id": id})).await;
    let orders = json!({"table": "public.orders"});
    for (label, patch, missing) in [
        (
            "nothing else is passed",
            json!({}),
            json!({"fields": ["email"], "identifier": ["email"], "tracking_columns": ["created_at"]}),
        ),
        (
            "fields are passed",
            json!({"fields": ["id", "total"]}),
            json!({"identifier": ["email"], "tracking_columns": ["created_at"]}),
        ),
        (
            "fields and tracking columns are cleared",
            json!({"clear": ["fields", "tracking_columns"]}),
            json!({"identifier": ["email"]}),
        ),
    ] {
        for (dry_run, in_background) in [(true, false), (false, false), (false, true)] {
            let mut arguments = patch.clone();
            arguments["model_id"] = json!(id);
            arguments["configuration"] = orders.clone();
            arguments["dry_run"] = json!(dry_run);
            arguments["async"] = json!(in_background);
            let error = session.call_err("update_model", arguments).await;
            assert_eq!(
                (&error["code"], &error["outcome"]),
                (&json!("invalid_argument"), &json!("not_sent")),
                "{label}: {error}"
            );
            assert_eq!(error["details"]["missing"], missing, "{label}: {error}");
            let columns = error["details"]["columns"].as_array().unwrap();
            assert!(columns.contains(&json!("total")), "{label}: {error}");
            for property in missing.as_object().unwrap().keys() {
                let hint = error["hint"].as_str().unwrap();
                assert!(hint.contains(&format!("`{property}`")), "{label}: {error}");
            }
            let text = format!("{}{}", error["message"], error["hint"]);
            assert!(!text.contains("created_at"), "text from outside, {label}: {error}");
        }
    }
    assert_eq!(session.call("get_model", json!({"model_id": id})).await, stored);
    let complete = json!({
        "model_id": id, "configuration": orders, "identifier": "id",
        "clear": ["fields", "tracking_columns"],
    });
    let updated = session.call("update_model", complete).await;
    assert_eq!(updated["model"]["identifier"], "id", "{updated}");
}

#[tokio::test]
async fn a_new_source_that_the_api_rejects_changes_nothing() {
    let mut session = Session::sandbox().await;
    let id = create(&mut session, json!({"table": "public.users"}), json!({})).await;
    let stored = session.call("get_model", json!({"model_id": id})).await;
    let mut arguments = json!({"model_id": id, "configuration": {"query": "SELECT nothing FROM"}});
    let error = session.call_err("update_model", arguments.clone()).await;
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!("invalid_argument"), &json!("refused"))
    );
    assert!(error["details"]["message"].is_string(), "{error}");
    arguments["dry_run"] = json!(true);
    let dry_run = session.call("update_model", arguments).await;
    let notice = dry_run["notice"].as_str().unwrap();
    assert!(notice.contains("preview_model"), "{dry_run}");
    assert_eq!(dry_run.get("not_exposed"), None, "{dry_run}");
    assert_eq!(session.call("get_model", json!({"model_id": id})).await, stored);
}

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

#[tokio::test]
async fn a_dry_run_refuses_the_names_that_the_write_would_refuse() {
    let mut session = Session::sandbox().await;
    let id = create(&mut session, json!({"table": "public.users"}), json!({})).await;
    for (label, patch, missing) in [
        ("fields", json!({"fields": ["id", "nope"]}), json!({"fields": ["nope"]})),
        ("the identifier", json!({"identifier": "nope"}), json!({"identifier": ["nope"]})),
        (
            "tracking columns",
            json!({"tracking_columns": ["nope"]}),
            json!({"tracking_columns": ["nope"]}),
        ),
        ("none", json!({"fields": ["id"], "identifier": "id"}), Value::Null),
    ] {
        let mut arguments = patch;
        arguments["model_id"] = json!(id);
        arguments["configuration"] = json!({"table": "public.companies"});
        arguments["dry_run"] = json!(true);
        if missing.is_null() {
            session.call("update_model", arguments).await;
            continue;
        }
        let error = session.call_err("update_model", arguments.clone()).await;
        assert_eq!(error["details"]["missing"], missing, "{label}: {error}");
        arguments["dry_run"] = json!(false);
        let error = session.call_err("update_model", arguments).await;
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!("invalid_argument"), &json!("refused")),
            "{label}: {error}"
        );
        let property = missing.as_object().unwrap().keys().next().unwrap();
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("pass `{property}`, or")), "{label}: {error}");
    }
}

#[tokio::test]
async fn the_hint_after_a_refused_source_is_about_the_source() {
    let mut session = Session::sandbox().await;
    let more = json!({"fields": ["id", "email"], "identifier": "id"});
    let id = create(&mut session, json!({"table": "public.users"}), more).await;
    for in_background in [false, true] {
        let arguments = json!({
            "model_id": id, "configuration": {"table": "public.nope"}, "async": in_background,
        });
        let error = session.call_err("update_model", arguments).await;
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("correct `configuration`"), "{error}");
        assert!(!hint.contains("identifier"), "{error}");
    }
}
