//! The directory of open idempotency keys: what processes leave behind for each other, even if they are killed.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::fixtures::{error_response, get_arguments, success};
use crate::support::{
    Fault, FaultyServer, Launch, Session, Stub, UNKNOWN_ID, definition, over_call, wait_until,
};

/// A session that was killed while the API worked on a create.
async fn killed_session(launch: &Launch, api: &FaultyServer) {
    let before = api.received().len();
    let mut session = Session::open(launch).await;
    session.start_call("create_model", definition()).await;
    api.wait_for_requests(before + 1).await;
    session.signal("-KILL");
    session.exit_status().await;
}

/// The files of keys; the ids of created models are in a directory of their own.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with("created")).collect()
}

#[tokio::test]
async fn after_a_kill_the_next_process_sends_the_same_key() {
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url);
    killed_session(&launch, &api).await;
    killed_session(&launch, &api).await;
    let mut session = Session::open(&launch).await;
    session.call("create_model", definition()).await;
    // At once, and from another process: the outcome is known, so that this is another model.
    session.call("create_model", definition()).await;
    let mut other = Session::open(&launch).await;
    other.call("create_model", definition()).await;
    let keys: Vec<_> = api.received().into_iter().map(|request| request.key.unwrap()).collect();
    assert!(keys[0] == keys[1] && keys[0] == keys[2], "{keys:?}");
    assert!(keys[3] != keys[2] && keys[4] != keys[3] && keys[4] != keys[2], "{keys:?}");
    let directory = launch.state_directory();
    wait_until("an empty directory", async || files(&directory).is_empty()).await;
}

#[tokio::test]
async fn a_killed_call_from_a_shell_is_repeated_with_the_same_key() {
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url).flag("call").flag("create_model");
    let launch = launch.flag("--json").flag(&definition().to_string());
    let mut child = launch.spawn();
    api.wait_for_requests(1).await;
    child.kill().await.unwrap();
    let (status, stdout, stderr) = launch.output().await;
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.contains("Users"), "{stdout}");
    let received = api.received();
    assert_eq!((received.len(), &received[0].key), (2, &received[1].key));
    // The end of the process does not wait, and leaves nothing.
    assert_eq!(files(&launch.state_directory()), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn a_call_from_a_shell_without_state_says_which_key_to_repeat() {
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url)
        .variable("POLYTOMIC_STATE", "off")
        .variable("POLYTOMIC_TIMEOUT_SECONDS", "1");
    let mut arguments = definition();
    let error = over_call(launch.clone(), "create_model", &arguments).await.unwrap_err();
    let key = error["details"]["idempotency_key"].as_str().unwrap();
    let hint = error["hint"].as_str().unwrap();
    let repeat = format!("Repeat the call with idempotency_key={key}: nothing is done twice. ");
    assert!(hint.starts_with(&repeat) && hint.contains("list_models"), "{hint}");
    assert!(!hint.contains("10 minutes"), "{hint}");
    arguments["idempotency_key"] = json!(key);
    over_call(launch, "create_model", &arguments).await.unwrap();
    let received = api.received();
    assert_eq!(received[0].key, received[1].key);
}

#[tokio::test]
async fn the_content_of_a_key_s_file_does_not_count() {
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url);
    killed_session(&launch, &api).await;
    for file in files(&launch.state_directory()) {
        fs::write(file, "damaged").unwrap();
    }
    Session::open(&launch).await.call("create_model", definition()).await;
    let received = api.received();
    assert_eq!(received[0].key, received[1].key);
}

#[tokio::test]
async fn equal_calls_in_flight_in_two_processes_have_two_keys() {
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url);
    let mut first = Session::open(&launch).await;
    first.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    let mut second = Session::open(&launch).await;
    second.start_call("create_model", definition()).await;
    api.wait_for_requests(2).await;
    first.signal("-KILL");
    first.exit_status().await;
    // Only the key of the process that was killed is free.
    let mut third = Session::open(&launch).await;
    third.call("create_model", definition()).await;
    third.call("create_model", definition()).await;
    let keys: Vec<_> = api.received().into_iter().map(|request| request.key.unwrap()).collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[2], keys[0]);
    assert!(keys[3] != keys[0] && keys[3] != keys[1], "{keys:?}");
}

