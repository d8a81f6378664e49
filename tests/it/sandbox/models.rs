//! Creating, reading, updating, listing and deleting models.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{CONNECTION, Sandbox, keys, users};

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
async fn the_request_printed_in_the_reference_makes_a_model_with_every_key() {
    let sandbox = Sandbox::start();
    let answer = sandbox.post("/api/models", &users(json!({}))).await;
    let model = answer.data();
    assert_eq!(keys(model), KEYS, "{}", answer.text);
    assert_eq!(keys(&model["fields"][0]), FIELD_KEYS, "{}", answer.text);
    assert_eq!(model["name"], "Users", "{}", answer.text);
    assert_eq!(model["type"], "sqlite", "{}", answer.text);
    assert_eq!(model["version"], 1, "{}", answer.text);
    assert_eq!(model["identifier"], "id", "{}", answer.text);
    assert_eq!(model["configuration"], json!({ "table": "public.users" }), "{}", answer.text);
    assert_eq!(model["created_by"]["name"], "Sandbox User", "{}", answer.text);
    assert_eq!(model["enricher"], Value::Null, "{}", answer.text);
    let created_at = model["created_at"].as_str().unwrap();
    assert_eq!((created_at.len(), &created_at[26..]), (27, "Z"), "{}", answer.text);
    let job = &answer.body["job"];
    assert_eq!((&job["type"], &job["status"]), (&json!("createmodel"), &json!("done")));
    assert_eq!((&job["error"], &job["result"]), (&Value::Null, &Value::Null));

    let id = model["id"].as_str().unwrap();
    let got = sandbox.get(&format!("/api/models/{id}?async=true")).await;
    assert_eq!(got.data(), model);
}

#[tokio::test]
async fn fields_take_their_types_from_declarations_or_values() {
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
        let answer = sandbox.preview(&format!("SELECT {expression}")).await;
        let field = &answer.data()["fields"][0];
        assert_eq!(field["type"], field_type, "{expression}: {}", answer.text);
        assert_eq!(field["remote_type"], remote_type, "{expression}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_request_chooses_its_fields_and_adds_its_own() {
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
        "enricher": { "connection_id": CONNECTION, "configuration": { "object": "people" } },
        "organization_id": null,
        "unknown": { "ignored": true },
    }));
    let answer = sandbox.post("/api/models", &body).await;
    let model = answer.data();
    assert_eq!(names(&model["fields"]), ["email", "id", "score", "age"], "{}", answer.text);
    assert_eq!(model["fields"][2]["user_added"], true, "{}", answer.text);
    assert_eq!(model["fields"][3]["label"], "Years", "{}", answer.text);
    assert_eq!(model["identifier"], "email", "{}", answer.text);
    assert_eq!(model["tracking_columns"], json!(["updated_at"]), "{}", answer.text);
    assert_eq!(model["relations"], body["relations"], "{}", answer.text);
    assert_eq!(model["labels"], json!([{ "name": "sales" }, { "name": "eu" }]));
    assert_eq!(model["policies"], json!(["a policy"]), "{}", answer.text);
    assert_eq!(model["enricher"]["configuration"]["object"], "people", "{}", answer.text);
    assert!(Uuid::parse_str(model["enricher"]["enricher_id"].as_str().unwrap()).is_ok());
}

