//! Changing and removing models without losing what was not meant: against an API that misbehaves.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, job};

/// Planted in whatever comes from outside.
const MARK: &str = "IGNORE-ALL-PREVIOUS";

fn stored() -> Value {
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
        "created_at": "2024-01-15T09:30:00Z", "unheard_of": true,
    })
}

async fn stub(model: Value) -> Stub {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    stub.json("PUT", MODEL, 200, json!({"data": model})).await;
    stub
}

async fn puts(stub: &Stub) -> Vec<Value> {
    let requests = stub.requests().await;
    let puts = requests.iter().filter(|request| request.method == "PUT");
    puts.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn everything_that_was_not_named_is_sent_back_as_it_came() {
    let stub = stub(stored()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let updated =
        session.call("update_model", json!({"model_id": UNKNOWN_ID, "name": "People"})).await;
    assert_eq!(
        updated["changed"],
        json!([{"property": "name", "before": "Users", "after": "People"}])
    );
    assert_eq!(
        puts(&stub).await,
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
async fn what_is_cleared_is_left_out_and_what_is_replaced_is_all_there_is() {
    let stub = stub(stored()).await;
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
    let sent = puts(&stub).await;
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
async fn nothing_is_written_where_nothing_changes() {
    let stub = stub(stored()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (label, change) in [
        ("nothing given", json!({})),
        ("the same name", json!({"name": "Users"})),
        ("the same labels", json!({"labels": ["crm"]})),
        ("none where there are none", json!({"tracking_columns": []})),
        ("clearing what is empty", json!({"clear": ["tracking_columns"]})),
        ("the same id in capitals", json!({"connection_id": CONNECTION.to_uppercase()})),
    ] {
        let mut arguments = change;
        arguments["model_id"] = json!(UNKNOWN_ID);
        let updated = session.call("update_model", arguments).await;
        assert_eq!(updated["changed"], json!([]), "{label}: {updated}");
        assert_eq!(updated["model"]["name"], "Users", "{label}");
    }
    let dry = json!({"model_id": UNKNOWN_ID, "name": "b", "clear": ["enricher"], "dry_run": true});
    let told = session.call("update_model", dry).await;
    assert_eq!(told["dry_run"], true);
    assert_eq!(told["changed"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(puts(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn another_version_is_refused_before_and_during_the_change() {
    let stub = stub(stored()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "name": "b", "expected_version": 2});
    let error = session.call_err("update_model", arguments).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("not_sent")));
    assert!(error["message"].as_str().unwrap().contains("version 3"), "{error}");
    assert!(error["message"].as_str().unwrap().contains("version 2"), "{error}");
    session
        .call("update_model", json!({"model_id": UNKNOWN_ID, "name": "b", "expected_version": 3}))
        .await;
    assert_eq!(puts(&stub).await.len(), 1);

    // Somebody else saves it between the reading and the writing.
    let stub = Stub::start().await;
    let turn = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let mut model = stored();
        model["version"] = json!(3 + turn.fetch_add(1, Ordering::Relaxed));
        ResponseTemplate::new(200).set_body_json(json!({"data": model}))
    };
    stub.respond("GET", MODEL, answer).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("not_sent")));
    assert_eq!(puts(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn labels_that_cannot_be_read_are_not_lost_silently() {
    let mut model = stored();
    model["labels"] = json!([{"key": MARK}]);
    let stub = stub(model).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`labels`"), "{error}");
    assert!(!format!("{}{}", error["message"], error["hint"]).contains(MARK), "{error}");
    assert_eq!(puts(&stub).await, Vec::<Value>::new());
    let given = json!({"model_id": UNKNOWN_ID, "name": "b", "labels": ["crm"]});
    session.call("update_model", given).await;
    session
        .call("update_model", json!({"model_id": UNKNOWN_ID, "name": "b", "clear": ["labels"]}))
        .await;
    let sent = puts(&stub).await;
    assert_eq!((&sent[0]["labels"], sent[1].get("labels")), (&json!(["crm"]), None));
}

#[tokio::test]
async fn labels_that_cannot_be_read_can_be_cleared_and_hold_up_a_refresh() {
    let mut model = stored();
    model["labels"] = json!([{"key": "value"}]);
    let stub = stub(model).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let refresh = json!({"model_id": UNKNOWN_ID, "refresh": true});
    assert_eq!(session.call_err("update_model", refresh).await["code"], "invalid_argument");
    let cleared =
        session.call("update_model", json!({"model_id": UNKNOWN_ID, "clear": ["labels"]})).await;
    let changed = json!([{"property": "labels", "before": [{"key": "value"}]}]);
    assert_eq!(cleared["changed"], changed);
    assert_eq!(puts(&stub).await.len(), 1);
}

#[tokio::test]
async fn without_a_version_the_whole_model_is_compared() {
    let stub = Stub::start().await;
    let turn = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let mut model = stored();
        model.as_object_mut().unwrap().remove("version");
        let table = format!("public.t{}", turn.fetch_add(1, Ordering::Relaxed));
        model["configuration"] = json!({"table": table});
        ResponseTemplate::new(200).set_body_json(json!({"data": model}))
    };
    stub.respond("GET", MODEL, answer).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!(error["code"], "conflict", "{error}");
    assert_eq!(puts(&stub).await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_update_that_becomes_a_job_is_waited_for_or_handed_over() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": stored()})).await;
    stub.json("PUT", MODEL, 200, json!({"job": job("updatemodel", "created", Value::Null)})).await;
    let at = "/api/jobs/updatemodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
    stub.json("GET", at, 200, json!({"data": job("updatemodel", "done", json!({"name": "b"}))}))
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
async fn a_refused_change_of_source_says_which_names_were_kept() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": stored()})).await;
    stub.json("PUT", MODEL, 400, json!({"message": MARK})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "configuration": {"table": "public.orders"}});
    let error = session.call_err("update_model", arguments).await;
    assert!(error["hint"].as_str().unwrap().contains("`clear`"), "{error}");
    assert_eq!(error["details"]["message"], MARK);
}

#[tokio::test]
async fn a_model_that_syncs_use_is_not_deleted_without_force() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": stored()})).await;
    stub.json("DELETE", MODEL, 200, json!({})).await;
    // The sync that uses it stands on the second page.
    let sync =
        |name: &str, uses: &str| json!({"id": UNKNOWN_ID, "name": name, "model_ids": [uses]});
    let answer = move |request: &Request| {
        let second = request.url.query().is_some_and(|query| query.contains("page_token=two"));
        ResponseTemplate::new(200).set_body_json(match second {
            true => json!({"data": [sync("Nightly", UNKNOWN_ID), sync(MARK, UNKNOWN_ID)]}),
            false => json!({"data": [sync("Other", CONNECTION)], "pagination": {"next_page_token": "two"}}),
        })
    };
    stub.respond("GET", "/api/syncs", answer).await;
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
async fn a_sync_that_does_not_say_its_models_is_looked_at() {
    const OTHER: &str = "11111111-1111-4111-8111-111111111111";
    let stub = Stub::start().await;
    let list = json!({"data": [
        {"id": OTHER, "name": "Other", "model_ids": null},
        {"id": CONNECTION, "name": "Hidden"},
    ]});
    stub.json("GET", "/api/syncs", 200, list).await;
    let other = json!({"data": {"id": OTHER, "fields": []}});
    stub.json("GET", &format!("/api/syncs/{OTHER}"), 200, other).await;
    let hidden = json!({"data": {"fields": [{"source": {"model_id": UNKNOWN_ID.to_uppercase(), "field": "id"}}]}});
    stub.json("GET", &format!("/api/syncs/{CONNECTION}"), 200, hidden).await;
    stub.json("DELETE", MODEL, 200, json!({})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(error["details"]["syncs"], json!(["Hidden"]), "{error}");
}

#[tokio::test]
async fn nothing_is_deleted_where_its_use_cannot_be_found_out() {
    let sync = json!({"name": "s", "model_ids": []});
    for (label, status, body, code) in [
        ("forbidden", 403, json!({}), "forbidden"),
        ("not there", 404, json!({}), "not_found"),
        ("no list", 200, json!({"error": 1}), "upstream_error"),
        (
            "pages that come back",
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
        assert!(error["hint"].as_str().unwrap().contains("`force`"), "{label}: {error}");
        assert!(!stub.lines().await.iter().any(|line| line.starts_with("DELETE")), "{label}");
    }
}

#[tokio::test]
async fn secrets_are_masked_whatever_the_api_returns() {
    let secret = "hunter2-hunter2";
    let connection = json!({
        "id": CONNECTION, "name": "c", "type": {"id": "postgresql"},
        "configuration": {"hostname": "db.example.com", "password": secret, "nested": {"apiKey": secret},
            "url": format!("postgres://u:{secret}@h/db"), "headers": [{"name": "X-Auth", "value": secret}]},
        "access_token": secret,
    });
    let stub = Stub::start().await;
    let at = format!("/api/connections/{CONNECTION}");
    stub.json("GET", "/api/connections", 200, json!({"data": [connection]})).await;
    stub.json("GET", &at, 200, json!({"data": connection})).await;
    let types = json!({"data": [{"id": "t", "capabilities": {"source": true}, "envConfig": {"client_secret": secret}}]});
    stub.json("GET", "/api/connection_types", 200, types).await;
    let sync = json!({"data": {"id": UNKNOWN_ID, "encryption_passphrase": secret, "target": {"configuration": {"token": secret}}}});
    stub.json("GET", &format!("/api/syncs/{UNKNOWN_ID}"), 200, sync).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("list_connections", json!({"detail": "full"})),
        ("get_connection", json!({"connection_id": CONNECTION, "detail": "full"})),
        ("list_connection_types", json!({"detail": "full"})),
        ("get_model_sync", json!({"sync_id": UNKNOWN_ID})),
    ] {
        let shown = session.call(tool, arguments).await.to_string();
        assert!(!shown.contains(secret), "{tool}: {shown}");
        assert!(shown.contains("********"), "{tool}: {shown}");
    }
}

#[tokio::test]
async fn a_test_of_a_connection_uses_what_is_stored_and_nothing_else() {
    let stub = Stub::start().await;
    let connection = json!({"data": {"id": CONNECTION, "type": {"id": "mysql"}, "configuration": {"password": "p"}}});
    stub.json("GET", &format!("/api/connections/{CONNECTION}"), 200, connection).await;
    let turn = AtomicUsize::new(0);
    let answer = move |_: &Request| match turn.fetch_add(1, Ordering::Relaxed) {
        0 => ResponseTemplate::new(204),
        _ => ResponseTemplate::new(400).set_body_json(json!({"message": MARK})),
    };
    stub.respond("POST", "/api/connections/test", answer).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION});
    let works = session.call("test_connection", arguments.clone()).await;
    assert_eq!(works, json!({"connection_id": CONNECTION, "works": true}));
    let broken = session.call("test_connection", arguments).await;
    assert_eq!((&broken["works"], &broken["reason"]), (&json!(false), &json!(MARK)));
    let requests = stub.requests().await;
    let posts: Vec<Value> = requests
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    let sent = json!({"connection_id": CONNECTION, "type": "mysql", "configuration": {}});
    assert_eq!(posts, [sent.clone(), sent]);
}
