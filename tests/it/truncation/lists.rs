//! Long lists: truncated by whole items, with the rest available as the note says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cases::{Case, cases};
use super::fixtures::{
    AMPLE_MAX_BYTES, DEFAULT_MAX_BYTES, SOURCE_PATH, assert_truncated, call_and_measure,
    connection_types, connections, fields, list_at, model, names, suggested_max_bytes,
    with_max_bytes,
};
use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn a_long_list_is_truncated_by_whole_items_with_a_hint_for_the_rest() {
    for case in cases() {
        let Case { label, response: (verb, path, body), tool, arguments, list, total } = case;
        let stub = Stub::start().await;
        stub.json(verb, &path, 200, body).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let (partial, bytes) = call_and_measure(&mut session, tool, &arguments).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{label}: {bytes} bytes");
        assert!(
            bytes >= DEFAULT_MAX_BYTES * 7 / 10,
            "{label}: only {bytes} bytes: {}",
            partial["truncated"]
        );

        // The hint is followed literally.
        let hint = &partial["truncated"]["how_to_get_more"];
        let sufficient = suggested_max_bytes(hint);
        let (complete, bytes) =
            call_and_measure(&mut session, tool, &with_max_bytes(&arguments, sufficient)).await;
        assert!(bytes <= sufficient, "{label}: {bytes} of {sufficient} bytes");
        assert_eq!(complete.get("truncated"), None, "{label}");
        assert_truncated(label, &partial, &complete, list);
        assert_eq!(partial["truncated"]["total"], total, "{label}");
        let has_name_filter = [
            "get_model_source",
            "get_model_source_fields",
            "list_connections",
            "list_connection_types",
        ];
        let suggests_filter = hint.as_str().unwrap().contains("`name_contains`");
        assert_eq!(suggests_filter, has_name_filter.contains(&tool), "{label}: {hint}");

        let (ample, _) =
            call_and_measure(&mut session, tool, &with_max_bytes(&arguments, AMPLE_MAX_BYTES))
                .await;
        assert!(ample == complete, "{label}: a higher limit changes the result");
        let (minimal, bytes) =
            call_and_measure(&mut session, tool, &with_max_bytes(&arguments, 4_000)).await;
        assert!(bytes <= 4_000, "{label}: {bytes} bytes");
        assert_truncated(label, &minimal, &complete, list);
        assert_eq!(
            suggested_max_bytes(&minimal["truncated"]["how_to_get_more"]),
            sufficient,
            "{label}"
        );
    }
}

#[tokio::test]
async fn name_contains_finds_items_that_a_truncated_list_omits() {
    let stub = Stub::start().await;
    let source = json!({"data": {"items": {"table": {"items": names(5_000)}}}});
    stub.json("GET", SOURCE_PATH, 200, source).await;
    stub.json("GET", &format!("{SOURCE_PATH}/fields"), 200, json!({"data": fields(5_000)})).await;
    stub.json("GET", "/api/connections", 200, json!({"data": connections(200)})).await;
    stub.json("GET", "/api/connection_types", 200, json!({"data": connection_types(226)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let id = json!({"connection_id": CONNECTION, "configuration": {}});
    for (tool, mut arguments, part, list) in [
        ("get_model_source", id.clone(), "TABLE_4999", "items.table.items"),
        ("get_model_source_fields", id, "umn_4999", "fields"),
        ("list_connections", json!({"detail": "full"}), "connection 199", "connections"),
        ("list_connection_types", json!({"detail": "full"}), "type 225", "connection_types"),
    ] {
        arguments["name_contains"] = json!(part);
        let (mut result, bytes) = call_and_measure(&mut session, tool, &arguments).await;
        assert_eq!(result.get("truncated"), None, "{tool}");
        assert_eq!(list_at(&mut result, list).as_array().map(Vec::len), Some(1), "{tool}");
        assert!(bytes < 2_000, "{tool}: {bytes}");
    }
}

#[tokio::test]
async fn several_long_lists_share_the_limit_and_short_ones_stay_complete() {
    let mut wide = model(fields(5_000));
    wide["tracking_columns"] = names(5_000);
    wide["policies"] = json!([UNKNOWN_ID, CONNECTION]);
    wide["relations"] = (0..800)
        .map(|n| json!({"from": format!("c{n}"), "to": {"model_id": UNKNOWN_ID, "field": "id"}}))
        .collect();
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": wide})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (partial, bytes) =
        call_and_measure(&mut session, "get_model", &json!({"model_id": UNKNOWN_ID})).await;
    assert!((DEFAULT_MAX_BYTES * 7 / 10..=DEFAULT_MAX_BYTES).contains(&bytes), "{bytes} bytes");
    let note = &partial["truncated"];
    let others = note["others"].as_array().cloned().unwrap_or_default();
    let mut truncated = BTreeSet::new();
    for entry in [note].into_iter().chain(&others) {
        let list = entry["list"].as_str().unwrap();
        let items = list_at(&mut partial.clone(), list).as_array().unwrap().len();
        assert_eq!(entry["shown"], items, "{entry}");
        assert_eq!(entry["total"], if list == "model.relations" { 800 } else { 5_000 }, "{entry}");
        truncated.insert(list.to_owned());
    }
    let expected = ["model.fields", "model.relations", "model.tracking_columns"];
    assert_eq!(truncated, expected.map(str::to_owned).into());
    assert_eq!(partial["model"]["policies"], wide["policies"]);
}

#[tokio::test]
async fn a_partial_sample_reports_its_total_even_if_only_texts_are_truncated() {
    let records: Vec<Value> =
        (0..40).map(|n| json!({UNKNOWN_ID: {"id": n, "body": "x".repeat(20_000)}})).collect();
    let stub = Stub::start().await;
    stub.json("GET", &format!("{MODEL}/sample"), 200, json!({"data": {"records": records}})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for limit in [3, 40] {
        let arguments = json!({"model_id": UNKNOWN_ID, "limit": limit});
        let (partial, bytes) = call_and_measure(&mut session, "sample_records", &arguments).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{bytes} bytes");
        let note = &partial["truncated"];
        let shown = partial["records"].as_array().unwrap().len();
        assert!(shown <= limit);
        let others = note["others"].as_array().cloned().unwrap_or_default();
        let records =
            [note.clone()].into_iter().chain(others).find(|list| list["list"] == "records");
        let records = records.unwrap_or_else(|| panic!("limit {limit}: {note}"));
        assert_eq!((&records["shown"], &records["total"]), (&json!(shown), &json!(40)), "{note}");
    }
}
