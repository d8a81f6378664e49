//! Arguments that are ids: what is read as a UUID, and the call that finds one if there is none.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, Sandbox, Session, Stub, UNKNOWN_ID, over_call, over_rpc};

/// A UUID as people and agents paste it.
fn spellings(kind: &str, id: &str) -> Vec<String> {
    let other = "0b155265-c537-44c9-9359-a3ceb468a4da";
    vec![
        format!(" {id}"),
        format!("{id}\n"),
        format!("\t{id}\u{a0}"),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("\"{id}\""),
        format!("'{id}'"),
        format!("`{id}`"),
        format!("{{{id}}}"),
        format!("<{id}>"),
        format!("({id})"),
        format!("urn:uuid:{id}"),
        id.replace('-', "\u{2011}"),
        format!("“{}”", id.replace('-', "–")),
        format!("https://app.polytomic.com/{kind}s/{}/edit", id.replace('-', "−")),
        format!("https://app.polytomic.com/{kind}s/{id}"),
        format!("https://app.polytomic.com/{kind}s/{id}/edit?tab=1#top"),
        format!("https://app.polytomic.com/organizations/{other}/{kind}s/{id}/"),
        format!("https://app.polytomic.com/{kind}s/{id}?organization={other}"),
        format!("https://polytomic.example.com/x/{id}"),
        format!("app.polytomic.com/{kind}s/{}", id.to_uppercase()),
        format!("https://app.polytomic.com/open?{kind}_id={id}&user={other}"),
    ]
}

#[tokio::test]
async fn a_uuid_is_read_from_what_surrounds_it() {
    let sandbox = Sandbox::start();
    let mut session = sandbox.session().await;
    let model = session.create_model("Users", "public.users").await;
    let sync = sandbox.add_sync("Nightly", &json!(model), json!({})).await;
    let sync = sync.as_str().unwrap();
    for (tool, argument, kind, id, result) in [
        ("get_model", "model_id", "model", model.as_str(), "/model/id"),
        ("get_connection", "connection_id", "connection", CONNECTION, "/connection/id"),
        ("get_model_sync", "sync_id", "sync", sync, "/sync/id"),
        ("list_model_syncs", "model_id", "model", model.as_str(), "/syncs/0/model_ids/0"),
        ("list_models", "connection_id", "connection", CONNECTION, "/models/0/connection_id"),
    ] {
        for text in spellings(kind, id) {
            let found = session.call(tool, json!({argument: text})).await;
            assert_eq!(found.pointer(result), Some(&json!(id)), "{tool} {text:?}: {found}");
        }
    }
    // A link that is not for this argument.
    for text in [
        format!("https://app.polytomic.com/connections/{CONNECTION}"),
        format!("https://app.polytomic.com/connections/{CONNECTION}/models/{model}/models/{sync}"),
    ] {
        let error = session.call_err("delete_model", json!({"model_id": text})).await;
        assert_eq!(error["code"], "invalid_argument", "{error}");
        assert!(error["hint"].as_str().unwrap().starts_with("The link "), "{error}");
    }
    // Inside an argument as well, and what the API gets is the UUID alone.
    let relation =
        json!({"from": "company_id", "to": {"model_id": format!(" {model} "), "field": "id"}});
    let change = json!({"model_id": format!("<{model}>"), "relations": [relation]});
    let updated = session.call("update_model", change).await;
    assert_eq!(updated["model"]["relations"][0]["to"]["model_id"], json!(model), "{updated}");
}

#[tokio::test]
async fn a_name_in_place_of_a_uuid_gets_the_call_that_finds_it() {
    let sandbox = Sandbox::start();
    let mut session = sandbox.session().await;
    let model = session.create_model("Active users", "public.users").await;
    session.create_model("Orders", "public.orders").await;
    let sync = sandbox.add_sync("Nightly people", &json!(model), json!({})).await;
    let other = sandbox.add_sync("Hourly orders", &json!(model), json!({})).await;
    assert_ne!(sync, other);
    for (tool, argument, name, list, items, id) in [
        ("get_model", "model_id", "Active users", "list_models", "models", json!(model)),
        ("delete_model", "model_id", " \"ACTIVE\" ", "list_models", "models", json!(model)),
        ("sample_records", "model_id", "active", "list_models", "models", json!(model)),
        ("update_model", "model_id", "active", "list_models", "models", json!(model)),
        ("list_model_syncs", "model_id", "users", "list_models", "models", json!(model)),
        (
            "get_connection",
            "connection_id",
            "SQLite",
            "list_connections",
            "connections",
            json!(CONNECTION),
        ),
        (
            "test_connection",
            "connection_id",
            "sandbox",
            "list_connections",
            "connections",
            json!(CONNECTION),
        ),
        (
            "get_model_source",
            "connection_id",
            "sqlite",
            "list_connections",
            "connections",
            json!(CONNECTION),
        ),
        (
            "list_models",
            "connection_id",
            "sqlite (",
            "list_connections",
            "connections",
            json!(CONNECTION),
        ),
        (
            "create_model",
            "connection_id",
            "SQLite",
            "list_connections",
            "connections",
            json!(CONNECTION),
        ),
        ("get_model_sync", "sync_id", "Nightly", "list_model_syncs", "syncs", sync.clone()),
        ("get_model_sync", "sync_id", "PEOPLE", "list_model_syncs", "syncs", sync.clone()),
    ] {
        let error = session.call_err(tool, json!({argument: name})).await;
        assert_eq!(error["code"], "invalid_argument", "{error}");
        let hint = error["hint"].as_str().unwrap();
        let (_, call) =
            hint.split_once(&format!("Call {list} with ")).unwrap_or_else(|| panic!("{error}"));
        let (arguments, _) = call.split_once(" for the id of").unwrap();
        let found = session.call(list, serde_json::from_str(arguments).unwrap()).await;
        let ids: Vec<&Value> =
            found[items].as_array().unwrap().iter().map(|item| &item["id"]).collect();
        assert_eq!(ids, [&id], "{tool} {name}: {hint}");
    }
}

