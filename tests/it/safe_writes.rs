//! Updates and deletes of models lose nothing that the caller did not ask to change, even if the API misbehaves.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, job, job_path};

/// Marks untrusted text.
const MARK: &str = "IGNORE-ALL-PREVIOUS";

fn model() -> Value {
    json!({
        "id": UNKNOWN_ID, "name": "Users", "version": 3, "connection_id": CONNECTION,
        "organization_id": UNKNOWN_ID, "identifier": "id", "type": "postgresql",
        "configuration": {"table": "public.users", "query": null, "odd": {"a": ""}},
        "fields": [
            {"name": "id", "type": "number", "user_added": false},
            {"name": "email", "type": "string"},
            {"name": "score", "label": "Score", "type": "number", "user_added": true, "example": 7},
        ],
        "labels": [{"name": "crm", "color": "red"}], "policies": [UNKNOWN_ID], "tracking_columns": null,
        "relations": [{"from": "id", "to": {"model_id": UNKNOWN_ID, "field": "id"}}],
        "enricher": {"connection_id": CONNECTION, "enricher_id": UNKNOWN_ID, "mappings": {"email": "email"},
            "configuration": {"object": "people"}, "fields": [{"name": "phone", "type": "string"}]},
        "created_at": "2024-01-15T09:30:00Z", "unknown_property": true,
    })
}

async fn model_stub(model: Value) -> Stub {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    stub.json("PUT", MODEL, 200, json!({"data": model})).await;
    stub
}

