//! Truncated results of writes: the hint never asks for the write to be repeated.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fixtures::{
    DEFAULT_MAX_BYTES, assert_truncated, call_and_measure, fields, list_at, model, names,
    suggested_max_bytes, wide_model, with_max_bytes,
};
use crate::support::{Launch, MODEL, Session, Stub, UNKNOWN_ID, definition};

#[tokio::test]
async fn a_truncated_update_suggests_get_model_and_a_truncated_dry_run_itself() {
    let mut stored = model(json!([]));
    stored["tracking_columns"] = names(5_000);
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": stored})).await;
    stub.json("PUT", MODEL, 200, json!({"data": model(fields(5_000))})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let renamed: Value = (0..5_000).map(|n| format!("renamed_{n}")).collect();
    let arguments = json!({"model_id": UNKNOWN_ID, "tracking_columns": renamed});
    let (partial, bytes) = call_and_measure(&mut session, "update_model", &arguments).await;
    assert!((DEFAULT_MAX_BYTES * 7 / 10..=DEFAULT_MAX_BYTES).contains(&bytes), "{bytes} bytes");
    let note = &partial["truncated"];
    let others = note["others"].as_array().cloned().unwrap_or_default();
    let mut truncated = BTreeSet::new();
    for entry in [note].into_iter().chain(&others) {
        let list = entry["list"].as_str().unwrap();
        let items = list_at(&mut partial.clone(), list).as_array().unwrap().len();
        assert_eq!((&entry["shown"], &entry["total"]), (&json!(items), &json!(5_000)), "{entry}");
        truncated.insert(list.to_owned());
    }
    let expected = ["changed[0].after", "changed[0].before", "model.fields"];
    assert_eq!(truncated, expected.map(str::to_owned).into());
    let hint = note["how_to_get_more"].as_str().unwrap();
    assert!(hint.contains("get_model") && hint.contains("Do not repeat"), "{hint}");
    let sufficient = suggested_max_bytes(&note["how_to_get_more"]);
    let get_model = json!({"model_id": UNKNOWN_ID, "max_bytes": sufficient});
    let (stored, _) = call_and_measure(&mut session, "get_model", &get_model).await;
    assert_eq!(stored.get("truncated"), None);

    // A dry run can be repeated with a higher limit; get_model could not show what was not applied.
    let mut arguments = arguments;
    arguments["dry_run"] = json!(true);
    let (partial, bytes) = call_and_measure(&mut session, "update_model", &arguments).await;
    assert!((DEFAULT_MAX_BYTES * 7 / 10..=DEFAULT_MAX_BYTES).contains(&bytes), "{bytes} bytes");
    let hint = &partial["truncated"]["how_to_get_more"];
    assert!(!hint.as_str().unwrap().contains("get_model"), "{hint}");
    let sufficient = suggested_max_bytes(hint);
    let (complete, bytes) =
        call_and_measure(&mut session, "update_model", &with_max_bytes(&arguments, sufficient))
            .await;
    assert!(bytes <= sufficient, "{bytes}");
    assert_eq!(complete.get("truncated"), None);
    assert_eq!(complete["changed"][0]["after"], renamed);
    let puts = stub.lines().await.iter().filter(|line| line.starts_with("PUT")).count();
    assert_eq!(puts, 1);
}

#[tokio::test]
async fn a_truncated_create_suggests_get_model() {
    let stub = Stub::start().await;
    let saved = json!({"data": model(fields(5_000))});
    stub.json("POST", "/api/models", 200, saved.clone()).await;
    stub.json("GET", MODEL, 200, saved).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (partial, bytes) = call_and_measure(&mut session, "create_model", &definition()).await;
    assert!((DEFAULT_MAX_BYTES * 7 / 10..=DEFAULT_MAX_BYTES).contains(&bytes), "{bytes} bytes");
    let hint = partial["truncated"]["how_to_get_more"].as_str().unwrap();
    assert!(hint.contains("Call get_model ") && hint.contains("Do not repeat"), "{hint}");
    let sufficient = suggested_max_bytes(&partial["truncated"]["how_to_get_more"]);
    let arguments = json!({"model_id": UNKNOWN_ID, "max_bytes": sufficient});
    let (complete, _) = call_and_measure(&mut session, "get_model", &arguments).await;
    assert_truncated("create_model", &partial, &complete, "model.fields");
    assert_eq!(stub.lines().await, ["POST /api/models", &format!("GET {MODEL}")]);
}

#[tokio::test]
async fn a_write_whose_result_cannot_be_truncated_still_returns_a_result() {
    let stub = Stub::start().await;
    let saved = json!({"data": wide_model()});
    stub.json("POST", "/api/models", 200, saved.clone()).await;
    stub.json("PUT", MODEL, 200, saved.clone()).await;
    stub.json("GET", MODEL, 200, saved).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("create_model", definition()),
        ("update_model", json!({"model_id": UNKNOWN_ID, "name": "People"})),
    ] {
        let (partial, bytes) = call_and_measure(&mut session, tool, &arguments).await;
        assert!(bytes <= 48_000, "{tool}: {bytes}");
        assert_eq!(partial["model"]["id"], UNKNOWN_ID, "{tool}: {partial}");
        assert_eq!(partial["model"].get("configuration"), None, "{tool}: {partial}");
        let note = &partial["truncated"];
        assert_eq!(note["list"], "model", "{tool}: {note}");
        let hint = note["how_to_get_more"].as_str().unwrap();
        assert!(hint.contains("Do not repeat"), "{tool}: {note}");
        let arguments = json!({"model_id": UNKNOWN_ID, "max_bytes": suggested_max_bytes(&note["how_to_get_more"])});
        let (complete, _) = call_and_measure(&mut session, "get_model", &arguments).await;
        assert_eq!(complete["model"]["configuration"]["option_4999"], 4999, "{tool}");
    }
    let posts = stub.lines().await.iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1);
}
