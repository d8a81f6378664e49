//! `update_model`: change the named properties of a model and keep the others.
//!
//! Source: API reference "Update Model", 2025-09-18: the API replaces the whole model. So the model is read, turned
//! into the request for it, and written with the changes; if the source changes, its columns are read first. The
//! API has no conditional write: the model is compared once more right before it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::create_model::NESTED;
use crate::polytomic::{Job, JobStatus, Model, ModelId, NewModel};
use crate::registry::{
    Context, Effect, ErrorCode, MODEL, NextCall, Operation, Outcome, Question, Resolved,
    SameArguments, Stake, ToolError, check_expected_name, quoted_name,
};
use crate::tools::definition::{
    CORRECT_SOURCE, Change, FieldChanges, ModelChange, NewSource, Patch, UpdateArguments,
    UpdateOptions, apply, changes, check_combination, check_empty_values, current_definition,
    describe_syncs, is_changed, model_at, model_state, names_of, quoted, refuse_masks,
    require_undamaged_definition, sync_state,
};
use crate::tools::listing::Detail;

pub(super) struct UpdateModel;

/// Arguments that control the update; the other arguments are the properties to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    model_id: ModelId,
    /// Properties to clear, e.g. `["enricher"]`.
    #[serde(default)]
    clear: Vec<Clearable>,
    #[serde(default)]
    detail: Detail,
    /// Return the changes without applying them, e.g. `true`.
    #[serde(default)]
    dry_run: bool,
    /// Fail if the model has another name, e.g. `Users`.
    #[serde(default)]
    expected_name: Option<String>,
    /// Fail if the model has another version, e.g. `3`.
    #[serde(default)]
    expected_version: Option<i64>,
    /// Drop properties that are not passed, e.g. `true`.
    #[serde(default)]
    replace: bool,
    /// Reread the fields of the source, e.g. `true`.
    #[serde(default)]
    refresh: bool,
}

/// A property that can be cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Clearable {
    AdditionalFields,
    Enricher,
    Fields,
    Identifier,
    Labels,
    Policies,
    Relations,
    TrackingColumns,
}

impl Clearable {
    fn is_name(property: &str) -> bool {
        serde_json::from_value::<Self>(property.into()).is_ok()
    }
}

impl UpdateOptions for Options {
    type New = NewModel;
    const NAMES: &[&str] = &[
        "model_id",
        "clear",
        "detail",
        "dry_run",
        "expected_name",
        "expected_version",
        "replace",
        "refresh",
    ];

    fn placeholders() -> Value {
        json!({"connection_id": uuid::Uuid::nil(), "name": "", "configuration": {}})
    }

    fn patch(&self, properties: Map<String, Value>) -> Patch {
        let (replaces, refreshes) = (self.replace, self.refresh);
        Patch { properties, cleared: names_of(&self.clear), replaces, refreshes }
    }
}

