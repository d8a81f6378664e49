//! A change of a model that the user may have to confirm, and that rests on what was read of the model before.
//!
//! The API has no conditional write, and a user may think for minutes: what the change rests on is compared once more.

use crate::polytomic::{Model, ModelId};
use crate::registry::{
    Context, ErrorCode, MODEL, ObjectKind, Outcome, Question, Stake, Subject, ToolError,
};
use crate::tools::definition::{dependents, model_state};

/// A change that is about to be made.
pub(in crate::tools) struct ModelChange<'a> {
    pub(in crate::tools) id: ModelId,
    /// The model as it was read.
    pub(in crate::tools) model: &'a Model,
    pub(in crate::tools) stake: Stake,
    /// Whether the caller has passed the name of the model.
    pub(in crate::tools) is_expected: bool,
    /// The syncs that read from the model, if they were read.
    pub(in crate::tools) syncs: Option<Vec<String>>,
    /// Whether it writes what was read, so that it is compared even if nobody was asked.
    pub(in crate::tools) writes_what_was_read: bool,
    /// A sentence that nothing was done.
    pub(in crate::tools) unchanged: &'static str,
}

impl ModelChange<'_> {
    /// Has the user confirm the change, if that is required, and compares what they agreed to, or what was read, with the
    /// present state. `question`: about a model and the syncs that read from it.
    ///
    /// # Errors
    /// As [`Context::confirm`]; `conflict` if something has changed.
    pub(in crate::tools) async fn confirm(
        self,
        cx: &Context,
        question: impl Fn(&Model, &Result<Vec<String>, ToolError>) -> Question,
    ) -> Result<(), ToolError> {
        let Self { id, model, stake, is_expected, syncs, writes_what_was_read, unchanged } = self;
        let subject = Subject::Stored { kind: MODEL, name: model.name.as_deref(), is_expected };
        let first_question = async || {
            let syncs = match syncs {
                Some(syncs) => Ok(syncs),
                None => dependents(cx, id).await,
            };
            question(model, &syncs)
        };
        let agreed = cx.confirm(stake, subject, unchanged, first_question).await?;
        if agreed.is_none() && !writes_what_was_read {
            return Ok(());
        }
        let syncs = if agreed.is_some() { dependents(cx, id).await } else { Ok(Vec::new()) };
        // Last, right before the write.
        let latest = cx.get_current_model(id).await?;
        let is_unchanged = match &agreed {
            Some(agreed) => question(&latest, &syncs) == *agreed,
            None => model_state(&latest) == model_state(model),
        };
        if is_unchanged {
            return Ok(());
        }
        let what = "The model, or the syncs that read from it,";
        let error = changed_meanwhile(MODEL, what, agreed.is_some(), unchanged);
        Err(error.with_detail("version", latest.version))
    }
}

/// The error of a change whose object has changed since it was read. `what`: that, with what a question is about beside it.
pub(in crate::tools) fn changed_meanwhile(
    kind: ObjectKind,
    what: &str,
    was_asked: bool,
    unchanged: &str,
) -> ToolError {
    let ObjectKind { noun, get, .. } = kind;
    let (message, hint) = match was_asked {
        true => (
            format!("{what} changed while the user was asked. {unchanged}"),
            "Call again: the user is asked about the present state.".to_owned(),
        ),
        false => (
            format!("The {noun} was updated during this call. {unchanged}"),
            format!("Call {get} for the present state, then call again if the change still fits."),
        ),
    };
    ToolError::new(ErrorCode::Conflict, message, hint).with_outcome(Outcome::NotSent)
}
