//! Long lists: cut whole rows at a time, and the rest is got as it is said.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cases::{Case, cases};
use super::large::{
    DEFAULT, PLENTY, SOURCE, at, connections, fields, is_cut, kinds, measured, model, names,
    told_max_bytes, with_max_bytes,
};
use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn a_long_list_is_cut_whole_rows_at_a_time_and_says_how_to_get_the_rest() {
    for case in cases() {
        let Case { label, stands: (verb, path, body), tool, arguments, list, total } = case;
        let stub = Stub::start().await;
        stub.json(verb, &path, 200, body).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let (cut, bytes) = measured(&mut session, tool, &arguments).await;
        assert!(bytes <= DEFAULT, "{label}: {bytes} bytes");
        assert!(bytes >= DEFAULT * 7 / 10, "{label}: only {bytes} bytes: {}", cut["truncated"]);

        // As it is said, to the letter.
        let how = &cut["truncated"]["how_to_get_more"];
        let enough = told_max_bytes(how);
        let (whole, bytes) =
            measured(&mut session, tool, &with_max_bytes(&arguments, enough)).await;
        assert!(bytes <= enough, "{label}: {bytes} of {enough} bytes");
        assert_eq!(whole.get("truncated"), None, "{label}");
        is_cut(label, &cut, &whole, list);
        assert_eq!(cut["truncated"]["total"], total, "{label}");
        let narrows = [
            "get_model_source",
            "get_model_source_fields",
            "list_connections",
            "list_connection_types",
        ];
        let says = how.as_str().unwrap().contains("`name_contains`");
        assert_eq!(says, narrows.contains(&tool), "{label}: {how}");

        let (more, _) = measured(&mut session, tool, &with_max_bytes(&arguments, PLENTY)).await;
        assert!(more == whole, "{label}: more than enough changes something");
        let (less, bytes) = measured(&mut session, tool, &with_max_bytes(&arguments, 4_000)).await;
        assert!(bytes <= 4_000, "{label}: {bytes} bytes");
        is_cut(label, &less, &whole, list);
        assert_eq!(told_max_bytes(&less["truncated"]["how_to_get_more"]), enough, "{label}");
    }
}

#[tokio::test]
async fn name_contains_gets_what_a_cut_list_does_not_show() {
    let stub = Stub::start().await;
    let source = json!({"data": {"items": {"table": {"items": names(5_000)}}}});
    stub.json("GET", SOURCE, 200, source).await;
    stub.json("GET", &format!("{SOURCE}/fields"), 200, json!({"data": fields(5_000)})).await;
    stub.json("GET", "/api/connections", 200, json!({"data": connections(200)})).await;
    stub.json("GET", "/api/connection_types", 200, json!({"data": kinds(226)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let id = json!({"connection_id": CONNECTION, "configuration": {}});
    for (tool, mut arguments, part, list) in [
        ("get_model_source", id.clone(), "TABLE_4999", "items.table.items"),
        ("get_model_source_fields", id, "umn_4999", "fields"),
        ("list_connections", json!({"detail": "full"}), "connection 199", "connections"),
        ("list_connection_types", json!({"detail": "full"}), "type 225", "connection_types"),
    ] {
        arguments["name_contains"] = json!(part);
        let (mut result, bytes) = measured(&mut session, tool, &arguments).await;
        assert_eq!(result.get("truncated"), None, "{tool}");
        assert_eq!(at(&mut result, list).as_array().map(Vec::len), Some(1), "{tool}");
        assert!(bytes < 2_000, "{tool}: {bytes}");
    }
}

#[tokio::test]
async fn several_long_lists_share_the_room_and_short_ones_stay_whole() {
    let mut wide = model(fields(5_000));
    wide["tracking_columns"] = names(5_000);
    wide["policies"] = json!([UNKNOWN_ID, CONNECTION]);
    wide["relations"] = (0..800)
        .map(|n| json!({"from": format!("c{n}"), "to": {"model_id": UNKNOWN_ID, "field": "id"}}))
        .collect();
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": wide})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (cut, bytes) = measured(&mut session, "get_model", &json!({"model_id": UNKNOWN_ID})).await;
    assert!((DEFAULT * 7 / 10..=DEFAULT).contains(&bytes), "{bytes} bytes");
    let said = &cut["truncated"];
    let others = said["others"].as_array().cloned().unwrap_or_default();
    let mut told = BTreeSet::new();
    for part in [said].into_iter().chain(&others) {
        let list = part["list"].as_str().unwrap();
        let rows = at(&mut cut.clone(), list).as_array().unwrap().len();
        assert_eq!(part["shown"], rows, "{part}");
        assert_eq!(part["total"], if list == "model.relations" { 800 } else { 5_000 }, "{part}");
        told.insert(list.to_owned());
    }
    let expected = ["model.fields", "model.relations", "model.tracking_columns"];
    assert_eq!(told, expected.map(str::to_owned).into());
    assert_eq!(cut["model"]["policies"], wide["policies"]);
}

#[tokio::test]
async fn a_sample_that_shows_a_part_says_so_although_only_its_cells_are_cut() {
    let records: Vec<Value> =
        (0..40).map(|n| json!({UNKNOWN_ID: {"id": n, "body": "x".repeat(20_000)}})).collect();
    let stub = Stub::start().await;
    stub.json("GET", &format!("{MODEL}/sample"), 200, json!({"data": {"records": records}})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for limit in [3, 40] {
        let arguments = json!({"model_id": UNKNOWN_ID, "limit": limit});
        let (cut, bytes) = measured(&mut session, "sample_records", &arguments).await;
        assert!(bytes <= DEFAULT, "{bytes} bytes");
        let said = &cut["truncated"];
        let shown = cut["records"].as_array().unwrap().len();
        assert!(shown <= limit);
        let others = said["others"].as_array().cloned().unwrap_or_default();
        let records = [said.clone()].into_iter().chain(others).find(|cut| cut["list"] == "records");
        let records = records.unwrap_or_else(|| panic!("limit {limit}: {said}"));
        assert_eq!((&records["shown"], &records["total"]), (&json!(shown), &json!(40)), "{said}");
    }
}
