//! Each tool against the embedded sandbox, over MCP.

use serde_json::json;

use crate::support::{CONNECTION, NOBODY, Session};

#[tokio::test]
async fn a_model_is_made_looked_at_and_removed() {
    let mut session = Session::sandbox().await;

    let found = session.call("list_connections", json!({})).await;
    assert_eq!(found["connections"][0]["id"], CONNECTION);
    assert_eq!(found["connections"][0]["name"], "SQLite (sandbox)");
    assert_eq!(found["connections"][0]["type"]["id"], "sqlite");
    assert_eq!(found["connections"][0].get("configuration"), None);

    let source = session.call("get_model_source", json!({"connection_id": CONNECTION})).await;
    assert_eq!(source["requires_one_of"], json!(["query", "table", "view"]));
    let tables = source["items"]["table"]["items"].as_array().unwrap();
    assert!(tables.contains(&json!("public.users")), "{tables:?}");

    let deeper = json!({"connection_id": CONNECTION, "configuration": {"table": "public.users"}});
    let source = session.call("get_model_source", deeper.clone()).await;
    let columns = source["items"]["tracking_columns"]["items"].as_array().unwrap();
    assert!(columns.contains(&json!("updated_at")), "{source}");

    let preview = session.call("preview_model", deeper).await;
    assert_eq!(preview["model"].get("id"), None, "{preview}");
    assert_eq!(preview["model"]["fields"][0]["name"], "id");

    let id = session.create_model("Users", "public.users").await;
    let read = session.call("get_model", json!({"model_id": id})).await;
    assert_eq!(read["model"]["name"], "Users");
    assert_eq!(read["model"]["identifier"], "id");

    let listed = session.call("list_models", json!({})).await;
    assert_eq!(listed["models"][0]["id"], id.as_str());
    assert_eq!(listed["models"][0]["connection_id"], CONNECTION);
    assert!(listed["models"][0]["field_count"].as_u64().unwrap() > 5, "{listed}");
    assert_eq!(listed.get("next_cursor"), None);

    let sample = session.call("sample_records", json!({"model_id": id})).await;
    let record = &sample["records"][0][&id];
    assert!(record["email"].as_str().unwrap().contains('@'), "{sample}");
    assert_eq!(sample["warnings"], json!([]));

    let deleted = session.call("delete_model", json!({"model_id": id})).await;
    assert_eq!(deleted, json!({"deleted": true, "model_id": id}));
    let error = session.call_err("get_model", json!({"model_id": id})).await;
    assert_eq!(error["code"], "not_found");
    assert!(error["message"].as_str().unwrap().contains(&id), "{error}");
    assert_eq!(session.close().await.status, Some(0));
}

