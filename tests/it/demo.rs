//! `demo`: the program as its own assistant.

use serde_json::{Value, json};

use crate::support::Launch;

#[tokio::test]
async fn the_demo_runs_a_complete_session() {
    // What is configured here does not reach it.
    let launch = Launch::against("http://127.0.0.1:9").flag("demo");
    let (status, stdout, stderr) = launch.output().await;
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    insta::with_settings!({filters => vec![
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
        (r"\d+\.\d ms", "<time>"),
        (env!("CARGO_PKG_VERSION"), "<version>"),
    ]}, {
        insta::assert_snapshot!(stdout);
    });
}

#[tokio::test]
async fn its_json_contains_the_messages() {
    let (status, stdout, stderr) = Launch::bare().flag("demo").flag("--json").output().await;
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    let lines: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut requested = Vec::new();
    for line in &lines {
        assert_eq!(line.as_object().unwrap().len(), 2, "{line}");
        let message = &line["message"];
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        match line["direction"].as_str() {
            Some("client") => {
                let tool = message["params"]["name"].as_str().or(message["method"].as_str());
                let decision = message["result"]["action"].as_str();
                requested.push(tool.or(decision).unwrap().to_owned());
            }
            Some("server") if message["method"] == "elicitation/create" => {
                requested.push("elicitation/create".to_owned());
            }
            Some("server") => assert!(message["result"].is_object(), "{line}"),
            _ => panic!("{line}"),
        }
    }
    assert_eq!(
        requested,
        [
            "initialize",
            "notifications/initialized",
            "tools/list",
            "list_connections",
            "get_model_source",
            "preview_model",
            "create_model",
            "sample_records",
            "get_model",
            "delete_model",
            "elicitation/create",
            "accept",
        ]
    );
    let created = lines
        .iter()
        .map(|line| &line["message"]["result"]["structuredContent"])
        .find(|structure| structure["job"]["type"] == json!("createmodel"))
        .unwrap();
    assert_eq!(created["model"]["name"], "Users");
}

#[tokio::test]
async fn a_closed_stdout_ends_the_demo_quietly() {
    for flags in [&["demo"][..], &["demo", "--json"], &["schemas"]] {
        let launch = Launch::bare().flags(flags);
        let mut child = launch.spawn();
        drop((child.stdin.take(), child.stdout.take()));
        let (status, _, stderr) = launch.completed(child).await;
        assert_eq!((status, stderr.as_str()), (0, ""), "{flags:?}");
    }
}
