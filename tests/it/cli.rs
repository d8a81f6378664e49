//! The command line beyond serving: `call`, `tools`, `completions`.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, ClosedPort, Launch, MODEL, Stub, UNKNOWN_ID, job};

/// Runs `call` with its arguments: status, stdout, stderr.
async fn call(launch: Launch, arguments: &[&str]) -> (i32, String, String) {
    let launch = launch.flag("call");
    launch.flags(arguments).output().await
}

#[tokio::test]
async fn models_created_in_one_call_exist_in_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sandbox.db");
    // A flag may stand before the subcommand as well.
    let launch = || Launch::sandbox().flag("--sandbox-data").flag(file.to_str().unwrap());
    let connection = format!("connection_id={CONNECTION}");
    let (status, stdout, stderr) = call(
        launch(),
        &[
            "create_model",
            &connection,
            "name=Users",
            "configuration.table=public.users",
            "fields=id",
            "fields=email",
        ],
    )
    .await;
    assert_eq!(status, 0, "{stderr}");
    let created: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(stdout, format!("{created}\n"), "compact JSON, one line");
    assert_eq!(created["model"]["fields"].as_array().unwrap().len(), 2);
    let id = format!("model_id={}", created["model"]["id"].as_str().unwrap());
    let (status, stdout, _) = call(launch(), &["sample_records", &id, "--output", "text"]).await;
    assert_eq!(status, 0);
    let (title, header) = (stdout.lines().next().unwrap(), stdout.lines().nth(1).unwrap());
    assert_eq!(
        (title, header.split_whitespace().collect::<Vec<_>>()),
        ("records (10)", vec!["id", "email"])
    );
    assert!(stdout.contains("user0001@example.com"), "{stdout}");
}

#[tokio::test]
async fn arguments_can_be_json_files_and_stdin() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users.sql");
    std::fs::write(&file, "SELECT id FROM users").unwrap();
    let query = format!("configuration.query=@{}", file.display());
    let base = json!({"connection_id": CONNECTION}).to_string();
    let (status, stdout, stderr) =
        call(Launch::sandbox(), &["preview_model", "--json", &base, &query]).await;
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.contains("SELECT id FROM users"), "{stdout}");

    let launch = Launch::sandbox().flags(["call", "get_model_source", "--json", "-"]);
    let (_, stdout, _) = launch.output_for(&base).await;
    let source: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(source["requires_one_of"], json!(["query", "table", "view"]));
}

