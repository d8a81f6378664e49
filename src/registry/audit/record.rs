//! What the audit log says about one call, collected while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::line::{AuditLine, Event};
use super::log::{AuditLog, report_loss};
use crate::polytomic::{ConfigurationError, Job, Model, ModelSync, WriteGate};
use crate::registry::accounts::Account;
use crate::registry::confirmation::Confirmation;
use crate::registry::error::{ErrorCode, Outcome, ToolError};

/// A call that the audit log reports. Dropping it before its end is an end with an unknown outcome.
pub(in crate::registry) struct AuditedCall(Arc<CallRecord>);

/// What is known about the call.
pub(in crate::registry) struct CallRecord {
    log: Arc<AuditLog>,
    call: Uuid,
    tool: &'static str,
    /// Whose key the call uses, if it was in the request.
    account: Option<String>,
    started: Instant,
    facts: Mutex<Facts>,
}

struct Facts {
    /// The operation of the API that was called by its name.
    operation: Option<&'static str>,
    /// The last id in its path.
    object_id: Option<Uuid>,
    model_id: Option<Uuid>,
    sync_id: Option<Uuid>,
    connection_id: Option<Uuid>,
    organization_id: Option<Uuid>,
    job_id: Option<Uuid>,
    /// Whether a job continues after the call.
    is_unfinished: bool,
    idempotency_key: Option<String>,
    /// None if nothing was confirmed so far.
    confirmation: Option<Confirmation>,
    /// Whether the user is being asked. A call of the stateless era ends so, and comes again.
    has_question: bool,
    /// Whether a request has its line, and with that may have been sent.
    is_sent: bool,
    has_ended: bool,
}

impl AuditedCall {
    /// `account`: whose key the call uses.
    pub(in crate::registry) fn new(
        log: Arc<AuditLog>,
        tool: &'static str,
        arguments: &Map<String, Value>,
        account: &Account,
    ) -> Self {
        let argument = |name: &str| arguments.get(name).and_then(Value::as_str).and_then(uuid);
        let organization = account.client().organization_id();
        let facts = Facts {
            operation: None,
            object_id: None,
            model_id: argument("model_id"),
            sync_id: argument("sync_id"),
            connection_id: argument("connection_id"),
            organization_id: argument("organization_id").or(organization.and_then(uuid)),
            job_id: None,
            is_unfinished: false,
            idempotency_key: None,
            confirmation: None,
            has_question: false,
            is_sent: false,
            has_ended: false,
        };
        let (call, started, facts) = (Uuid::new_v4(), Instant::now(), Mutex::new(facts));
        let account = account.short_caller_id();
        Self(Arc::new(CallRecord { log, call, tool, account, started, facts }))
    }

    pub(in crate::registry) fn record(&self) -> Arc<CallRecord> {
        Arc::clone(&self.0)
    }

    /// Writes how the call ended. A line that cannot be written is a warning: what may have been applied has a line.
    pub(in crate::registry) async fn finish<T>(&self, result: &Result<T, ToolError>) {
        // Queued before the first await: if this future is dropped, the line is written all the same.
        let Some(line) = self.0.end(result.as_ref().map(drop)) else { return };
        if let Err(error) = self.0.log.write(line).await {
            report_loss(self.0.log.path(), &error);
        }
    }
}

impl Drop for AuditedCall {
    fn drop(&mut self) {
        let code = match self.0.facts().has_question {
            true => ErrorCode::ConfirmationRequired,
            false => ErrorCode::Cancelled,
        };
        if let Some(line) = self.0.end(Err(&dropped(code))) {
            self.0.log.write_later(line);
        }
    }
}

/// The call was dropped: its caller is gone, or the process ends.
fn dropped(code: ErrorCode) -> ToolError {
    ToolError::new(code, "", "").with_outcome(Outcome::Unknown)
}

impl CallRecord {
    /// The gate before the requests of the call: each gets its line first, or is not sent.
    pub(in crate::registry) fn gate(self: Arc<Self>) -> WriteGate {
        WriteGate(Arc::new(move |key| {
            let record = Arc::clone(&self);
            Box::pin(async move { record.start(key).await })
        }))
    }

