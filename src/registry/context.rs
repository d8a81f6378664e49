//! What a call may use: the client, the options of its requests, and its limits. Nothing about the caller but whose
//! key it is.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::accounts::Account;
use super::audit::CallRecord;
use super::confirmation::Confirming;
use super::created::CreatedIds;
use super::error::{ErrorCode, Outcome, ToolError};
use super::fitted_text::Hidden;
use super::masking::Masking;
use super::truncation;
use crate::polytomic::{CallOptions, Client, Model, ModelId, ModelSync};

/// Receives the progress of a call as a fixed phrase: the status of a job may be any text of the API's.
pub type ProgressSink = Arc<dyn Fn(&'static str) + Send + Sync>;

/// How large a result may be, and whether a smaller one can be requested.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResultLimit {
    /// Bytes, as the MCP server writes them.
    pub(super) bytes: usize,
    /// Whether the tool takes `name_contains`.
    pub(super) has_name_filter: bool,
}

/// What a call may use.
pub struct Context {
    pub(super) account: Arc<Account>,
    pub(super) options: CallOptions,
    /// How long to wait for a job.
    pub(super) job_wait: Duration,
    pub(super) result_limit: ResultLimit,
    pub(super) masking: Masking,
    pub(super) allows_secret_operations: bool,
    pub(super) changes_only_own: bool,
    pub(super) progress: Option<ProgressSink>,
    pub(super) empty_arguments: Vec<String>,
    pub(super) confirming: Confirming,
    /// The tools that are not served, which no result names.
    pub(super) hidden: Arc<Hidden>,
    /// What the audit log says about the call, if it is in one.
    pub(super) audited: Option<Arc<CallRecord>>,
}

impl Context {
    /// The client of the API.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.account.client()
    }

    /// Identifies the caller if its request has the API key. What a result hands out to come back, such as a cursor, is bound
    /// to it.
    pub(crate) fn caller_id(&self) -> Option<String> {
        self.account.caller_id()
    }

    /// Whether a result is within its size limit.
    pub(crate) fn fits(&self, result: &impl Serialize) -> bool {
        serde_json::to_string(result)
            .is_ok_and(|json| truncation::fits(&json, self.result_limit.bytes))
    }

    /// Whether this server has a tool.
    pub(crate) fn serves(&self, tool: &str) -> bool {
        !self.hidden.contains(tool)
    }

    /// Whether operations may be called that return or take secrets.
    pub(crate) fn allows_secret_operations(&self) -> bool {
        self.allows_secret_operations
    }

    /// Whether only models may be changed that this server has created.
    pub(crate) fn changes_only_own(&self) -> bool {
        self.changes_only_own
    }

    /// The models that this server has created with the account of the call.
    pub(super) fn created(&self) -> &CreatedIds {
        self.account.created()
    }

    /// The options of this call's main request, with the deadline that the questions so far have moved.
    #[must_use]
    pub fn call_options(&self) -> Cow<'_, CallOptions> {
        let thought = self.confirming.thinking().total;
        if thought.is_zero() {
            return Cow::Borrowed(&self.options);
        }
        let deadline = self.options.deadline.map(|deadline| deadline + thought);
        Cow::Owned(CallOptions { deadline, ..self.options.clone() })
    }

    /// Paths of the arguments with an empty value, which count as not passed. Where that is not enough, a tool fails
    /// with an error about them.
    pub(crate) fn empty_arguments(&self) -> &[String] {
        &self.empty_arguments
    }

    /// The options of a read that prepares the main request: without its job and key.
    pub(crate) fn read_options(&self) -> CallOptions {
        CallOptions { background: false, idempotency_key: None, ..self.call_options().into_owned() }
    }

    /// What was repaired in the responses so far, in a sentence that leaves the result most of its limit.
    pub(super) fn repairs_notice(&self) -> Option<String> {
        /// Its two copies get an eighth.
        const MIN_SHARE: usize = 2 * 8;
        let repairs = self.options.repairs.as_ref()?;
        let notice = repairs.notice()?;
        let is_short = notice.len() * MIN_SHARE <= self.result_limit.bytes;
        if is_short { Some(notice) } else { repairs.short_notice() }
    }

    /// Fails if a change that rests on `read` might lose or damage something, since the responses that it is from were
    /// repaired with a loss.
    ///
    /// # Errors
    /// `upstream_error` with outcome `not_sent`.
    pub(crate) fn require_undamaged(&self, read: &Value) -> Result<(), ToolError> {
        let Some(repairs) = self.options.repairs.as_ref().filter(|r| r.is_lossy()) else {
            return Ok(());
        };
        if repairs.only_lost_characters() && !read.to_string().contains('\u{fffd}') {
            return Ok(());
        }
        let error = ToolError::new(
            ErrorCode::UpstreamError,
            "Nothing was changed: the API's response is damaged, and a change that rests on it might damage or lose more.",
            "Read details.repairs for what is damaged, and correct it in Polytomic.",
        );
        Err(error.with_detail("repairs", repairs.notice()))
    }

    /// Adds what a sync says about itself to the audit log's lines of this call.
    pub(crate) fn note_sync(&self, sync: &ModelSync) {
        if let Some(record) = &self.audited {
            record.note_sync(sync);
        }
    }

    /// Adds the operation that was called by its name to the audit log's lines of this call, and the ids in its path.
    pub(crate) fn note_operation<'a>(
        &self,
        operation: &'static str,
        ids: impl DoubleEndedIterator<Item = &'a str>,
    ) {
        if let Some(record) = &self.audited {
            record.note_operation(operation, ids);
        }
    }

    /// Adds what a model says about itself to the audit log's lines of this call.
    pub(super) fn note_model(&self, model: &Model) {
        if let Some(record) = &self.audited {
            record.note_model(model);
        }
    }

    /// Gets a model that is needed before anything is changed.
    ///
    /// # Errors
    /// As [`Client::get_model`], with outcome `not_sent`; `timeout` if its job is not done in time.
    pub(crate) async fn get_current_model(&self, id: ModelId) -> Result<Model, ToolError> {
        let unchanged = |error: ToolError| error.with_outcome(Outcome::NotSent);
        let response = self.client().get_model(id, &self.read_options()).await;
        let response = response.map_err(|error| unchanged(error.into()))?;
        let model = self.resolve(response).await.map_err(unchanged)?.data.ok_or_else(|| {
            ToolError::new(
                ErrorCode::Timeout,
                format!("Model {id} could not be read in time. Nothing was changed."),
                "Call get_model for it, then call this tool again.",
            )
        })?;
        self.note_model(&model);
        Ok(model)
    }
}
