//! What the lines of a call say.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::Log;
use crate::support::{
    CONNECTION, Fault, FaultyServer, JOB_ID, Launch, Sandbox, Session, Stub, UNKNOWN_ID,
    definition, job, keys,
};

const ORGANIZATION: &str = "7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41";

#[tokio::test]
async fn a_write_has_two_lines_with_ids_and_without_names_or_values() {
    let (sandbox, log) = (Sandbox::start(), Log::new());
    let launch = Launch::bare()
        .variable("POLYTOMIC_BASE_URL", &sandbox.url)
        .variable("POLYTOMIC_API_KEY", &sandbox.key);
    let mut session = Session::open(&log.of(launch)).await;
    let created = session
        .call(
            "create_model",
            json!({
                "connection_id": CONNECTION, "name": "Payroll 4711", "labels": ["label-4711"],
                "configuration": {"query": "SELECT id, email FROM users WHERE id < 4711"},
                "identifier": "id", "idempotency_key": "key-of-the-caller",
            }),
        )
        .await;
    let id = &created["model"]["id"];
    session.call("update_model", json!({"model_id": id, "name": "Wages 4711"})).await;
    session.call("update_model", json!({"model_id": id, "name": "No 4711", "dry_run": true})).await;
    session.call("sample_records", json!({"model_id": id})).await;
    session.call_err("update_model", json!({"model_id": id, "nam": "4711"})).await;
    session.call("delete_model", json!({"model_id": id, "expected_name": "Wages 4711"})).await;
    session.close().await;

    let lines = log.lines();
    let summary = |line: &Value| format!("{} {}", line["event"], line["tool"]).replace('"', "");
    assert_eq!(
        lines.iter().map(summary).collect::<Vec<_>>(),
        [
            "started create_model",
            "finished create_model",
            "started update_model",
            "finished update_model",
            "started delete_model",
            "finished delete_model"
        ]
    );
    for pair in lines.chunks(2) {
        let (started, finished) = (&pair[0], &pair[1]);
        assert_eq!(started["call"], finished["call"]);
        assert_eq!(finished["outcome"], "applied");
        assert_eq!(finished["model_id"], *id);
        assert_eq!(finished["confirmation"], "never");
        assert!(finished["duration_ms"].is_u64(), "{finished}");
        for line in [started, finished] {
            let time = line["time"].as_str().unwrap();
            assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
            assert_rfc_3339(time);
        }
        assert_eq!(started.get("outcome"), None);
    }
    // Models of this sandbox are in one organization, which the key does not name.
    assert_eq!(lines[1]["organization_id"], ORGANIZATION);
    assert_eq!(lines[1]["connection_id"], CONNECTION);
    assert_eq!(lines[2]["connection_id"], CONNECTION, "of the model that is updated");
    assert_eq!(lines[1]["idempotency_key"], "key-of-the-caller");
    assert_eq!(lines[3].get("idempotency_key"), None, "a PUT has none");
    assert_eq!(
        keys(&lines[1]),
        [
            "call",
            "confirmation",
            "connection_id",
            "duration_ms",
            "event",
            "idempotency_key",
            "model_id",
            "organization_id",
            "outcome",
            "time",
            "tool"
        ]
    );
    let text = std::fs::read_to_string(log.path()).unwrap();
    for private in ["4711", "SELECT", "email", "Payroll", "label", &sandbox.key] {
        assert!(!text.contains(private), "{private} is in the log: {text}");
    }
    let mode = std::fs::metadata(log.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A time of RFC 3339: each digit where it belongs.
fn assert_rfc_3339(time: &str) {
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
}

#[tokio::test]
async fn the_key_is_the_one_that_was_sent() {
    let error = json!({"message": "no", "status": 500, "key": "internal"});
    let stored = || Fault::Response(500, "", error.clone());
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "Users"}});
    let script = vec![Fault::ResetAfterRead, stored(), stored(), Fault::Response(200, "", model)];
    let (api, log) = (FaultyServer::start(script).await, Log::new());
    let mut session = Session::open(&log.of(Launch::against(&api.url))).await;
    session.call("create_model", definition()).await;
    let sent: Vec<String> =
        api.received().into_iter().map(|request| request.key.unwrap()).collect();
    assert_ne!(sent.first(), sent.last(), "the API had stored an error for the first key");
    let started: Vec<_> =
        log.events("started").iter().map(|line| line["idempotency_key"].clone()).collect();
    assert_eq!(started, [json!(sent[0]), json!(sent[sent.len() - 1])]);
    let end = log.end().await;
    assert_eq!(end["idempotency_key"], json!(sent[sent.len() - 1]));
    assert_eq!(end["outcome"], "applied");
    let calls: Vec<_> = log.lines().iter().map(|line| line["call"].clone()).collect();
    assert!(calls.iter().all(|call| *call == calls[0]), "{calls:?}");
}