#[skip_serializing_none]
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The updated model; absent while `job` is unfinished.
    model: Option<Model>,
    /// The job that updates it, if the API returned one.
    job: Option<Job>,
    /// The changes of the call; `model` shows the result.
    changed: Vec<Change>,
    /// Fields that a new source adds.
    fields_added: Option<Vec<String>>,
    /// Fields that the new source lacks.
    fields_removed: Option<Vec<String>>,
    /// Columns of the source that the model hides; pass `fields`, or clear it, to expose them.
    not_exposed: Option<Vec<String>>,
    /// What could not be compared or read, or that the status of the job is unknown.
    notice: Option<&'static str>,
    /// The current version, for `expected_version`; dry run only.
    version: Option<i64>,
    /// True if nothing was written.
    dry_run: Option<bool>,
    /// The call that continues, while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for UpdateModel {
    const NAME: &'static str = "update_model";
    const TITLE: &'static str = "Update model";
    const DESCRIPTION: &'static str = "Update a model. Pass only the properties to change; the \
        others keep their values. A passed property is replaced as a whole, except that secrets left \
        out of `configuration` stay; `clear` empties properties. A model that exposes all columns \
        still does with a new source. Before: `get_model`. After: `sample_records`.";
    const EFFECT: Effect = Effect::Write { idempotent: true, overwrites: true };
    const JOB: bool = true;
    const DRY_RUN: Option<&'static str> = Some("dry_run");
    const SAME_AS: Option<SameArguments> = Some(NESTED);
    type Args = UpdateArguments<Options>;
    type Output = Output;

    fn has_changed_data(output: &Output) -> bool {
        output.dry_run.is_none()
    }

    async fn call(cx: &Context, args: Self::Args) -> Result<Output, ToolError> {
        let UpdateArguments { options, patch } = args;
        check_combination(&patch, &REQUIRED)?;
        let id = options.model_id;
        let model = cx.get_current_model(id).await?;
        if let Some(expected) = options.expected_version
            && model.version != Some(expected)
        {
            return Err(version_conflict(&model, &format!("expected version {expected}")));
        }
        let expected_name = options.expected_name.as_deref();
        if let Some(expected) = expected_name {
            check_expected_name(MODEL, model.name.as_deref(), expected, UNCHANGED)?;
            cx.require_undamaged(&json!(model.name))?;
        }
        let stored = current_definition(&model);
        check_empty_values(MODEL, &stored, &patch, cx.empty_arguments())?;
        let update = Update::plan(cx, &model, &patch, options.dry_run).await?;
        let is_written = !update.changed.is_empty() || options.refresh;
        if is_written && !options.replace {
            require_undamaged_definition(cx, &update.definition, &patch)?;
        }
        if options.dry_run {
            let (dry_run, version) = (Some(true), model.version);
            return Ok(Output { dry_run, version, ..update.output(None, options.detail) });
        }
        if !is_written {
            return Ok(update.output(Some(model), options.detail));
        }
        let change = ModelChange {
            id,
            model: &model,
            stake: update.stake(),
            is_expected: expected_name.is_some(),
            syncs: None,
            writes_what_was_read: true,
            unchanged: UNCHANGED,
        };
        change.confirm(cx, |model, syncs| update.question(id, model, syncs)).await?;
        let mut request = update.definition.clone();
        if options.refresh {
            request.insert("refresh".to_owned(), true.into());
        }
        let rejected = |error| update.with_hint(error);
        let response = cx.client().update_model(id, &request, &cx.call_options()).await;
        let response = response.map_err(|error| rejected(error.into()))?;
        let Resolved { mut data, job, next, notice } =
            cx.resolve_write(response).await.map_err(rejected)?;
        let is_done = job.as_ref().is_none_or(|job| job.status == Some(JobStatus::Done));
        let is_confirmed_only = data.is_none() && is_done;
        if is_confirmed_only {
            data = cx.get_current_model(id).await.ok();
        }
        let not_read = (is_confirmed_only && data.is_none()).then_some(NOT_READ);
        let output = update.output(data, options.detail);
        let notice = notice.or(not_read).or(output.notice);
        let notice = notice.or(is_confirmed_only.then_some(READ_AGAIN));
        Ok(Output { job, next, notice, ..output })
    }
}

/// What `replace` requires.
const REQUIRED: [&str; 3] = ["connection_id", "name", "configuration"];

/// Nothing was done.
const UNCHANGED: &str = "Nothing was written.";

/// The API has confirmed the update without returning the model.
const READ_AGAIN: &str =
    "The API confirmed the update without returning the model, which was therefore read again.";
const NOT_READ: &str = "The API confirmed the update, but the model could not be read afterwards. Call get_model for it.";

/// An update before it is written.
struct Update {
    /// The request.
    definition: Map<String, Value>,
    changed: Vec<Change>,
    /// Names of the stored properties that it sends back.
    kept: Vec<String>,
    has_new_source: bool,
    /// The source, if it changes or its fields are read again.
    source: Option<NewSource>,
}

impl Update {
    /// Applies a patch, and reads what another source has.
    async fn plan(
        cx: &Context,
        model: &Model,
        patch: &Patch,
        is_dry_run: bool,
    ) -> Result<Self, ToolError> {
        let (mut before, mut definition) = (current_definition(model), apply(model, patch)?);
        if patch.replaces && !definition.contains_key("organization_id") {
            // The API keeps it.
            before.shift_remove("organization_id");
        }
        let is_new = |name: &str| before.get(name) != definition.get(name);
        let has_new_source = is_new("configuration") || is_new("connection_id");
        let is_written = patch.refreshes || is_changed(&before, &definition);
        if is_written {
            refuse_masks(MODEL, &definition, &patch.properties, &before)?;
        }
        let mut source = None;
        if has_new_source || patch.refreshes {
            let new = NewSource::read(cx, model, &definition, patch, has_new_source).await?;
            if new.exposes_all() {
                // All columns before and after: nothing about the selection changes.
                before.shift_remove("fields");
                definition.shift_remove("fields");
            }
            if is_dry_run {
                new.check_preview()?;
            }
            if has_new_source {
                new.check(&definition, patch, is_dry_run)?;
            }
            source = Some(new);
        }
        let changed = changes(MODEL, &before, &definition);
        let kept = definition.keys().filter(|name| !patch.names(name)).cloned().collect();
        Ok(Self { definition, changed, kept, has_new_source, source })
    }

