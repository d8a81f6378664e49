//! The tools that list, against the sandbox: what is shown of each item, filters, pages and their cursors.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, Sandbox, Session, Stub, UNKNOWN_ID};

/// A sandbox with models 0 to 4, "Users" where even and "Orders" where odd; their ids, the newest first.
async fn five_models() -> (Sandbox, Session, Vec<Value>) {
    let sandbox = Sandbox::start();
    let mut session = sandbox.session().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let name = format!("{} {n}", ["Users", "Orders"][n % 2]);
        ids.push(json!(session.create_model(&name, "public.users").await));
    }
    ids.reverse();
    (sandbox, session, ids)
}

/// The ids of all pages, and how many items each had.
async fn pages(
    session: &mut Session,
    (tool, list): (&str, &str),
    mut arguments: Value,
) -> (Vec<Value>, Vec<usize>) {
    let (mut ids, mut lengths) = (Vec::new(), Vec::new());
    loop {
        let page = session.call(tool, arguments.clone()).await;
        let items = page[list].as_array().unwrap();
        lengths.push(items.len());
        ids.extend(items.iter().map(|item| item["id"].clone()));
        let Some(cursor) = page.get("next_cursor") else {
            return (ids, lengths);
        };
        assert!(lengths.len() < 20, "it has no end: {page}");
        arguments["cursor"] = cursor.clone();
    }
}

const MODELS: (&str, &str) = ("list_models", "models");
const SYNCS: (&str, &str) = ("list_model_syncs", "syncs");

#[tokio::test]
async fn models_are_told_in_short_or_in_full() {
    let (_sandbox, mut session, ids) = five_models().await;
    let short = session.call("list_models", json!({"limit": 1})).await["models"][0].clone();
    let mut names: Vec<&String> = short.as_object().unwrap().keys().collect();
    names.sort();
    let expected =
        ["connection_id", "field_count", "id", "identifier", "name", "type", "updated_at"];
    assert_eq!(names, expected, "{short}");
    let full = json!({"limit": 1, "detail": "full"});
    let full = session.call("list_models", full).await["models"][0].clone();
    let one = session.call("get_model", json!({"model_id": ids[0]})).await["model"].clone();
    assert_eq!(full, one);
    assert_eq!(short["field_count"], full["fields"].as_array().unwrap().len());
}

#[tokio::test]
async fn models_are_listed_page_by_page() {
    let (_sandbox, mut session, ids) = five_models().await;
    let even = [ids[0].clone(), ids[2].clone(), ids[4].clone()];
    for (arguments, expected, lengths) in [
        (json!({}), &ids[..], &[5][..]),
        (json!({"limit": 2}), &ids, &[2, 2, 1]),
        (json!({"limit": 5}), &ids, &[5]),
        (json!({"limit": 1}), &ids, &[1, 1, 1, 1, 1]),
        (json!({"limit": 2, "name_contains": "uSeR"}), &even, &[2, 1]),
        (json!({"limit": 1, "name_contains": "user", "detail": "full"}), &even, &[1, 1, 1]),
        (json!({"name_contains": "ORDERS 3"}), &ids[1..2], &[1]),
        (json!({"name_contains": "nothing"}), &[], &[0]),
        (json!({"limit": 2, "connection_id": CONNECTION}), &ids, &[2, 2, 1]),
        (json!({"limit": 2, "connection_id": UNKNOWN_ID}), &[], &[0]),
    ] {
        let (seen, sizes) = pages(&mut session, MODELS, arguments.clone()).await;
        assert_eq!((&seen[..], &sizes[..]), (expected, lengths), "{arguments}");
    }
}

#[tokio::test]
async fn a_list_that_moves_while_it_is_read_is_read_on_where_it_was() {
    // With a filter the cursor stands in the middle of a page of the API's.
    for filter in [json!({"limit": 2}), json!({"limit": 2, "connection_id": CONNECTION})] {
        let (sandbox, mut session, ids) = five_models().await;
        let first = session.call("list_models", filter.clone()).await;
        let path = format!("/api/models/{}", ids[4].as_str().unwrap());
        assert_eq!(sandbox.delete(&path).await.status, 204);
        session.create_model("Newest", "public.users").await;
        let mut arguments = filter.clone();
        arguments["cursor"] = first["next_cursor"].clone();
        let (seen, _) = pages(&mut session, MODELS, arguments).await;
        assert_eq!(seen, ids[2..4], "{filter}: each of the rest once");
    }
}

