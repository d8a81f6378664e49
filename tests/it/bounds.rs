//! How large answers are: measured as the MCP face writes them, from a stand-in that answers too much.
//!
//! What is shown, what is said of the rest, and that the rest is got as it is said.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::parity::{over_call, over_rpc};
use crate::support::{CONNECTION, Launch, MODEL, NOBODY, Session, Stub, job, stateless};

const DEFAULT: usize = 48_000;
/// More than anything here takes.
const PLENTY: usize = 33_000_000;
const JOB: &str = "0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
const SOURCE: &str = "/api/connections/248df4b7-aa70-47b8-a036-33ac447e668d/modelsync/source";

fn fields(count: usize) -> Value {
    let field = |n| {
        json!({
            "name": format!("column_{n}"), "label": format!("Column {n}"), "type": "string",
            "remote_type": "varchar", "unique": false, "example": "abc", "description": null,
        })
    };
    (0..count).map(field).collect()
}

fn names(count: usize) -> Value {
    (0..count).map(|n| format!("public.table_{n}")).collect()
}

fn model(fields: Value) -> Value {
    json!({
        "id": NOBODY, "name": "Users", "connection_id": CONNECTION, "version": 3,
        "configuration": {"table": "public.users"}, "fields": fields,
    })
}

/// Texts that take more room in the text copy than in the structure, and characters of several bytes.
fn hostile(count: usize) -> Value {
    let text = |n: usize| match n % 5 {
        0 => "\"\"\"\\\\\\".repeat(n % 7 + 1),
        1 => "\u{0}\u{1}\u{1f}\u{7f}\n\r\t\u{8}\u{c}".repeat(n % 5 + 1),
        2 => "äß€𝄞\u{2028}\u{feff}".repeat(n % 6 + 1),
        3 => "</script>&amp;'".to_owned(),
        _ => String::new(),
    };
    let field = |n| json!({"name": format!("{n}{}", text(n)), "example": {text(n + 1): [null, -1.5e-7, text(n + 2)]}});
    (0..count).map(field).collect()
}

fn connections(count: usize) -> Value {
    let connection = |n| {
        json!({
            "id": format!("{n:08}-0000-4000-8000-000000000000"), "name": format!("Connection {n}"),
            "type": {"id": "postgresql", "name": "PostgreSQL", "logo_url": "https://x/y.svg"},
            "status": "healthy", "organization_id": NOBODY, "updated_at": "2026-01-01T00:00:00Z",
            "configuration": {"hostname": "db.example.com", "password": "secret-4711", "port": 5432},
        })
    };
    (0..count).map(connection).collect()
}

fn kinds(count: usize) -> Value {
    let kind = |n| {
        json!({
            "id": format!("connection_type_{n}"), "name": format!("Connection type {n}"),
            "capabilities": {"source": true, "destination": true, "enrichment": false},
            "logo_url": "https://example.com/logo.svg", "operations": ["sync", "model", "query"],
        })
    };
    (0..count).map(kind).collect()
}

fn models(count: usize, width: usize) -> Vec<Value> {
    let one = |n: usize| {
        json!({
            "id": format!("{n:08}-0000-4000-8000-000000000000"), "name": format!("Model {n}"),
            "type": "postgresql", "connection_id": CONNECTION, "identifier": "id",
            "configuration": {"table": "public.users"}, "fields": fields(width),
            "updated_at": "2026-01-01T00:00:00Z",
        })
    };
    (0..count).map(one).collect()
}

fn syncs(count: usize) -> Vec<Value> {
    let sync = |n: usize| {
        json!({
            "id": format!("{n:08}-0000-4000-8000-000000000000"), "name": format!("Sync {n}"),
            "active": true, "mode": "updateOrCreate", "model_ids": [NOBODY],
            "schedule": {"frequency": "daily", "hour": "7", "day_of_week": null},
            "target_connection_id": CONNECTION, "target_object": "Contact",
            "updated_at": "2026-01-01T00:00:00Z",
        })
    };
    (0..count).map(sync).collect()
}

fn definition() -> Value {
    json!({"connection_id": CONNECTION, "name": "Users", "configuration": {"table": "public.users"}})
}

/// Calls a tool that succeeds; gives its result and the bytes of the line that brought it.
async fn measured(session: &mut Session, tool: &str, arguments: &Value) -> (Value, usize) {
    let result = session.call(tool, arguments.clone()).await;
    (result, session.last_bytes())
}

fn with_max_bytes(arguments: &Value, max_bytes: usize) -> Value {
    let mut arguments = arguments.clone();
    arguments["max_bytes"] = json!(max_bytes);
    arguments
}