#[tokio::test]
async fn the_exit_status_shows_the_kind_of_error() {
    let stub = Stub::start().await;
    let at = |n: u16| format!("/api/models/00000000-0000-4000-8000-{n:012}");
    for status in [401, 403, 404, 409, 500, 503, 504] {
        stub.json("GET", &at(status), status, json!({"message": "because"})).await;
    }
    let id = |n: u16| format!("model_id=00000000-0000-4000-8000-{n:012}");
    let launch = || Launch::against(&stub.url());
    let closed = ClosedPort::new();
    for (label, launch, arguments, expected, word) in [
        ("no such tool", launch(), vec!["get_modle".to_owned()], 2, "get_model"),
        ("no assignment", launch(), vec!["get_model".to_owned(), "x".to_owned()], 2, "key=value"),
        (
            "bad JSON",
            launch(),
            vec!["get_model".to_owned(), "--json".to_owned(), "{".to_owned()],
            2,
            "--json",
        ),
        (
            "wrong argument",
            launch(),
            vec!["get_model".to_owned(), "model_id=x".to_owned()],
            2,
            "UUID",
        ),
        ("missing argument", launch(), vec!["get_model".to_owned()], 2, "model_id"),
        ("no key", Launch::bare(), vec!["list_models".to_owned()], 3, "POLYTOMIC_API_KEY"),
        ("refused key", launch(), vec!["get_model".to_owned(), id(401)], 3, "because"),
        ("no permission", launch(), vec!["get_model".to_owned(), id(403)], 3, "because"),
        ("unavailable", launch(), vec!["get_model".to_owned(), id(503)], 4, &stub.url()),
        ("not found", launch(), vec!["get_model".to_owned(), id(404)], 1, "because"),
        ("conflict", launch(), vec!["get_model".to_owned(), id(409)], 1, "because"),
        ("its own error", launch(), vec!["get_model".to_owned(), id(500)], 1, "because"),
        (
            "nobody there",
            Launch::against(&closed.url()),
            vec!["list_models".to_owned()],
            4,
            &closed.url(),
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (status, stdout, stderr) = call(launch, &arguments).await;
        assert_eq!(status, expected, "{label}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(word), "{label}: {stderr}");
        if !stdout.is_empty() {
            let message: Value = serde_json::from_str(&stdout).unwrap();
            assert!(message["error"]["code"].is_string(), "{label}: {stdout}");
        }
    }
}

#[tokio::test]
async fn a_job_that_is_not_done_is_status_1_with_its_handle_on_stdout() {
    let stub = Stub::start().await;
    let started = json!({"job": job("createmodel", "running", Value::Null)});
    stub.json("POST", "/api/models", 200, started).await;
    let connection = format!("connection_id={CONNECTION}");
    let (status, stdout, stderr) = call(
        Launch::against(&stub.url()),
        &["create_model", &connection, "name=a", "configuration.table=a", "wait_seconds=0"],
    )
    .await;
    assert_eq!(status, 1, "{stderr}");
    let handle: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(handle["next"]["arguments"]["type"], "createmodel");
    let id = handle["job"]["job_id"].as_str().unwrap();
    assert!(stderr.contains(&format!("call get_job type=createmodel job_id={id}")), "{stderr}");
}

#[tokio::test]
async fn an_interrupted_call_is_status_130_and_drops_its_request() {
    let stub = Stub::slow(Duration::from_secs(20)).await;
    let id = format!("model_id={UNKNOWN_ID}");
    let launch = Launch::against(&stub.url()).flags(["call", "get_model", &id]);
    let child = launch.spawn();
    stub.wait_for_requests(1).await;
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = tokio::time::timeout(Duration::from_secs(2), launch.completed(child)).await;
    let (status, stdout, _) = output.expect("it ends at once");
    assert_eq!((status, stdout.as_str()), (130, ""));
}

#[tokio::test]
async fn an_interrupted_wait_still_prints_the_handle() {
    let stub = Stub::start().await;
    let started = json!({"job": job("createmodel", "running", Value::Null)});
    stub.json("POST", "/api/models", 200, started.clone()).await;
    let poll = "/api/jobs/createmodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
    stub.json("GET", poll, 200, json!({"data": started["job"]})).await;
    let connection = format!("connection_id={CONNECTION}");
    let words = ["call", "create_model", &connection, "name=a", "configuration.table=a"];
    let launch = Launch::against(&stub.url()).flags(words);
    let child = launch.spawn();
    stub.wait_for_requests(2).await;
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let (status, stdout, stderr) = launch.completed(child).await;
    assert_eq!(status, 130, "{stderr}");
    let handle: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(handle["next"]["tool"], "get_job");
}

#[tokio::test]
async fn the_page_of_a_tool_has_commands_that_work_with_an_id() {
    let (status, stdout, _) = Launch::bare().flag("tools").output().await;
    assert_eq!(status, 0);
    assert!(stdout.contains("create_model"), "{stdout}");
    let (status, stdout, _) = Launch::bare().flag("tools").flag("create_model").output().await;
    assert_eq!(status, 0);
    insta::assert_snapshot!("tools_create_model", stdout);
    // The lines to copy are read by the program as they stand.
    let line = stdout.lines().find(|line| line.starts_with("  polytomic-mcp call ")).unwrap();
    let line = line.replace("CONNECTION_ID", CONNECTION);
    let words: Vec<&str> = line.split_whitespace().skip(2).collect();
    let (status, _, stderr) = call(Launch::sandbox(), &words).await;
    assert_eq!(status, 0, "{stderr}");
    let line = stdout.lines().find(|line| line.starts_with("  {\"jsonrpc\"")).unwrap();
    let line = line.replace("CONNECTION_ID", CONNECTION);
    let mut session = crate::support::Session::start(&Launch::sandbox().flag("rpc"));
    let response = session.exchange(format!("{line}\n").as_bytes()).await;
    assert_eq!(response["result"]["model"]["name"], "Users", "{response}");
    let (status, _, stderr) = Launch::bare().flag("tools").flag("creat_model").output().await;
    assert_eq!(status, 2);
    assert!(stderr.contains("create_model"), "{stderr}");
}

#[tokio::test]
async fn every_tool_has_a_page() {
    for entry in polytomic_mcp::tools::TOOLS.entries() {
        let (status, stdout, stderr) = Launch::bare().flag("tools").flag(entry.name).output().await;
        assert_eq!((status, stderr.as_str()), (0, ""), "{}", entry.name);
        assert!(
            stdout.contains("\nCommand\n") && !stdout.contains('…'),
            "{}: {stdout}",
            entry.name
        );
        assert!(stdout.contains("Add --sandbox"), "{stdout}");
        // The example of an id would be the id of something else.
        assert!(!stdout.lines().any(|line| line.contains("call ") && line.contains(CONNECTION)));
        let command = stdout.lines().skip_while(|line| *line != "Command").nth(1).unwrap();
        let command = command.replace("CONNECTION_ID", CONNECTION);
        // The sandbox has no other type, and its connection enriches nothing and is no target.
        let is_for_sandbox = !entry.name.contains("enrichment")
            && !entry.name.contains("target")
            && !command.contains("postgresql")
            // What they need depends on the operation.
            && !["call_write_operation", "call_delete_operation"].contains(&entry.name);
        if is_for_sandbox && !command.contains("_ID") && !command.contains("\"ID\"") {
            let words: Vec<&str> = command.split_whitespace().skip(2).collect();
            let (status, _, stderr) = call(Launch::sandbox(), &words).await;
            assert_eq!(status, 0, "{command}: {stderr}");
        }
    }
}

#[tokio::test]
async fn completions_contain_the_tools() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (status, stdout, _) = Launch::bare().flag("completions").flag(shell).output().await;
        assert_eq!(status, 0, "{shell}");
        // The generator completes values by their place for bash and zsh, and we do for fish.
        let named = ["bash", "zsh", "fish"].contains(&shell);
        assert!(stdout.contains("call") && (!named || stdout.contains("create_model")), "{shell}");
        assert!(stdout.contains("setup") && (!named || stdout.contains("lmstudio")), "{shell}");
    }
}