#[tokio::test]
async fn a_cursor_holds_for_the_list_and_the_filters_that_gave_it() {
    let (sandbox, mut session, ids) = five_models().await;
    for n in 0..3 {
        sandbox.add_sync(&format!("Sync {n}"), &ids[0], json!({})).await;
    }
    let mut cursor_of = async |tool: &str, arguments: Value| {
        session.call(tool, arguments).await["next_cursor"].clone()
    };
    let plain = cursor_of("list_models", json!({"limit": 1})).await;
    let filtered = cursor_of("list_models", json!({"limit": 1, "name_contains": "user"})).await;
    let syncs = cursor_of("list_model_syncs", json!({"limit": 1})).await;
    let of_model = json!({"limit": 1, "model_id": ids[0]});
    let syncs_of_model = cursor_of("list_model_syncs", of_model).await;
    let api =
        sandbox.get("/api/models?limit=1").await.body["pagination"]["next_page_token"].clone();
    let foreign = "`next_cursor` of an earlier";
    let other = "expected the other arguments to be those of the call that gave it";
    for (label, tool, arguments, words) in [
        ("of syncs", "list_models", json!({"cursor": syncs}), foreign),
        ("of models", "list_model_syncs", json!({"cursor": plain}), foreign),
        ("of the API", "list_models", json!({"cursor": api}), foreign),
        ("nonsense", "list_models", json!({"cursor": "nonsense"}), foreign),
        ("without the filter", "list_models", json!({"cursor": filtered}), other),
        (
            "with another filter",
            "list_models",
            json!({"cursor": filtered, "name_contains": "order"}),
            other,
        ),
        ("with a filter", "list_models", json!({"cursor": plain, "name_contains": "user"}), other),
        ("without the model", "list_model_syncs", json!({"cursor": syncs_of_model}), other),
        (
            "with another model",
            "list_model_syncs",
            json!({"cursor": syncs_of_model, "model_id": ids[1]}),
            other,
        ),
    ] {
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["code"], "invalid_argument", "{label}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
        assert_eq!(error["details"]["argument"], "cursor", "{label}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{label}: {error}");
    }
    // How much is shown is no filter.
    let arguments = json!({"cursor": plain, "limit": 3, "detail": "full"});
    let page = session.call("list_models", arguments).await;
    assert_eq!(page["models"].as_array().unwrap().len(), 3, "{page}");
}

#[tokio::test]
async fn syncs_are_listed_page_by_page_and_by_the_model_they_read() {
    let (sandbox, mut session, models) = five_models().await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(sandbox.add_sync(&format!("Sync {n}"), &models[n % 2], json!({})).await);
    }
    made.reverse();
    let of_first = [made[0].clone(), made[2].clone(), made[4].clone()];
    for (arguments, expected, lengths) in [
        (json!({}), &made[..], &[5][..]),
        (json!({"limit": 2}), &made, &[2, 2, 1]),
        (json!({"model_id": models[0]}), &of_first, &[3]),
        (json!({"model_id": models[0], "limit": 2}), &of_first, &[2, 1]),
        (json!({"model_id": models[4]}), &[], &[0]),
    ] {
        let (seen, sizes) = pages(&mut session, SYNCS, arguments.clone()).await;
        assert_eq!((&seen[..], &sizes[..]), (expected, lengths), "{arguments}");
    }
    let sync = session.call("list_model_syncs", json!({"limit": 1})).await["syncs"][0].clone();
    let mut told = sync.clone();
    told.as_object_mut().unwrap().remove("updated_at").unwrap();
    let expected = json!({
        "id": made[0], "name": "Sync 4", "active": false, "mode": "create",
        "model_ids": [models[0]], "schedule": {"frequency": "manual"},
        "target_connection_id": CONNECTION, "target_object": "People",
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn connections_and_their_types_are_found_by_name() {
    let mut session = Session::sandbox().await;
    for (tool, list, arguments, count) in [
        ("list_connections", "connections", json!({}), 1),
        ("list_connections", "connections", json!({"name_contains": "SQLITE"}), 1),
        ("list_connections", "connections", json!({"name_contains": "prod"}), 0),
        ("list_connection_types", "connection_types", json!({}), 1),
        ("list_connection_types", "connection_types", json!({"name_contains": "SqL"}), 1),
        ("list_connection_types", "connection_types", json!({"name_contains": "crm"}), 0),
        ("list_connection_types", "connection_types", json!({"source_only": false}), 1),
    ] {
        let answer = session.call(tool, arguments.clone()).await;
        assert_eq!(answer[list].as_array().unwrap().len(), count, "{tool} {arguments}");
    }
    let short = session.call("list_connection_types", json!({})).await;
    let expected = json!([{"id": "sqlite", "name": "SQLite", "capabilities": {"source": true}}]);
    assert_eq!(short["connection_types"], expected);
    let full = session.call("list_connection_types", json!({"detail": "full"})).await;
    assert!(full["connection_types"][0].get("configurationForm").is_some(), "{full}");
    let full = session.call("list_connections", json!({"detail": "full"})).await;
    let one = json!({"connection_id": CONNECTION, "detail": "full"});
    let one = session.call("get_connection", one).await;
    assert_eq!(full["connections"][0], one["connection"]);
}

#[tokio::test]
async fn types_that_models_cannot_read_are_left_out_unless_asked_for() {
    let stub = Stub::start().await;
    let kind = |id: &str, can: Value| json!({"id": id, "name": id, "capabilities": can});
    let kinds = json!({"data": [
        kind("both", json!({"source": true, "destination": true})),
        kind("target", json!({"source": false, "destination": true})),
        kind("unsaid", json!({"destination": true})),
        {"id": "nothing", "name": null, "capabilities": null},
    ]});
    stub.json("GET", "/api/connection_types", 200, kinds).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (arguments, expected) in [
        (json!({}), &["both"][..]),
        (json!({"source_only": true}), &["both"]),
        (json!({"source_only": false}), &["both", "target", "unsaid", "nothing"]),
        (json!({"source_only": false, "name_contains": "T"}), &["both", "target", "nothing"]),
    ] {
        let answer = session.call("list_connection_types", arguments.clone()).await;
        let kinds = answer["connection_types"].as_array().unwrap();
        let ids: Vec<&str> = kinds.iter().map(|kind| kind["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{arguments}");
    }
}