/// What stands at `model.fields` or `changed[0].before`.
fn at<'a>(result: &'a mut Value, path: &str) -> &'a mut Value {
    let pointer = path.replace(['.', '['], "/").replace(']', "");
    result.pointer_mut(&format!("/{pointer}")).unwrap_or_else(|| panic!("nothing at {path}"))
}

/// The number that a text gives for `max_bytes`.
#[track_caller]
fn told_max_bytes(text: &Value) -> usize {
    let text = text.as_str().unwrap_or_else(|| panic!("no text but {text}"));
    let number = text.split("`max_bytes` ").nth(1).unwrap_or_else(|| panic!("none in {text:?}"));
    number.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Asserts that `cut` is `whole` but for rows at the end of one list, and says so.
#[track_caller]
fn is_cut(label: &str, cut: &Value, whole: &Value, list: &str) {
    let said = &cut["truncated"];
    assert_eq!(said["list"], list, "{label}: {said}");
    assert_eq!(said.get("others"), None, "{label}: {said}");
    let (mut cut, mut whole) = (cut.clone(), whole.clone());
    let said = cut.as_object_mut().unwrap().shift_remove("truncated").unwrap();
    let rows = at(&mut cut, list).as_array_mut().map(std::mem::take).unwrap();
    let all = at(&mut whole, list).as_array_mut().map(std::mem::take).unwrap();
    assert_eq!(said["shown"], rows.len(), "{label}: {said}");
    assert_eq!(said["total"], all.len(), "{label}: {said}");
    assert!(!rows.is_empty() && rows.len() < all.len(), "{label}: {said}");
    assert!(rows == all[..rows.len()], "{label}: rows are not whole or not in order");
    assert_eq!(cut, whole, "{label}: more than the list was changed");
}

/// What the stand-in answers, what is called, and the list that has to be cut.
struct Case {
    label: &'static str,
    stands: (&'static str, String, Value),
    tool: &'static str,
    arguments: Value,
    list: &'static str,
    total: usize,
}

fn cases() -> Vec<Case> {
    let case = |label, stands: (&'static str, &str, Value), tool, arguments, list, total| {
        let (verb, path, body) = stands;
        Case { label, stands: (verb, path.to_owned(), body), tool, arguments, list, total }
    };
    let of_model = json!({"model_id": NOBODY});
    let of_table = json!({"connection_id": CONNECTION, "configuration": {"table": "t"}});
    let preview = json!({"connection_id": CONNECTION, "configuration": {"table": "t"}});
    let source = |key: &str, values: Value| json!({"data": {"items": {key: {"items": values}}, "requires_one_of": ["table"]}});
    let ask = |kind: &str| json!({"type": kind, "job_id": JOB});
    let done = |kind: &str, result| json!({"data": job(kind, "done", result)});
    let jobs = |kind: &str| format!("/api/jobs/{kind}/{JOB}");
    let records: Value =
        (0..900).map(|n| json!({NOBODY: {"id": n, "name": "Jim \"J\"", "age": null}})).collect();
    let sample = json!({"records": records, "warnings": ["w"]});
    let objects: Value = (0..5_000).map(|n| json!({"id": n, "name": format!("t{n}")})).collect();
    let data = |value: Value| json!({"data": value});
    vec![
        case(
            "fields",
            ("GET", MODEL, data(model(fields(5_000)))),
            "get_model",
            of_model.clone(),
            "model.fields",
            5_000,
        ),
        case(
            "hostile fields",
            ("GET", MODEL, data(model(hostile(5_000)))),
            "get_model",
            of_model.clone(),
            "model.fields",
            5_000,
        ),
        case(
            "fields of a preview",
            ("POST", "/api/model-preview", data(model(fields(5_000)))),
            "preview_model",
            preview.clone(),
            "model.fields",
            5_000,
        ),
        case(
            "fields alone",
            ("POST", "/api/model-preview", data(fields(5_000))),
            "preview_model",
            preview,
            "fields",
            5_000,
        ),
        case(
            "fields of a source",
            ("GET", &format!("{SOURCE}/fields"), data(fields(5_000))),
            "get_model_source_fields",
            of_table,
            "fields",
            5_000,
        ),
        case(
            "tables",
            ("GET", SOURCE, source("table", names(5_000))),
            "get_model_source",
            json!({"connection_id": CONNECTION}),
            "items.table.items",
            5_000,
        ),
        case(
            "tables as objects",
            ("GET", SOURCE, source("tableobj", objects)),
            "get_model_source",
            json!({"connection_id": CONNECTION}),
            "items.tableobj.items",
            5_000,
        ),
        case(
            "connections",
            ("GET", "/api/connections", data(connections(200))),
            "list_connections",
            json!({}),
            "connections",
            200,
        ),
        case(
            "full connections",
            ("GET", "/api/connections", data(connections(200))),
            "list_connections",
            json!({"detail": "full"}),
            "connections",
            200,
        ),
        case(
            "connection types",
            ("GET", "/api/connection_types", data(kinds(226))),
            "list_connection_types",
            json!({"source_only": false}),
            "connection_types",
            226,
        ),
        case(
            "full connection types",
            ("GET", "/api/connection_types", data(kinds(226))),
            "list_connection_types",
            json!({"detail": "full"}),
            "connection_types",
            226,
        ),
        case(
            "records",
            ("GET", &format!("{MODEL}/sample"), data(sample.clone())),
            "sample_records",
            json!({"model_id": NOBODY, "limit": 1_000}),
            "records",
            900,
        ),
        case(
            "a preview's job",
            ("GET", &jobs("previewmodel"), done("previewmodel", fields(5_000))),
            "get_job",
            ask("previewmodel"),
            "fields",
            5_000,
        ),
        case(
            "a model's job",
            ("GET", &jobs("createmodel"), done("createmodel", model(fields(5_000)))),
            "get_job",
            ask("createmodel"),
            "model.fields",
            5_000,
        ),
        case(
            "a sample's job",
            ("GET", &jobs("samplemodel"), done("samplemodel", sample)),
            "get_job",
            ask("samplemodel"),
            "records",
            900,
        ),
        case(
            "another job",
            ("GET", &jobs("exportlogs"), done("exportlogs", json!({"rows": fields(5_000)}))),
            "get_job",
            ask("exportlogs"),
            "result.rows",
            5_000,
        ),
        case(
            "a list as result",
            ("GET", &jobs("exportlogs"), done("exportlogs", names(5_000))),
            "get_job",
            ask("exportlogs"),
            "result",
            5_000,
        ),
    ]
}

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
async fn a_thousand_models_or_syncs_are_answered_by_fifties() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/models", 200, json!({"data": models(1_000, 30)})).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": syncs(1_000)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, list) in [("list_models", "models"), ("list_model_syncs", "syncs")] {
        let (result, bytes) = measured(&mut session, tool, &json!({})).await;
        assert!(bytes <= DEFAULT, "{tool}: {bytes} bytes");
        let copy = result.to_string().len();
        assert!(copy <= 20_000, "{tool}: {copy} bytes, one copy");
        assert_eq!(result[list].as_array().map(Vec::len), Some(50), "{tool}");
        assert_eq!(result.get("truncated"), None, "{tool}");
        assert!(result["next_cursor"].is_string(), "{tool}");
    }
}

