//! Records, as they are sampled.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Sandbox, users};

#[tokio::test]
async fn a_sample_holds_the_fields_of_the_model_for_twenty_rows() {
    let sandbox = Sandbox::start();
    let body = users(json!({
        "fields": ["id", "name"],
        "additional_fields": [
            { "name": "email", "label": "Mail", "type": "string" },
            { "name": "score", "label": "Score", "type": "number" },
        ],
    }));
    let created = sandbox.post("/api/models", &body).await;
    let id = created.data()["id"].as_str().unwrap();
    let response = sandbox.get(&format!("/api/models/{id}/sample")).await;
    let sample = response.data();
    assert_eq!(sample["warnings"], json!([]), "{}", response.text);
    assert_eq!(sample["records"].as_array().unwrap().len(), 20, "{}", response.text);
    let first = &sample["records"][0][id];
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "name", "email", "score"], "{}", response.text);
    assert_eq!((&first["id"], &first["score"]), (&json!(1), &Value::Null), "{}", response.text);
    assert!(first["email"].as_str().unwrap().contains("@example."), "{}", response.text);
    assert_eq!(response.body["job"]["type"], "samplemodel", "{}", response.text);
}

#[tokio::test]
async fn values_keep_their_type_and_precision() {
    let sandbox = Sandbox::start();
    let cases = [
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("-9007199254740993", json!(-9_007_199_254_740_993_i64)),
        ("0.1", json!(0.1)),
        ("9e999", Value::Null),
        ("-9e999", Value::Null),
        ("NULL", Value::Null),
        ("x'00ff10'", json!("AP8Q")),
        ("'名前 \u{1F600}'", json!("名前 \u{1F600}")),
        ("CAST(x'ff41' AS TEXT)", json!("\u{fffd}A")),
        ("1 = 1", json!(1)),
        ("json_array(1, 2)", json!("[1,2]")),
    ];
    for (expression, expected) in cases {
        let records =
            sandbox.records(json!({ "query": format!("SELECT {expression} AS v") })).await;
        assert_eq!(records, [json!({ "v": expected })], "{expression}");
    }
    let query = "SELECT is_active, signup_date, last_login_at, tags, settings FROM users
                 JOIN contacts ON contacts.id = 1 JOIN subscriptions ON subscriptions.id = 1
                 WHERE is_active AND last_login_at IS NOT NULL LIMIT 1";
    let records = sandbox.records(json!({ "query": query })).await;
    let record = &records[0];
    assert_eq!(record["is_active"], true, "{record}");
    assert_eq!(record["signup_date"].as_str().unwrap().len(), 10, "{record}");
    assert!(record["last_login_at"].as_str().unwrap().ends_with('Z'), "{record}");
    assert!(record["tags"].is_array() && record["settings"].is_object(), "{record}");
}

#[tokio::test]
async fn the_business_data_is_the_same_at_every_start() {
    let (one, other) = (Sandbox::start(), Sandbox::start());
    for table in ["users", "companies", "contacts", "orders", "subscriptions"] {
        let configuration = json!({ "table": table });
        let records = one.records(configuration.clone()).await;
        assert_eq!(records.len(), 20, "{table}");
        assert_eq!(records, other.records(configuration).await, "{table}");
    }
    let orphans = "SELECT (SELECT count(*) FROM orders WHERE user_id NOT IN (SELECT id FROM users))
        + (SELECT count(*) FROM contacts WHERE company_id NOT IN (SELECT id FROM companies)) AS n,
        (SELECT count(*) FROM users) AS users";
    let records = one.records(json!({ "query": orphans })).await;
    assert_eq!(records, [json!({ "n": 0, "users": 1000 })]);
}

#[tokio::test]
async fn names_of_schemas_tables_and_views_are_compared_without_case() {
    let sandbox = Sandbox::start();
    for query in [
        "SELECT id FROM PUBLIC.users",
        "SELECT id FROM Public.Users",
        "SELECT id FROM \"PUBLIC\".\"USERS\"",
        "SELECT id FROM [pUbLiC].users",
        "SELECT U.id FROM PUBLIC.USERS U JOIN public.orders o ON O.USER_ID = u.id",
        "SELECT PUBLIC.users.id FROM PUBLIC.users",
        "WITH x AS (SELECT ID FROM PUBLIC.active_users) SELECT id FROM X",
        "SELECT value AS id FROM PUBLIC.contacts, JSON_EACH(tags)",
        "SELECT count(*) AS id FROM PUBLIC.users",
        "SELECT id FROM PUBLIC.users WHERE id IN (SELECT user_id FROM PUBLIC.orders)",
    ] {
        let records = sandbox.records(json!({ "query": query })).await;
        assert!(!records.is_empty(), "{query}");
    }
    let expected = sandbox.records(json!({ "table": "public.users" })).await;
    for table in ["PUBLIC.users", "Public.Users", "USERS", " pUblic.uSers "] {
        assert_eq!(sandbox.records(json!({ "table": table })).await, expected, "{table}");
    }
    let records = sandbox.records(json!({ "view": "PUBLIC.Active_Users" })).await;
    assert!(!records.is_empty());
    // What cannot be read cannot be read in capitals either.
    for query in [
        "SELECT * FROM MAIN.sqlite_schema",
        "SELECT * FROM Main.sqlite_master",
        "SELECT * FROM TEMP.sqlite_schema",
        "SELECT * FROM PRAGMA_TABLE_INFO('users')",
        "SELECT * FROM DBSTAT",
    ] {
        let response = sandbox.preview(query).await;
        assert!(
            response.error_message(400).contains("cannot be read"),
            "{query}: {}",
            response.text
        );
    }
    for (configuration, expected) in [
        (json!({ "table": "PRIVATE.users" }), "there is no table"),
        (json!({ "table": "PUBLIC.active_users" }), "is a view"),
        (json!({ "table": "PUBLIC.userz" }), "did you mean \"public.users\""),
    ] {
        let body = json!({ "connection_id": CONNECTION, "configuration": configuration });
        let response = sandbox.post("/api/model-preview", &body).await;
        assert!(response.error_message(400).contains(expected), "{}", response.text);
    }
}
