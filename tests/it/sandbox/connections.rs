//! Connections, their types, and source discovery.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONNECTION, Sandbox, send};

#[tokio::test]
async fn the_one_connection_has_every_key_that_the_reference_shows() {
    let sandbox = Sandbox::start();
    let list = sandbox.get("/api/connections").await;
    let one = sandbox.get(&format!("/api/connections/{CONNECTION}")).await;
    assert_eq!(list.data(), &json!([one.data()]));
    let connection = one.data();
    let expected = [
        "api_calls_last_24_hours",
        "configuration",
        "created_at",
        "created_by",
        "id",
        "name",
        "organization_id",
        "parent_connection_id",
        "policies",
        "saved",
        "status",
        "status_error",
        "type",
        "updated_at",
        "updated_by",
    ];
    for key in expected {
        assert!(connection.get(key).is_some(), "{key} is missing: {}", one.text);
    }
    assert_eq!(connection["type"]["id"], "sqlite", "{}", one.text);
    assert_eq!(connection["status"], "healthy", "{}", one.text);
    assert_eq!(connection["saved"], true, "{}", one.text);
}

#[tokio::test]
async fn the_connection_type_can_be_a_source_and_nothing_else() {
    let sandbox = Sandbox::start();
    let types = sandbox.get("/api/connection_types").await;
    assert_eq!(types.data().as_array().unwrap().len(), 1, "{}", types.text);
    let capabilities = &types.data()[0]["capabilities"];
    let expected = json!({
        "destination": false, "enrichment": false, "logging": false, "orchestration": false,
        "source": true,
    });
    assert_eq!(capabilities, &expected, "{}", types.text);
    let schema = sandbox.get("/api/connection_types/sqlite").await;
    assert_eq!((schema.status, &schema.body["type"]), (200, &json!("object")), "{}", schema.text);
    let unknown = sandbox.get("/api/connection_types/oracle").await;
    assert!(unknown.refusal(404).contains("oracle"), "{}", unknown.text);
}

#[tokio::test]
async fn a_source_lists_its_tables_and_views_and_the_columns_of_a_choice() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{CONNECTION}/modelsync/source");
    let answer = sandbox.get(&path).await;
    let expected = json!({
        "configuration": {},
        "items": {
            "query": { "has_items": false, "items": null, "requires_one_of": null },
            "table": {
                "has_items": true,
                "items": [
                    "public.companies", "public.contacts", "public.orders",
                    "public.subscriptions", "public.users",
                ],
                "requires_one_of": null,
            },
            "tracking_columns": { "has_items": false, "items": null, "requires_one_of": null },
            "view": {
                "has_items": true,
                "items": ["public.active_users", "public.monthly_revenue"],
                "requires_one_of": null,
            },
        },
        "requires_one_of": ["query", "table", "view"],
    });
    assert_eq!(answer.data(), &expected, "{}", answer.text);

    let chosen = sandbox.get(&format!("{path}?params[view]=active_users")).await;
    let columns = &chosen.data()["items"]["tracking_columns"];
    let expected = json!(["id", "email", "name", "plan", "country", "last_login_at"]);
    assert_eq!(columns["items"], expected, "{}", chosen.text);
    assert_eq!(columns["has_items"], true, "{}", chosen.text);
}

#[tokio::test]
async fn a_choice_is_read_in_every_spelling_that_is_on_record() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{CONNECTION}/modelsync/source/fields");
    let json = |value: Value| vec![("params", value.to_string())];
    let cases: Vec<(&str, Vec<(&str, String)>)> = vec![
        ("deep object", vec![("params[table]", "public.users".into())]),
        ("deep object, list", vec![("params[table][]", "public.users".into())]),
        ("deep object, index", vec![("params[table][0]", "public.users".into())]),
        ("plain", vec![("table", "users".into())]),
        ("JSON text", json(json!({ "table": "public.users" }))),
        ("JSON text, list", json(json!({ "table": ["public.users"], "view": null }))),
        ("and others", vec![("table", "users".into()), ("params[schema]", "public".into())]),
    ];
    for (label, query) in cases {
        let answer = send(sandbox.request(Method::GET, &path).query(&query)).await;
        let fields = answer.data().as_array().unwrap();
        assert_eq!(fields.len(), 13, "{label}: {}", answer.text);
        assert_eq!(fields[0]["name"], "id", "{label}: {}", answer.text);
        assert_eq!(fields[0]["unique"], true, "{label}: {}", answer.text);
    }
    let query = [("params[query]", "SELECT 1 AS one, 'b' AS two")];
    let answer = send(sandbox.request(Method::GET, &path).query(&query)).await;
    assert_eq!(answer.data()[1]["label"], "Two", "{}", answer.text);
}

#[tokio::test]
async fn a_choice_that_cannot_be_read_is_refused_by_name() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{CONNECTION}/modelsync/source/fields");
    let cases = [
        ("nothing chosen", "", "exactly one of table, view and query"),
        ("unknown table", "?table=userz", "did you mean \"public.users\""),
        ("a view as a table", "?table=active_users", "is a view"),
        ("two kinds", "?table=users&view=active_users", "only one"),
        ("two tables", "?table=users&table=orders", "table: expected one value"),
        ("no JSON", "?params={", "params: expected a JSON object"),
        ("JSON of numbers", "?params={\"table\":1}", "params: expected a JSON object"),
        ("broken SQL", "?query=SELECT+x+FROM+users", "no such column: x"),
    ];
    for (label, query, words) in cases {
        let answer = sandbox.get(&format!("{path}{query}")).await;
        assert!(answer.refusal(400).contains(words), "{label}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_unknown_connection_is_named_and_the_one_there_is_cannot_enrich() {
    let sandbox = Sandbox::start();
    let other = uuid::Uuid::new_v4().to_string();
    for id in [other.as_str(), "nonsense"] {
        for rest in ["", "/modelsync/source", "/modelsync/source/fields?table=users"] {
            let answer = sandbox.get(&format!("/api/connections/{id}{rest}")).await;
            assert!(answer.refusal(404).contains(id), "{rest}: {}", answer.text);
        }
    }
    let path = format!("/api/connections/{CONNECTION}/modelsync/enrichment-source");
    let answer = sandbox.get(&path).await;
    assert!(answer.refusal(404).contains("cannot enrich"), "{}", answer.text);
    let path = format!("/api/enrichment/{CONNECTION}/inputfields");
    let answer = sandbox.post(&path, &json!({})).await;
    assert!(answer.refusal(404).contains("cannot enrich"), "{}", answer.text);
}
