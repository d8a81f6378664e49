//! Writes that rest on a damaged response, or get one.

use serde_json::json;
use wiremock::ResponseTemplate;

use super::fixtures::{damaged, raw};
use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition};

#[tokio::test]
async fn nothing_damaged_is_written_back() {
    let rename = json!({"model_id": UNKNOWN_ID, "name": "V"});
    for property in [
        r#""relations":"none""#,
        r#""identifier":"i\ud83d""#,
        r#""tracking_columns":["a",5]"#,
        r#""enricher":[]"#,
        r#""x":NaN"#,
        r#""fields":[{"name":"f","user_added":"no"}]"#,
    ] {
        let stub = Stub::start().await;
        stub.on("GET", MODEL, raw(damaged(property))).await;
        stub.json("PUT", MODEL, 200, json!({"data": {"id": UNKNOWN_ID}})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let error = session.call_err("update_model", rename.clone()).await;
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!("upstream_error"), &json!("not_sent")),
            "{property}: {error}"
        );
        assert!(error["details"]["repairs"].as_str().unwrap().contains("(at data."), "{error}");
        assert!(stub.lines().await.iter().all(|line| line.starts_with("GET")), "{property}");
        // The preview of the update says the same.
        let mut dry_run = rename.clone();
        dry_run["dry_run"] = json!(true);
        let preview = session.call_err("update_model", dry_run).await;
        assert_eq!(preview["message"], error["message"], "{property}: {preview}");
    }
    // What was repaired without a loss is written as it was.
    for (property, written) in [
        ("\"identifier\":\"a\nb\"", r#""identifier":"a\nb""#),
        (r#""organization_id":null,"x":1e400"#, r#""name":"V""#),
        // Nor what is not written, or replaced by the update.
        (r#""created_by":{"name":"Jim \ud83d"}"#, r#""name":"V""#),
        (r#""fields":[{"name":"f","label":"L\ud83d"}]"#, r#""fields":["f"]"#),
        (r#""name":"U\ud83d""#, r#""name":"V""#),
    ] {
        let stub = Stub::start().await;
        let mut model = damaged(property);
        if property.starts_with("\"name\"") {
            model = model.replace(r#""name":"U","#, "");
        }
        stub.on("GET", MODEL, raw(model)).await;
        stub.json("PUT", MODEL, 200, json!({"data": {"id": UNKNOWN_ID}})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        session.call("update_model", rename.clone()).await;
        let put = stub.requests().await.into_iter().find(|request| request.method == "PUT");
        let body = String::from_utf8(put.unwrap().body).unwrap();
        assert!(body.contains(written), "{property}: {body}");
    }
}

#[tokio::test]
async fn damage_to_what_is_not_written_keeps_no_model() {
    let model = |configuration: &str, property: &str| {
        format!(
            r#"{{"data":{{"id":"{UNKNOWN_ID}","name":"U","connection_id":"{CONNECTION}","configuration":{configuration},{property}}}}}"#
        )
    };
    let replace = json!({"model_id": UNKNOWN_ID, "configuration": {"b": 1}});
    let rename = json!({"model_id": UNKNOWN_ID, "name": "V"});
    let plain = r#""x":1"#;
    for (stored, arguments, is_written) in [
        (model(r#"{"a":1}"#, r#""updated_by":"me""#), rename.clone(), true),
        (
            model(r#"{"a":1}"#, r#""updated_by":"me","created_at":5,"created_by":[]"#),
            rename.clone(),
            true,
        ),
        (model(r#"{"a":NaN}"#, plain), replace.clone(), true),
        (model(r#"{"a":NaN}"#, plain), rename.clone(), false),
        (model(r#"{"a":1,"password":NaN}"#, plain), replace.clone(), false),
        (model(r#"{"a":NaN}"#, r#""identifier":5"#), replace.clone(), false),
    ] {
        let stub = Stub::start().await;
        stub.on("GET", MODEL, raw(stored.clone())).await;
        stub.on("POST", "/api/model-preview", raw(r#"{"data":{"fields":[]}}"#.to_owned())).await;
        stub.json("PUT", MODEL, 200, json!({"data": {"id": UNKNOWN_ID}})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        match is_written {
            true => drop(session.call("update_model", arguments).await),
            false => drop(session.call_err("update_model", arguments).await),
        }
        let lines = stub.lines().await;
        assert_eq!(lines.iter().any(|line| line.starts_with("PUT")), is_written, "{stored}");
    }
}

#[tokio::test]
async fn no_model_is_deleted_while_its_syncs_are_damaged() {
    for sync in [
        format!(r#"{{"id":"s","model_ids":"{UNKNOWN_ID}"}}"#),
        format!(r#"{{"id":"s","model_ids":["{CONNECTION}",null,"{UNKNOWN_ID}"]}}"#),
        r#"{"id":"s","model_ids":["\ud83d"]}"#.to_owned(),
        r#"5"#.to_owned(),
    ] {
        let stub = Stub::start().await;
        stub.on("GET", "/api/syncs", raw(format!(r#"{{"data":[{sync}]}}"#))).await;
        stub.on("DELETE", MODEL, ResponseTemplate::new(204)).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let error = session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
        assert_eq!(error["outcome"], "not_sent", "{sync}: {error}");
        assert!(stub.lines().await.iter().all(|line| line.starts_with("GET")), "{sync}");
    }
}

#[tokio::test]
async fn a_damaged_name_of_a_sync_does_not_keep_a_model() {
    let stub = Stub::start().await;
    let body =
        format!(r#"{{"data":[{{"id":"s","name":"N\ud83d","model_ids":["{CONNECTION}"]}}]}}"#);
    stub.on("GET", "/api/syncs", raw(body)).await;
    stub.on("DELETE", MODEL, ResponseTemplate::new(204)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let result = session.call("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(result["deleted"], true, "{result}");
}

#[tokio::test]
async fn a_change_that_was_made_is_a_result_whatever_its_response_holds() {
    let stub = Stub::start().await;
    stub.on("POST", "/api/models", raw(damaged(r#""relations":"none","identifier":"i\ud83d""#)))
        .await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let created = session.call("create_model", definition()).await;
    assert_eq!(created["model"]["identifier"], "i\u{fffd}");
    assert!(created["notice"].as_str().unwrap().contains("data.relations"), "{created}");
}
