//! Long texts, in rows and outside them.

use serde_json::{Map, Value, json};

use super::large::{DEFAULT, fields, measured, model, told_max_bytes, with_max_bytes};
use crate::support::{Launch, MODEL, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn long_cells_are_cut_with_a_mark_that_says_their_length() {
    let record = |n: usize| json!({UNKNOWN_ID: {"id": n, "body": "x".repeat(1_000_000), "short": "é".repeat(2_000)}});
    let records: Vec<Value> = (0..5).map(record).collect();
    let stub = Stub::start().await;
    let sample = json!({"data": {"records": records, "warnings": null}});
    stub.json("GET", &format!("{MODEL}/sample"), 200, sample).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID});
    let (cut, bytes) = measured(&mut session, "sample_records", &arguments).await;
    assert!(bytes <= DEFAULT, "{bytes} bytes");
    let rows = cut["records"].as_array().unwrap();
    for (n, row) in rows.iter().enumerate() {
        let body = row[UNKNOWN_ID]["body"].as_str().unwrap();
        assert!(body.chars().count() <= 2_000, "{}", body.len());
        assert!(body.starts_with("xxx") && body.ends_with("(cut: 1000000 characters in all)"));
        assert_eq!(
            (&row[UNKNOWN_ID]["id"], &row[UNKNOWN_ID]["short"]),
            (&json!(n), &records[n][UNKNOWN_ID]["short"])
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
async fn a_long_query_outside_lists_does_not_make_rows_forgotten() {
    for query in [3_000, 50_000, 1_000_000] {
        let mut wide = model(fields(5_000));
        wide["configuration"] = json!({"query": "q".repeat(query)});
        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, json!({"data": wide})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"model_id": UNKNOWN_ID});
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
    let (cut, bytes) = measured(&mut session, "get_model", &json!({"model_id": UNKNOWN_ID})).await;
    assert!(bytes <= DEFAULT, "{bytes} bytes");
    let shown = cut["model"]["fields"].as_array().unwrap().len();
    let said = &cut["truncated"];
    assert_eq!(
        (&said["list"], &said["shown"], &said["total"]),
        (&json!("model.fields"), &json!(shown), &json!(40)),
        "{said}"
    );
}
