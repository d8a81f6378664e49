//! `--own-only`: only models that were created through this server are changed.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    CONNECTION, Fault, FaultyServer, JOB_ID, Launch, MODEL, Sandbox, Server, Session, Stub,
    UNKNOWN_ID, definition, job, job_path, over_call, over_http, over_rpc, over_websocket,
};

/// An API with the model [`UNKNOWN_ID`], which `create_model` returns as well.
async fn api() -> Stub {
    let stub = Stub::slow(Duration::ZERO).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": []})).await;
    stub.json("DELETE", MODEL, 200, json!({})).await;
    stub
}

fn launch(api: &Stub) -> Launch {
    Launch::against(&api.url()).variable("POLYTOMIC_OWN_ONLY", "1")
}

fn delete() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

#[track_caller]
fn assert_denied(error: &Value) {
    assert_eq!((&error["code"], &error["outcome"]), (&json!("access_denied"), &json!("not_sent")));
    assert!(error["message"].as_str().unwrap().contains(UNKNOWN_ID), "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("--own-only") && hint.contains("POLYTOMIC_OWN_ONLY"), "{hint}");
}

#[tokio::test]
async fn a_model_of_somebody_else_is_refused_before_anything_is_requested() {
    let api = api().await;
    let launch = launch(&api);
    let mut session = Session::open(&launch).await;
    for (tool, arguments) in [
        ("update_model", json!({"model_id": UNKNOWN_ID, "name": "A"})),
        ("update_model", json!({"model_id": UNKNOWN_ID, "name": "A", "dry_run": true})),
        ("update_model", json!({"model_id": UNKNOWN_ID.replace('-', ""), "name": "A"})),
        ("delete_model", delete()),
        ("delete_model", json!({"model_id": UNKNOWN_ID, "force": true, "expected_name": "Users"})),
    ] {
        assert_denied(&session.call_err(tool, arguments).await);
    }
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    assert_denied(&over_rpc(&mut rpc, "delete_model", &delete()).await.unwrap_err());
    let server = Server::start(launch.clone()).await;
    assert_denied(&over_http(&server, "delete_model", &delete()).await.unwrap_err());
    let socket = server.websocket();
    assert_denied(&over_websocket(&socket, "delete_model", &delete()).await.unwrap_err());
    assert_denied(&over_call(launch, "delete_model", &delete()).await.unwrap_err());
    assert_eq!(api.lines().await, [""; 0]);
    // The arguments come first, and reading is allowed.
    let error = session.call_err("delete_model", json!({"model_id": "Users"})).await;
    assert_eq!(error["code"], "invalid_argument");
    session.call("get_model", delete()).await;
}

#[tokio::test]
async fn what_was_created_before_the_setting_is_remembered_by_account() {
    let api = api().await;
    // The directory for state is that of the launch.
    let before = Launch::against(&api.url());
    Session::open(&before).await.call("create_model", definition()).await;
    let other = before.clone().flag("--own-only").variable("POLYTOMIC_API_KEY", "another-key-4711");
    assert_denied(&Session::open(&other).await.call_err("delete_model", delete()).await);
    let same = before.clone().flag("--own-only");
    let mut session = Session::open(&same).await;
    session.call("update_model", json!({"model_id": UNKNOWN_ID, "name": "Users"})).await;
    session.call("delete_model", delete()).await;

    let directory = before.state_directory().join("created");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&directory) & 0o777, 0o700);
    let file = std::fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&file) & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("model {UNKNOWN_ID}\n"));
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
}

#[tokio::test]
async fn a_model_that_a_job_delivers_to_another_process_is_remembered() {
    let api = Stub::start().await;
    let model = json!({"id": UNKNOWN_ID, "name": "Users"});
    let running = json!({"job": job("createmodel", "running", Value::Null)});
    api.json("POST", "/api/models", 200, running).await;
    api.json(
        "GET",
        &job_path("createmodel"),
        200,
        json!({"data": job("createmodel", "done", model)}),
    )
    .await;
    api.json("GET", "/api/syncs", 200, json!({"data": []})).await;
    api.json("DELETE", MODEL, 200, json!({})).await;
    let launch = launch(&api);
    let get_job = json!({"type": "createmodel", "job_id": JOB_ID});
    let mut session = Session::open(&launch).await;
    session.call("get_job", get_job.clone()).await;
    // So far it is the job of somebody else.
    assert_denied(&session.call_err("delete_model", delete()).await);
    let mut arguments = definition();
    arguments["wait_seconds"] = json!(0);
    session.call("create_model", arguments).await;
    assert_denied(&session.call_err("delete_model", delete()).await);
    let mut other = Session::open(&launch).await;
    other.call("get_job", get_job).await;
    session.call("delete_model", delete()).await;
}