    async fn start(&self, key: Option<String>) -> Result<(), ConfigurationError> {
        {
            let mut facts = self.facts();
            facts.idempotency_key = key;
            // Tools ask right before they send, if they have to.
            facts.confirmation.get_or_insert(Confirmation::Never);
        }
        let line = self.line(Event::Started, &self.facts());
        let written = self.log.write(json!(line).to_string()).await;
        written.map_err(|error| {
            let path = self.log.path().display();
            ConfigurationError::new(
                format!("Nothing was sent, since the audit log {path} cannot be written: {error}."),
                "Make the file writable, or free space on its disk, and call again; POLYTOMIC_AUDIT_LOG \
                 (--audit-log) names it.",
            )
        })?;
        self.facts().is_sent = true;
        Ok(())
    }

    /// Adds the operation that was called by its name, and the ids in its path.
    pub(in crate::registry) fn note_operation<'a>(
        &self,
        operation: &'static str,
        ids: impl DoubleEndedIterator<Item = &'a str>,
    ) {
        let mut facts = self.facts();
        facts.operation = Some(operation);
        facts.object_id = ids.rev().find_map(uuid);
    }

    /// Adds what a sync says about itself.
    pub(in crate::registry) fn note_sync(&self, sync: &ModelSync) {
        let mut facts = self.facts();
        let known = |id: &Option<String>| id.as_deref().and_then(uuid);
        facts.sync_id = facts.sync_id.or_else(|| known(&sync.id));
        facts.organization_id = known(&sync.organization_id).or(facts.organization_id);
    }

    /// Adds what a model says about itself.
    pub(in crate::registry) fn note_model(&self, model: &Model) {
        let mut facts = self.facts();
        let known = |id: &Option<String>| id.as_deref().and_then(uuid);
        facts.model_id = facts.model_id.or_else(|| known(&model.id));
        facts.connection_id = facts.connection_id.or_else(|| known(&model.connection_id));
        // An argument may be wrong, and a key is used in one organization at a time.
        facts.organization_id = known(&model.organization_id).or(facts.organization_id);
    }

    /// Adds how the call was confirmed.
    pub(in crate::registry) fn note_confirmation(&self, confirmation: Confirmation) {
        self.facts().confirmation = Some(confirmation);
    }

    /// Adds whether the user is being asked.
    pub(in crate::registry) fn note_question(&self, is_open: bool) {
        self.facts().has_question = is_open;
    }

    /// Adds the job of a write that the call leaves behind.
    pub(in crate::registry) fn note_unfinished(&self, job: &Job) {
        let mut facts = self.facts();
        facts.job_id = job.handle().map(|(_, id)| id.0);
        facts.is_unfinished = true;
    }

    /// The last line of the call; none if it has one.
    fn end(&self, result: Result<(), &ToolError>) -> Option<String> {
        let mut facts = self.facts();
        if std::mem::replace(&mut facts.has_ended, true) {
            return None;
        }
        let outcome = match result {
            // Whatever the error promises: each request has a line before it is sent.
            _ if !facts.is_sent => "not_sent",
            Ok(()) if facts.is_unfinished => "unknown",
            Ok(()) => "applied",
            Err(error) => match error.outcome {
                Outcome::NotSent => "not_sent",
                Outcome::Refused => "refused",
                Outcome::Unknown => "unknown",
            },
        };
        let elapsed = self.started.elapsed().as_millis();
        let line = AuditLine {
            outcome: Some(outcome.to_owned()),
            error_code: result.err().map(|error| error.code.as_str().to_owned()),
            duration_ms: Some(u64::try_from(elapsed).unwrap_or(u64::MAX)),
            ..self.line(Event::Finished, &facts)
        };
        Some(json!(line).to_string())
    }

    fn line(&self, event: Event, facts: &Facts) -> AuditLine {
        let confirmation = facts.confirmation.map(|confirmation| match confirmation {
            Confirmation::Asked => "asked",
            Confirmation::InAdvance => "yes",
            Confirmation::Name => "name",
            Confirmation::Never => "never",
        });
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        AuditLine {
            time: Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            call: self.call.to_string(),
            event,
            tool: self.tool.to_owned(),
            operation: facts.operation.map(str::to_owned),
            object_id: text(facts.object_id),
            account: self.account.clone(),
            outcome: None,
            error_code: None,
            model_id: text(facts.model_id),
            sync_id: text(facts.sync_id),
            connection_id: text(facts.connection_id),
            organization_id: text(facts.organization_id),
            job_id: text(facts.job_id),
            idempotency_key: facts.idempotency_key.clone(),
            confirmation: confirmation.map(str::to_owned),
            duration_ms: None,
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id; any other text may be something that does not belong into the log.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok()
}
