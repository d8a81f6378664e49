//! Results of what changes something: told, and never a reason to do it again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::large::{
    DEFAULT, at, fields, is_cut, measured, model, names, told_max_bytes, too_wide, with_max_bytes,
};
use crate::support::{Launch, MODEL, Session, Stub, UNKNOWN_ID, definition};

#[tokio::test]
async fn a_change_with_long_lists_is_told_in_parts_and_is_not_made_again_for_it() {
    let mut stored = model(json!([]));
    stored["tracking_columns"] = names(5_000);
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": stored})).await;
    stub.json("PUT", MODEL, 200, json!({"data": model(fields(5_000))})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let renamed: Value = (0..5_000).map(|n| format!("renamed_{n}")).collect();
    let arguments = json!({"model_id": UNKNOWN_ID, "tracking_columns": renamed});
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
    let ask = json!({"model_id": UNKNOWN_ID, "max_bytes": enough});
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
    let ask = json!({"model_id": UNKNOWN_ID, "max_bytes": enough});
    let (whole, _) = measured(&mut session, "get_model", &ask).await;
    is_cut("create_model", &cut, &whole, "model.fields");
    assert_eq!(stub.lines().await, ["POST /api/models", &format!("GET {MODEL}")]);
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
        ("update_model", json!({"model_id": UNKNOWN_ID, "name": "People"})),
    ] {
        let (done, bytes) = measured(&mut session, tool, &arguments).await;
        assert!(bytes <= 48_000, "{tool}: {bytes}");
        assert_eq!(done["model"]["id"], UNKNOWN_ID, "{tool}: {done}");
        assert_eq!(done["model"].get("configuration"), None, "{tool}: {done}");
        let truncated = &done["truncated"];
        assert_eq!(truncated["list"], "model", "{tool}: {truncated}");
        let more = truncated["how_to_get_more"].as_str().unwrap();
        assert!(more.contains("do not repeat"), "{tool}: {truncated}");
        let ask = json!({"model_id": UNKNOWN_ID, "max_bytes": told_max_bytes(&truncated["how_to_get_more"])});
        let (whole, _) = measured(&mut session, "get_model", &ask).await;
        assert_eq!(whole["model"]["configuration"]["key_4999"], 4999, "{tool}");
    }
    let posts = stub.lines().await.iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1);
}
