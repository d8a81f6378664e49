//! What another source does to the fields of a model, found by previews, which store nothing.
//!
//! The API returns the names of a model's fields, and takes them as a selection. So a model that exposes all
//! columns of its source looks like one that selects them, and would not expose those that a new source adds.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::changes::Patch;
use crate::polytomic::{Error, Field, Model, NewModel, Preview};
use crate::registry::{Context, ErrorCode, Outcome, ToolError};

/// Maximum columns of the new source that an error names.
const MAX_LISTED_COLUMNS: usize = 50;

const ASSUMED_ALL: &str = "The API rejected a preview of the stored source, so its columns are unknown. All of them were \
    assumed to be exposed, so all columns of the new source are: pass `fields` to select some.";
const KEPT_UNCHECKED: &str = "The API rejected previews of the stored and of the new source, so the names of the \
    fields were kept without a check. preview_model shows why.";
const NOT_COMPARED: &str = "The source could not be previewed, so its columns were not compared with the fields \
    of the model. preview_model shows why.";

/// The source that a model is about to read, compared with the stored one.
pub(in crate::tools) struct NewSource {
    /// Its columns; none if the API rejects a preview, or the preview failed and nothing depends on it.
    columns: Option<Vec<String>>,
    /// The columns of the stored source; none if they are unknown or were not needed.
    stored_columns: Option<Vec<String>>,
    /// Names of the model's fields before the update.
    fields_before: Vec<String>,
    /// Whether the model exposes all columns, so that `fields` has to be left out.
    exposes_all: bool,
    notice: Option<&'static str>,
}

/// What a new source changes about the fields of a model.
#[derive(Debug, Default)]
pub(in crate::tools) struct FieldChanges {
    pub(in crate::tools) added: Option<Vec<String>>,
    pub(in crate::tools) removed: Option<Vec<String>>,
    pub(in crate::tools) not_exposed: Option<Vec<String>>,
    pub(in crate::tools) notice: Option<&'static str>,
}

impl NewSource {
    /// Reads the columns of the source in `definition`. If the update changes the source and does not name
    /// `fields`, reads those of the stored source as well, to find out whether the model exposes all of them.
    ///
    /// # Errors
    /// With outcome `not_sent`, if what to write depends on a preview that failed without a definite response.
    pub(in crate::tools) async fn read(
        cx: &Context,
        model: &Model,
        definition: &Map<String, Value>,
        patch: &Patch,
        is_changed: bool,
    ) -> Result<Self, ToolError> {
        let fields_before = names(model.fields.iter().flatten());
        if !is_changed || patch.names("fields") {
            // What is written does not depend on the preview: it only adds to the result.
            let columns = columns(cx, definition).await.unwrap_or_default();
            let notice = columns.is_none().then_some(NOT_COMPARED);
            let (stored_columns, exposes_all) = (None, false);
            return Ok(Self { columns, stored_columns, fields_before, exposes_all, notice });
        }
        let stored = model.request();
        let (columns, stored_columns) = tokio::join!(columns(cx, definition), columns(cx, &stored));
        let (columns, stored_columns) =
            (columns.map_err(not_written)?, stored_columns.map_err(not_written)?);
        let selection = names(model.source_fields());
        let is_within = |names: &[String], all: &[String]| names.iter().all(|n| all.contains(n));
        let (exposes_all, notice) = match (&stored_columns, &columns) {
            (Some(stored), columns) => (
                selection.is_empty() || is_within(stored, &fields_before),
                columns.is_none().then_some(NOT_COMPARED),
            ),
            (None, Some(columns)) => {
                let all = is_within(&selection, columns);
                (all, all.then_some(ASSUMED_ALL))
            }
            (None, None) => (selection.is_empty(), Some(KEPT_UNCHECKED)),
        };
        Ok(Self { columns, stored_columns, fields_before, exposes_all, notice })
    }

    /// Whether `fields` has to be left out of the request, so that a model that exposes all columns still does.
    pub(in crate::tools) fn exposes_all(&self) -> bool {
        self.exposes_all
    }