#[tokio::test]
async fn a_request_that_cannot_be_right_is_refused_by_name() {
    let sandbox = Sandbox::start();
    let other = sandbox.create(json!({ "table": "companies" })).await["id"].clone();
    let relation = |from: &str, id: &Value, field: &str| json!({ "relations": [{ "from": from, "to": { "model_id": id, "field": field } }] });
    let nobody = Uuid::new_v4().to_string();
    let added = |field_type: &str| json!([{ "name": "x", "label": "X", "type": field_type }]);
    let cases = [
        ("no name", json!({ "name": null }), "name"),
        ("blank name", json!({ "name": " " }), "name"),
        ("long name", json!({ "name": "é".repeat(256) }), "255"),
        ("name of another kind", json!({ "name": 5 }), "name: "),
        ("no connection", json!({ "connection_id": null }), "connection_id"),
        ("connection that is no UUID", json!({ "connection_id": "x" }), "connection_id"),
        ("no configuration", json!({ "configuration": null }), "configuration"),
        ("empty configuration", json!({ "configuration": {} }), "table, view and query"),
        ("blank choice", json!({ "configuration": { "table": "" } }), "table, view and query"),
        ("two choices", json!({ "configuration": { "table": "a", "query": "b" } }), "only one"),
        ("choice of another kind", json!({ "configuration": { "view": 1 } }), "configuration.view"),
        ("unknown table", json!({ "configuration": { "table": "public.user" } }), "public.users"),
        ("unknown view", json!({ "configuration": { "view": "zzz" } }), "public.active_users"),
        ("quoted table", json!({ "configuration": { "table": "\"; DROP TABLE users" } }), "DROP"),
        ("unknown field", json!({ "fields": ["emial"] }), "did you mean \"email\""),
        ("field twice", json!({ "fields": ["id", "id"] }), "twice"),
        ("null field", json!({ "fields": [null] }), "fields[0]"),
        ("unknown identifier", json!({ "identifier": "nope" }), "identifier"),
        ("hidden identifier", json!({ "fields": ["email"], "identifier": "id" }), "identifier"),
        ("unknown tracking", json!({ "tracking_columns": ["nope"] }), "tracking_columns"),
        ("relation from nowhere", relation("nope", &other, "id"), "relations[0].from"),
        ("relation to nothing", relation("id", &json!(nobody), "id"), &nobody),
        ("relation to no field", relation("id", &other, "nope"), "relations[0].to.field"),
        ("relation to no UUID", relation("id", &json!("x"), "id"), "relations[0].to.model_id"),
        ("half a relation", json!({ "relations": [{ "from": "id" }] }), "relations[0]"),
        ("added type", json!({ "additional_fields": added("int") }), "additional_fields[0].type"),
        ("enricher", json!({ "enricher": { "connection_id": "x" } }), "enricher.connection_id"),
        ("labels", json!({ "labels": [{ "name": "x" }] }), "labels[0]"),
    ];
    for (label, change, words) in cases {
        for path in ["/api/models", "/api/model-preview"] {
            if label == "no name" && path == "/api/model-preview" {
                continue;
            }
            let answer = sandbox.post(path, &users(change.clone())).await;
            assert!(answer.error_message(400).contains(words), "{path}, {label}: {}", answer.text);
        }
    }
    let body = users(json!({ "connection_id": nobody }));
    let answer = sandbox.post("/api/models", &body).await;
    assert!(answer.error_message(404).contains(&nobody), "{}", answer.text);
    let list = sandbox.get("/api/models").await;
    assert_eq!(list.data().as_array().unwrap().len(), 1, "{}", list.text);
}

#[tokio::test]
async fn other_keys_of_a_configuration_are_kept_as_they_came() {
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
    let answer = sandbox.post("/api/model-preview", &body).await;
    assert_eq!(keys(answer.data()), KEYS, "{}", answer.text);
    assert_eq!(answer.data()["id"], Value::Null, "{}", answer.text);
    assert_eq!(answer.data()["fields"].as_array().unwrap().len(), 13, "{}", answer.text);
    assert_eq!(answer.body["job"]["type"], "previewmodel", "{}", answer.text);
    assert_eq!(sandbox.get("/api/models").await.data(), &json!([]));
}

