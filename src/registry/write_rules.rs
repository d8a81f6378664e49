//! What holds for every call that may change something: the audit log reports it, and with `--own-only` it changes only
//! what this server has created.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::accounts::Account;
use super::audit::{AuditLog, AuditedCall};
use super::context::Context;
use super::created::names_no_model;
use super::entry::Entry;
use super::error::ToolError;
use crate::polytomic::ModelId;

/// The rules of a registry.
#[derive(Default)]
pub(super) struct WriteRules {
    /// Refuses to change models that were not created through this server.
    pub(super) own_only: bool,
    pub(super) audit_log: Option<Arc<AuditLog>>,
}

impl WriteRules {
    /// Begins to report a call, unless it only reads.
    pub(super) fn audit(
        &self,
        account: &Account,
        entry: &Entry,
        arguments: &Map<String, Value>,
    ) -> Option<AuditedCall> {
        if entry.only_reads(arguments) {
            return None;
        }
        let log = Arc::clone(self.audit_log.as_ref()?);
        Some(AuditedCall::new(log, entry.name, arguments, account))
    }

    /// Fails if a call would change a model that it must not.
    ///
    /// # Errors
    /// `access_denied`.
    pub(super) async fn check(
        &self,
        cx: &Context,
        entry: &Entry,
        arguments: &Map<String, Value>,
    ) -> Result<(), ToolError> {
        if !self.own_only || entry.effect.is_read_only() {
            return Ok(());
        }
        let id = arguments.get("model_id").and_then(Value::as_str);
        match id.and_then(|id| id.parse().ok()) {
            Some(id) => Box::pin(cx.created().require(ModelId(id))).await,
            None if entry.creates_model => Ok(()),
            // A new sync may overwrite what others have written.
            None => Err(names_no_model(entry.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::method;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::polytomic::{BaseUrl, ClientConfig};
    use crate::registry::test_tools::{Panics, registry, shared_registry, signals_of};
    use crate::registry::{CallSignals, ErrorCode, Outcome, Registry};
    use crate::tools::TOOLS;

    #[tokio::test]
    async fn what_loses_data_of_no_model_is_refused_with_own_only() {
        static TOOLS: &[Entry] = &[Entry::of::<Panics>()];
        let registry = registry(TOOLS).with_own_only(true);
        let tool = registry.tool("panics").unwrap();
        let result = registry.call(tool, Map::new(), CallSignals::default()).await;
        let error = result.unwrap_err();
        assert_eq!((error.code, error.outcome), (ErrorCode::AccessDenied, Outcome::NotSent));
        assert!(error.hint.contains("--own-only"), "{}", error.hint);
    }

    #[tokio::test]
    async fn a_panic_is_an_end_with_an_unknown_outcome() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        static TOOLS: &[Entry] = &[Entry::of::<Panics>()];
        let registry = registry(TOOLS).with_audit_log(Some(AuditLog::open(path.clone()).unwrap()));
        let tool = registry.tool("panics").unwrap();
        registry.call(tool, Map::new(), CallSignals::default()).await.unwrap_err();
        let text = std::fs::read_to_string(path).unwrap();
        let end: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&end["outcome"], &end["error_code"]), (&"unknown".into(), &"internal".into()));
    }

    #[tokio::test]
    async fn the_models_of_another_caller_were_not_created_here() {
        let id = "0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
        let api = MockServer::start().await;
        let created = json!({"data": {"id": id, "name": "Users"}});
        let created = ResponseTemplate::new(200).set_body_json(created);
        Mock::given(method("POST")).respond_with(created).mount(&api).await;
        let url = BaseUrl::parse(&api.uri(), false).unwrap();
        let configure = move || Ok(ClientConfig::new(url.clone(), ()));
        let registry = Registry::with_keys_from_requests(TOOLS, configure).with_own_only(true);
        let call = async |key: &str, tool: &str, arguments: Value| {
            let signals = signals_of(&registry, key).await;
            let arguments = arguments.as_object().cloned().unwrap();
            registry.call(registry.tool(tool).unwrap(), arguments, signals).await
        };
        let model = json!({"connection_id": id, "name": "Users", "configuration": {"table": "a"}});
        call("first-key", "create_model", model).await.unwrap();
        let update = json!({"model_id": id, "name": "People"});
        let error = call("other-key", "update_model", update.clone()).await.unwrap_err();
        assert_eq!((error.code, error.outcome), (ErrorCode::AccessDenied, Outcome::NotSent));
        // The API has no such model any more, but it was asked.
        let error = call("first-key", "update_model", update).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
    }

    #[tokio::test]
    async fn the_audit_log_identifies_callers_without_their_keys() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        static TOOLS: &[Entry] = &[Entry::of::<Panics>()];
        let registry = shared_registry(TOOLS, "http://127.0.0.1:9")
            .with_audit_log(Some(AuditLog::open(path.clone()).unwrap()));
        for key in ["first-key-4711", "other-key-4711", "first-key-4711"] {
            let signals = signals_of(&registry, key).await;
            let tool = registry.tool("panics").unwrap();
            registry.call(tool, Map::new(), signals).await.unwrap_err();
        }
        let text = std::fs::read_to_string(path).unwrap();
        let account = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["account"].as_str().unwrap().to_owned()
        };
        let accounts: Vec<String> = text.lines().map(account).collect();
        let [first, other] = [&accounts[0], &accounts[2]];
        assert_ne!(first, other);
        assert_eq!(accounts, [first, first, other, other, first, first].map(String::as_str));
        assert!(accounts.iter().all(|account| account.len() == 8), "{accounts:?}");
        assert!(!text.contains("4711"), "{text}");
    }
}