    /// What the update is about to do.
    fn stake(&self) -> Stake {
        if self.changed.iter().any(Change::is_loss) { Stake::Loss } else { Stake::Change }
    }

    /// What the user has to know.
    fn question(
        &self,
        id: ModelId,
        model: &Model,
        syncs: &Result<Vec<String>, ToolError>,
    ) -> Question {
        let name = quoted_name(model.name.as_deref().unwrap_or_default());
        let mut question = format!("Update the model {name} ({id})?");
        let is_loss = |change: &&Change| change.is_loss();
        let lost: Vec<String> =
            self.changed.iter().filter(is_loss).map(Change::describe_loss).collect();
        let changed = |change: &&Change| !change.is_loss() || change.has_other_values();
        let changed: Vec<&Change> = self.changed.iter().filter(changed).collect();
        if !lost.is_empty() {
            question += &format!(" It loses: {}.", lost.join("; "));
        }
        if !changed.is_empty() {
            let names: Vec<&str> = changed.iter().map(|change| change.property.as_str()).collect();
            question += &format!(" It gets other values of: {}.", names.join(", "));
        }
        if self.changed.is_empty() {
            question += " The fields of its source are read again.";
        }
        question += &format!("\n{}", describe_syncs(syncs, "may break"));
        Question::new(question, &json!([model_state(model), sync_state(syncs)]))
    }

    /// The result, with the model if it is known.
    fn output(self, model: Option<Model>, detail: Detail) -> Output {
        let changes = |source: NewSource| source.field_changes(&self.definition, model.as_ref());
        let FieldChanges { added, removed, not_exposed, notice } =
            self.source.map(changes).unwrap_or_default();
        Output {
            model: model.map(|model| model_at(detail, model)),
            changed: self.changed,
            fields_added: added,
            fields_removed: removed,
            not_exposed,
            notice,
            ..Output::default()
        }
    }

    /// Adds a hint if the API rejects a new source, what other properties name of it, or a stored property, which
    /// the caller did not pass and may not know.
    fn with_hint(&self, error: ToolError) -> ToolError {
        // In a background job the same error is the job's.
        let detail = match error.code {
            ErrorCode::InvalidArgument | ErrorCode::NotFound => "message",
            ErrorCode::JobFailed if error.outcome == Outcome::Refused => "error",
            _ => return error,
        };
        let reason = error.details.get(detail).and_then(Value::as_str);
        let read = match reason {
            Some(_) => format!("Read details.{detail}. "),
            None => String::new(),
        };
        let is_about = |name: &&String| reason.is_some_and(|reason| is_about(reason, name));
        if let Some(name) = self.kept.iter().find(is_about) {
            let clear = match Clearable::is_name(name) {
                true => ", or name it in `clear`",
                false => "",
            };
            return error.with_hint(format!(
                "{read}The call did not pass `{name}`, which is therefore sent as it is stored: pass `{name}`{clear}."
            ));
        }
        let source = self.source.as_ref().filter(|_| self.has_new_source);
        let Some(source) = source else {
            let kept = || self.kept.iter().filter(|name| Clearable::is_name(name));
            if kept().next().is_none() || self.definition.keys().any(|name| is_about(&name)) {
                return error;
            }
            let hint = format!(
                "{} What the call did not pass is sent as it is stored: if the API rejects that, pass {}, or name \
                 it in `clear`.",
                error.hint,
                quoted(kept())
            );
            return error.with_hint(hint);
        };
        if error.code == ErrorCode::NotFound {
            return error;
        }
        if source.is_rejected() {
            return error.with_hint(format!(
                "{read}The API rejects a preview of the new source as well: {CORRECT_SOURCE}"
            ));
        }
        let suspects = source.suspects(&self.definition);
        if suspects.is_empty() {
            return error;
        }
        error.with_hint(format!(
            "{read}If the new source, or `fields`, lacks what the model would name, pass {}, or name them in `clear`.",
            quoted(&suspects)
        ))
    }
}

/// Whether the reason of an error begins with a property or a path in it: `relations[0].to.model_id: …`.
fn is_about(reason: &str, property: &str) -> bool {
    let rest = reason.strip_prefix(property);
    rest.is_some_and(|rest| rest.starts_with([':', '[', '.']))
}

fn version_conflict(model: &Model, reason: &str) -> ToolError {
    let version =
        model.version.map_or("no version".to_owned(), |version| format!("version {version}"));
    ToolError::new(
        ErrorCode::Conflict,
        format!("The model has {version}: {reason}. Nothing was written."),
        "Call get_model for the current state, then update_model with its version as `expected_version`.",
    )
    .with_outcome(Outcome::NotSent)
}