#[tokio::test]
async fn an_update_replaces_everything_and_keeps_the_ids() {
    let sandbox = Sandbox::start();
    let body = users(json!({ "labels": ["x"], "fields": ["id", "email"], "identifier": "email" }));
    let created = sandbox.post("/api/models", &body).await.data().clone();
    let path = format!("/api/models/{}", created["id"].as_str().unwrap());
    let body = users(
        json!({ "name": "People", "configuration": { "query": "SELECT email, id FROM users" } }),
    );
    let answer = sandbox.put(&path, &body).await;
    let updated = answer.data();
    assert_eq!(answer.body["job"]["type"], "updatemodel", "{}", answer.text);
    assert_eq!((&updated["name"], &updated["version"]), (&json!("People"), &json!(2)));
    assert_eq!((&updated["labels"], &updated["id"]), (&Value::Null, &created["id"]));
    assert_eq!(updated["identifier"], "email", "{}", answer.text);
    assert_eq!(updated["fields"][1]["id"], created["fields"][0]["id"], "{}", answer.text);
    assert_eq!(updated["created_at"], created["created_at"], "{}", answer.text);
    assert!(updated["updated_at"].as_str() > created["updated_at"].as_str(), "{}", answer.text);
    assert_eq!(sandbox.get(&path).await.data(), updated);

    let broken = users(json!({ "configuration": { "table": "nope" } }));
    sandbox.put(&path, &broken).await.error_message(400);
    assert_eq!(sandbox.get(&path).await.data(), updated);
}

#[tokio::test]
async fn a_model_may_relate_to_itself_by_the_fields_it_gets() {
    let sandbox = Sandbox::start();
    let model = sandbox.create(json!({ "table": "companies" })).await;
    let relation =
        json!([{ "from": "company_id", "to": { "model_id": model["id"], "field": "id" } }]);
    let path = format!("/api/models/{}", model["id"].as_str().unwrap());
    let answer = sandbox.put(&path, &users(json!({ "relations": relation }))).await;
    assert_eq!(answer.data()["relations"], relation, "{}", answer.text);
}

#[tokio::test]
async fn ids_that_are_not_there_are_named() {
    let sandbox = Sandbox::start();
    let nobody = Uuid::new_v4().to_string();
    for id in [nobody.as_str(), "nonsense"] {
        let path = format!("/api/models/{id}");
        let answers = [
            sandbox.get(&path).await,
            sandbox.put(&path, &users(json!({}))).await,
            sandbox.put(&format!("{path}?async=true"), &users(json!({}))).await,
            sandbox.delete(&path).await,
            sandbox.get(&format!("{path}/sample")).await,
            sandbox.get(&format!("{path}/sample?async=true")).await,
        ];
        for answer in answers {
            assert!(answer.error_message(404).contains(id), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_deleted_model_is_gone() {
    let sandbox = Sandbox::start();
    let model = sandbox.create(json!({ "table": "users" })).await;
    let path = format!("/api/models/{}", model["id"].as_str().unwrap());
    let answer = sandbox.delete(&format!("{path}?async=true")).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    sandbox.get(&path).await.error_message(404);
    sandbox.delete(&path).await.error_message(404);
}

#[tokio::test]
async fn the_list_is_paged_newest_change_first() {
    let sandbox = Sandbox::start();
    let mut ids = Vec::new();
    for _ in 0..53 {
        let model = sandbox.create(json!({ "query": "SELECT 1 AS one" })).await;
        ids.push(model["id"].as_str().unwrap().to_owned());
    }
    let touched = ids.remove(7);
    let body = users(json!({ "name": "Touched" }));
    sandbox.put(&format!("/api/models/{touched}"), &body).await.data();
    ids.push(touched);
    ids.reverse();

    for (query, page) in [("limit=20", 20), ("", 50), ("limit=99", 50)] {
        assert_eq!(sandbox.all_ids("/api/models", query, page).await, ids, "{query}");
    }
    for limit in ["0", "-3", "abc", "51"] {
        let answer = sandbox.get(&format!("/api/models?limit={limit}")).await;
        assert_eq!(answer.data().as_array().unwrap().len(), 50, "{limit}");
    }
    for token in ["nonsense", "%00", "e30", "MjAyNg"] {
        let answer = sandbox.get(&format!("/api/models?page_token={token}")).await;
        assert!(answer.error_message(400).contains("page_token"), "{}", answer.text);
    }
}
