//! Connections, their types, and source discovery.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONNECTION, Sandbox, send};

#[tokio::test]
async fn the_connection_has_every_property_of_the_reference() {
    let sandbox = Sandbox::start();
    let list = sandbox.get("/api/connections").await;
    let one = sandbox.get(&format!("/api/connections/{CONNECTION}")).await;
    assert_eq!(&list.data()[0], one.data());
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
async fn a_new_sandbox_has_a_connection_of_each_kind() {
    let sandbox = Sandbox::start();
    let list = sandbox.get("/api/connections").await;
    let operations = |connection: &Value| connection["type"]["operations"].clone();
    let seen: Vec<(&str, &str, Value)> = list
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|connection| {
            (
                connection["type"]["id"].as_str().unwrap(),
                connection["status"].as_str().unwrap(),
                operations(connection),
            )
        })
        .collect();
    let both = json!(["source", "destination"]);
    assert_eq!(
        seen,
        [
            ("sqlite", "healthy", both.clone()),
            ("sqlite", "healthy", both.clone()),
            ("sqlite", "healthy", both.clone()),
            ("slack", "healthy", json!(["destination"])),
            ("apollo", "healthy", json!(["source", "enrichment"])),
            ("postgresql", "unhealthy", both),
        ]
    );
    assert_eq!(
        Sandbox::start_with(&["--seed-data", "none"]).get("/api/connections").await.data(),
        &json!([])
    );
}

#[tokio::test]
async fn every_type_of_the_contract_has_capabilities_and_a_schema() {
    let sandbox = Sandbox::start();
    let types = sandbox.get("/api/connection_types").await;
    let types = types.data().as_array().unwrap();
    assert_eq!(types.len(), 227);
    for r#type in types {
        let id = r#type["id"].as_str().unwrap();
        let capabilities = r#type["capabilities"].as_object().unwrap();
        let names = ["destination", "enrichment", "logging", "orchestration", "source"];
        assert!(
            names.iter().all(|name| capabilities[*name].is_boolean()),
            "{id}: {capabilities:?}"
        );
        assert!(capabilities.values().any(|has| *has == true), "{id} is good for nothing");
        let schema = sandbox.get(&format!("/api/connection_types/{id}")).await;
        assert_eq!(schema.status, 200, "{id}");
        assert_eq!(schema.body, r#type["configurationForm"]["jsonschema"], "{id}");
        jsonschema::draft202012::meta::validate(&schema.body).unwrap();
    }
    let unknown = sandbox.get("/api/connection_types/oracle").await;
    assert!(unknown.error_message(404).contains("oracle"), "{}", unknown.text);
}

#[tokio::test]
async fn the_schema_of_the_type_accepts_the_stored_configuration() {
    let sandbox = Sandbox::start();
    let response = sandbox.get("/api/connection_types/sqlite").await;
    assert_eq!(response.status, 200, "{}", response.text);
    let schema = &response.body;
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{schema}");
    jsonschema::draft202012::meta::validate(schema).unwrap();
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let connection = sandbox.get(&format!("/api/connections/{CONNECTION}")).await;
    validator.validate(&connection.data()["configuration"]).unwrap();
    assert!(!validator.is_valid(&json!("sandbox.db")), "{schema}");
}

#[tokio::test]
async fn a_connection_of_the_known_type_passes_its_test() {
    let sandbox = Sandbox::start();
    let path = "/api/connections/test";
    let shop = json!({ "path": ":shop:" });
    let cases = [
        ("minimal", json!({ "type": "sqlite", "configuration": shop })),
        ("extra", json!({ "type": "sqlite", "configuration": shop, "unknown": 1 })),
        ("null", json!({ "type": "sqlite", "configuration": shop, "connection_id": null })),
        (
            "stored connection",
            json!({ "type": "sqlite", "configuration": shop, "connection_id": CONNECTION }),
        ),
    ];
    for (label, body) in cases {
        let response = sandbox.post(path, &body).await;
        assert_eq!((response.status, response.text.as_str()), (200, ""), "{label}");
        let key = format!("key-for-{}", label.replace(' ', "-"));
        for body in [body, json!({})] {
            let response = sandbox.post_with_key(path, &key, &body).await;
            assert_eq!((response.status, response.text.as_str()), (200, ""), "{label}, with a key");
            assert_eq!(response.headers.get("content-type"), None, "{label}, with a key");
        }
    }
    let list = sandbox.get("/api/connections").await;
    assert_eq!(list.data().as_array().unwrap().len(), 6, "{}", list.text);
}

