//! Model syncs: stored and listed, never run.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{CONNECTION, Sandbox, keys, scratch_file, send};

const KEYS: [&str; 27] = [
    "active",
    "created_at",
    "created_by",
    "encryption_passphrase",
    "fields",
    "filter_logic",
    "filters",
    "id",
    "identities",
    "identity",
    "mode",
    "model_filters",
    "model_ids",
    "name",
    "only_enrich_updates",
    "organization_id",
    "override_fields",
    "overrides",
    "policies",
    "problems",
    "schedule",
    "skip_initial_backfill",
    "sync_all_records",
    "target",
    "target_filters",
    "updated_at",
    "updated_by",
];
const ITEM_KEYS: [&str; 16] = [
    "active",
    "created_at",
    "created_by",
    "id",
    "mode",
    "model_ids",
    "name",
    "only_enrich_updates",
    "organization_id",
    "schedule",
    "skip_initial_backfill",
    "sync_all_records",
    "target_connection_id",
    "target_object",
    "updated_at",
    "updated_by",
];

/// The smallest valid request for a sync, with extra properties.
pub(super) fn minimal_sync(extra: Value) -> Value {
    let mut body = json!({
        "name": "Users Sync",
        "mode": "create",
        "fields": [],
        "schedule": { "frequency": "manual" },
        "target": { "connection_id": CONNECTION, "object": "Users" },
    });
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

pub(super) fn source(model: &Value) -> Value {
    json!({ "model_id": model, "field": "email" })
}

pub(super) async fn model(sandbox: &Sandbox) -> Value {
    sandbox.create(json!({ "table": "users" })).await["id"].clone()
}

pub(super) async fn create(sandbox: &Sandbox, extra: Value) -> Value {
    sandbox.post("/api/syncs", &minimal_sync(extra)).await.data().clone()
}

pub(super) fn path(sync: &Value) -> String {
    format!("/api/syncs/{}", sync["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_minimal_request_creates_a_sync_with_every_property() {
    let sandbox = Sandbox::start();
    let response = sandbox.post("/api/syncs", &minimal_sync(json!({}))).await;
    let sync = response.data();
    assert_eq!(keys(sync), KEYS, "{}", response.text);
    assert_eq!(keys(&response.body), ["data"], "{}", response.text);
    for key in ["active", "only_enrich_updates", "skip_initial_backfill", "sync_all_records"] {
        assert_eq!(sync[key], false, "{key}: {}", response.text);
    }
    for key in ["encryption_passphrase", "filters", "identities", "identity", "overrides"] {
        assert_eq!(sync[key], Value::Null, "{key}: {}", response.text);
    }
    assert_eq!(sync["schedule"], json!({ "frequency": "manual" }), "{}", response.text);
    assert_eq!(sync["target"], json!({ "connection_id": CONNECTION, "object": "Users" }));
    assert_eq!(sync["created_by"]["name"], "Sandbox User", "{}", response.text);
    assert_eq!(sync["created_at"], sync["updated_at"], "{}", response.text);
    assert_eq!(sandbox.get(&path(sync)).await.data(), sync);

    let list = sandbox.get("/api/syncs").await;
    let item = &list.data()[0];
    assert_eq!(keys(item), ITEM_KEYS, "{}", list.text);
    assert_eq!(item["target_connection_id"], CONNECTION, "{}", list.text);
    assert_eq!(item["target_object"], "Users", "{}", list.text);
    for key in ITEM_KEYS.iter().filter(|key| !key.starts_with("target_")) {
        assert_eq!(item[key], sync[key], "{key}: {}", list.text);
    }
}

#[tokio::test]
async fn every_property_is_stored_except_the_passphrase() {
    let sandbox = Sandbox::start();
    let (one, other) = (model(&sandbox).await, model(&sandbox).await);
    let properties = json!({
        "active": true,
        "fields": [
            { "source": source(&other), "target": "mail", "new": true, "encryption_enabled": true },
            { "target": "origin", "override_value": "sandbox", "sync_mode": "create" },
            { "source": source(&one), "target": "other_mail" },
        ],
        "filter_logic": "1 AND 2",
        "filters": [
            { "field": source(&one), "field_type": "Model", "function": "Equality", "value": [1] },
            { "field_id": "x", "function": "IsNull", "label": "A" },
        ],
        "identity": { "source": source(&one), "target": "mail", "function": "Equality" },
        "identities": { "strategy": "and", "mappings": [
            { "source": source(&other), "target": "x", "function": "OneOf", "new_field": false },
        ] },
        "mode": "updateOrCreate",
        "model_filters": { "logic": "1", "conditions": [
            { "source": source(&one), "function": "True" },
        ] },
        "only_enrich_updates": true,
        "override_fields": [{ "target": "y", "override_value": "z" }],
        "overrides": [{ "field": source(&one), "function": "IsNull", "override": { "a": 1 } }],
        "policies": [Uuid::new_v4()],
        "schedule": {
            "frequency": "runafter",
            "hour": "12",
            "run_after": { "sync_ids": [Uuid::new_v4()] },
        },
        "skip_initial_backfill": true,
        "sync_all_records": true,
        "target": {
            "connection_id": Uuid::new_v4(),
            "new_name": "New",
            "configuration": { "kept": null },
            "create": { "name": "x" },
        },
        "target_filters": { "conditions": [{ "field": "f", "function": "True", "value": 0 }] },
    });
    let mut body = minimal_sync(properties.clone());
    body["encryption_passphrase"] = json!("correct horse");
    body["unknown"] = json!({ "ignored": true });
    let response = sandbox.post("/api/syncs", &body).await;
    let sync = response.data();
    for (name, value) in properties.as_object().unwrap() {
        assert_eq!(&sync[name], value, "{name}");
    }
    assert_eq!(sync["encryption_passphrase"], "********", "{}", response.text);
    assert_eq!(sync["model_ids"], json!([other, one]), "{}", response.text);
    assert_eq!(sync.get("unknown"), None, "{}", response.text);
    assert_eq!(sandbox.get(&path(sync)).await.data(), sync);
}

#[tokio::test]
async fn null_is_absent_at_every_depth() {
    let sandbox = Sandbox::start();
    let mut nulls = json!({});
    for key in KEYS {
        if !["name", "mode", "fields", "schedule", "target"].contains(&key) {
            nulls[key] = Value::Null;
        }
    }
    nulls["fields"] = json!([{ "target": "x", "source": null, "new": null }]);
    nulls["schedule"] = json!({ "hour": null, "run_after": null, "later": 1 });
    nulls["target"] = json!({ "connection_id": CONNECTION, "object": null });
    let sync = create(&sandbox, nulls).await;
    assert_eq!(sync["active"], false, "{sync}");
    assert_eq!(sync["fields"], json!([{ "target": "x" }]), "{sync}");
    assert_eq!(sync["schedule"], json!({}), "{sync}");
    assert_eq!(sync["target"], json!({ "connection_id": CONNECTION }), "{sync}");
    let list = sandbox.get("/api/syncs").await;
    assert_eq!(list.data()[0]["target_object"], Value::Null, "{}", list.text);
}

#[tokio::test]
async fn an_invalid_sync_names_the_property() {
    let sandbox = Sandbox::start();
    let model = model(&sandbox).await;
    let without_function = json!({ "source": source(&model), "target": "x" });
    let without_source = json!({ "target": "x", "function": "Equality" });
    let huge = "é".repeat(1_000_000);
    let with_connection = |connection: Value| json!({ "target": { "connection_id": connection } });
    let cases = [
        ("no name", json!({ "name": null }), "name: missing"),
        ("blank name", json!({ "name": "\t" }), "name: expected"),
        ("long name", json!({ "name": "é".repeat(256) }), "255"),
        ("huge name", json!({ "name": huge }), "255"),
        ("name as array", json!({ "name": [] }), "name: "),
        ("no mode", json!({ "mode": null }), "mode: missing"),
        ("unknown mode", json!({ "mode": "upsert" }), "updateOrCreate"),
        ("huge mode", json!({ "mode": huge }), "snapshot"),
        ("mode in capitals", json!({ "mode": "CREATE" }), "mode: expected one of"),
        ("no fields", json!({ "fields": null }), "fields: missing"),
        ("fields as object", json!({ "fields": {} }), "fields: "),
        ("huge field list", json!({ "fields": huge }), "fields: "),
        ("null field", json!({ "fields": [null] }), "fields[0]"),
        ("field without target", json!({ "fields": [{}] }), "fields[0]"),
        ("no schedule", json!({ "schedule": null }), "schedule: missing"),
        ("schedule as string", json!({ "schedule": "daily" }), "schedule: "),
        ("hour as number", json!({ "schedule": { "hour": 12 } }), "schedule.hour"),
        ("no target", json!({ "target": null }), "target: missing"),
        ("target without connection", json!({ "target": {} }), "target.connection_id: missing"),
        ("null connection", with_connection(Value::Null), "target.connection_id: missing"),
        ("connection that is not a UUID", with_connection(json!("x")), "target.connection_id"),
        ("connection as number", with_connection(json!(7)), "target.connection_id"),
        (
            "create with a number",
            json!({ "target": { "connection_id": CONNECTION, "create": { "a": 1 } } }),
            "target.create.a: ",
        ),
        ("active as string", json!({ "active": "yes" }), "active: "),
        (
            "identity without function",
            json!({ "identity": without_function }),
            "identity: missing field `function`",
        ),
        (
            "identity without source",
            json!({ "identity": without_source }),
            "identity: missing field `source`",
        ),
        (
            "model that is not a UUID",
            json!({ "fields": [{ "target": "x", "source": source(&json!("x")) }] }),
            "fields[0].source.model_id",
        ),
        ("invalid organization", json!({ "organization_id": "x" }), "organization_id"),
    ];
    for (label, change, expected) in cases {
        let response = sandbox.post("/api/syncs", &minimal_sync(change)).await;
        let message = response.error_message(400);
        assert!(message.contains(expected), "{label}: {message:.500}");
        assert!(message.len() < 1_000, "{label}: {} bytes", message.len());
    }
    assert_eq!(sandbox.get("/api/syncs").await.data(), &json!([]));
}

#[tokio::test]
async fn an_unknown_model_is_rejected_with_the_path_of_the_reference() {
    let sandbox = Sandbox::start();
    let (existing, deleted) = (source(&model(&sandbox).await), source(&model(&sandbox).await));
    let id = deleted["model_id"].as_str().unwrap();
    sandbox.delete(&format!("/api/models/{id}")).await;
    let field = |source: &Value| json!({ "source": source, "target": "x" });
    let mapping =
        |source: &Value| json!({ "source": source, "target": "x", "function": "Equality" });
    let condition = json!({ "source": deleted, "function": "True" });
    let target_condition = json!({ "field": "f", "function": "True", "value_source": deleted });
    let cases = [
        ("fields[1].source", json!({ "fields": [field(&existing), field(&deleted)] })),
        ("identity.source", json!({ "identity": mapping(&deleted) })),
        (
            "identities.mappings[1].source",
            json!({ "identities": { "mappings": [mapping(&existing), mapping(&deleted)] } }),
        ),
        ("filters[0].field", json!({ "filters": [{ "field": deleted, "function": "True" }] })),
        (
            "filters[0].value_field",
            json!({ "filters": [{ "field": existing, "function": "Equality", "value_field": deleted }] }),
        ),
        (
            "model_filters.conditions[0].source",
            json!({ "model_filters": { "conditions": [condition] } }),
        ),
        ("overrides[1].field", json!({ "overrides": [{}, { "field": deleted }] })),
        ("override_fields[0].source", json!({ "override_fields": [field(&deleted)] })),
        (
            "target_filters.conditions[0].value_source",
            json!({ "target_filters": { "conditions": [target_condition] } }),
        ),
    ];
    for (path, change) in cases {
        let response = sandbox.post("/api/syncs", &minimal_sync(change)).await;
        let expected = format!("{path}.model_id: there is no model {id}.");
        assert_eq!(response.error_message(400), expected, "{}", response.text);
    }
    let many: Vec<Value> = (0..20_000).map(|_| field(&source(&json!(Uuid::new_v4())))).collect();
    let first = many[0]["source"]["model_id"].as_str().unwrap().to_owned();
    let response = sandbox.post("/api/syncs", &minimal_sync(json!({ "fields": many }))).await;
    assert!(response.error_message(400).contains(&first), "{}", response.text);
    assert_eq!(sandbox.get("/api/syncs").await.data(), &json!([]));
}

#[tokio::test]
async fn deleting_a_model_does_not_change_its_syncs() {
    let sandbox = Sandbox::start();
    let model = model(&sandbox).await;
    let fields = json!([{ "source": source(&model), "target": "mail" }]);
    let sync = create(&sandbox, json!({ "fields": fields })).await;
    sandbox.delete(&format!("/api/models/{}", model.as_str().unwrap())).await;
    assert_eq!(sandbox.get(&path(&sync)).await.data(), &sync);
    let list = sandbox.get("/api/syncs").await;
    assert_eq!(list.data()[0]["model_ids"], json!([model]), "{}", list.text);
}

#[tokio::test]
async fn an_unknown_sync_is_named() {
    let sandbox = Sandbox::start();
    let unknown_id = Uuid::new_v4().to_string();
    for (id, expected_id) in
        [(unknown_id.as_str(), unknown_id.as_str()), ("nonsense", "nonsense"), ("..%2fx", "../x")]
    {
        let response = sandbox.get(&format!("/api/syncs/{id}")).await;
        let expected = format!("There is no model sync {expected_id}.");
        assert_eq!(response.error_message(404), expected, "{}", response.text);
    }
    let response = sandbox.get(&format!("/api/syncs/{}", "x".repeat(20_000))).await;
    assert!(response.error_message(404).len() < 200, "{}", response.text);
    sandbox.get("/api/syncs/%ff").await.error_message(404);
}

#[tokio::test]
async fn the_list_is_paged_and_most_recently_updated_first() {
    let sandbox = Sandbox::start();
    let mut ids = Vec::new();
    for number in 0..53 {
        let sync = create(&sandbox, json!({ "name": format!("Sync {number}") })).await;
        ids.push(sync["id"].as_str().unwrap().to_owned());
    }
    ids.reverse();
    for (query, page) in [("limit=20", 20), ("", 50), ("limit=99", 50), ("limit=53", 50)] {
        assert_eq!(sandbox.all_ids("/api/syncs", query, page).await, ids, "{query}");
    }
    for limit in ["0", "-3", "abc", "51"] {
        let response = sandbox.get(&format!("/api/syncs?limit={limit}")).await;
        assert_eq!(response.data().as_array().unwrap().len(), 50, "{limit}");
    }
}

#[tokio::test]
async fn a_filtered_list_is_paged() {
    let sandbox = Sandbox::start();
    let other_connection = Uuid::new_v4().to_string();
    let mut active = Vec::new();
    for number in 0..5 {
        let extra = match number % 2 {
            0 => json!({ "active": true, "mode": "remove" }),
            _ => json!({ "target": { "connection_id": other_connection } }),
        };
        let sync = create(&sandbox, extra).await;
        if number % 2 == 0 {
            active.push(sync["id"].as_str().unwrap().to_owned());
        }
    }
    active.reverse();
    for query in ["active=true", "active=1", "mode=remove", "active=TRUE&mode=remove"] {
        assert_eq!(sandbox.all_ids("/api/syncs", &format!("{query}&limit=2"), 2).await, active);
    }
    let cases = [
        ("active=false".to_owned(), 2),
        ("active=&mode=&target_connection_id=&page_token=".to_owned(), 5),
        ("mode=create".to_owned(), 2),
        ("mode=snapshot".to_owned(), 0),
        (format!("target_connection_id={other_connection}"), 2),
        (format!("target_connection_id={}", other_connection.to_uppercase()), 2),
        (format!("target_connection_id={CONNECTION}&active=false"), 0),
        ("colour=red".to_owned(), 5),
    ];
    for (query, count) in cases {
        let response = sandbox.get(&format!("/api/syncs?{query}")).await;
        assert_eq!(response.data().as_array().unwrap().len(), count, "{query}: {}", response.text);
        let token = &response.body["pagination"]["next_page_token"];
        assert_eq!(token, &Value::Null, "{query}: {}", response.text);
    }
    let invalid = [
        ("active=maybe", "active: expected true or false"),
        ("mode=upsert", "mode: expected one of create"),
        ("mode='%20OR%201=1", "mode: expected one of create"),
        ("target_connection_id=x", "target_connection_id: expected the UUID"),
    ];
    for (query, expected) in invalid {
        let response = sandbox.get(&format!("/api/syncs?{query}")).await;
        assert!(response.error_message(400).contains(expected), "{query}: {}", response.text);
    }
}

#[tokio::test]
async fn a_page_token_is_valid_for_its_own_list_only() {
    let sandbox = Sandbox::start();
    for _ in 0..2 {
        model(&sandbox).await;
        create(&sandbox, json!({})).await;
    }
    for (list, other) in [("models", "syncs"), ("syncs", "models")] {
        let response = sandbox.get(&format!("/api/{list}?limit=1")).await;
        let token = response.body["pagination"]["next_page_token"].as_str().unwrap();
        let next = sandbox.get(&format!("/api/{list}?page_token={token}")).await;
        assert_eq!(next.data().as_array().unwrap().len(), 1, "{}", next.text);
        let foreign = sandbox.get(&format!("/api/{other}?page_token={token}")).await;
        assert!(foreign.error_message(400).contains("page_token"), "{list}: {}", foreign.text);
    }
    let long = "A".repeat(20_000);
    for token in ["nonsense", "%00", "e30", "MjAyNg", "c3luY3MgMjAyNiB4", long.as_str()] {
        let response = sandbox.get(&format!("/api/syncs?page_token={token}")).await;
        assert!(response.error_message(400).contains("page_token"), "{}", response.text);
    }
}

#[tokio::test]
async fn one_key_creates_one_sync() {
    let sandbox = Sandbox::start();
    let requests = (0..8).map(|_| {
        let request = sandbox.request(Method::POST, "/api/syncs").json(&minimal_sync(json!({})));
        tokio::spawn(send(request.header("Idempotency-Key", "all-at-once")))
    });
    for request in requests.collect::<Vec<_>>() {
        let response = request.await.unwrap();
        assert!(matches!(response.status, 200 | 409), "{}", response.text);
    }
    let first = sandbox.post_with_key("/api/syncs", "all-at-once", &minimal_sync(json!({}))).await;
    // A different body: the response can only be the stored one.
    let repeated = sandbox.post_with_key("/api/syncs", "all-at-once", &json!({})).await;
    assert_eq!((repeated.status, &repeated.text), (200, &first.text));
    let list = sandbox.get("/api/syncs").await;
    assert_eq!(list.data().as_array().unwrap().len(), 1, "{}", list.text);
    assert_eq!(list.data()[0]["id"], first.data()["id"], "{}", list.text);

    let rejected = sandbox.post_with_key("/api/syncs", "rejected-once", &json!({})).await;
    let repeated =
        sandbox.post_with_key("/api/syncs", "rejected-once", &minimal_sync(json!({}))).await;
    assert_eq!((repeated.status, repeated.text), (400, rejected.text));
}

#[tokio::test]
async fn a_file_stores_syncs_but_no_passphrases() {
    let file = scratch_file("syncs.db");
    let arguments = ["--data", file.path()];
    let sandbox = Sandbox::start_with(&arguments);
    let model = model(&sandbox).await;
    let body = minimal_sync(json!({
        "fields": [{ "source": source(&model), "target": "mail" }],
        "encryption_passphrase": "correct horse",
    }));
    let created = sandbox.post_with_key("/api/syncs", "stored-in-the-file", &body).await;
    let list = sandbox.get("/api/syncs").await;
    sandbox.kill();

    let stored = std::fs::read(file.path()).unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains("correct horse"));
    let sandbox = Sandbox::start_with(&arguments);
    assert_eq!(sandbox.get(&path(created.data())).await.data(), created.data());
    assert_eq!(sandbox.get("/api/syncs").await.text, list.text);
    assert_eq!(
        sandbox.post_with_key("/api/syncs", "stored-in-the-file", &body).await.text,
        created.text
    );
}