    /// Checks that the new source has the columns that the update keeps naming.
    ///
    /// # Errors
    /// `invalid_argument` with the missing columns and the arguments to pass.
    pub(in crate::tools) fn check(
        &self,
        definition: &Map<String, Value>,
        patch: &Patch,
    ) -> Result<(), ToolError> {
        let Some(columns) = &self.columns else { return Ok(()) };
        let mut known: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
        known.extend(named_items(definition.get("additional_fields")));
        let enricher = definition.get("enricher");
        known.extend(named_items(enricher.and_then(|enricher| enricher.get("fields"))));
        // Without a list the enrichment adds all of its fields, whose names are unknown here.
        let adds_unknown = enricher.is_some_and(|enricher| enricher.get("fields").is_none());
        let is_missing = |name: &&str| {
            let was_column = |columns: &Vec<String>| columns.iter().any(|column| column == name);
            // A name that is no column of the stored source either means something else.
            !known.contains(name) && self.stored_columns.as_ref().is_none_or(was_column)
        };
        let mut missing = Map::new();
        for property in ["fields", "identifier", "tracking_columns"] {
            let is_kept = !patch.names(property) && (property != "identifier" || !adds_unknown);
            let value = definition.get(property).filter(|_| is_kept);
            let lacking: Vec<&str> = texts(value).filter(is_missing).collect();
            if !lacking.is_empty() {
                missing.insert(property.to_owned(), json!(lacking));
            }
        }
        let Some(first) = missing.keys().next() else { return Ok(()) };
        let arguments: Vec<String> = missing.keys().map(|name| format!("`{name}`")).collect();
        let arguments = arguments.join(", ");
        let message = format!(
            "The new source lacks columns that the model names in {arguments}: see details.missing. Nothing was changed."
        );
        let hint = format!(
            "Pass {arguments} with columns of the new source (details.columns), or name them in `clear`."
        );
        let listed: Vec<&String> = columns.iter().take(MAX_LISTED_COLUMNS).collect();
        Err(ToolError::invalid_argument(first, message)
            .with_hint(hint)
            .with_detail("columns", Some(json!(listed)))
            .with_detail("missing", Some(missing)))
    }

    /// What changes about the fields: by the updated model, or by the request if there is none.
    pub(in crate::tools) fn field_changes(
        &self,
        definition: &Map<String, Value>,
        updated: Option<&Model>,
    ) -> FieldChanges {
        let (before, notice) = (&self.fields_before, self.notice);
        let Some(after) = self.fields_after(definition, updated) else {
            return FieldChanges { notice, ..FieldChanges::default() };
        };
        let difference = |names: &[String], other: &[String]| -> Vec<String> {
            names.iter().filter(|name| !other.contains(name)).cloned().collect()
        };
        FieldChanges {
            added: Some(difference(&after, before)),
            removed: Some(difference(before, &after)),
            not_exposed: self.columns.as_ref().map(|columns| difference(columns, &after)),
            notice,
        }
    }

    /// Names of the fields after the update; none if they are unknown.
    fn fields_after(
        &self,
        definition: &Map<String, Value>,
        updated: Option<&Model>,
    ) -> Option<Vec<String>> {
        if let Some(fields) = updated.and_then(|model| model.fields.as_ref()) {
            return Some(names(fields));
        }
        let selection: Vec<String> = texts(definition.get("fields")).map(str::to_owned).collect();
        let mut after = match selection.is_empty() {
            true => self.columns.clone()?,
            false => selection,
        };
        let added = named_items(definition.get("additional_fields"));
        after.extend(added.map(str::to_owned));
        Some(after)
    }
}

/// The columns of the source in a definition; none if the API definitely rejects it, or returns no fields.
///
/// # Errors
/// Any other error of the preview; `timeout` if its job is not done in time.
async fn columns(
    cx: &Context,
    definition: &Map<String, Value>,
) -> Result<Option<Vec<String>>, ToolError> {
    let source = ["connection_id", "configuration", "organization_id"];
    let mut source: Map<String, Value> = definition
        .iter()
        .filter(|(name, _)| source.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    source.insert("name".to_owned(), "Preview".into());
    let Ok(source) = serde_json::from_value::<NewModel>(source.into()) else { return Ok(None) };
    let mut options = cx.read_options();
    let mut response = cx.client().preview_model(&source, &options).await;
    if response.as_ref().is_err_and(Error::is_slow) {
        options.background = true;
        response = cx.client().preview_model(&source, &options).await;
    }
    let response = match response {
        Err(Error::Status { status: 400 | 404 | 422, body, .. })
            if body.success_status.is_none() =>
        {
            return Ok(None);
        }
        response => response?,
    };
    let preview = match cx.resolve(response).await {
        Err(error) if error.code == ErrorCode::JobFailed => return Ok(None),
        resolved => resolved?.data,
    };
    let Some(preview) = preview else {
        return Err(ToolError::new(
            ErrorCode::Timeout,
            "A preview of the source was not done in time.",
            "Call again with a higher `wait_seconds`.",
        ));
    };
    let fields = match preview {
        Preview::Fields(fields) => Some(fields),
        Preview::Model(model) => model.fields,
    };
    let fields = fields.filter(|fields| !fields.is_empty());
    Ok(fields.map(|fields| names(fields.iter().filter(|field| field.user_added != Some(true)))))
}

/// The error of a preview before anything was written.
fn not_written(error: ToolError) -> ToolError {
    let message = format!(
        "{} The columns of the sources are therefore unknown, and nothing was changed.",
        error.message
    );
    let hint = format!("{} Or pass `fields`, which needs no comparison.", error.hint);
    ToolError { message, hint, ..error.with_outcome(Outcome::NotSent) }
}

fn names<'a>(fields: impl IntoIterator<Item = Cow<'a, Field>>) -> Vec<String> {
    fields.into_iter().filter_map(|field| field.name.clone()).collect()
}

/// The texts of a property: one, or a list of them.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let items = match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    items.iter().filter_map(Value::as_str)
}

/// The names in a list of objects.
fn named_items(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get("name")?.as_str())
}