#[tokio::test]
async fn another_service_or_credential_has_other_keys() {
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url);
    killed_session(&launch, &api).await;
    let launches = [
        launch.clone().variable("POLYTOMIC_API_KEY", "another-key-4711"),
        launch.clone().variable("POLYTOMIC_ORGANIZATION_ID", "org"),
        launch.clone().variable("POLYTOMIC_BASE_URL", &format!("{}/prefix", api.url)),
    ];
    for launch in launches {
        Session::open(&launch).await.call("create_model", definition()).await;
        let received = api.received();
        assert_ne!(received[0].key, received.last().unwrap().key);
    }
    Session::open(&launch).await.call("create_model", definition()).await;
    let received = api.received();
    assert_eq!(received[0].key, received.last().unwrap().key);
}

#[tokio::test]
async fn the_directory_is_private_and_holds_only_hashes_and_keys() {
    let api = FaultyServer::start(vec![Fault::Hang]).await;
    let launch = Launch::against(&api.url);
    let mut session = Session::open(&launch).await;
    session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    let directory = launch.state_directory();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let files = files(&directory);
    assert_eq!((mode(&directory), files.len()), (0o700, 1));
    assert_eq!((mode(&files[0]), fs::read(&files[0]).unwrap()), (0o600, Vec::new()));
    let name = files[0].file_name().unwrap().to_str().unwrap();
    let (request, key) = name.split_once('.').unwrap();
    assert!(request.len() == 64 && request.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    assert_eq!(api.received()[0].key.as_deref(), Some(key));
}

#[tokio::test]
async fn a_key_expires_ten_minutes_after_the_process_has_ended() {
    let minutes = |minutes: u64| SystemTime::now() - Duration::from_secs(minutes * 60);
    for (modified, expected) in [(minutes(9), true), (minutes(11), false)] {
        let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
        let launch = Launch::against(&api.url);
        killed_session(&launch, &api).await;
        let left = files(&launch.state_directory());
        File::open(&left[0]).unwrap().set_modified(modified).unwrap();
        let mut session = Session::open(&launch).await;
        // Another create cleans up as well.
        let mut other = definition();
        other["name"] = json!("People");
        session.call("create_model", other).await;
        assert_eq!(left[0].exists(), expected);
        session.call("create_model", definition()).await;
        let received = api.received();
        assert_eq!(received[0].key == received[2].key, expected, "{modified:?}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_one_warning() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url)
        .variable("POLYTOMIC_STATE", file.path().join("state").to_str().unwrap());
    let mut session = Session::open(&launch).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    session.call("create_model", definition()).await;
    session.call("create_model", definition()).await;
    let keys: Vec<_> = api.received().into_iter().map(|request| request.key).collect();
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
    let stderr = session.close().await.stderr;
    assert_eq!(stderr.matches("cannot be kept").count(), 1, "{stderr}");
    assert!(stderr.contains("POLYTOMIC_STATE"), "{stderr}");
}

#[tokio::test]
async fn the_directory_can_be_set_and_switched_off() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a/b");
    for (value, is_kept) in
        [(path.to_str().unwrap(), true), ("~/a/b", true), ("off", false), ("none", false)]
    {
        let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
        let launch = Launch::against(&api.url).variable("POLYTOMIC_STATE", value);
        let launch = launch.variable("HOME", home.path().to_str().unwrap());
        killed_session(&launch, &api).await;
        assert_eq!(files(&path).len(), usize::from(is_kept));
        assert!(!launch.state_directory().exists());
        Session::open(&launch).await.call("create_model", definition()).await;
        let received = api.received();
        assert_eq!(received[0].key == received[1].key, is_kept, "{value}");
        let _ = fs::remove_dir_all(&path);
    }
}

#[tokio::test]
async fn reads_and_the_sandbox_in_memory_keep_nothing() {
    let stub = Stub::start().await;
    let launch = Launch::against(&stub.url());
    let mut session = Session::open(&launch).await;
    session.call_err("get_model", get_arguments()).await;
    session.call_err("preview_model", definition()).await;
    session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert!(!launch.state_directory().exists());
    let launch = Launch::sandbox();
    Session::open(&launch).await.create_model("Users", "public.users").await;
    assert!(!launch.state_directory().exists());
    // A sandbox with a file is the same one for the next process.
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("sandbox.db");
    let launch = launch.flag("--sandbox-data").flag(file.to_str().unwrap());
    Session::open(&launch).await.create_model("Users", "public.users").await;
    assert!(launch.state_directory().exists());
}

#[tokio::test]
async fn what_others_keep_in_the_directory_stays_and_does_not_disturb() {
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url);
    killed_session(&launch, &api).await;
    let directory = launch.state_directory();
    let ours = files(&directory)[0].file_name().unwrap().to_str().unwrap().to_owned();
    let (request, _) = ours.split_once('.').unwrap();
    let key = || uuid::Uuid::new_v4();
    let hour = Duration::from_secs(3600);
    let mut others = Vec::new();
    for name in [
        format!("backup.{}", key()),
        format!(".{}", key()),
        format!("x.{}", key().simple()),
        format!("{request}.{}", key().simple()),
        format!("{request}.{}", key().to_string().to_uppercase()),
        format!("{}.{}", request.to_uppercase(), key()),
        format!("{}.{}", "g".repeat(64), key()),
    ] {
        let path = directory.join(name);
        File::create(&path).unwrap().set_modified(SystemTime::now() - hour).unwrap();
        others.push(path);
    }
    let content = directory.join(format!("{request}.{}", key()));
    fs::write(&content, "notes").unwrap();
    File::options()
        .write(true)
        .open(&content)
        .unwrap()
        .set_modified(SystemTime::now() - hour)
        .unwrap();
    let folder = directory.join(format!("{request}.{}", key()));
    fs::create_dir(&folder).unwrap();
    let link = directory.join(format!("{request}.{}", key()));
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    others.extend([content, folder, link]);
    // A process that was killed before it had named its file.
    let unnamed = directory.join(format!(".{request}.{}", key()));
    File::create(&unnamed).unwrap().set_modified(SystemTime::now() - hour).unwrap();

    let mut session = Session::open(&launch).await;
    session.call("create_model", definition()).await;
    let received = api.received();
    assert_eq!(received[0].key, received[1].key);
    let stderr = session.close().await.stderr;
    assert!(!stderr.contains("cannot be kept"), "{stderr}");
    for path in others {
        assert!(path.symlink_metadata().is_ok(), "{} is gone", path.display());
    }
    assert!(!unnamed.exists() && !directory.join(ours).exists());
}

#[tokio::test]
async fn only_the_exact_spelling_of_an_open_key_takes_it() {
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = Launch::against(&api.url);
    killed_session(&launch, &api).await;
    let open_key = api.received()[0].key.clone().unwrap();
    let mut session = Session::open(&launch).await;
    let mut arguments = definition();
    arguments["idempotency_key"] = json!(open_key.to_uppercase());
    session.call("create_model", arguments).await;
    assert_eq!(files(&launch.state_directory()).len(), 1);
    session.call("create_model", definition()).await;
    let keys: Vec<_> = api.received().into_iter().map(|request| request.key.unwrap()).collect();
    assert_eq!(keys, [open_key.clone(), open_key.to_uppercase(), open_key]);
}

#[tokio::test]
async fn a_definite_error_leaves_no_key() {
    let api = FaultyServer::start(vec![error_response(400)]).await;
    let launch = Launch::against(&api.url);
    let mut session = Session::open(&launch).await;
    session.call_err("create_model", definition()).await;
    session.close().await;
    assert_eq!(files(&launch.state_directory()).len(), 0);
}
