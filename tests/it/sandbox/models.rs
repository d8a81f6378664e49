//! Creating, reading, updating, listing and deleting models.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{ENRICHMENT, Sandbox, keys, users};

const KEYS: [&str; 18] = [
    "configuration",
    "connection_id",
    "created_at",
    "created_by",
    "enricher",
    "fields",
    "id",
    "identifier",
    "labels",
    "name",
    "organization_id",
    "policies",
    "relations",
    "tracking_columns",
    "type",
    "updated_at",
    "updated_by",
    "version",
];
const FIELD_KEYS: [&str; 12] = [
    "created_at",
    "created_by",
    "description",
    "example",
    "id",
    "label",
    "name",
    "remote_type",
    "type",
    "unique",
    "updated_at",
    "user_added",
];

fn names(fields: &Value) -> Vec<&str> {
    fields.as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_request_of_the_reference_creates_a_model_with_every_property() {
    let sandbox = Sandbox::start();
    let response = sandbox.post("/api/models", &users(json!({}))).await;
    let model = response.data();
    assert_eq!(keys(model), KEYS, "{}", response.text);
    assert_eq!(keys(&model["fields"][0]), FIELD_KEYS, "{}", response.text);
    assert_eq!(model["name"], "Users", "{}", response.text);
    assert_eq!(model["type"], "sqlite", "{}", response.text);
    assert_eq!(model["version"], 1, "{}", response.text);
    assert_eq!(model["identifier"], "id", "{}", response.text);
    assert_eq!(model["configuration"], json!({ "table": "public.users" }), "{}", response.text);
    assert_eq!(model["created_by"]["name"], "Sandbox User", "{}", response.text);
    assert_eq!(model["enricher"], Value::Null, "{}", response.text);
    let created_at = model["created_at"].as_str().unwrap();
    assert_eq!((created_at.len(), &created_at[26..]), (27, "Z"), "{}", response.text);
    let job = &response.body["job"];
    assert_eq!((&job["type"], &job["status"]), (&json!("createmodel"), &json!("done")));
    assert_eq!((&job["error"], &job["result"]), (&Value::Null, &Value::Null));

    let id = model["id"].as_str().unwrap();
    let read = sandbox.get(&format!("/api/models/{id}?async=true")).await;
    assert_eq!(read.data(), model);
}

#[tokio::test]
async fn field_types_are_inferred_from_declarations_or_values() {
    let sandbox = Sandbox::start();
    let cases = [
        ("users", "id", "number", "integer", true),
        ("users", "email", "string", "text", true),
        ("users", "is_active", "boolean", "boolean", false),
        ("users", "signup_date", "datetime", "date", false),
        ("users", "last_login_at", "datetime", "datetime", false),
        ("users", "balance", "number", "real", false),
        ("companies", "domain", "string", "text", true),
        ("contacts", "tags", "array", "json", false),
        ("subscriptions", "settings", "object", "json", false),
    ];
    for (table, name, field_type, remote_type, unique) in cases {
        let model = sandbox.create(json!({ "table": table })).await;
        let fields = model["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["name"] == name).unwrap();
        assert_eq!(field["type"], field_type, "{field}");
        assert_eq!(field["remote_type"], remote_type, "{field}");
        assert_eq!(field["unique"], unique, "{field}");
        assert_ne!(field["example"], Value::Null, "{field}");
    }
    let cases = [
        ("1", "number", "integer"),
        ("1.5", "number", "real"),
        ("'a'", "string", "text"),
        ("x'00ff'", "binary", "blob"),
        ("NULL", "string", "text"),
        ("x FROM (SELECT 1 AS x UNION ALL SELECT 2.5)", "number", "real"),
        ("x FROM (SELECT 1 AS x UNION ALL SELECT 'a')", "string", "text"),
        ("is_active AS active FROM users", "boolean", "boolean"),
    ];
    for (expression, field_type, remote_type) in cases {
        let response = sandbox.preview(&format!("SELECT {expression}")).await;
        let field = &response.data()["fields"][0];
        assert_eq!(field["type"], field_type, "{expression}: {}", response.text);
        assert_eq!(field["remote_type"], remote_type, "{expression}: {}", response.text);
    }
}

#[tokio::test]
async fn a_request_selects_fields_and_adds_others() {
    let sandbox = Sandbox::start();
    let other = sandbox.create(json!({ "table": "companies" })).await;
    let body = users(json!({
        "fields": ["email", "age", "id"],
        "identifier": "email",
        "additional_fields": [
            { "name": "score", "label": "Score", "type": "number", "example": "7" },
            { "name": "age", "label": "Years", "type": "string", "example": null },
        ],
        "tracking_columns": ["updated_at"],
        "relations": [{ "from": "id", "to": { "model_id": other["id"], "field": "id" } }],
        "labels": ["sales", "eu"],
        "policies": ["a policy"],
        "enricher": {
            "connection_id": ENRICHMENT, "configuration": { "object": "people" },
            "mappings": { "email": "email" },
        },
        "organization_id": null,
        "unknown": { "ignored": true },
    }));
    let response = sandbox.post("/api/models", &body).await;
    let model = response.data();
    assert_eq!(names(&model["fields"]), ["email", "id", "score", "age"], "{}", response.text);
    assert_eq!(model["fields"][2]["user_added"], true, "{}", response.text);
    assert_eq!(model["fields"][3]["label"], "Years", "{}", response.text);
    assert_eq!(model["identifier"], "email", "{}", response.text);
    assert_eq!(model["tracking_columns"], json!(["updated_at"]), "{}", response.text);
    assert_eq!(model["relations"], body["relations"], "{}", response.text);
    assert_eq!(model["labels"], json!([{ "name": "sales" }, { "name": "eu" }]));
    assert_eq!(model["policies"], json!(["a policy"]), "{}", response.text);
    assert_eq!(model["enricher"]["configuration"]["object"], "people", "{}", response.text);
    assert!(Uuid::parse_str(model["enricher"]["enricher_id"].as_str().unwrap()).is_ok());
}

#[tokio::test]
async fn an_invalid_request_names_the_property() {
    let sandbox = Sandbox::start();
    let other = sandbox.create(json!({ "table": "companies" })).await["id"].clone();
    let relation = |from: &str, id: &Value, field: &str| json!({ "relations": [{ "from": from, "to": { "model_id": id, "field": field } }] });
    let unknown_id = Uuid::new_v4().to_string();
    let additional = |field_type: &str| json!([{ "name": "x", "label": "X", "type": field_type }]);
    let cases = [
        ("no name", json!({ "name": null }), "name"),
        ("blank name", json!({ "name": " " }), "name"),
        ("long name", json!({ "name": "é".repeat(256) }), "255"),
        ("name as number", json!({ "name": 5 }), "name: "),
        ("no connection", json!({ "connection_id": null }), "connection_id"),
        ("connection that is not a UUID", json!({ "connection_id": "x" }), "connection_id"),
        ("no configuration", json!({ "configuration": null }), "configuration"),
        ("empty configuration", json!({ "configuration": {} }), "table, view and query"),
        ("blank table", json!({ "configuration": { "table": "" } }), "table, view and query"),
        ("table and query", json!({ "configuration": { "table": "a", "query": "b" } }), "only one"),
        ("view as number", json!({ "configuration": { "view": 1 } }), "configuration.view"),
        ("unknown table", json!({ "configuration": { "table": "public.user" } }), "public.users"),
        ("unknown view", json!({ "configuration": { "view": "zzz" } }), "public.active_users"),
        ("quoted table", json!({ "configuration": { "table": "\"; DROP TABLE users" } }), "DROP"),
        ("unknown field", json!({ "fields": ["emial"] }), "did you mean \"email\""),
        ("duplicate field", json!({ "fields": ["id", "id"] }), "duplicate field \"id\""),
        ("null field", json!({ "fields": [null] }), "fields[0]"),
        ("unknown identifier", json!({ "identifier": "nope" }), "identifier"),
        (
            "identifier that is not selected",
            json!({ "fields": ["email"], "identifier": "id" }),
            "identifier",
        ),
        ("unknown tracking column", json!({ "tracking_columns": ["nope"] }), "tracking_columns"),
        ("relation from an unknown field", relation("nope", &other, "id"), "relations[0].from"),
        ("relation to an unknown model", relation("id", &json!(unknown_id), "id"), &unknown_id),
        ("relation to an unknown field", relation("id", &other, "nope"), "relations[0].to.field"),
        (
            "relation to an invalid UUID",
            relation("id", &json!("x"), "id"),
            "relations[0].to.model_id",
        ),
        ("relation without target", json!({ "relations": [{ "from": "id" }] }), "relations[0]"),
        (
            "unknown type of an added field",
            json!({ "additional_fields": additional("int") }),
            "additional_fields[0].type",
        ),
        (
            "invalid enricher",
            json!({ "enricher": { "connection_id": "x" } }),
            "enricher.connection_id",
        ),
        ("label as object", json!({ "labels": [{ "name": "x" }] }), "labels[0]"),
    ];
    for (label, change, expected) in cases {
        for path in ["/api/models", "/api/model-preview"] {
            if label == "no name" && path == "/api/model-preview" {
                continue;
            }
            let response = sandbox.post(path, &users(change.clone())).await;
            assert!(
                response.error_message(400).contains(expected),
                "{path}, {label}: {}",
                response.text
            );
        }
    }
    let body = users(json!({ "connection_id": unknown_id }));
    let response = sandbox.post("/api/models", &body).await;
    assert!(response.error_message(404).contains(&unknown_id), "{}", response.text);
    let list = sandbox.get("/api/models").await;
    assert_eq!(list.data().as_array().unwrap().len(), 1, "{}", list.text);
}

#[tokio::test]
async fn other_properties_of_a_configuration_are_kept() {
    let sandbox = Sandbox::start();
    let configuration = json!({ "query": "", "table": "users", "view": null, "x": { "y": [1] } });
    let model = sandbox.create(configuration.clone()).await;
    assert_eq!(model["configuration"], configuration, "{model}");
}

#[tokio::test]
async fn a_preview_is_a_model_that_is_not_saved() {
    let sandbox = Sandbox::start();
    let mut body = users(json!({}));
    body.as_object_mut().unwrap().remove("name");
    let response = sandbox.post("/api/model-preview", &body).await;
    assert_eq!(keys(response.data()), KEYS, "{}", response.text);
    assert_eq!(response.data()["id"], Value::Null, "{}", response.text);
    assert_eq!(response.data()["fields"].as_array().unwrap().len(), 13, "{}", response.text);
    assert_eq!(response.body["job"]["type"], "previewmodel", "{}", response.text);
    assert_eq!(sandbox.get("/api/models").await.data(), &json!([]));
}

#[tokio::test]
async fn an_update_replaces_the_model_and_keeps_the_ids() {
    let sandbox = Sandbox::start();
    let body = users(json!({ "labels": ["x"], "fields": ["id", "email"], "identifier": "email" }));
    let created = sandbox.post("/api/models", &body).await.data().clone();
    let path = format!("/api/models/{}", created["id"].as_str().unwrap());
    let body = users(
        json!({ "name": "People", "configuration": { "query": "SELECT email, id FROM users" } }),
    );
    let response = sandbox.put(&path, &body).await;
    let updated = response.data();
    assert_eq!(response.body["job"]["type"], "updatemodel", "{}", response.text);
    assert_eq!((&updated["name"], &updated["version"]), (&json!("People"), &json!(2)));
    assert_eq!((&updated["labels"], &updated["id"]), (&Value::Null, &created["id"]));
    assert_eq!(updated["identifier"], "email", "{}", response.text);
    assert_eq!(updated["fields"][1]["id"], created["fields"][0]["id"], "{}", response.text);
    assert_eq!(updated["created_at"], created["created_at"], "{}", response.text);
    assert!(updated["updated_at"].as_str() > created["updated_at"].as_str(), "{}", response.text);
    assert_eq!(sandbox.get(&path).await.data(), updated);

    let invalid = users(json!({ "configuration": { "table": "nope" } }));
    sandbox.put(&path, &invalid).await.error_message(400);
    assert_eq!(sandbox.get(&path).await.data(), updated);
}

#[tokio::test]
async fn a_model_may_relate_to_itself_through_its_new_fields() {
    let sandbox = Sandbox::start();
    let model = sandbox.create(json!({ "table": "companies" })).await;
    let relation =
        json!([{ "from": "company_id", "to": { "model_id": model["id"], "field": "id" } }]);
    let path = format!("/api/models/{}", model["id"].as_str().unwrap());
    let response = sandbox.put(&path, &users(json!({ "relations": relation }))).await;
    assert_eq!(response.data()["relations"], relation, "{}", response.text);
}

#[tokio::test]
async fn an_unknown_id_is_named() {
    let sandbox = Sandbox::start();
    let unknown_id = Uuid::new_v4().to_string();
    for id in [unknown_id.as_str(), "nonsense"] {
        let path = format!("/api/models/{id}");
        let responses = [
            sandbox.get(&path).await,
            sandbox.put(&path, &users(json!({}))).await,
            sandbox.put(&format!("{path}?async=true"), &users(json!({}))).await,
            sandbox.delete(&path).await,
            sandbox.get(&format!("{path}/sample")).await,
            sandbox.get(&format!("{path}/sample?async=true")).await,
        ];
        for response in responses {
            assert!(response.error_message(404).contains(id), "{}", response.text);
        }
    }
}

#[tokio::test]
async fn a_deleted_model_no_longer_exists() {
    let sandbox = Sandbox::start();
    let model = sandbox.create(json!({ "table": "users" })).await;
    let path = format!("/api/models/{}", model["id"].as_str().unwrap());
    let response = sandbox.delete(&format!("{path}?async=true")).await;
    assert_eq!((response.status, response.text.as_str()), (204, ""));
    sandbox.get(&path).await.error_message(404);
    sandbox.delete(&path).await.error_message(404);
}

#[tokio::test]
async fn the_list_is_paged_and_most_recently_updated_first() {
    let sandbox = Sandbox::start();
    let mut ids = Vec::new();
    for _ in 0..53 {
        let model = sandbox.create(json!({ "query": "SELECT 1 AS one" })).await;
        ids.push(model["id"].as_str().unwrap().to_owned());
    }
    let updated = ids.remove(7);
    let body = users(json!({ "name": "Updated" }));
    sandbox.put(&format!("/api/models/{updated}"), &body).await.data();
    ids.push(updated);
    ids.reverse();

    for (query, page) in [("limit=20", 20), ("", 50), ("limit=99", 50)] {
        assert_eq!(sandbox.all_ids("/api/models", query, page).await, ids, "{query}");
    }
    for limit in ["0", "-3", "abc", "51"] {
        let response = sandbox.get(&format!("/api/models?limit={limit}")).await;
        assert_eq!(response.data().as_array().unwrap().len(), 50, "{limit}");
    }
    for token in ["nonsense", "%00", "e30", "MjAyNg"] {
        let response = sandbox.get(&format!("/api/models?page_token={token}")).await;
        assert!(response.error_message(400).contains("page_token"), "{}", response.text);
    }
}
