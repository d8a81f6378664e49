//! `call` asks at a terminal, and takes `--yes` elsewhere.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Launch, Sandbox, Terminal, exit_code};

fn launch(sandbox: &Sandbox, id: &str) -> Launch {
    sandbox.unconfirmed_launch().flags(["call", "delete_model", &format!("model_id={id}")])
}

async fn model(sandbox: &Sandbox) -> String {
    let model = sandbox.create(json!({"table": "public.users"})).await;
    model["id"].as_str().unwrap().to_owned()
}

async fn exists(sandbox: &Sandbox, id: &str) -> bool {
    sandbox.get(&format!("/api/models/{id}")).await.status == 200
}

#[tokio::test]
async fn without_a_terminal_a_call_has_to_be_confirmed_by_an_argument() {
    let sandbox = Sandbox::start();
    let id = model(&sandbox).await;
    let (status, stdout, stderr) = launch(&sandbox, &id).output().await;
    assert_eq!(status, 1, "{stderr}");
    let error: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(error["error"]["code"], "confirmation_required", "{stdout}");
    for part in ["--yes", "expected_name"] {
        assert!(stderr.contains(part) && stdout.contains(part), "{part}: {stderr}{stdout}");
    }
    assert!(exists(&sandbox, &id).await);
    let (status, _, stderr) = launch(&sandbox, &id).flag("expected_name=Other").output().await;
    assert_eq!(status, 1, "{stderr}");
    assert!(exists(&sandbox, &id).await);
    for confirmed in ["--yes", "-y", "expected_name=Model"] {
        let id = model(&sandbox).await;
        let (status, stdout, stderr) = launch(&sandbox, &id).flag(confirmed).output().await;
        assert_eq!(status, 0, "{stderr}");
        assert!(stdout.contains("\"deleted\":true"), "{stdout}");
        assert!(!exists(&sandbox, &id).await, "{confirmed}");
    }
    // --yes does not make up for another name.
    let (status, ..) =
        launch(&sandbox, &id).flag("--yes").flag("expected_name=Other").output().await;
    assert_eq!(status, 1);
    assert!(exists(&sandbox, &id).await);
}

#[tokio::test]
async fn a_call_asks_at_the_terminal() {
    for (typed, is_deleted) in [
        ("y\n", true),
        ("YES\n", true),
        ("n\n", false),
        ("\n", false),
        ("yes please\n", false),
        // The end of the input.
        ("\u{4}", false),
    ] {
        let sandbox = Sandbox::start();
        let id = model(&sandbox).await;
        let (mut person, terminal) = Terminal::open();
        let launch = launch(&sandbox, &id);
        let mut command = launch.command();
        command.stdin(terminal.try_clone().unwrap()).stderr(terminal);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        drop(command); // and with it our copy of the terminal
        person.until("Type y").await;
        person.type_text(typed);
        let (status, ..) = launch.completed(child).await;
        let seen = person.finish();
        assert!(seen.contains("Delete the model \"Model\""), "{seen:?}");
        assert_eq!(status == 0, is_deleted, "{typed:?}: {seen}");
        assert_eq!(exists(&sandbox, &id).await, !is_deleted, "{typed:?}: {seen}");
    }
}

#[tokio::test]
async fn an_interrupted_question_deletes_nothing() {
    let sandbox = Sandbox::start();
    let id = model(&sandbox).await;
    let (person, terminal) = Terminal::open();
    let mut command = launch(&sandbox, &id).command();
    command.stdin(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    drop(command);
    person.until("Type y").await;
    let process = child.id().unwrap().to_string();
    let status = std::process::Command::new("kill").args(["-INT", &process]).status();
    assert!(status.unwrap().success());
    assert_eq!(exit_code(&mut child).await, Some(130), "{}", person.finish());
    assert!(exists(&sandbox, &id).await);
}
