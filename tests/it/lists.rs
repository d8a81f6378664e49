//! The list tools, against the sandbox: detail, filters, pages and cursors.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, Sandbox, Session, Stub, UNKNOWN_ID};

/// A sandbox with models 0 to 4, the even ones named "Users" and the odd ones "Orders"; their ids, newest first.
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

/// The ids on all pages, and the number of items on each.
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
        assert!(lengths.len() < 20, "the list does not end: {page}");
        arguments["cursor"] = cursor.clone();
    }
}

const MODELS: (&str, &str) = ("list_models", "models");
const SYNCS: (&str, &str) = ("list_model_syncs", "syncs");

#[tokio::test]
async fn models_are_listed_in_brief_or_in_full() {
    let (_sandbox, mut session, ids) = five_models().await;
    let brief = session.call("list_models", json!({"limit": 1})).await["models"][0].clone();
    let mut names: Vec<&String> = brief.as_object().unwrap().keys().collect();
    names.sort();
    let expected = [
        "connection_id",
        "field_count",
        "id",
        "identifier",
        "name",
        "source",
        "type",
        "updated_at",
    ];
    assert_eq!(names, expected, "{brief}");
    assert_eq!(brief["source"], "public.users");
    let full = json!({"limit": 1, "detail": "full"});
    let full = session.call("list_models", full).await["models"][0].clone();
    let arguments = json!({"model_id": ids[0], "detail": "full"});
    let model = session.call("get_model", arguments).await["model"].clone();
    assert_eq!(full, model);
    assert_eq!(brief["field_count"], full["fields"].as_array().unwrap().len());
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
        let (listed, sizes) = pages(&mut session, MODELS, arguments.clone()).await;
        assert_eq!((&listed[..], &sizes[..]), (expected, lengths), "{arguments}");
    }
}

#[tokio::test]
async fn a_cursor_continues_after_the_last_item_although_the_list_has_changed() {
    // With a filter the cursor points into the middle of a page of the API.
    for filter in [json!({"limit": 2}), json!({"limit": 2, "connection_id": CONNECTION})] {
        let (sandbox, mut session, ids) = five_models().await;
        let first = session.call("list_models", filter.clone()).await;
        let path = format!("/api/models/{}", ids[4].as_str().unwrap());
        assert_eq!(sandbox.delete(&path).await.status, 204);
        session.create_model("Newest", "public.users").await;
        let mut arguments = filter.clone();
        arguments["cursor"] = first["next_cursor"].clone();
        let (listed, _) = pages(&mut session, MODELS, arguments).await;
        assert_eq!(listed, ids[2..4], "{filter}: each remaining model once");
    }
}

#[tokio::test]
async fn a_cursor_is_valid_for_the_list_and_the_filters_that_returned_it() {
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
    let foreign_cursor = "`next_cursor` of an earlier";
    let changed_arguments = "expected the same other arguments as in the call that returned it";
    for (label, tool, arguments, expected) in [
        ("of syncs", "list_models", json!({"cursor": syncs}), foreign_cursor),
        ("of models", "list_model_syncs", json!({"cursor": plain}), foreign_cursor),
        ("of the API", "list_models", json!({"cursor": api}), foreign_cursor),
        ("nonsense", "list_models", json!({"cursor": "nonsense"}), foreign_cursor),
        ("without the filter", "list_models", json!({"cursor": filtered}), changed_arguments),
        (
            "with another filter",
            "list_models",
            json!({"cursor": filtered, "name_contains": "order"}),
            changed_arguments,
        ),
        (
            "with a filter",
            "list_models",
            json!({"cursor": plain, "name_contains": "user"}),
            changed_arguments,
        ),
        (
            "without the model",
            "list_model_syncs",
            json!({"cursor": syncs_of_model}),
            changed_arguments,
        ),
        (
            "with another model",
            "list_model_syncs",
            json!({"cursor": syncs_of_model, "model_id": ids[1]}),
            changed_arguments,
        ),
    ] {
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["code"], "invalid_argument", "{label}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
        assert_eq!(error["details"]["argument"], "cursor", "{label}: {error}");
        assert!(error["message"].as_str().unwrap().contains(expected), "{label}: {error}");
    }
    // `limit` and `detail` are not filters.
    let arguments = json!({"cursor": plain, "limit": 3, "detail": "full"});
    let page = session.call("list_models", arguments).await;
    assert_eq!(page["models"].as_array().unwrap().len(), 3, "{page}");
}