#[tokio::test]
async fn every_property_of_the_reference_page_reaches_the_model() {
    let mut session = Session::sandbox().await;
    let other = session.create_model("Companies", "public.companies").await;
    let created = session
        .call(
            "create_model",
            json!({
                "connection_id": CONNECTION,
                "name": "Everything",
                "configuration": {"table": "public.users"},
                "additional_fields": [
                    {"name": "score", "label": "Score", "type": "number", "example": "7"},
                ],
                "enricher": {
                    "connection_id": CONNECTION, "configuration": {"object": "people"},
                    "mappings": {"email": "email"}, "fields": [{"name": "phone_number"}],
                },
                "fields": ["id", "email", "company_id"],
                "identifier": "email",
                "labels": ["crm"],
                "organization_id": NOBODY,
                "policies": [NOBODY],
                "relations": [{"from": "company_id", "to": {"model_id": other, "field": "id"}}],
                "tracking_columns": ["updated_at"],
                "async": false,
                "wait_seconds": 5,
            }),
        )
        .await;
    let model = &created["model"];
    let names: Vec<_> = model["fields"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
    assert_eq!(names, ["id", "email", "company_id", "score"]);
    assert_eq!(model["fields"][3]["user_added"], true);
    assert_eq!(model["identifier"], "email");
    assert_eq!(model["organization_id"], NOBODY);
    assert_eq!(model["policies"], json!([NOBODY]));
    assert_eq!(model["relations"][0]["to"]["model_id"], other.as_str());
    assert_eq!(model["tracking_columns"], json!(["updated_at"]));
    assert_eq!(model["enricher"]["mappings"], json!({"email": "email"}));
    assert_eq!(model["labels"], json!([{"name": "crm"}]));
    assert_eq!(created["job"]["status"], "done");
}

#[tokio::test]
async fn the_request_of_the_reference_page_works_word_for_word() {
    let mut session = Session::sandbox().await;
    let printed = json!({
        "configuration": {"table": "public.users"},
        "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
        "name": "Users",
    });
    let created = session.call("create_model", printed).await;
    assert_eq!(created["model"]["configuration"], json!({"table": "public.users"}));
    assert_eq!(created["model"]["version"], 1);
    assert_eq!(created["model"]["created_by"]["type"], "user");
    assert_eq!(created["job"]["type"], "createmodel");
    assert_eq!(created.get("next"), None, "{created}");
}

#[tokio::test]
async fn work_in_the_background_is_waited_for() {
    let mut session = Session::sandbox().await;
    let definition = json!({
        "connection_id": CONNECTION, "name": "Users", "async": true,
        "configuration": {"query": "SELECT id, email FROM users"},
    });
    let created = session.call("create_model", definition.clone()).await;
    let id = created["model"]["id"].as_str().unwrap().to_owned();
    assert_eq!(created["job"]["status"], "done");
    assert_eq!(created["job"].get("result"), None, "the job repeats its result: {created}");

    let sample = session.call("sample_records", json!({"model_id": id, "async": true})).await;
    assert!(!sample["records"].as_array().unwrap().is_empty(), "{sample}");
    let preview = session.call("preview_model", definition).await;
    assert_eq!(preview["model"]["fields"][1]["name"], "email");
}

#[tokio::test]
async fn an_unfinished_job_comes_with_the_call_that_goes_on() {
    let mut session = Session::sandbox().await;
    let arguments = json!({
        "connection_id": CONNECTION, "name": "Users", "async": true, "wait_seconds": 0,
        "configuration": {"table": "public.users"},
    });
    let started = session.call("create_model", arguments).await;
    assert_eq!(started.get("model"), None, "{started}");
    assert_eq!(started["next"]["tool"], "get_job");
    assert_eq!(started["next"]["arguments"]["job_id"], started["job"]["job_id"]);

    let mut next = started["next"]["arguments"].clone();
    next["wait_seconds"] = json!(10);
    let done = session.call("get_job", next).await;
    assert_eq!(done["job"]["status"], "done");
    assert_eq!(done["model"]["name"], "Users");
    assert_eq!(done.get("next"), None, "{done}");
}

#[tokio::test]
async fn a_failed_job_is_an_error_with_its_text_in_details() {
    let mut session = Session::sandbox().await;
    let arguments = json!({
        "connection_id": CONNECTION, "name": "Nothing", "async": true,
        "configuration": {"table": "public.nothing"},
    });
    let error = session.call_err("create_model", arguments).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("job_failed"), &json!("refused")));
    assert!(error["details"]["error"].as_str().unwrap().contains("public.nothing"), "{error}");
    let message = format!("{}{}", error["message"], error["hint"]);
    assert!(!message.contains("nothing"), "outside text in our words: {error}");
}

#[tokio::test]
async fn models_are_listed_page_by_page() {
    let mut session = Session::sandbox().await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(session.create_model(&format!("Model {n}"), "public.orders").await);
    }
    let mut seen = Vec::new();
    let mut arguments = json!({"limit": 2});
    loop {
        let page = session.call("list_models", arguments.clone()).await;
        for model in page["models"].as_array().unwrap() {
            seen.push(model["id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page.get("next_cursor") else {
            break;
        };
        arguments["cursor"] = cursor.clone();
    }
    made.reverse();
    assert_eq!(seen, made);
}