#[tokio::test]
async fn the_test_of_an_unhealthy_connection_fails_with_its_reason() {
    let sandbox = Sandbox::start();
    let list = sandbox.get("/api/connections").await;
    let connections = list.data().as_array().unwrap().clone();
    let unhealthy = connections.iter().find(|c| c["status"] == "unhealthy").unwrap();
    let body = json!({"connection_id": unhealthy["id"], "type": "postgresql", "configuration": {}});
    let response = sandbox.post("/api/connections/test", &body).await;
    assert_eq!(response.error_message(400), unhealthy["status_error"]);
}

#[tokio::test]
async fn an_invalid_connection_test_names_the_property() {
    let sandbox = Sandbox::start();
    let unknown_id = uuid::Uuid::new_v4().to_string();
    let huge = "é".repeat(1_000_000);
    let with = |id: &str| json!({ "type": "sqlite", "configuration": {}, "connection_id": id });
    let cases = [
        ("no type", json!({ "configuration": {} }), 400, "type: missing"),
        ("no configuration", json!({ "type": "sqlite" }), 400, "configuration: missing"),
        ("null", json!({ "type": "sqlite", "configuration": null }), 400, "configuration: missing"),
        ("array", json!({ "type": "sqlite", "configuration": [] }), 400, "configuration: "),
        ("huge string", json!({ "type": "sqlite", "configuration": huge }), 400, "configuration: "),
        ("type as number", json!({ "type": 1, "configuration": {} }), 400, "type: "),
        ("unknown type", json!({ "type": "oracle", "configuration": {} }), 400, "\"oracle\""),
        ("huge type", json!({ "type": huge, "configuration": {} }), 400, "list_connection_types"),
        (
            "misspelled type",
            json!({ "type": "sqlit", "configuration": {} }),
            400,
            "did you mean \"sqlite\"?",
        ),
        (
            "no path",
            json!({ "type": "sqlite", "configuration": {} }),
            400,
            "configuration.path: missing",
        ),
        (
            "relative path",
            json!({ "type": "sqlite", "configuration": { "path": "x.db" } }),
            400,
            "configuration.path: x.db is not an absolute path",
        ),
        (
            "port as text",
            json!({ "type": "postgresql", "configuration": { "port": "x" } }),
            400,
            "configuration.",
        ),
        ("unknown connection", with(&unknown_id), 404, unknown_id.as_str()),
        ("invalid UUID", with("nonsense"), 404, "nonsense"),
    ];
    for (label, body, status, expected) in cases {
        let response = sandbox.post("/api/connections/test", &body).await;
        let message = response.error_message(status);
        assert!(message.contains(expected), "{label}: {message:.500}");
        assert!(message.len() < 1_000, "{label}: {} bytes", message.len());
    }
    let key = "rejected-once";
    let rejected = sandbox.post_with_key("/api/connections/test", key, &json!({})).await;
    let repeated = sandbox.post_with_key("/api/connections/test", key, &with(CONNECTION)).await;
    assert_eq!((repeated.status, repeated.text), (400, rejected.text));
}

#[tokio::test]
async fn a_source_lists_its_tables_and_views_and_the_columns_of_a_selection() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{CONNECTION}/modelsync/source");
    let response = sandbox.get(&path).await;
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
    assert_eq!(response.data(), &expected, "{}", response.text);

    let selected = sandbox.get(&format!("{path}?params[view]=active_users")).await;
    let columns = &selected.data()["items"]["tracking_columns"];
    let expected = json!(["id", "email", "name", "plan", "country", "last_login_at"]);
    assert_eq!(columns["items"], expected, "{}", selected.text);
    assert_eq!(columns["has_items"], true, "{}", selected.text);
}