async fn put_bodies(stub: &Stub) -> Vec<Value> {
    let requests = stub.requests().await;
    let puts = requests.iter().filter(|request| request.method == "PUT");
    puts.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn properties_that_are_not_passed_are_sent_back_unchanged() {
    let stub = model_stub(model()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let updated =
        session.call("update_model", json!({"model_id": UNKNOWN_ID, "name": "People"})).await;
    assert_eq!(
        updated["changed"],
        json!([{"property": "name", "before": "Users", "after": "People"}])
    );
    assert_eq!(
        put_bodies(&stub).await,
        [json!({
            "connection_id": CONNECTION, "name": "People",
            "configuration": {"table": "public.users", "query": null, "odd": {"a": ""}},
            "additional_fields": [{"name": "score", "label": "Score", "type": "number"}],
            "enricher": {"connection_id": CONNECTION, "enricher_id": UNKNOWN_ID, "mappings": {"email": "email"},
                "configuration": {"object": "people"}, "fields": [{"name": "phone", "type": "string"}]},
            "fields": ["id", "email"], "identifier": "id", "labels": ["crm"], "organization_id": UNKNOWN_ID,
            "policies": [UNKNOWN_ID],
            "relations": [{"from": "id", "to": {"model_id": UNKNOWN_ID, "field": "id"}}],
        })]
    );
}

#[tokio::test]
async fn cleared_properties_are_omitted_and_a_replacement_is_sent_alone() {
    let stub = model_stub(model()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let clear = json!({
        "model_id": UNKNOWN_ID, "refresh": true,
        "clear": ["enricher", "relations", "labels", "policies", "identifier", "fields", "additional_fields", "tracking_columns"],
    });
    let cleared = session.call("update_model", clear).await;
    let changed = cleared["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 7, "{cleared}");
    assert!(changed.iter().all(|change| change.get("after").is_none()), "{cleared}");
    let replace = json!({
        "model_id": UNKNOWN_ID, "replace": true, "name": "New", "connection_id": CONNECTION,
        "configuration": {"table": "t"}, "async": true,
    });
    session.call("update_model", replace).await;
    let sent = put_bodies(&stub).await;
    assert_eq!(
        sent[0],
        json!({"connection_id": CONNECTION, "name": "Users", "organization_id": UNKNOWN_ID, "refresh": true,
            "configuration": {"table": "public.users", "query": null, "odd": {"a": ""}}})
    );
    assert_eq!(
        sent[1],
        json!({"connection_id": CONNECTION, "name": "New", "configuration": {"table": "t"}})
    );
    assert!(stub.lines().await.contains(&format!("PUT {MODEL}?async=true")));
    for (arguments, argument) in [
        (json!({"model_id": UNKNOWN_ID, "replace": true, "name": "New"}), "connection_id"),
        (json!({"model_id": UNKNOWN_ID, "clear": ["labels"], "labels": ["a"]}), "clear"),
        (json!({"model_id": UNKNOWN_ID, "connection_id": "x"}), "connection_id"),
        (
            json!({"model_id": UNKNOWN_ID, "relations": [{"from": "a", "to": {"model_id": "x", "field": "b"}}]}),
            "relations[0].to.model_id",
        ),
        (
            json!({"model_id": UNKNOWN_ID, "enricher": {"conection_id": "x"}}),
            "enricher.conection_id",
        ),
        (
            json!({"model_id": UNKNOWN_ID, "additional_fields": [{"name": "a"}]}),
            "additional_fields[0]",
        ),
    ] {
        let before = stub.requests().await.len();
        let error = session.call_err("update_model", arguments.clone()).await;
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!("invalid_argument"), &json!("not_sent"))
        );
        assert!(error["message"].as_str().unwrap().contains(argument), "{arguments}: {error}");
        assert_eq!(stub.requests().await.len(), before, "{arguments}");
    }
}

#[tokio::test]
async fn nothing_is_written_if_nothing_changes() {
    let stub = model_stub(model()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (label, change) in [
        ("no properties", json!({})),
        ("the same name", json!({"name": "Users"})),
        ("the same labels", json!({"labels": ["crm"]})),
        ("an empty list for a missing one", json!({"tracking_columns": []})),
        ("clearing an empty property", json!({"clear": ["tracking_columns"]})),
        ("the same id in upper case", json!({"connection_id": CONNECTION.to_uppercase()})),
    ] {
        let mut arguments = change;
        arguments["model_id"] = json!(UNKNOWN_ID);
        let updated = session.call("update_model", arguments).await;
        assert_eq!(updated["changed"], json!([]), "{label}: {updated}");
        assert_eq!(updated["model"]["name"], "Users", "{label}");
    }
    let dry_run =
        json!({"model_id": UNKNOWN_ID, "name": "b", "clear": ["enricher"], "dry_run": true});
    let result = session.call("update_model", dry_run).await;
    assert_eq!(result["dry_run"], true);
    assert_eq!(result["changed"].as_array().unwrap().len(), 2, "{result}");
    assert_eq!(put_bodies(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn another_version_is_a_conflict_before_and_during_the_update() {
    let stub = model_stub(model()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "name": "b", "expected_version": 2});
    let error = session.call_err("update_model", arguments).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("not_sent")));
    assert!(error["message"].as_str().unwrap().contains("version 3"), "{error}");
    assert!(error["message"].as_str().unwrap().contains("version 2"), "{error}");
    session
        .call("update_model", json!({"model_id": UNKNOWN_ID, "name": "b", "expected_version": 3}))
        .await;
    assert_eq!(put_bodies(&stub).await.len(), 1);

    // Another client saves the model between the read and the write.
    let stub = Stub::start().await;
    let served = AtomicUsize::new(0);
    let respond = move |_: &Request| {
        let mut model = model();
        model["version"] = json!(3 + served.fetch_add(1, Ordering::Relaxed));
        ResponseTemplate::new(200).set_body_json(json!({"data": model}))
    };
    stub.respond("GET", MODEL, respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("not_sent")));
    assert_eq!(put_bodies(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn labels_that_cannot_be_parsed_are_not_lost_silently() {
    let mut model = model();
    model["labels"] = json!([{"key": MARK}]);
    let stub = model_stub(model).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`labels`"), "{error}");
    assert!(!format!("{}{}", error["message"], error["hint"]).contains(MARK), "{error}");
    assert_eq!(put_bodies(&stub).await, Vec::<Value>::new());
    let with_labels = json!({"model_id": UNKNOWN_ID, "name": "b", "labels": ["crm"]});
    session.call("update_model", with_labels).await;
    session
        .call("update_model", json!({"model_id": UNKNOWN_ID, "name": "b", "clear": ["labels"]}))
        .await;
    let sent = put_bodies(&stub).await;
    assert_eq!((&sent[0]["labels"], sent[1].get("labels")), (&json!(["crm"]), None));
}

#[tokio::test]
async fn labels_that_cannot_be_parsed_can_be_cleared_but_prevent_a_refresh() {
    let mut model = model();
    model["labels"] = json!([{"key": "value"}]);
    let stub = model_stub(model).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let refresh = json!({"model_id": UNKNOWN_ID, "refresh": true});
    assert_eq!(session.call_err("update_model", refresh).await["code"], "invalid_argument");
    let cleared =
        session.call("update_model", json!({"model_id": UNKNOWN_ID, "clear": ["labels"]})).await;
    let changed = json!([{"property": "labels", "before": [{"key": "value"}]}]);
    assert_eq!(cleared["changed"], changed);
    assert_eq!(put_bodies(&stub).await.len(), 1);
}

#[tokio::test]
async fn without_a_version_the_complete_model_is_compared() {
    let stub = Stub::start().await;
    let served = AtomicUsize::new(0);
    let respond = move |_: &Request| {
        let mut model = model();
        model.as_object_mut().unwrap().remove("version");
        let table = format!("public.t{}", served.fetch_add(1, Ordering::Relaxed));
        model["configuration"] = json!({"table": table});
        ResponseTemplate::new(200).set_body_json(json!({"data": model}))
    };
    stub.respond("GET", MODEL, respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!(error["code"], "conflict", "{error}");
    assert_eq!(put_bodies(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_job_of_an_update_is_waited_for_or_returned() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model()})).await;
    stub.json("PUT", MODEL, 200, json!({"job": job("updatemodel", "created", Value::Null)})).await;
    stub.json(
        "GET",
        &job_path("updatemodel"),
        200,
        json!({"data": job("updatemodel", "done", json!({"name": "b"}))}),
    )
    .await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let updated = session.call("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!(updated["model"], json!({"name": "b"}));
    let arguments = json!({"model_id": UNKNOWN_ID, "name": "b", "wait_seconds": 0});
    let started = session.call("update_model", arguments).await;
    assert_eq!(started["next"]["arguments"]["type"], "updatemodel", "{started}");
    assert_eq!(started["changed"][0]["property"], "name");
}

#[tokio::test]
async fn a_rejected_change_of_source_suggests_clearing_the_properties_that_were_kept() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model()})).await;
    stub.json("PUT", MODEL, 400, json!({"message": MARK})).await;
    // A preview without columns decides nothing.
    stub.json("POST", "/api/model-preview", 200, json!({"data": {"fields": []}})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "configuration": {"table": "public.orders"}});
    let error = session.call_err("update_model", arguments).await;
    assert!(error["hint"].as_str().unwrap().contains("`clear`"), "{error}");
    assert_eq!(error["details"]["message"], MARK);
}

#[tokio::test]
async fn a_model_with_syncs_is_not_deleted_without_force() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model()})).await;
    stub.json("DELETE", MODEL, 200, json!({})).await;
    // The syncs that read from the model are on the second page.
    let sync =
        |name: &str, model: &str| json!({"id": UNKNOWN_ID, "name": name, "model_ids": [model]});
    let respond = move |request: &Request| {
        let is_second_page =
            request.url.query().is_some_and(|query| query.contains("page_token=two"));
        ResponseTemplate::new(200).set_body_json(match is_second_page {
            true => json!({"data": [sync("Nightly", UNKNOWN_ID), sync(MARK, UNKNOWN_ID)]}),
            false => json!({"data": [sync("Other", CONNECTION)], "pagination": {"next_page_token": "two"}}),
        })
    };
    stub.respond("GET", "/api/syncs", respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!("dependents_exist"), &json!("not_sent"))
    );
    assert_eq!(error["details"]["syncs"], json!(["Nightly", MARK]));
    assert!(!format!("{}{}", error["message"], error["hint"]).contains(MARK), "{error}");
    assert!(error["message"].as_str().unwrap().starts_with("2 syncs"), "{error}");
    let other_name = json!({"model_id": UNKNOWN_ID, "expected_name": "People", "force": true});
    let error = session.call_err("delete_model", other_name).await;
    assert_eq!((&error["code"], &error["details"]["name"]), (&json!("conflict"), &json!("Users")));
    assert!(!stub.lines().await.iter().any(|line| line.starts_with("DELETE")));
    let forced = json!({"model_id": UNKNOWN_ID, "expected_name": "Users", "force": true});
    assert_eq!(session.call("delete_model", forced).await["deleted"], true);
}

