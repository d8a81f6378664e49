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
            Some(id) => cx.created().require(ModelId(id)).await,
            None if entry.effect.is_destructive() => Err(names_no_model(entry.name)),
            // It only adds.
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::test_tools::{Panics, registry};
    use crate::registry::{CallSignals, ErrorCode, Outcome};

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
}