#[tokio::test]
async fn the_hint_for_an_id_is_the_same_everywhere() {
    let stub = Stub::start().await;
    let launch = Launch::against(&stub.url());
    let mut session = Session::open(&launch).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    let create = json!({
        "connection_id": "Postgres", "name": "Users", "configuration": {"table": "t"},
        "relations": [{"from": "a", "to": {"model_id": "Companies", "field": "id"}}],
    });
    for (tool, arguments, expected) in [
        (
            "get_model",
            json!({"model_id": "Users"}),
            "Call list_models with {\"name_contains\":\"Users\"} for the id of the model.",
        ),
        ("get_model", json!({"model_id": ""}), "Call list_models for the id of the model."),
        ("get_model", json!({}), "Call list_models for the id of the model."),
        ("get_model", json!({"model_id": 17}), "Call list_models for the id of the model."),
        (
            "get_model",
            json!({"model_id": &UNKNOWN_ID[1..]}),
            "A UUID has 32 hexadecimal digits. Call list_models",
        ),
        (
            "get_model",
            json!({"model_id": "https://app.polytomic.com/models"}),
            "The link holds no UUID. Call list_models",
        ),
        (
            "get_model",
            json!({"model_id": format!("https://app.polytomic.com/jobs/{UNKNOWN_ID}")}),
            "The link leads to the job, not to the model. Call list_models",
        ),
        (
            "get_model",
            json!({"model_id": format!("https://x/a/{UNKNOWN_ID}/b/{CONNECTION}")}),
            "The link holds several UUIDs: pass only that of the model.",
        ),
        (
            "get_model",
            json!({"model_id": format!("Users, {UNKNOWN_ID}")}),
            "Pass only the UUID in it, 00000000-",
        ),
        (
            "test_connection",
            json!({"connection_id": "My \"DB\" x"}),
            r#"Call list_connections with {"name_contains":"My \"DB\" x"}"#,
        ),
        (
            "get_model_sync",
            json!({"sync_id": "Nightly"}),
            "Call list_model_syncs with {\"name_contains\":\"Nightly\"}",
        ),
        (
            "get_job",
            json!({"type": "createmodel", "job_id": "the last"}),
            "Pass `job_id` from `next` of the call",
        ),
        ("create_model", create, "Call list_connections with {\"name_contains\":\"Postgres\"}"),
    ] {
        let error = session.call_err(tool, arguments.clone()).await;
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.starts_with(expected), "{tool} {arguments}: {error}");
        assert!(hint.ends_with("Correct the arguments and call again."), "{error}");
        for problem in error["details"]["problems"].as_array().unwrap() {
            let hint = problem["hint"].as_str().unwrap();
            let list =
                if problem["argument"] == "relations[0].to.model_id" { "list_models" } else { "" };
            assert!(hint.contains(list), "{error}");
        }
        assert_eq!(over_rpc(&mut rpc, tool, &arguments).await, Err(error.clone()));
        assert_eq!(over_call(launch.clone(), tool, &arguments).await, Err(error));
    }
    assert_eq!(stub.lines().await, Vec::<String>::new());
}

#[tokio::test]
async fn syncs_are_found_by_name() {
    let sandbox = Sandbox::start();
    let mut session = sandbox.session().await;
    let model = session.create_model("Users", "public.users").await;
    let mut ids = Vec::new();
    for name in ["Nightly users", "NIGHTLY orders", "Hourly Ünïts", "über"] {
        ids.push(sandbox.add_sync(name, &json!(model), json!({})).await);
    }
    for (arguments, expected) in [
        (json!({"name_contains": "nightly"}), vec![&ids[1], &ids[0]]),
        (json!({"name_contains": "nightly", "model_id": model}), vec![&ids[1], &ids[0]]),
        (json!({"name_contains": "nightly", "model_id": UNKNOWN_ID}), vec![]),
        (json!({"name_contains": "ü"}), vec![&ids[3], &ids[2]]),
        (json!({"name_contains": "y o"}), vec![&ids[1]]),
        (json!({"name_contains": ""}), ids.iter().rev().collect()),
        (json!({"name_contains": "weekly"}), vec![]),
    ] {
        let page = session.call("list_model_syncs", arguments.clone()).await;
        let found: Vec<&Value> =
            page["syncs"].as_array().unwrap().iter().map(|sync| &sync["id"]).collect();
        assert_eq!(found, expected, "{arguments}");
    }
    // A cursor continues the same filter only.
    let first = json!({"name_contains": "nightly", "limit": 1});
    let page = session.call("list_model_syncs", first.clone()).await;
    let mut next = first;
    next["cursor"] = page["next_cursor"].clone();
    let rest = session.call("list_model_syncs", next.clone()).await;
    assert_eq!(rest["syncs"][0]["id"], ids[0], "{rest}");
    next["name_contains"] = json!("hourly");
    let error = session.call_err("list_model_syncs", next).await;
    assert_eq!(error["details"]["argument"], "cursor", "{error}");
}
