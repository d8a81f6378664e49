//! Arguments of prompts and of resources are completed while a person types.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, Launch, Sandbox, Session, Stub, TARGET, stateless, users};

fn of_template(uri: &str, name: &str, typed: &str) -> Value {
    json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": name, "value": typed}})
}

fn of_prompt(prompt: &str, name: &str, typed: &str, filled: Value) -> Value {
    json!({
        "ref": {"type": "ref/prompt", "name": prompt}, "argument": {"name": name, "value": typed},
        "context": {"arguments": filled},
    })
}

async fn values(session: &mut Session, params: Value) -> Vec<String> {
    let response = session.request("completion/complete", params).await;
    let values = response["result"]["completion"]["values"].as_array();
    let values = values.unwrap_or_else(|| panic!("{response}"));
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

const MODELS: &str = "polytomic://models/{model_id}";

#[tokio::test]
async fn ids_are_found_by_their_beginning_and_by_name() {
    let sandbox = Sandbox::start();
    let mut ids = Vec::new();
    for name in ["Users", "Active users", "Orders"] {
        let created = sandbox.post("/api/models", &users(json!({"name": name}))).await;
        ids.push(created.data()["id"].as_str().unwrap().to_owned());
    }
    let target = json!({"target": {"connection_id": TARGET, "object": "people"}});
    let sync = sandbox.add_sync("Nightly", &json!(ids[0]), target).await;
    let mut session = Session::open(&sandbox.launch()).await;
    for (params, expected) in [
        (of_template(MODELS, "model_id", "users"), vec![ids[0].as_str(), &ids[1]]),
        (of_template(MODELS, "model_id", &ids[2][..8]), vec![&ids[2]]),
        (of_template(MODELS, "model_id", "nobody"), vec![]),
        (
            of_template(
                "polytomic://connections/{connection_id}/source",
                "connection_id",
                "SQLITE",
            ),
            vec![CONNECTION],
        ),
        (
            of_template("polytomic://syncs/{sync_id}", "sync_id", "night"),
            vec![sync.as_str().unwrap()],
        ),
        (of_prompt("explain-model", "model_id", "ord", json!({})), vec![&ids[2]]),
    ] {
        assert_eq!(values(&mut session, params.clone()).await, expected, "{params}");
        // In the other era as well.
        assert_eq!(values(&mut session, stateless(params.clone())).await, expected, "{params}");
    }
}

#[tokio::test]
async fn tables_and_columns_follow_from_what_was_filled_in() {
    let launch = Launch::sandbox().flag("--toolsets").flag("all");
    let mut session = Session::open(&launch).await;
    let connection = json!({"connection_id": CONNECTION});
    let with_table = |table: &str| json!({"connection_id": CONNECTION, "table": table});
    let target = json!({"connection_id": TARGET});
    for (name, typed, filled, expected) in [
        ("table", "us", connection.clone(), vec!["public.users", "public.active_users"]),
        ("table", "us", json!({}), vec![]),
        ("columns", "em", with_table("public.users"), vec!["email"]),
        ("columns", "id,em", with_table("public.users"), vec!["id,email"]),
        ("columns", "em", with_table("public.active_users"), vec!["email"]),
        ("columns", "em", with_table("public.nothing"), vec![]),
        ("columns", "em", connection, vec![]),
        ("question", "wh", target.clone(), vec![]),
    ] {
        let params = of_prompt("create-model", name, typed, filled);
        assert_eq!(values(&mut session, params.clone()).await, expected, "{params}");
    }
    let stub = Stub::start().await;
    let objects =
        json!({"data": [{"id": "o-1", "name": "People"}, {"id": "o-2", "name": "Orders"}]});
    stub.json("GET", &format!("/api/connections/{TARGET}/modelsync/targetobjects"), 200, objects)
        .await;
    let launch = Launch::against(&stub.url()).flag("--toolsets").flag("all");
    let mut session = Session::open(&launch).await;
    let params = of_prompt("plan-sync", "object", "people", target);
    assert_eq!(values(&mut session, params).await, ["o-1"]);
}

#[tokio::test]
async fn a_list_is_read_once_in_a_short_time() {
    let stub = Stub::start().await;
    let model = |n: usize| json!({"id": format!("{n:08}-0000-4000-8000-000000000000"), "name": format!("Model {n}")});
    let models: Vec<Value> = (0..50).map(model).collect();
    let page = json!({"data": models, "pagination": {"next_page_token": "t"}});
    stub.json("GET", "/api/models", 200, page).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for typed in ["m", "mo", "model 4", "0000"] {
        let found = values(&mut session, of_template(MODELS, "model_id", typed)).await;
        assert!(!found.is_empty(), "{typed}");
    }
    assert_eq!(stub.lines().await.len(), 1, "{:?}", stub.lines().await);
    let response =
        session.request("completion/complete", of_template(MODELS, "model_id", "model")).await;
    assert_eq!(response["result"]["completion"]["hasMore"], true);
}

#[tokio::test]
async fn what_was_just_created_is_completed() {
    let mut session = Session::open(&Launch::sandbox()).await;
    let params = of_template(MODELS, "model_id", "use");
    assert_eq!(values(&mut session, params.clone()).await, [""; 0]);
    let id = session.create_model("Users", "public.users").await;
    assert_eq!(values(&mut session, params).await, [id]);
}

#[tokio::test]
async fn a_slow_or_failing_api_completes_nothing_within_a_second() {
    let stub = Stub::slow(Duration::from_secs(5)).await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    stub.on("GET", "/api/models", slow).await;
    stub.json("GET", "/api/syncs", 403, json!({"message": "no"})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let started = Instant::now();
    assert_eq!(values(&mut session, of_template(MODELS, "model_id", "u")).await, [""; 0]);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let sync = of_template("polytomic://syncs/{sync_id}", "sync_id", "u");
    assert_eq!(values(&mut session, sync).await, [""; 0]);
}

#[tokio::test]
async fn a_slow_list_is_read_once_and_is_there_later() {
    let stub = Stub::start().await;
    let list = json!({"data": [{"id": CONNECTION, "name": "Acme, Inc"}]});
    let slow = ResponseTemplate::new(200).set_body_json(list).set_delay(Duration::from_secs(2));
    stub.on("GET", "/api/connections", slow).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let uri = "polytomic://connections/{connection_id}/source";
    // A comma in a name separates nothing.
    for _ in 0..2 {
        let found = values(&mut session, of_template(uri, "connection_id", "acme, i")).await;
        assert_eq!(found, [""; 0]);
    }
    let found = values(&mut session, of_template(uri, "connection_id", "acme, i")).await;
    assert_eq!(found, [CONNECTION]);
    assert_eq!(stub.lines().await.len(), 1);
}

#[tokio::test]
async fn nothing_long_is_completed() {
    let mut session = Session::open(&Launch::sandbox()).await;
    let long = format!("{},", "b".repeat(1 << 20));
    let filled = json!({"connection_id": CONNECTION, "table": "public.users"});
    let found = values(&mut session, of_prompt("create-model", "columns", &long, filled)).await;
    assert_eq!(found, [""; 0]);
    let filled = json!({"connection_id": long});
    let found = values(&mut session, of_prompt("create-model", "table", "", filled)).await;
    assert_eq!(found, [""; 0]);
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let mut session = Session::open(&Launch::sandbox()).await;
    for (params, expected) in [
        (of_prompt("nothing", "x", "", json!({})), "Unknown prompt \"nothing\"."),
        (of_prompt("create-model", "tabel", "", json!({})), "Unknown argument \"tabel\"."),
        (
            of_template("polytomic://x/{id}", "id", ""),
            "Unknown resource template \"polytomic://x/{id}\".",
        ),
        (of_template(MODELS, "id", ""), "Unknown argument \"id\"."),
        (
            json!({"ref": {"type": "ref/tool", "name": "x"}, "argument": {"name": "a", "value": ""}}),
            "Invalid params of completion/complete: ref: expected {\"type\": \"ref/prompt\", \"name\": …} or {\"type\": \
             \"ref/resource\", \"uri\": …}.",
        ),
        (
            json!({"ref": {"type": "ref/prompt", "name": "create-model"}}),
            "Invalid params of completion/complete: argument.value: expected a string, got nothing.",
        ),
    ] {
        let response = session.request("completion/complete", params.clone()).await;
        assert_eq!(response["error"]["code"], -32602, "{params}: {response}");
        assert_eq!(response["error"]["message"], expected, "{params}");
    }
}