#[tokio::test]
async fn bash_completes_the_words_after_a_subcommand() {
    let (_, script, _) = Launch::bare().flag("completions").flag("bash").output().await;
    let completed = |words: &str, current: &str| {
        // As bash calls it: the program, the word under the cursor, the word before it.
        let tail = format!(
            "\nread -ra words <<< \"polytomic-mcp {words}\"\n\
             COMP_WORDS=(\"${{words[@]}}\" '{current}'); COMP_CWORD=${{#words[@]}}\n\
             _polytomic__mcp polytomic-mcp '{current}' \"${{words[-1]}}\"\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash")
            .args(["--norc", "-c", &(script.clone() + &tail)])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed("", "dem"), ["demo"]);
    let lists = ["list_models", "list_model_syncs", "list_model_sync_executions"];
    assert_eq!(completed("call", "list_m"), lists);
    assert_eq!(completed("tools", "create"), ["create_model", "create_model_sync"]);
    assert_eq!(completed("setup", "claude"), ["claude-desktop", "claude-code"]);
    assert!(completed("rpc", "--l").contains(&"--listen".to_owned()));
}

#[tokio::test]
async fn a_common_mistake_gets_a_hint() {
    for (words, hint) in [
        (&["create_model"][..], "hint: polytomic-mcp call create_model"),
        (
            &["call", "list_models", "--limit", "3"],
            "hint: pass an argument of the tool as limit=VALUE",
        ),
        (&["mcp"], "hint: polytomic-mcp without a command serves MCP"),
        (&["--api-key", "x"], "hint: set POLYTOMIC_API_KEY"),
        (&["call", "list_models", "--api-key=x"], "hint: set POLYTOMIC_API_KEY"),
        (&["sandbox", "--sandbox-data", "x.db"], "--data FILE"),
    ] {
        let launch = Launch::bare().flags(words);
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{words:?}");
        assert!(stderr.contains(hint), "{words:?}: {stderr}");
        assert!(!stderr.contains("api-version"), "{words:?}: {stderr}");
    }
    let (_, _, stderr) = Launch::bare().flag("no_such_thing").output().await;
    assert!(!stderr.contains("hint:"), "{stderr}");
}

#[tokio::test]
async fn hints_of_a_call_are_for_the_shell() {
    let id = format!("model_id={UNKNOWN_ID}");
    let connection = format!("connection_id={CONNECTION}");
    let create = ["create_model", &connection, "name=a", "configuration.table=public.users"];
    for (label, arguments, present, absent) in [
        ("the next call", vec!["sample_records", &id], "--sandbox-data FILE", "list_models"),
        (
            "a job",
            [&create[..], &["async=true", "wait_seconds=0"]].concat(),
            "call again without `async`",
            "get_job",
        ),
        (
            "items",
            [&create[..], &["fields=id,email"]].concat(),
            "one item of `fields`; two are `fields=id fields=email`",
            "--sandbox-data",
        ),
        // No sandbox was used, and no variable is ignored that is not set.
        ("invalid arguments", vec!["get_model", "model_id=x"], "UUID", "built-in sandbox"),
        (
            "no variables",
            vec!["get_model", &id],
            "nothing is sent to Polytomic",
            "POLYTOMIC_API_KEY",
        ),
    ] {
        let (_, _, stderr) = call(Launch::sandbox(), &arguments).await;
        assert!(stderr.contains(present) && !stderr.contains(absent), "{label}: {stderr}");
    }
}

#[tokio::test]
async fn an_empty_list_is_printed_for_a_person() {
    let launch = Launch::sandbox().flag("call").flag("list_models").flag("--output").flag("text");
    assert_eq!(launch.output().await.1, "models (0)\n");
}

#[tokio::test]
async fn text_that_is_piped_is_complete() {
    let long = "170141183460469231731687303715884105727";
    let stub = Stub::start().await;
    let body = format!(r#"{{"data":{{"records":[{{"a":{{"b":[{long},{long}],"c":1}}}}]}}}}"#);
    let body = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    stub.on("GET", &format!("{MODEL}/sample"), body).await;
    let id = format!("model_id={UNKNOWN_ID}");
    let arguments = ["sample_records", id.as_str(), "--output", "text"];
    let (status, stdout, stderr) = call(Launch::against(&stub.url()), &arguments).await;
    assert_eq!((status, stdout.matches(long).count()), (0, 2), "{stdout}{stderr}");
}