#[tokio::test]
async fn a_call_that_ends_before_anything_is_sent_has_one_line() {
    let log = Log::new();
    let launch = log.of(Launch::sandbox()).flag("--own-only");
    let mut session = Session::open(&launch).await;
    let id = session.create_model("Users", "public.users").await;
    let before = log.lines().len();
    session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    session.call_err("update_model", json!({"model_id": id, "expected_version": 7})).await;
    session.call_err("delete_model", json!({"model_id": id, "expected_name": "People"})).await;
    session.call("update_model", json!({"model_id": id, "name": "Users"})).await;
    let lines = log.lines().split_off(before);
    let summary = |line: &Value| {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (text("event"), text("tool"), text("outcome"), text("error_code"))
    };
    let line = |tool: &str, code: &str| {
        ("finished".to_owned(), tool.to_owned(), "not_sent".to_owned(), code.to_owned())
    };
    assert_eq!(
        lines.iter().map(summary).collect::<Vec<_>>(),
        [
            line("delete_model", "access_denied"),
            line("update_model", "conflict"),
            line("delete_model", "conflict"),
            // There was nothing to change.
            line("update_model", ""),
        ]
    );
}

#[tokio::test]
async fn a_refusal_of_the_api_and_an_unfinished_job_have_their_outcome() {
    let (stub, log) = (Stub::start().await, Log::new());
    let rejection = json!({"message": "No 4711", "status": 400, "key": "bad_request"});
    stub.json("DELETE", crate::support::MODEL, 400, rejection).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": []})).await;
    let running = json!({"job": job("createmodel", "running", Value::Null)});
    stub.json("POST", "/api/models", 200, running).await;
    let launch = Launch::against(&stub.url())
        .variable("POLYTOMIC_ORGANIZATION_ID", "0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b23");
    let mut session = Session::open(&log.of(launch)).await;
    session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    let mut arguments = definition();
    arguments["wait_seconds"] = json!(0);
    session.call("create_model", arguments).await;
    let ends = log.events("finished");
    assert_eq!(
        (&ends[0]["outcome"], &ends[0]["error_code"]),
        (&json!("refused"), &json!("invalid_argument"))
    );
    assert_eq!(ends[0]["organization_id"], "0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b23");
    assert_eq!((&ends[1]["outcome"], &ends[1]["job_id"]), (&json!("unknown"), &json!(JOB_ID)));
    assert_eq!(ends[1].get("error_code"), None);
    assert!(!std::fs::read_to_string(log.path()).unwrap().contains("4711"));
}

#[tokio::test]
async fn every_server_writes_the_log() {
    let (stub, log) = (Stub::slow(std::time::Duration::ZERO).await, Log::new());
    let launch = log.of(Launch::against(&stub.url()));
    Session::open(&launch).await.call("create_model", definition()).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    crate::support::over_rpc(&mut rpc, "create_model", &definition()).await.unwrap();
    crate::support::over_call(launch.clone(), "create_model", &definition()).await.unwrap();
    let server = crate::support::Server::start(launch).await;
    server.call("create_model", definition()).await;
    let ends = log.events("finished");
    assert_eq!(ends.len(), 4);
    assert!(ends.iter().all(|end| end["outcome"] == "applied" && end["model_id"] == UNKNOWN_ID));
}

#[tokio::test]
async fn an_api_key_in_a_wrong_place_is_not_in_the_log() {
    let (stub, log) = (Stub::slow(std::time::Duration::ZERO).await, Log::new());
    let launch =
        Launch::against(&stub.url()).variable("POLYTOMIC_ORGANIZATION_ID", "test-key-4711");
    let mut session = Session::open(&log.of(launch)).await;
    let mut arguments = definition();
    arguments["idempotency_key"] = json!("test-key-4711");
    arguments["organization_id"] = json!("test-key-4711");
    session.call("create_model", arguments).await;
    let text = std::fs::read_to_string(log.path()).unwrap();
    assert!(text.contains("redacted") && !text.contains("4711"), "{text}");
}