/// Reads a list to its end by `next_cursor`; gives the names in each answer, and how many were cut.
async fn read_on(session: &mut Session, mut ask: Value) -> (Vec<String>, usize) {
    let limit = ask["max_bytes"].as_u64().map_or(DEFAULT, |n| usize::try_from(n).unwrap());
    let (mut all, mut cut) = (Vec::new(), 0);
    for _ in 0..200 {
        let (result, bytes) = measured(session, "list_models", &ask).await;
        assert!(bytes <= limit, "{bytes} bytes");
        let models = result["models"].as_array().unwrap();
        assert!(!models.is_empty(), "{result}");
        all.extend(models.iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        if let Some(said) = result.get("truncated") {
            cut += 1;
            assert_eq!((&said["list"], &said["shown"]), (&json!("models"), &json!(models.len())));
            let how = said["how_to_get_more"].as_str().unwrap();
            assert!(how.contains("`next_cursor` as `cursor`"), "{how}");
            assert!(result["next_cursor"].is_string(), "{result}");
        }
        match result.get("next_cursor") {
            Some(cursor) => ask["cursor"] = cursor.clone(),
            None => return (all, cut),
        }
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn a_cut_list_goes_on_by_its_cursor_and_gives_every_model_once() {
    let expected: Vec<String> = (0..1_000).map(|n| format!("Model {n}")).collect();
    let stub = Stub::start().await;
    stub.json("GET", "/api/models", 200, json!({"data": models(1_000, 10)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (all, cut) = read_on(&mut session, json!({"detail": "full"})).await;
    assert!(all == expected, "{} models", all.len());
    assert!(cut > 5, "{cut}");

    // The same where the API pages.
    let paged = Stub::start().await;
    let answer = |request: &Request| {
        let query: Map<String, Value> =
            request.url.query_pairs().map(|(k, v)| (k.into_owned(), json!(v))).collect();
        let number = |name: &str| query.get(name).and_then(|n| n.as_str()?.parse::<usize>().ok());
        let start = number("page_token").unwrap_or(0);
        let end = (start + number("limit").unwrap_or(50)).min(120);
        let token = (end < 120).then(|| end.to_string());
        let items = &models(120, 10)[start..end];
        let body = json!({"data": items, "pagination": {"next_page_token": token}});
        ResponseTemplate::new(200).set_body_json(body)
    };
    paged.respond("GET", "/api/models", answer).await;
    let mut session = Session::open(&Launch::against(&paged.url())).await;
    for ask in [
        json!({"detail": "full"}),
        json!({"detail": "full", "name_contains": "MODEL", "max_bytes": 20_000}),
        json!({"max_bytes": 4_000}),
    ] {
        let (all, cut) = read_on(&mut session, ask.clone()).await;
        assert!(all == expected[..120], "{ask}: {all:?}");
        assert!(cut > 2, "{ask}: {cut}");
    }
}

#[tokio::test]
async fn what_is_said_of_the_cut_counts_too() {
    // Neither a long filter nor a long token of the API's stood in the answer before it was cut.
    let named = "é\"".repeat(127);
    let token = "t".repeat(2_000);
    let mut named_models = models(50, 3);
    for model in &mut named_models {
        model["name"] = json!(named);
    }
    for (label, bodies, arguments) in [
        (
            "a long filter",
            vec![json!({"data": named_models.clone()})],
            json!({"detail": "full", "name_contains": named}),
        ),
        (
            "a long token",
            vec![
                json!({"data": [], "pagination": {"next_page_token": token}}),
                json!({"data": named_models}),
            ],
            json!({"detail": "full"}),
        ),
    ] {
        let stub = Stub::start().await;
        stub.sequence("GET", "/api/models", bodies).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let (result, bytes) = measured(&mut session, "list_models", &arguments).await;
        assert!(bytes <= DEFAULT, "{label}: {bytes} bytes");
        assert_eq!(result["truncated"]["total"], 50, "{label}");
        assert!(result["next_cursor"].is_string(), "{label}");
    }
    let key = "k\"".repeat(1_500);
    let stub = Stub::start().await;
    let source = json!({"data": {"items": {&key: {"items": names(5_000)}}}});
    stub.json("GET", SOURCE, 200, source).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION});
    let (result, bytes) = measured(&mut session, "get_model_source", &arguments).await;
    assert!(bytes <= DEFAULT, "a long key: {bytes} bytes");
    assert_eq!(result["truncated"]["total"], 5_000);
}

#[tokio::test]
async fn long_cells_are_cut_with_a_mark_that_says_their_length() {
    let record = |n: usize| json!({NOBODY: {"id": n, "body": "x".repeat(1_000_000), "short": "é".repeat(2_000)}});
    let records: Vec<Value> = (0..5).map(record).collect();
    let stub = Stub::start().await;
    let sample = json!({"data": {"records": records, "warnings": null}});
    stub.json("GET", &format!("{MODEL}/sample"), 200, sample).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": NOBODY});
    let (cut, bytes) = measured(&mut session, "sample_records", &arguments).await;
    assert!(bytes <= DEFAULT, "{bytes} bytes");
    let rows = cut["records"].as_array().unwrap();
    for (n, row) in rows.iter().enumerate() {
        let body = row[NOBODY]["body"].as_str().unwrap();
        assert!(body.chars().count() <= 2_000, "{}", body.len());
        assert!(body.starts_with("xxx") && body.ends_with("(cut: 1000000 characters in all)"));
        assert_eq!(
            (&row[NOBODY]["id"], &row[NOBODY]["short"]),
            (&json!(n), &records[n][NOBODY]["short"])
        );
    }
    // Five cells of 2,000 and 4,000 bytes, twice, do not fit: rows go as well.
    let said = &cut["truncated"];
    assert_eq!((&said["list"], &said["total"]), (&json!("records"), &json!(5)), "{said}");
    assert_eq!(said["shown"], rows.len(), "{said}");
    assert_eq!(said["others"][0]["list"], "cells", "{said}");

    let enough = told_max_bytes(&said["how_to_get_more"]);
    let (whole, bytes) =
        measured(&mut session, "sample_records", &with_max_bytes(&arguments, enough)).await;
    assert!(bytes <= enough, "{bytes} of {enough}");
    assert_eq!(whole.get("truncated"), None);
    assert!(whole["records"] == json!(records), "the records are not whole");

    // Where cells alone are too long, all rows stay.
    let (cut, bytes) =
        measured(&mut session, "sample_records", &with_max_bytes(&arguments, 80_000)).await;
    assert!(bytes <= 80_000, "{bytes} bytes");
    assert_eq!(cut["records"].as_array().map(Vec::len), Some(5));
    let said = &cut["truncated"];
    assert_eq!(said["list"], "cells", "{said}");
    let (shown, total) = (said["shown"].as_u64().unwrap(), said["total"].as_u64().unwrap());
    assert_eq!(total - shown, 5, "{said}");
}

#[tokio::test]
async fn a_sample_that_shows_a_part_says_so_although_only_its_cells_are_cut() {
    let records: Vec<Value> =
        (0..40).map(|n| json!({NOBODY: {"id": n, "body": "x".repeat(20_000)}})).collect();
    let stub = Stub::start().await;
    stub.json("GET", &format!("{MODEL}/sample"), 200, json!({"data": {"records": records}})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for limit in [3, 40] {
        let arguments = json!({"model_id": NOBODY, "limit": limit});
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

#[tokio::test]
async fn a_long_query_outside_lists_does_not_make_rows_forgotten() {
    for query in [3_000, 50_000, 1_000_000] {
        let mut wide = model(fields(5_000));
        wide["configuration"] = json!({"query": "q".repeat(query)});
        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, json!({"data": wide})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"model_id": NOBODY});
        let (cut, bytes) = measured(&mut session, "get_model", &arguments).await;
        assert!(bytes <= DEFAULT, "{query}: {bytes} bytes");
        let said = &cut["truncated"];
        let shown = cut["model"]["fields"].as_array().unwrap().len();
        assert_eq!(
            (&said["list"], &said["shown"], &said["total"]),
            (&json!("model.fields"), &json!(shown), &json!(5_000)),
            "{query}: {said}"
        );
        let kept = cut["model"]["configuration"]["query"].as_str().unwrap();
        assert_eq!(kept.len() == query, query == 3_000, "{query}: {}", kept.len());
        let tells = said["others"][0]["list"] == "cells";
        assert_eq!(tells, query != 3_000, "{query}: {said}");
    }
}

#[tokio::test]
async fn a_list_of_few_large_rows_is_not_lost_behind_a_long_query() {
    // Cut once before the query was, the rows that are left fit as they are.
    let wide = |n: usize| -> Map<String, Value> {
        (0..330).map(|m| (format!("property_{n}_{m}"), json!(m))).collect()
    };
    let rows: Vec<Value> =
        (0..40).map(|n| json!({"name": format!("f{n}"), "example": wide(n)})).collect();
    let mut large = model(json!(rows));
    large["configuration"] = json!({"query": "q".repeat(50_000)});
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": large})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (cut, bytes) = measured(&mut session, "get_model", &json!({"model_id": NOBODY})).await;
    assert!(bytes <= DEFAULT, "{bytes} bytes");
    let shown = cut["model"]["fields"].as_array().unwrap().len();
    let said = &cut["truncated"];
    assert_eq!(
        (&said["list"], &said["shown"], &said["total"]),
        (&json!("model.fields"), &json!(shown), &json!(40)),
        "{said}"
    );
}

#[tokio::test]
async fn several_long_lists_share_the_room_and_short_ones_stay_whole() {
    let mut wide = model(fields(5_000));
    wide["tracking_columns"] = names(5_000);
    wide["policies"] = json!([NOBODY, CONNECTION]);
    wide["relations"] = (0..800)
        .map(|n| json!({"from": format!("c{n}"), "to": {"model_id": NOBODY, "field": "id"}}))
        .collect();
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": wide})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (cut, bytes) = measured(&mut session, "get_model", &json!({"model_id": NOBODY})).await;
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
async fn a_change_with_long_lists_is_told_in_parts_and_is_not_made_again_for_it() {
    let mut stored = model(json!([]));
    stored["tracking_columns"] = names(5_000);
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": stored})).await;
    stub.json("PUT", MODEL, 200, json!({"data": model(fields(5_000))})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let renamed: Value = (0..5_000).map(|n| format!("renamed_{n}")).collect();
    let arguments = json!({"model_id": NOBODY, "tracking_columns": renamed});
    let (cut, bytes) = measured(&mut session, "update_model", &arguments).await;
    assert!((DEFAULT * 7 / 10..=DEFAULT).contains(&bytes), "{bytes} bytes");
    let said = &cut["truncated"];
    let others = said["others"].as_array().cloned().unwrap_or_default();
    let mut told = BTreeSet::new();
    for part in [said].into_iter().chain(&others) {
        let list = part["list"].as_str().unwrap();
        let rows = at(&mut cut.clone(), list).as_array().unwrap().len();
        assert_eq!((&part["shown"], &part["total"]), (&json!(rows), &json!(5_000)), "{part}");
        told.insert(list.to_owned());
    }
    let expected = ["changed[0].after", "changed[0].before", "model.fields"];
    assert_eq!(told, expected.map(str::to_owned).into());
    let how = said["how_to_get_more"].as_str().unwrap();
    assert!(how.contains("get_model") && how.contains("do not repeat"), "{how}");
    let enough = told_max_bytes(&said["how_to_get_more"]);
    let ask = json!({"model_id": NOBODY, "max_bytes": enough});
    let (stored, _) = measured(&mut session, "get_model", &ask).await;
    assert_eq!(stored.get("truncated"), None);

    // What was only tried can be looked at in full: nothing is stored that get_model could show.
    let mut arguments = arguments;
    arguments["dry_run"] = json!(true);
    let (cut, bytes) = measured(&mut session, "update_model", &arguments).await;
    assert!((DEFAULT * 7 / 10..=DEFAULT).contains(&bytes), "{bytes} bytes");
    let how = &cut["truncated"]["how_to_get_more"];
    assert!(!how.as_str().unwrap().contains("get_model"), "{how}");
    let enough = told_max_bytes(how);
    let (whole, bytes) =
        measured(&mut session, "update_model", &with_max_bytes(&arguments, enough)).await;
    assert!(bytes <= enough, "{bytes}");
    assert_eq!(whole.get("truncated"), None);
    assert_eq!(whole["changed"][0]["after"], renamed);
    let puts = stub.lines().await.iter().filter(|line| line.starts_with("PUT")).count();
    assert_eq!(puts, 1);
}

#[tokio::test]
async fn a_model_saved_with_5000_fields_is_looked_at_with_get_model() {
    let stub = Stub::start().await;
    let saved = json!({"data": model(fields(5_000))});
    stub.json("POST", "/api/models", 200, saved.clone()).await;
    stub.json("GET", MODEL, 200, saved).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (cut, bytes) = measured(&mut session, "create_model", &definition()).await;
    assert!((DEFAULT * 7 / 10..=DEFAULT).contains(&bytes), "{bytes} bytes");
    let how = cut["truncated"]["how_to_get_more"].as_str().unwrap();
    assert!(how.starts_with("get_model ") && how.contains("do not repeat"), "{how}");
    let enough = told_max_bytes(&cut["truncated"]["how_to_get_more"]);
    let ask = json!({"model_id": NOBODY, "max_bytes": enough});
    let (whole, _) = measured(&mut session, "get_model", &ask).await;
    is_cut("create_model", &cut, &whole, "model.fields");
    assert_eq!(stub.lines().await, ["POST /api/models", &format!("GET {MODEL}")]);
}

fn too_wide() -> Value {
    let keys: Map<String, Value> = (0..5_000).map(|n| (format!("key_{n}"), json!(n))).collect();
    let mut model = model(fields(20));
    model["configuration"] = Value::Object(keys);
    model
}

#[tokio::test]
async fn what_cannot_be_cut_is_an_error_with_the_number_that_is_enough() {
    let stub = Stub::start().await;
    let wide: Map<String, Value> =
        (0..5_000).map(|n| (format!("k{n}"), json!({"type": "string"}))).collect();
    stub.json("GET", MODEL, 200, json!({"data": too_wide()})).await;
    stub.json("GET", "/api/models", 200, json!({"data": [too_wide()]})).await;
    stub.json("GET", "/api/connection_types/x", 200, json!({"properties": wide})).await;
    let done = json!({"data": job("exportlogs", "done", json!(wide))});
    stub.json("GET", &format!("/api/jobs/exportlogs/{JOB}"), 200, done).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("get_model", json!({"model_id": NOBODY})),
        ("list_models", json!({"detail": "full"})),
        ("get_connection_type_schema", json!({"connection_type": "x"})),
        ("get_job", json!({"type": "exportlogs", "job_id": JOB})),
    ] {
        for ask in [arguments.clone(), with_max_bytes(&arguments, 4_000)] {
            let error = session.call_err(tool, ask).await;
            assert_eq!(error["code"], "result_too_large", "{tool}: {error}");
            assert_eq!(error["retryable"], false, "{tool}: {error}");
            let enough = told_max_bytes(&error["hint"]);
            let ask = with_max_bytes(&arguments, enough);
            let (whole, bytes) = measured(&mut session, tool, &ask).await;
            assert!(bytes <= enough, "{tool}: {bytes} of {enough}");
            assert_eq!(whole.get("truncated"), None, "{tool}");
            assert!(whole.to_string().contains("4999"), "{tool}");
        }
    }
}

#[tokio::test]
async fn what_was_done_is_told_although_its_result_cannot_be_cut() {
    let stub = Stub::start().await;
    let saved = json!({"data": too_wide()});
    stub.json("POST", "/api/models", 200, saved.clone()).await;
    stub.json("PUT", MODEL, 200, saved.clone()).await;
    stub.json("GET", MODEL, 200, saved).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("create_model", definition()),
        ("update_model", json!({"model_id": NOBODY, "name": "People"})),
    ] {
        let (done, bytes) = measured(&mut session, tool, &arguments).await;
        assert!(bytes <= 48_000, "{tool}: {bytes}");
        assert_eq!(done["model"]["id"], NOBODY, "{tool}: {done}");
        assert_eq!(done["model"].get("configuration"), None, "{tool}: {done}");
        let truncated = &done["truncated"];
        assert_eq!(truncated["list"], "model", "{tool}: {truncated}");
        let more = truncated["how_to_get_more"].as_str().unwrap();
        assert!(more.contains("do not repeat"), "{tool}: {truncated}");
        let ask =
            json!({"model_id": NOBODY, "max_bytes": told_max_bytes(&truncated["how_to_get_more"])});
        let (whole, _) = measured(&mut session, "get_model", &ask).await;
        assert_eq!(whole["model"]["configuration"]["key_4999"], 4999, "{tool}");
    }
    let posts = stub.lines().await.iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn the_setting_moves_the_default_and_the_argument_wins_over_it() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model(fields(5_000))})).await;
    let ask = json!({"model_id": NOBODY});
    for setting in [4_000, 5_000, 200_000, 33_554_432] {
        let variable =
            Launch::against(&stub.url()).variable("POLYTOMIC_MAX_BYTES", &setting.to_string());
        let flag = Launch::against(&stub.url()).flag("--max-bytes").flag(&setting.to_string());
        for launch in [variable, flag] {
            let mut session = Session::open(&launch).await;
            let (result, bytes) = measured(&mut session, "get_model", &ask).await;
            assert!(bytes <= setting, "{setting}: {bytes} bytes");
            assert_eq!(result.get("truncated").is_none(), setting > 1_000_000, "{setting}");
            assert!(setting > 1_000_000 || bytes > setting / 2, "{setting}: {bytes} bytes");
            let (_, bytes) =
                measured(&mut session, "get_model", &with_max_bytes(&ask, 30_000)).await;
            assert!((21_000..=30_000).contains(&bytes), "{setting}: {bytes} bytes");
        }
    }
}

#[tokio::test]
async fn a_wrong_bound_is_told() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model(fields(5))})).await;
    let ask = json!({"model_id": NOBODY});
    for wrong in ["3999", "0", "-1", "many", "48000.5", "33554433", "99999999999999999999"] {
        let launch = Launch::against(&stub.url()).variable("POLYTOMIC_MAX_BYTES", wrong);
        let mut session = Session::open(&launch).await;
        let error = session.call_err("get_model", ask.clone()).await;
        assert_eq!(error["code"], "not_configured", "{wrong}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("POLYTOMIC_MAX_BYTES") && message.contains("4000"),
            "{wrong}: {error}"
        );
        let launch = Launch::against(&stub.url()).flag(&format!("--max-bytes={wrong}"));
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{wrong}: {stderr}");
        assert!(stderr.contains("--max-bytes"), "{wrong}: {stderr}");
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for wrong in
        [json!(3_999), json!(0), json!(-1), json!(1.5), json!("many"), json!([48_000]), json!(1e30)]
    {
        let mut ask = ask.clone();
        ask["max_bytes"] = wrong.clone();
        let error = session.call_err("get_model", ask).await;
        assert_eq!(error["code"], "invalid_argument", "{wrong}: {error}");
        assert_eq!(error["details"]["argument"], "max_bytes", "{wrong}: {error}");
    }
    assert_eq!(stub.lines().await, [""; 0]);
    for right in [json!(4_000), json!("90000"), json!(null), json!(u32::MAX)] {
        let mut ask = ask.clone();
        ask["max_bytes"] = right;
        session.call("get_model", ask).await;
    }
}

