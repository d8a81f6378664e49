//! The audit log says how each write was confirmed.

use serde_json::{Value, json};

use super::client::{Client, ERAS, Era, accept};
use crate::support::{Launch, Sandbox};

/// Outcome, error code and confirmation of the last line.
fn last_line(path: &str) -> (Value, Value, Value) {
    let text = std::fs::read_to_string(path).unwrap();
    let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    (line["outcome"].clone(), line["error_code"].clone(), line["confirmation"].clone())
}

#[tokio::test]
async fn each_write_has_how_it_was_confirmed() {
    for era in ERAS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let path = path.to_str().unwrap();
        let forms = json!({"elicitation": {}});
        let mut client = Client::with_flags(era, forms, &["--audit-log", path]).await;
        let id = client.model("Users").await;
        let rename = json!({"model_id": id, "name": "People"});
        client.call("update_model", rename).await;
        assert_eq!(last_line(path), (json!("applied"), Value::Null, json!("never")));

        let named = json!({"model_id": id, "expected_name": "People"});
        let question = client.ask("delete_model", named.clone()).await;
        if era == Era::Stateless {
            // The call has ended, and comes again. Its line may follow the question, since nothing was written.
            let expected = (json!("not_sent"), json!("confirmation_required"), Value::Null);
            let is_written = async || last_line(path) == expected;
            crate::support::wait_until("the line of the first round", is_written).await;
        }
        client.resolve(&question, json!({"action": "decline"})).await;
        assert_eq!(last_line(path), (json!("not_sent"), json!("cancelled"), Value::Null));

        let question = client.ask("delete_model", named.clone()).await;
        client.resolve(&question, json!({"action": "cancel"})).await;
        client.call("delete_model", named).await;
        assert_eq!(last_line(path), (json!("applied"), Value::Null, json!("name")));

        let id = client.model("Users").await;
        let question = client.ask("delete_model", json!({"model_id": id})).await;
        client.resolve(&question, accept(json!(true))).await;
        assert_eq!(last_line(path), (json!("applied"), Value::Null, json!("asked")));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains("Users") && !text.contains("People"), "{text}");
    }
}

#[tokio::test]
async fn a_call_says_that_it_was_confirmed_in_advance_or_not_at_all() {
    let sandbox = Sandbox::start();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let path = path.to_str().unwrap();
    let launch = || {
        Launch::unconfigured()
            .variable("POLYTOMIC_BASE_URL", &sandbox.url)
            .variable("POLYTOMIC_API_KEY", &sandbox.key)
            .variable("POLYTOMIC_AUDIT_LOG", path)
            .flag("call")
    };
    let expected = |outcome: &str, code: &str, confirmation: &str| {
        let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        (text(outcome), text(code), text(confirmation))
    };
    for (flags, outcome) in [
        (vec![], expected("not_sent", "confirmation_required", "")),
        (vec!["expected_name=Other"], expected("not_sent", "conflict", "")),
        (vec!["--yes"], expected("applied", "", "yes")),
        (vec!["--yes", "force=true"], expected("applied", "", "yes")),
        (vec!["expected_name=Model"], expected("applied", "", "name")),
        (vec!["--confirm", "never"], expected("applied", "", "never")),
    ] {
        let model = sandbox.create(json!({"table": "public.users"})).await;
        let id = model["id"].as_str().unwrap();
        let launch = launch().flag("delete_model").flag(&format!("model_id={id}"));
        let launch = launch.flags(&flags);
        launch.output().await;
        assert_eq!(last_line(path), outcome, "{flags:?}");
    }
    let model = sandbox.create(json!({"table": "public.users"})).await;
    let id = model["id"].as_str().unwrap();
    let launch = launch().flag("--own-only").flag("delete_model").flag(&format!("model_id={id}"));
    launch.flag("--yes").output().await;
    assert_eq!(last_line(path), expected("not_sent", "access_denied", ""));
}