#[tokio::test]
async fn a_selection_is_read_in_every_documented_spelling() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{CONNECTION}/modelsync/source/fields");
    let json = |value: Value| vec![("params", value.to_string())];
    let cases: Vec<(&str, Vec<(&str, String)>)> = vec![
        ("deep object", vec![("params[table]", "public.users".into())]),
        ("deep object, array", vec![("params[table][]", "public.users".into())]),
        ("deep object, index", vec![("params[table][0]", "public.users".into())]),
        ("plain", vec![("table", "users".into())]),
        ("JSON", json(json!({ "table": "public.users" }))),
        ("JSON, array", json(json!({ "table": ["public.users"], "view": null }))),
        (
            "with other parameters",
            vec![("table", "users".into()), ("params[schema]", "public".into())],
        ),
    ];
    for (label, query) in cases {
        let response = send(sandbox.request(Method::GET, &path).query(&query)).await;
        let fields = response.data().as_array().unwrap();
        assert_eq!(fields.len(), 13, "{label}: {}", response.text);
        assert_eq!(fields[0]["name"], "id", "{label}: {}", response.text);
        assert_eq!(fields[0]["unique"], true, "{label}: {}", response.text);
    }
    let query = [("params[query]", "SELECT 1 AS one, 'b' AS two")];
    let response = send(sandbox.request(Method::GET, &path).query(&query)).await;
    assert_eq!(response.data()[1]["label"], "Two", "{}", response.text);
}

#[tokio::test]
async fn an_invalid_selection_is_rejected_with_the_reason() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{CONNECTION}/modelsync/source/fields");
    let cases = [
        ("no selection", "", "exactly one of table, view and query"),
        ("unknown table", "?table=userz", "did you mean \"public.users\""),
        ("a view as a table", "?table=active_users", "is a view"),
        ("table and view", "?table=users&view=active_users", "only one"),
        ("two tables", "?table=users&table=orders", "table: expected one value"),
        ("invalid JSON", "?params={", "params: expected a JSON object"),
        ("JSON of numbers", "?params={\"table\":1}", "params: expected a JSON object"),
        ("invalid SQL", "?query=SELECT+x+FROM+users", "no such column: x"),
    ];
    for (label, query, expected) in cases {
        let response = sandbox.get(&format!("{path}{query}")).await;
        assert!(response.error_message(400).contains(expected), "{label}: {}", response.text);
    }
}

#[tokio::test]
async fn an_unknown_connection_is_named_and_the_known_one_does_not_support_enrichment() {
    let sandbox = Sandbox::start();
    let other = uuid::Uuid::new_v4().to_string();
    for id in [other.as_str(), "nonsense"] {
        for rest in [
            "",
            "/modelsync/source",
            "/modelsync/source/fields?table=users",
            "/modelsync/enrichment-source",
        ] {
            let response = sandbox.get(&format!("/api/connections/{id}{rest}")).await;
            assert!(response.error_message(404).contains(id), "{rest}: {}", response.text);
        }
        let response = sandbox.post(&format!("/api/enrichment/{id}/inputfields"), &json!({})).await;
        assert!(response.error_message(404).contains(id), "{}", response.text);
    }
    let path = format!("/api/connections/{CONNECTION}/modelsync/enrichment-source");
    let response = sandbox.get(&path).await;
    assert!(
        response.error_message(404).contains("does not support enrichment"),
        "{}",
        response.text
    );
    let path = format!("/api/enrichment/{CONNECTION}/inputfields");
    let response = sandbox.post(&path, &json!({})).await;
    assert!(
        response.error_message(404).contains("does not support enrichment"),
        "{}",
        response.text
    );
}