#[tokio::test]
async fn every_face_cuts_at_the_same_place() {
    let wide = Stub::start().await;
    for case in cases() {
        let (verb, path, body) = case.stands;
        wide.json(verb, &path, 200, body).await;
    }
    wide.json("GET", "/api/models", 200, json!({"data": models(60, 30)})).await;
    wide.json(
        "GET",
        "/api/models/11111111-1111-4111-8111-111111111111",
        200,
        json!({"data": too_wide()}),
    )
    .await;
    let launch = Launch::against(&wide.url());
    let mut mcp = Session::open(&launch).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    let mut calls: Vec<(&str, Value)> =
        cases().into_iter().map(|case| (case.tool, case.arguments)).collect();
    calls.push(("list_models", json!({"detail": "full"})));
    calls.push(("get_model", json!({"model_id": NOBODY, "max_bytes": 5_000})));
    for (tool, arguments) in calls {
        let expected = mcp.call(tool, arguments.clone()).await;
        assert!(expected["truncated"].is_object(), "{tool} is not cut");
        let over_rpc = over_rpc(&mut rpc, tool, &arguments).await;
        assert!(over_rpc.as_ref() == Ok(&expected), "{tool} {arguments}: rpc differs");
        let over_call = over_call(launch.clone(), tool, &arguments).await;
        assert!(over_call.as_ref() == Ok(&expected), "{tool} {arguments}: call differs");
    }
    let arguments = json!({"model_id": "11111111-1111-4111-8111-111111111111"});
    let expected = Err(mcp.call_err("get_model", arguments.clone()).await);
    assert_eq!(over_rpc(&mut rpc, "get_model", &arguments).await, expected);
    assert_eq!(over_call(launch, "get_model", &arguments).await, expected);
}

