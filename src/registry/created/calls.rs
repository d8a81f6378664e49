//! What calls do with the ids: remember a model that was created, and refuse to change any other.

use uuid::Uuid;

use super::storage::{Created, CreatedIds};
use crate::polytomic::{Job, JobId, Model, ModelId, Response};
use crate::registry::context::Context;
use crate::registry::error::{ErrorCode, ToolError};
use crate::registry::job::Resolved;
use crate::state::StateUnavailable;

const ONLY_THE_USER: &str =
    "Only the user can lift this: the server was started with --own-only (POLYTOMIC_OWN_ONLY).";

/// The error of a call that may lose data and names no model, so that nothing shows whose data it is.
pub(in crate::registry) fn names_no_model(tool: &str) -> ToolError {
    ToolError::new(
        ErrorCode::AccessDenied,
        format!(
            "{tool} may overwrite or delete what was not created through this server, which may change only models \
             that were. Nothing was sent."
        ),
        ONLY_THE_USER,
    )
}

fn cannot_be_found_out(model: ModelId, error: StateUnavailable) -> ToolError {
    let StateUnavailable { place, reason } = error;
    ToolError::new(
        ErrorCode::UpstreamUnavailable,
        format!(
            "This server may change only models that were created through it, and whether model {model} was cannot be \
             found out: its state at {place} cannot be used. Nothing was sent."
        ),
        "Call again in a moment. If it fails again, the operator of the server has to repair what POLYTOMIC_STATE names.",
    )
    .with_detail("cause", Some(reason))
}

impl CreatedIds {
    /// Fails for a model that was not created through this server.
    ///
    /// # Errors
    /// `access_denied`; `upstream_unavailable` if that cannot be found out.
    pub(in crate::registry) async fn require(&self, model: ModelId) -> Result<(), ToolError> {
        match self.contains(Created::Model(model)).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => return Err(cannot_be_found_out(model, error)),
        }
        Err(ToolError::new(
            ErrorCode::AccessDenied,
            format!(
                "Model {model} was not created through this server, which may change only models that were. Nothing \
                 was sent."
            ),
            format!("Create a model with create_model and change that one. {ONLY_THE_USER}"),
        ))
    }

    async fn remember_model(&self, model: &Model) {
        // No other id can be passed to a tool.
        if let Some(id) = model.id.as_deref().and_then(|id| Uuid::parse_str(id).ok()) {
            self.remember(Created::Model(ModelId(id))).await;
        }
    }
}

impl Context {
    /// The same as [`Context::resolve_write`] for a model that the call creates, which is then remembered.
    ///
    /// # Errors
    /// As [`Context::resolve_write`].
    pub(crate) async fn resolve_created(
        &self,
        response: Response<Model>,
    ) -> Result<Resolved<Model>, ToolError> {
        if response.data.is_none()
            && let Some((_, id)) =
                response.job.as_ref().filter(|job| !job.has_ended()).and_then(Job::handle)
        {
            // Before it is waited for: whatever ends this call, get_job may deliver the model.
            self.created().remember(Created::Job(id)).await;
        }
        let resolved = self.resolve_write(response).await?;
        if let Some(model) = &resolved.data {
            self.note_model(model);
            self.created().remember_model(model).await;
        }
        Ok(resolved)
    }

    /// Remembers the model that a job has created, if this server has started the job.
    pub(crate) async fn remember_result(&self, job: JobId, model: &Model) {
        if self.created().contains(Created::Job(job)).await.unwrap_or_default() {
            self.created().remember_model(model).await;
        }
    }
}
