//! `update_model` against the sandbox: passed properties change, the others keep their values.

use serde_json::{Value, json};

use crate::support::{CONNECTION, ENRICHMENT, Session, UNKNOWN_ID};

/// A session with a model that has all properties; its id.
pub async fn session() -> (Session, String) {
    let mut session = Session::sandbox().await;
    let other = session.create_model("Companies", "public.companies").await;
    let definition = json!({
        "connection_id": CONNECTION,
        "name": "Users",
        "configuration": {"table": "public.users"},
        "additional_fields": [{"name": "score", "label": "Score", "type": "number"}],
        "enricher": {
            "connection_id": ENRICHMENT, "configuration": {"object": "people"},
            "mappings": {"email": "email"}, "fields": [{"name": "phone"}],
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

pub async fn model(session: &mut Session, id: &str) -> Value {
    session.call("get_model", json!({"model_id": id})).await["model"].clone()
}

/// Names of the changed properties.
fn changed_properties(updated: &Value) -> Vec<&str> {
    let changed = updated["changed"].as_array().unwrap();
    changed.iter().map(|change| change["property"].as_str().unwrap()).collect()
}

/// A model without the properties that every write changes, and with only the names of its fields: the rest of a
/// field comes from the source.
fn comparable(mut model: Value) -> Value {
    for name in ["version", "updated_at", "updated_by"] {
        model.as_object_mut().unwrap().remove(name);
    }
    let fields = model["fields"].as_array().unwrap();
    model["fields"] = fields.iter().map(|field| field["name"].clone()).collect();
    model
}

#[tokio::test]
async fn properties_that_are_not_passed_keep_their_values() {
    let (mut session, id) = session().await;
    let to = model(&mut session, &id).await["relations"][0]["to"].clone();
    for (property, value) in [
        ("name", json!("People")),
        ("configuration", json!({"query": "SELECT * FROM users"})),
        ("additional_fields", json!([{"name": "rank", "label": "Rank", "type": "string"}])),
        (
            "enricher",
            json!({
                "connection_id": ENRICHMENT, "configuration": {"object": "people"},
                "mappings": {"email": "email"},
            }),
        ),
        ("fields", json!(["id", "email", "company_id", "created_at"])),
        ("identifier", json!("id")),
        ("labels", json!(["crm", "sales"])),
        ("policies", json!([CONNECTION])),
        ("relations", json!([{"from": "id", "to": to}])),
        ("tracking_columns", json!(["created_at"])),
    ] {
        let before = model(&mut session, &id).await;
        let updated = session.call("update_model", json!({"model_id": id, property: value})).await;
        assert_eq!(changed_properties(&updated), [property], "{updated}");
        let mut after = model(&mut session, &id).await;
        assert_eq!(updated["model"], after, "{property}");
        assert_eq!(after["version"].as_i64(), before["version"].as_i64().map(|n| n + 1));
        let (before, mut current) = (comparable(before), comparable(after.take()));
        // A response holds added fields among the others.
        let property_in_response =
            if property == "additional_fields" { "fields" } else { property };
        assert_ne!(
            current.get(property_in_response),
            before.get(property_in_response),
            "{property}"
        );
        match before.get(property_in_response) {
            Some(value) => current[property_in_response] = value.clone(),
            None => drop(current.as_object_mut().unwrap().remove(property_in_response)),
        }
        assert_eq!(current, before, "{property}");
    }
}

#[tokio::test]
async fn a_change_is_reported_with_before_and_after() {
    let (mut session, id) = session().await;
    let change = json!({"model_id": id, "name": "People", "clear": ["labels", "identifier"]});
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
async fn only_cleared_properties_are_removed() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    let clear = ["enricher", "labels", "policies", "relations", "tracking_columns"];
    let updated = session.call("update_model", json!({"model_id": id, "clear": clear})).await;
    assert_eq!(changed_properties(&updated), clear, "{updated}");
    let after = model(&mut session, &id).await;
    for name in clear {
        let is_empty = after.get(name).is_none_or(|value| value == &json!([]));
        assert!(is_empty, "{name}: {after}");
    }
    for name in ["name", "configuration", "identifier", "connection_id", "organization_id"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(comparable(after)["fields"], comparable(before)["fields"]);

    let clear = ["additional_fields", "fields"];
    let updated = session.call("update_model", json!({"model_id": id, "clear": clear})).await;
    let names: Vec<&Value> =
        updated["model"]["fields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert!(
        !names.contains(&&json!("score")) && names.len() > 5,
        "not all fields of the table: {updated}"
    );
}

#[tokio::test]
async fn a_dry_run_returns_the_changes_and_writes_nothing() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    let change = json!({"model_id": id, "name": "People", "clear": ["labels"], "dry_run": true});
    let result = session.call("update_model", change).await;
    let expected = json!({
        "dry_run": true,
        "version": 1,
        "changed": [
            {"property": "name", "before": "Users", "after": "People"},
            {"property": "labels", "before": ["crm"]},
        ],
    });
    assert_eq!(result, expected);
    assert_eq!(model(&mut session, &id).await, before);
}

#[tokio::test]
async fn nothing_is_written_if_nothing_changes() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    for unchanged in [
        json!({}),
        json!({"name": "Users", "labels": ["crm"], "fields": ["id", "email", "company_id"]}),
        json!({"configuration": {"table": "public.users"}, "expected_version": 1}),
    ] {
        let mut arguments = unchanged.clone();
        arguments["model_id"] = json!(id);
        let updated = session.call("update_model", arguments).await;
        assert_eq!(updated["changed"], json!([]), "{unchanged}");
        assert_eq!(updated["model"], before, "{unchanged}");
        // The sandbox counts each write.
        assert_eq!(model(&mut session, &id).await, before, "{unchanged}");
    }
    let refreshed = session.call("update_model", json!({"model_id": id, "refresh": true})).await;
    assert_eq!(refreshed["changed"], json!([]), "{refreshed}");
    assert_eq!(refreshed["model"]["version"], 2, "{refreshed}");
}

#[tokio::test]
async fn a_version_other_than_the_expected_one_is_a_conflict() {
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
async fn a_replacement_keeps_no_property_that_is_not_passed() {
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
        assert!(changed_properties(&updated).contains(&name), "{name}: {updated}");
    }
    let names: Vec<_> = after["fields"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
    assert!(names.contains(&&json!("total")) && !names.contains(&&json!("score")), "{after}");
}

#[tokio::test]
async fn a_rejected_source_is_explained_for_jobs_as_well() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    for (in_background, code) in [(false, "invalid_argument"), (true, "job_failed")] {
        let change = json!({
            "model_id": id, "configuration": {"table": "public.orders"}, "async": in_background,
            "fields": ["id", "total"], "identifier": "id",
            "clear": ["tracking_columns", "enricher"],
        });
        let error = session.call_err("update_model", change).await;
        assert_eq!(error["code"], code, "{error}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("`relations`") && hint.contains("`clear`"), "{error}");
        assert!(!hint.contains("`fields`"), "{error}");
        assert_eq!(model(&mut session, &id).await, before);
    }
}

#[tokio::test]
async fn a_stored_property_that_the_api_rejects_is_named() {
    let (mut session, id) = session().await;
    let other = model(&mut session, &id).await["relations"][0]["to"]["model_id"].clone();
    session.call("delete_model", json!({"model_id": other})).await;
    for (change, property) in [
        (json!({"name": "People"}), "relations"),
        (json!({"name": "People", "async": true}), "relations"),
        (json!({"clear": ["relations"], "fields": ["id", "company_id"]}), "identifier"),
    ] {
        let mut change = change;
        change["model_id"] = json!(id);
        let error = session.call_err("update_model", change).await;
        let hint = error["hint"].as_str().unwrap();
        let expected = format!("pass `{property}`, or name it in `clear`");
        assert!(hint.contains(&expected), "{error}");
    }
    // What the caller passed is not what the hint is about.
    let relations = json!([{"from": "company_id", "to": {"model_id": UNKNOWN_ID, "field": "id"}}]);
    let change = json!({"model_id": id, "relations": relations});
    let error = session.call_err("update_model", change).await;
    assert!(!error["hint"].as_str().unwrap().contains("`relations`"), "{error}");
    let change = json!({"model_id": id, "connection_id": UNKNOWN_ID});
    let error = session.call_err("update_model", change).await;
    assert_eq!(error["code"], "not_found", "{error}");
    assert!(error["message"].as_str().unwrap().contains("ids in the arguments"), "{error}");
    assert!(error["details"]["message"].as_str().unwrap().contains("no connection"), "{error}");
}
