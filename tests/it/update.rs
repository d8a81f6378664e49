//! `update_model` against the sandbox: what is named changes, the rest is kept.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Session, UNKNOWN_ID};

/// A session with a model that has something of everything; its id.
async fn session() -> (Session, String) {
    let mut session = Session::sandbox().await;
    let other = session.create_model("Companies", "public.companies").await;
    let definition = json!({
        "connection_id": CONNECTION,
        "name": "Users",
        "configuration": {"table": "public.users"},
        "additional_fields": [{"name": "score", "label": "Score", "type": "number"}],
        "enricher": {
            "connection_id": CONNECTION, "configuration": {"object": "people"},
            "mappings": {"email": "email"}, "fields": [{"name": "phone_number"}],
        },
        "fields": ["id", "email", "company_id"],
        "identifier": "email",
        "labels": ["crm"],
        "policies": [UNKNOWN_ID],
        "relations": [{"from": "company_id", "to": {"model_id": other, "field": "id"}}],
        "tracking_columns": ["updated_at"],
    });
    let created = session.call("create_model", definition).await;
    (session, created["model"]["id"].as_str().unwrap().to_owned())
}

async fn model(session: &mut Session, id: &str) -> Value {
    session.call("get_model", json!({"model_id": id})).await["model"].clone()
}

/// The names of the properties that changed.
fn changed(updated: &Value) -> Vec<&str> {
    let changed = updated["changed"].as_array().unwrap();
    changed.iter().map(|change| change["property"].as_str().unwrap()).collect()
}

/// A model without what each write changes, and of its fields the names: the rest is the source's.
fn settled(mut model: Value) -> Value {
    for name in ["version", "updated_at", "updated_by"] {
        model.as_object_mut().unwrap().remove(name);
    }
    let fields = model["fields"].as_array().unwrap();
    model["fields"] = fields.iter().map(|field| field["name"].clone()).collect();
    model
}

#[tokio::test]
async fn what_is_not_named_stays_as_it_was() {
    let (mut session, id) = session().await;
    let to = model(&mut session, &id).await["relations"][0]["to"].clone();
    for (property, value) in [
        ("name", json!("People")),
        ("configuration", json!({"query": "SELECT * FROM users"})),
        ("additional_fields", json!([{"name": "rank", "label": "Rank", "type": "string"}])),
        ("enricher", json!({"connection_id": CONNECTION, "mappings": {"mail": "email"}})),
        ("fields", json!(["id", "email", "company_id", "created_at"])),
        ("identifier", json!("id")),
        ("labels", json!(["crm", "sales"])),
        ("policies", json!([CONNECTION])),
        ("relations", json!([{"from": "id", "to": to}])),
        ("tracking_columns", json!(["created_at"])),
    ] {
        let before = model(&mut session, &id).await;
        let updated = session.call("update_model", json!({"model_id": id, property: value})).await;
        assert_eq!(changed(&updated), [property], "{updated}");
        let mut after = model(&mut session, &id).await;
        assert_eq!(updated["model"], after, "{property}");
        assert_eq!(after["version"].as_i64(), before["version"].as_i64().map(|n| n + 1));
        let (before, mut now) = (settled(before), settled(after.take()));
        // Added fields stand among the others in an answer.
        let shown = if property == "additional_fields" { "fields" } else { property };
        assert_ne!(now.get(shown), before.get(shown), "{property}");
        match before.get(shown) {
            Some(was) => now[shown] = was.clone(),
            None => drop(now.as_object_mut().unwrap().remove(shown)),
        }
        assert_eq!(now, before, "{property}");
    }
}

#[tokio::test]
async fn a_change_is_told_with_before_and_after() {
    let (mut session, id) = session().await;
    let change = json!({"model_id": id, "name": "People", "labels": [], "clear": ["identifier"]});
    let updated = session.call("update_model", change).await;
    let expected = json!([
        {"property": "name", "before": "Users", "after": "People"},
        {"property": "identifier", "before": "email"},
        {"property": "labels", "before": ["crm"]},
    ]);
    assert_eq!(updated["changed"], expected, "{updated}");
    assert_eq!(updated["model"]["name"], "People", "{updated}");
    assert_eq!(updated["model"]["version"], 2, "{updated}");
}