#[tokio::test]
async fn a_create_with_an_unknown_outcome_counts_once_its_repetition_has_delivered_the_model() {
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "Users"}});
    let success = Fault::Response(200, "", model);
    let syncs = Fault::Response(200, "", json!({"data": []}));
    let deleted = Fault::Response(200, "", json!({}));
    let api = FaultyServer::start(vec![Fault::Hang, success, syncs, deleted]).await;
    let launch = Launch::against(&api.url).flag("--own-only");
    let mut session = Session::open(&launch).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    assert_denied(&session.call_err("delete_model", delete()).await);
    session.call("create_model", definition()).await;
    session.call("delete_model", delete()).await;
    let received = api.received();
    assert_eq!((received.len(), &received[0].key), (4, &received[1].key));
}

#[tokio::test]
async fn without_a_directory_the_process_remembers_its_own_models() {
    let api = api().await;
    let launch = launch(&api).variable("POLYTOMIC_STATE", "off");
    let mut session = Session::open(&launch).await;
    session.call("create_model", definition()).await;
    assert_denied(&Session::open(&launch).await.call_err("delete_model", delete()).await);
    session.call("delete_model", delete()).await;
    assert!(!launch.state_directory().exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_one_warning() {
    let api = api().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let state = file.path().join("state");
    let launch = launch(&api).variable("POLYTOMIC_STATE", state.to_str().unwrap());
    let mut session = Session::open(&launch).await;
    for _ in 0..2 {
        session.call("create_model", definition()).await;
    }
    session.call("delete_model", delete()).await;
    let stderr = session.close().await.stderr;
    assert_eq!(stderr.matches("cannot be kept").count(), 1, "{stderr}");
}

#[tokio::test]
async fn a_sandbox_with_a_file_remembers_and_one_in_memory_does_within_the_process() {
    let launch = Launch::sandbox().flag("--own-only");
    let mut session = Session::open(&launch).await;
    let id = session.create_model("Users", "public.users").await;
    session.call("delete_model", json!({"model_id": id})).await;
    session.close().await;
    assert!(!launch.state_directory().exists());

    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("sandbox.db");
    let launch = launch.flag("--sandbox-data").flag(data.to_str().unwrap());
    let arguments = json!({"connection_id": CONNECTION, "name": "Users",
        "configuration": {"table": "public.users"}});
    let created = over_call(launch.clone(), "create_model", &arguments).await.unwrap();
    over_call(launch, "delete_model", &json!({"model_id": created["model"]["id"]})).await.unwrap();
}

#[tokio::test]
async fn all_processes_remember_what_three_create_at_once() {
    let sandbox = Sandbox::start();
    let launch = Launch::bare()
        .variable("POLYTOMIC_BASE_URL", &sandbox.url)
        .variable("POLYTOMIC_API_KEY", &sandbox.key)
        .flag("--own-only");
    let create = async |process: &str| {
        let mut session = Session::open(&launch).await;
        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(session.create_model(&format!("{process} {n}"), "public.users").await);
        }
        ids
    };
    let (first, second, third) = tokio::join!(create("A"), create("B"), create("C"));
    let mut session = Session::open(&launch).await;
    for id in [first, second, third].into_iter().flatten() {
        session.call("delete_model", json!({"model_id": id})).await;
    }
}

#[tokio::test]
async fn a_mistake_in_the_settings_stops_the_start() {
    for (variable, expected) in [
        (("POLYTOMIC_OWN_ONLY", "maybe"), "POLYTOMIC_OWN_ONLY: expected 1 or 0"),
        (("POLYTOMIC_OWNONLY", "1"), "did you mean POLYTOMIC_OWN_ONLY?"),
        (("POLYTOMIC_AUDITLOG", "log"), "did you mean POLYTOMIC_AUDIT_LOG?"),
    ] {
        let launch = Launch::sandbox().variable(variable.0, variable.1);
        let (status, _, stderr) = launch.output().await;
        assert_eq!(status, 2, "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
}
