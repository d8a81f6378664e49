//! Long texts, inside and outside lists.

use serde_json::{Value, json};

use super::fixtures::{
    DEFAULT_MAX_BYTES, call_and_measure, fields, model, suggested_max_bytes, with_max_bytes,
};
use crate::support::{Launch, MODEL, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn long_texts_are_truncated_with_a_mark_that_shows_their_length() {
    let record = |n: usize| json!({UNKNOWN_ID: {"id": n, "body": "x".repeat(1_000_000), "short": "é".repeat(2_000)}});
    let records: Vec<Value> = (0..5).map(record).collect();
    let stub = Stub::start().await;
    let sample = json!({"data": {"records": records, "warnings": null}});
    stub.json("GET", &format!("{MODEL}/sample"), 200, sample).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID});
    let (partial, bytes) = call_and_measure(&mut session, "sample_records", &arguments).await;
    assert!(bytes <= DEFAULT_MAX_BYTES, "{bytes} bytes");
    let shown = partial["records"].as_array().unwrap();
    for (n, record) in shown.iter().enumerate() {
        let body = record[UNKNOWN_ID]["body"].as_str().unwrap();
        assert!(body.chars().count() <= 2_000, "{}", body.len());
        assert!(
            body.starts_with("xxx") && body.ends_with("(truncated: 1000000 characters in total)")
        );
        assert_eq!(
            (&record[UNKNOWN_ID]["id"], &record[UNKNOWN_ID]["short"]),
            (&json!(n), &records[n][UNKNOWN_ID]["short"])
        );
    }
    // Five texts of 2,000 and 4,000 bytes, twice, exceed the limit: the list is truncated as well.
    let note = &partial["truncated"];
    assert_eq!((&note["list"], &note["total"]), (&json!("records"), &json!(5)), "{note}");
    assert_eq!(note["shown"], shown.len(), "{note}");
    assert_eq!(note["others"][0]["list"], "cells", "{note}");

    let sufficient = suggested_max_bytes(&note["how_to_get_more"]);
    let (complete, bytes) =
        call_and_measure(&mut session, "sample_records", &with_max_bytes(&arguments, sufficient))
            .await;
    assert!(bytes <= sufficient, "{bytes} of {sufficient}");
    assert_eq!(complete.get("truncated"), None);
    assert!(complete["records"] == json!(records), "the records are not complete");

    // If truncating texts is enough, all records stay.
    let (partial, bytes) =
        call_and_measure(&mut session, "sample_records", &with_max_bytes(&arguments, 80_000)).await;
    assert!(bytes <= 80_000, "{bytes} bytes");
    assert_eq!(partial["records"].as_array().map(Vec::len), Some(5));
    let note = &partial["truncated"];
    assert_eq!(note["list"], "cells", "{note}");
    let (shown, total) = (note["shown"].as_u64().unwrap(), note["total"].as_u64().unwrap());
    assert_eq!(total - shown, 5, "{note}");
}

#[tokio::test]
async fn a_list_is_reported_as_truncated_beside_a_long_query() {
    for query_length in [3_000, 50_000, 1_000_000] {
        let mut wide = model(fields(5_000));
        wide["configuration"] = json!({"query": "q".repeat(query_length)});
        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, json!({"data": wide})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"model_id": UNKNOWN_ID});
        let (partial, bytes) = call_and_measure(&mut session, "get_model", &arguments).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{query_length}: {bytes} bytes");
        let note = &partial["truncated"];
        let shown = partial["model"]["fields"].as_array().unwrap().len();
        assert_eq!(
            (&note["list"], &note["shown"], &note["total"]),
            (&json!("model.fields"), &json!(shown), &json!(5_000)),
            "{query_length}: {note}"
        );
        let query = partial["model"]["configuration"]["query"].as_str().unwrap();
        assert_eq!(
            query.len() == query_length,
            query_length == 3_000,
            "{query_length}: {}",
            query.len()
        );
        let texts_are_truncated = note["others"][0]["list"] == "cells";
        assert_eq!(texts_are_truncated, query_length != 3_000, "{query_length}: {note}");
    }
}

#[tokio::test]
async fn a_list_of_few_large_items_is_reported_as_truncated_beside_a_long_query() {
    // The list is truncated before the query, and its remaining items then fit without further truncation.
    let fields: Vec<Value> = (0..40)
        .map(|n| json!({"name": format!("f{n}"), "description": "d".repeat(1_990)}))
        .collect();
    let mut large = model(json!(fields));
    large["configuration"] = json!({"query": "q".repeat(50_000)});
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": large})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (partial, bytes) =
        call_and_measure(&mut session, "get_model", &json!({"model_id": UNKNOWN_ID})).await;
    assert!(bytes <= DEFAULT_MAX_BYTES, "{bytes} bytes");
    let shown = partial["model"]["fields"].as_array().unwrap().len();
    let note = &partial["truncated"];
    assert_eq!(
        (&note["list"], &note["shown"], &note["total"]),
        (&json!("model.fields"), &json!(shown), &json!(40)),
        "{note}"
    );
}

#[tokio::test]
async fn all_columns_of_a_wide_table_are_shown_before_their_examples() {
    let field = |n: usize, example: &Value| json!({"name": format!("last_login_at_{n}"), "type": "string", "example": example});
    let cases = [
        ("fits", 150, json!("user0001@example.com"), json!("user0001@example.com")),
        ("shortened", 150, json!("x".repeat(180)), json!("x".repeat(40) + "…")),
        ("left out", 300, json!("user0001@example.com"), Value::Null),
    ];
    for (label, count, example, expected) in cases {
        let fields: Vec<Value> = (0..count).map(|n| field(n, &example)).collect();
        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, json!({"data": model(json!(fields))})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"model_id": UNKNOWN_ID});
        let (result, bytes) = call_and_measure(&mut session, "get_model", &arguments).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{label}: {bytes} bytes");
        let shown = result["model"]["fields"].as_array().unwrap();
        assert_eq!(shown.len(), count, "{label}");
        assert!(shown.iter().all(|field| field["example"] == expected), "{label}: {result}");
        let note = &result["truncated"];
        if label == "fits" {
            assert_eq!(note, &Value::Null);
            continue;
        }
        assert_eq!(
            (&note["list"], &note["shown"], &note["total"]),
            (&json!("examples"), &json!(0), &json!(count)),
            "{label}: {note}"
        );
        let more = with_max_bytes(&arguments, suggested_max_bytes(&note["how_to_get_more"]));
        let complete = session.call("get_model", more).await;
        let shown = complete["model"]["fields"].as_array().unwrap();
        assert!(shown.iter().all(|field| field["example"] == example), "{label}");
    }
}