#[tokio::test]
async fn what_is_cleared_is_gone_and_nothing_else() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    let clear = ["enricher", "labels", "policies", "relations", "tracking_columns"];
    let updated = session.call("update_model", json!({"model_id": id, "clear": clear})).await;
    assert_eq!(changed(&updated), clear, "{updated}");
    let after = model(&mut session, &id).await;
    for name in clear {
        let is_empty = after.get(name).is_none_or(|value| value == &json!([]));
        assert!(is_empty, "{name}: {after}");
    }
    for name in ["name", "configuration", "identifier", "connection_id", "organization_id"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(settled(after)["fields"], settled(before)["fields"]);

    let clear = ["additional_fields", "fields"];
    let updated = session.call("update_model", json!({"model_id": id, "clear": clear})).await;
    let names: Vec<&Value> =
        updated["model"]["fields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert!(!names.contains(&&json!("score")) && names.len() > 5, "all of the table: {updated}");
}

#[tokio::test]
async fn a_dry_run_tells_what_would_change_and_writes_nothing() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    let change = json!({"model_id": id, "name": "People", "clear": ["labels"], "dry_run": true});
    let told = session.call("update_model", change).await;
    let expected = json!({
        "dry_run": true,
        "version": 1,
        "changed": [
            {"property": "name", "before": "Users", "after": "People"},
            {"property": "labels", "before": ["crm"]},
        ],
    });
    assert_eq!(told, expected);
    assert_eq!(model(&mut session, &id).await, before);
}

#[tokio::test]
async fn where_nothing_changes_nothing_is_written() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    for same in [
        json!({}),
        json!({"name": "Users", "labels": ["crm"], "fields": ["id", "email", "company_id"]}),
        json!({"configuration": {"table": "public.users"}, "expected_version": 1}),
    ] {
        let mut arguments = same.clone();
        arguments["model_id"] = json!(id);
        let updated = session.call("update_model", arguments).await;
        assert_eq!(updated["changed"], json!([]), "{same}");
        assert_eq!(updated["model"], before, "{same}");
        // The sandbox counts each write.
        assert_eq!(model(&mut session, &id).await, before, "{same}");
    }
    let refreshed = session.call("update_model", json!({"model_id": id, "refresh": true})).await;
    assert_eq!(refreshed["changed"], json!([]), "{refreshed}");
    assert_eq!(refreshed["model"]["version"], 2, "{refreshed}");
}

#[tokio::test]
async fn another_version_than_the_expected_one_is_a_conflict() {
    let (mut session, id) = session().await;
    let first = json!({"model_id": id, "name": "People", "expected_version": 1});
    let updated = session.call("update_model", first.clone()).await;
    assert_eq!(updated["model"]["version"], 2, "{updated}");
    let before = model(&mut session, &id).await;
    let error = session.call_err("update_model", first).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("not_sent")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("version 2") && message.contains("version 1"), "{error}");
    assert_eq!(model(&mut session, &id).await, before);
}

#[tokio::test]
async fn a_replacement_keeps_nothing_that_is_not_given() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    for missing in ["connection_id", "name", "configuration"] {
        let mut definition = json!({
            "model_id": id, "replace": true, "connection_id": CONNECTION, "name": "Orders",
            "configuration": {"table": "public.orders"},
        });
        definition.as_object_mut().unwrap().remove(missing);
        let error = session.call_err("update_model", definition).await;
        assert_eq!(error["details"]["argument"], missing, "{error}");
        assert_eq!(model(&mut session, &id).await, before, "{missing}");
    }
    let definition = json!({
        "model_id": id, "replace": true, "connection_id": CONNECTION, "name": "Orders",
        "configuration": {"table": "public.orders"},
    });
    let updated = session.call("update_model", definition).await;
    let after = model(&mut session, &id).await;
    assert_eq!(updated["model"], after);
    assert_eq!((&after["name"], &after["identifier"]), (&json!("Orders"), &json!("id")));
    for name in ["enricher", "labels", "policies", "relations", "tracking_columns"] {
        let is_empty = after.get(name).is_none_or(|value| value == &json!([]));
        assert!(is_empty, "{name}: {after}");
        assert!(changed(&updated).contains(&name), "{name}: {updated}");
    }
    let names: Vec<_> = after["fields"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
    assert!(names.contains(&&json!("total")) && !names.contains(&&json!("score")), "{after}");
}

#[tokio::test]
async fn names_that_a_new_source_lacks_are_explained_in_background_too() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    for (in_background, code) in [(false, "invalid_argument"), (true, "job_failed")] {
        let change = json!({
            "model_id": id, "configuration": {"table": "public.orders"}, "async": in_background,
        });
        let error = session.call_err("update_model", change).await;
        assert_eq!(error["code"], code, "{error}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("`fields`") && hint.contains("`clear`"), "{error}");
        assert_eq!(model(&mut session, &id).await, before);
    }
}