#[tokio::test]
async fn a_sync_without_model_ids_is_requested_itself() {
    const OTHER: &str = "11111111-1111-4111-8111-111111111111";
    let stub = Stub::start().await;
    let list = json!({"data": [
        {"id": OTHER, "name": "Other", "model_ids": null},
        {"id": CONNECTION, "name": "Unlisted"},
    ]});
    stub.json("GET", "/api/syncs", 200, list).await;
    let other = json!({"data": {"id": OTHER, "fields": []}});
    stub.json("GET", &format!("/api/syncs/{OTHER}"), 200, other).await;
    let unlisted = json!({"data": {"fields": [{"source": {"model_id": UNKNOWN_ID.to_uppercase(), "field": "id"}}]}});
    stub.json("GET", &format!("/api/syncs/{CONNECTION}"), 200, unlisted).await;
    stub.json("DELETE", MODEL, 200, json!({})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(error["details"]["syncs"], json!(["Unlisted"]), "{error}");
}

#[tokio::test]
async fn nothing_is_deleted_if_the_syncs_cannot_be_determined() {
    let sync = json!({"name": "s", "model_ids": []});
    for (label, status, body, code) in [
        ("forbidden", 403, json!({}), "forbidden"),
        ("not found", 404, json!({}), "not_found"),
        ("no list", 200, json!({"error": 1}), "upstream_error"),
        (
            "repeated page tokens",
            200,
            json!({"data": [sync], "pagination": {"next_page_token": "same"}}),
            "upstream_error",
        ),
    ] {
        let stub = Stub::start().await;
        stub.json("GET", "/api/syncs", status, body).await;
        stub.json("DELETE", MODEL, 200, json!({})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let error = session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!(code), &json!("not_sent")),
            "{label}"
        );
        // Not for a list without an end, which nobody has read.
        let is_endless = label == "repeated page tokens";
        let has_force = error["hint"].as_str().unwrap().contains("`force`");
        assert_eq!(has_force, !is_endless, "{label}: {error}");
        assert!(!stub.lines().await.iter().any(|line| line.starts_with("DELETE")), "{label}");
    }
}
