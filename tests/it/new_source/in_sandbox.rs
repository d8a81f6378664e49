//! New sources over the tables of the sandbox.

use serde_json::{Value, json};

use super::{changed_properties, field_changes};
use crate::support::{CONNECTION, Session, UNKNOWN_ID};

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
    for passed in [json!({}), json!({"fields": ["id"]})] {
        arguments.as_object_mut().unwrap().extend(passed.as_object().cloned().unwrap());
        let refused = session.call_err("update_model", arguments.clone()).await;
        assert_eq!(
            (&refused["code"], &refused["outcome"]),
            (&json!("invalid_argument"), &json!("refused"))
        );
        assert_eq!(refused["details"]["message"], error["details"]["message"], "{refused}");
        assert!(refused["hint"].as_str().unwrap().contains("`configuration`"), "{refused}");
    }
    // The hint about a connection that does not exist is that of the write.
    arguments["connection_id"] = json!(UNKNOWN_ID);
    let [dry_run, write] = [true, false].map(|dry_run| {
        let mut arguments = arguments.clone();
        arguments["dry_run"] = json!(dry_run);
        arguments
    });
    let dry_run = session.call_err("update_model", dry_run).await;
    let write = session.call_err("update_model", write).await;
    assert_eq!((&dry_run["code"], &dry_run["hint"]), (&write["code"], &write["hint"]));
    assert_eq!(dry_run["code"], "not_found", "{dry_run}");
    assert_eq!(session.call("get_model", json!({"model_id": id})).await, stored);
}

#[tokio::test]
async fn a_dry_run_refuses_the_names_that_the_write_would_refuse() {
    let mut session = Session::sandbox().await;
    let id = create(&mut session, json!({"table": "public.users"}), json!({})).await;
    let relation = json!([{"from": "nope", "to": {"model_id": id, "field": "id"}}]);
    for (label, patch, missing) in [
        ("fields", json!({"fields": ["id", "nope"]}), json!({"fields": ["nope"]})),
        ("a relation", json!({"relations": relation}), json!({"relations": ["nope"]})),
        (
            "a hidden identifier",
            json!({"fields": ["name"], "identifier": "id"}),
            json!({"identifier": ["id"]}),
        ),
        (
            "a relation from a hidden field",
            json!({"fields": ["name"], "identifier": "name", "relations": [{"from": "id", "to": {"model_id": id, "field": "id"}}]}),
            json!({"relations": ["id"]}),
        ),
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
async fn a_dry_run_refuses_what_is_kept_and_names_what_the_new_source_lacks() {
    let mut session = Session::sandbox().await;
    let connections = session.call("list_connections", json!({"name_contains": "Apollo"})).await;
    let people = json!({
        "connection_id": connections["connections"][0]["id"], "configuration": {"object": "people"},
        "mappings": {"name": "email"}, "fields": [{"name": "phone"}],
    });
    let relation = |id: &Value| json!([{"from": "name", "to": {"model_id": id, "field": "id"}}]);
    let source = json!({"table": "public.users"});
    let other = create(&mut session, source.clone(), json!({})).await;
    for (property, value) in [("relations", relation(&json!(other))), ("enricher", people)] {
        let more = json!({"identifier": "id", property: value});
        let id = create(&mut session, source.clone(), more).await;
        let mut arguments = json!({
            "model_id": id, "configuration": {"table": "public.orders"}, "clear": ["fields"], "dry_run": true,
        });
        let error = session.call_err("update_model", arguments.clone()).await;
        assert_eq!(error["details"]["missing"], json!({property: ["name"]}), "{error}");
        arguments["dry_run"] = json!(false);
        let error = session.call_err("update_model", arguments).await;
        assert_eq!(error["outcome"], "refused", "{error}");
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
