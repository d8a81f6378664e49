//! The audit log says how each write was confirmed.

use serde_json::{Value, json};

use super::client::{Client, ERAS, Era, accept};

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
            let expected = (json!("not_sent"), json!("confirmation_required"), json!("never"));
            let is_written = async || last_line(path) == expected;
            crate::support::wait_until("the line of the first round", is_written).await;
        }
        client.resolve(&question, json!({"action": "decline"})).await;
        assert_eq!(last_line(path), (json!("not_sent"), json!("cancelled"), json!("never")));

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