#[tokio::test]
async fn syncs_are_listed_page_by_page_and_by_model() {
    let (sandbox, mut session, models) = five_models().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(sandbox.add_sync(&format!("Sync {n}"), &models[n % 2], json!({})).await);
    }
    ids.reverse();
    let of_first = [ids[0].clone(), ids[2].clone(), ids[4].clone()];
    for (arguments, expected, lengths) in [
        (json!({}), &ids[..], &[5][..]),
        (json!({"limit": 2}), &ids, &[2, 2, 1]),
        (json!({"model_id": models[0]}), &of_first, &[3]),
        (json!({"model_id": models[0], "limit": 2}), &of_first, &[2, 1]),
        (json!({"model_id": models[4]}), &[], &[0]),
    ] {
        let (listed, sizes) = pages(&mut session, SYNCS, arguments.clone()).await;
        assert_eq!((&listed[..], &sizes[..]), (expected, lengths), "{arguments}");
    }
    let sync = session.call("list_model_syncs", json!({"limit": 1})).await["syncs"][0].clone();
    let mut without_time = sync.clone();
    without_time.as_object_mut().unwrap().remove("updated_at").unwrap();
    let expected = json!({
        "id": ids[0], "name": "Sync 4", "active": false, "mode": "create",
        "model_ids": [models[0]], "schedule": {"frequency": "manual"},
        "target_connection_id": CONNECTION, "target_object": "People",
    });
    assert_eq!(without_time, expected);
}

#[tokio::test]
async fn connections_and_connection_types_are_filtered_by_name() {
    let mut session = Session::sandbox().await;
    for (tool, list, arguments, count) in [
        ("list_connections", "connections", json!({}), 6),
        ("list_connections", "connections", json!({"name_contains": "SQLITE"}), 1),
        ("list_connections", "connections", json!({"name_contains": "prod"}), 0),
        ("list_connection_types", "connection_types", json!({"name_contains": "SqLi"}), 1),
        ("list_connection_types", "connection_types", json!({"name_contains": "slack"}), 0),
        (
            "list_connection_types",
            "connection_types",
            json!({"name_contains": "slack", "source_only": false}),
            1,
        ),
    ] {
        let result = session.call(tool, arguments.clone()).await;
        assert_eq!(result[list].as_array().unwrap().len(), count, "{tool} {arguments}");
    }
    let arguments = json!({"name_contains": "sqlite"});
    let brief = session.call("list_connection_types", arguments).await;
    let capabilities = json!({"source": true, "destination": true});
    let expected = json!([{"id": "sqlite", "name": "SQLite", "capabilities": capabilities}]);
    assert_eq!(brief["connection_types"], expected);
    let arguments = json!({"name_contains": "sqlite", "detail": "full"});
    let full = session.call("list_connection_types", arguments).await;
    assert!(full["connection_types"][0].get("configurationForm").is_some(), "{full}");
    let full = session.call("list_connections", json!({"detail": "full"})).await;
    let arguments = json!({"connection_id": CONNECTION, "detail": "full"});
    let connection = session.call("get_connection", arguments).await;
    assert_eq!(full["connections"][0], connection["connection"]);
}

#[tokio::test]
async fn connection_types_that_are_no_sources_are_omitted_by_default() {
    let stub = Stub::start().await;
    let connection_type =
        |id: &str, capabilities: Value| json!({"id": id, "name": id, "capabilities": capabilities});
    let body = json!({"data": [
        connection_type("both", json!({"source": true, "destination": true})),
        connection_type("target", json!({"source": false, "destination": true})),
        connection_type("unspecified", json!({"destination": true})),
        {"id": "nothing", "name": null, "capabilities": null},
    ]});
    stub.json("GET", "/api/connection_types", 200, body).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (arguments, expected) in [
        (json!({}), &["both"][..]),
        (json!({"source_only": true}), &["both"]),
        (json!({"source_only": false}), &["both", "target", "unspecified", "nothing"]),
        (json!({"source_only": false, "name_contains": "T"}), &["both", "target", "nothing"]),
    ] {
        let result = session.call("list_connection_types", arguments.clone()).await;
        let kinds = result["connection_types"].as_array().unwrap();
        let ids: Vec<&str> = kinds.iter().map(|kind| kind["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{arguments}");
    }
}
