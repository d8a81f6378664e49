//! Changes that were made although their responses did not arrive.

use serde_json::Value;

use crate::support::{Sandbox, definition};

#[tokio::test]
async fn a_create_whose_response_is_lost_makes_one_model() {
    let faults = ["gateway=502", "gateway=504", "cut", "reset,carry_out"];
    let checks = faults.map(|fault| async move {
        let rule = format!("create_model:{fault},times=2");
        let sandbox = Sandbox::start_with(&["--fault", &rule]);
        let mut session = sandbox.session().await;
        let id = session.create_model("Users", "public.users").await;
        let models = sandbox.get("/api/models").await;
        assert_eq!(models.data().as_array().unwrap().len(), 1, "{fault}");
        assert_eq!(models.data()[0]["id"], id, "{fault}");
        let log = sandbox.get("/sandbox/log").await.data().clone();
        let creates =
            log.as_array().unwrap().iter().filter(|entry| entry["operation"] == "create_model");
        let keys: Vec<&Value> = creates.map(|entry| &entry["idempotency_key"]).collect();
        assert_eq!(keys.len(), 3, "{fault}: {log}");
        assert!(keys.iter().all(|key| *key == keys[0] && key.is_string()), "{fault}: {keys:?}");
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn a_create_with_an_unreadable_response_is_repeated_by_the_caller() {
    for fault in ["html", "invalid_json"] {
        let rule = format!("create_model:{fault},carry_out,times=1");
        let sandbox = Sandbox::start_with(&["--fault", &rule]);
        let mut session = sandbox.session().await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!(error["outcome"], "unknown", "{fault}: {error}");
        let created = session.call("create_model", definition()).await;
        let models = sandbox.get("/api/models").await;
        assert_eq!(models.data().as_array().unwrap().len(), 1, "{fault}");
        assert_eq!(models.data()[0]["id"], created["model"]["id"], "{fault}");
    }
}
