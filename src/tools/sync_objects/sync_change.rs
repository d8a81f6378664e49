//! A change of a sync that the user may have to confirm, and what its question says.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::polytomic::{ModelSync, SyncId};
use crate::registry::{
    Context, Outcome, Question, SYNC, Stake, Subject, ToolError, check_expected_name, quoted_name,
    redaction,
};
use crate::tools::definition::changed_meanwhile;
use crate::tools::listing::to_object;

/// A change that is about to be made.
pub(in crate::tools) struct SyncChange<'a> {
    pub(in crate::tools) id: SyncId,
    /// The sync as it was read.
    pub(in crate::tools) sync: &'a ModelSync,
    pub(in crate::tools) stake: Stake,
    /// Whether the caller has passed its name.
    pub(in crate::tools) is_expected: bool,
    /// Whether it writes what was read, so that it is compared even if nobody was asked.
    pub(in crate::tools) writes_what_was_read: bool,
    /// A sentence that nothing was done.
    pub(in crate::tools) unchanged: &'static str,
}

impl SyncChange<'_> {
    /// Has the user confirm the change, if that is required, and compares what they agreed to, or what was read, with the
    /// present state. `question`: about a sync.
    ///
    /// # Errors
    /// As [`Context::confirm`]; `conflict` if the sync has changed.
    pub(in crate::tools) async fn confirm(
        self,
        cx: &Context,
        question: impl Fn(&ModelSync) -> String,
    ) -> Result<(), ToolError> {
        let Self { id, sync, stake, is_expected, writes_what_was_read, unchanged } = self;
        let subject = Subject::Stored { kind: SYNC, name: sync.name.as_deref(), is_expected };
        let question = |sync: &ModelSync| Question::new(question(sync), &state(sync));
        let agreed = cx.confirm(stake, subject, unchanged, async || question(sync)).await?;
        if agreed.is_none() && !writes_what_was_read {
            return Ok(());
        }
        // Last, right before the write: the API has no conditional one.
        let latest = current_sync(cx, id).await?;
        let is_unchanged = match &agreed {
            Some(agreed) => question(&latest) == *agreed,
            None => state(&latest) == state(sync),
        };
        match is_unchanged {
            true => Ok(()),
            false => Err(changed_meanwhile(SYNC, "The sync", agreed.is_some(), unchanged)),
        }
    }
}

/// Checks the name that a caller expects of a sync.
///
/// # Errors
/// `conflict` if it has another one.
pub(in crate::tools) fn check_name(
    cx: &Context,
    sync: &ModelSync,
    expected: Option<&str>,
    unchanged: &str,
) -> Result<(), ToolError> {
    let Some(expected) = expected else { return Ok(()) };
    check_expected_name(SYNC, sync.name.as_deref(), expected, unchanged)?;
    cx.require_undamaged(&json!(sync.name))
}

/// The arguments of a call about a stored sync.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct NamedSync {
    pub(in crate::tools) sync_id: SyncId,
    /// Fail if it has another name, e.g. `To CRM`.
    #[serde(default)]
    pub(in crate::tools) expected_name: Option<String>,
}

/// Has the user confirm what a call does to a stored sync, which is read only if that is required or its name expected.
///
/// # Errors
/// As [`check_name`] and [`SyncChange::confirm`].
pub(in crate::tools) async fn confirm_for_sync(
    cx: &Context,
    NamedSync { sync_id: id, expected_name }: &NamedSync,
    (stake, unchanged): (Stake, &'static str),
    question: impl Fn(&ModelSync) -> String,
) -> Result<(), ToolError> {
    if expected_name.is_none() && !cx.requires_confirmation(stake) {
        return Ok(());
    }
    let (id, sync) = (*id, &current_sync(cx, *id).await?);
    check_name(cx, sync, expected_name.as_deref(), unchanged)?;
    let (is_expected, writes_what_was_read) = (expected_name.is_some(), false);
    let change = SyncChange { id, sync, stake, is_expected, writes_what_was_read, unchanged };
    change.confirm(cx, question).await
}

/// What differs as soon as a sync was updated.
fn state(sync: &ModelSync) -> Value {
    json!([sync.updated_at, sync.request()])
}

/// Gets a sync that is needed before anything is changed.
///
/// # Errors
/// As [`Client::get_model_sync`](crate::polytomic::Client::get_model_sync), with outcome `not_sent`.
pub(in crate::tools) async fn current_sync(
    cx: &Context,
    id: SyncId,
) -> Result<ModelSync, ToolError> {
    let sync = cx.client().get_model_sync(id, &cx.read_options()).await;
    let sync = sync.map_err(|error| ToolError::from(error).with_outcome(Outcome::NotSent))?;
    cx.note_sync(&sync);
    Ok(sync)
}

/// A sync with its secrets masked.
pub(in crate::tools) fn shown_sync(sync: &ModelSync) -> Map<String, Value> {
    let mut sync = to_object(sync);
    redaction::mask(&mut sync);
    sync
}

/// A sync for a person: its name, and the mode and target that it writes with.
pub(in crate::tools) fn describe(sync: &ModelSync, id: SyncId) -> String {
    let name = quoted_name(sync.name.as_deref().unwrap_or_default());
    let target = describe_target(sync.target.as_ref(), sync.mode.as_deref());
    format!("the sync {name} ({id}), which writes {target}")
}

/// Where and how a sync writes, for a person.
pub(in crate::tools) fn describe_target(
    target: Option<&Map<String, Value>>,
    mode: Option<&str>,
) -> String {
    let text = |property: &str| Some(quoted_name(target?.get(property)?.as_str()?));
    let object = text("object").or_else(|| text("new_name"));
    let object = object.map(|object| format!("{object} of ")).unwrap_or_default();
    let connection = text("connection_id").unwrap_or_else(|| "without an id".to_owned());
    let mode = mode.map_or_else(|| "without a name".to_owned(), quoted_name);
    format!("to {object}connection {connection} in mode {mode}")
}