/// A model with as many fields, and as many characters in its name, as were set last.
async fn adjustable(text: &'static str) -> (Stub, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (rows, padding) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (of_rows, of_padding) = (Arc::clone(&rows), Arc::clone(&padding));
    let answer = move |_: &Request| {
        let mut model = model(hostile(of_rows.load(Ordering::Relaxed)));
        model["name"] = json!(text.repeat(of_padding.load(Ordering::Relaxed)));
        ResponseTemplate::new(200).set_body_json(json!({"data": model}))
    };
    let stub = Stub::start().await;
    stub.respond("GET", MODEL, answer).await;
    (stub, rows, padding)
}

/// The greatest number under `high` whose answer is not cut.
async fn greatest_whole(session: &mut Session, number: &AtomicUsize, high: usize) -> usize {
    let ask = json!({"model_id": NOBODY});
    let (mut low, mut high) = (0, high);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        number.store(middle, Ordering::Relaxed);
        let (result, bytes) = measured(session, "get_model", &ask).await;
        assert!(bytes <= DEFAULT, "{middle}: {bytes} bytes");
        if result.get("truncated").is_none() { low = middle } else { high = middle }
    }
    low
}

#[tokio::test]
async fn nothing_is_cut_just_below_the_bound_and_nothing_passes_just_above() {
    for text in ["x", "\"", "\u{1}", "€"] {
        let (stub, rows, padding) = adjustable(text).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let most = greatest_whole(&mut session, &rows, 5_000).await;
        rows.store(most + 1, Ordering::Relaxed);
        let ask = json!({"model_id": NOBODY});
        let (cut, bytes) = measured(&mut session, "get_model", &ask).await;
        assert!(bytes <= DEFAULT, "{text:?}: {bytes} bytes");
        assert_eq!(cut["truncated"]["total"], most + 1, "{text:?}");
        let (whole, bytes) =
            measured(&mut session, "get_model", &with_max_bytes(&ask, PLENTY)).await;
        assert!(bytes > DEFAULT - 500, "{text:?}: {bytes} bytes were cut");
        is_cut(text, &cut, &whole, "model.fields");

        // To the character: fewer rows, and a name that fills what is left.
        rows.store(most - 2, Ordering::Relaxed);
        let most = greatest_whole(&mut session, &padding, 1_500).await;
        padding.store(most, Ordering::Relaxed);
        let (_, bytes) = measured(&mut session, "get_model", &ask).await;
        assert!((DEFAULT - 500..=DEFAULT).contains(&bytes), "{text:?}: {bytes} bytes");
        // The era without initialize writes more around it.
        let params = stateless(json!({"name": "get_model", "arguments": ask}));
        let answer = session.request("tools/call", params).await;
        assert_eq!(session.succeeded("get_model", &answer).get("truncated"), None, "{text:?}");
        assert!(session.last_bytes() <= DEFAULT, "{text:?}: {} bytes", session.last_bytes());
        padding.store(most + 1, Ordering::Relaxed);
        let params = stateless(json!({"name": "get_model", "arguments": ask}));
        let answer = session.request("tools/call", params).await;
        assert!(session.succeeded("get_model", &answer)["truncated"].is_object(), "{text:?}");
        assert!(session.last_bytes() <= DEFAULT, "{text:?}: {} bytes", session.last_bytes());
    }
}
