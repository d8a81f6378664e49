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

/// Properties of a model that name columns of its source.
const COLUMN_PROPERTIES: [&str; 3] = ["fields", "identifier", "tracking_columns"];
/// Properties of a model whose parts name fields. Only a dry run checks them: the API's error names the part.
const NESTED_PROPERTIES: [&str; 2] = ["relations", "enricher"];

/// What to do about a source that the API rejects, as the end of a sentence.
pub(in crate::tools) const CORRECT_SOURCE: &str =
    "correct `configuration`. get_model_source shows what the connection offers.";

const ASSUMED_ALL: &str = "The API rejected a preview of the stored source, so its columns are unknown. All of them were \
    assumed to be exposed, so all columns of the new source are: pass `fields` to select some.";
const KEPT_UNCHECKED: &str = "The columns of the stored and of the new source are unknown, so the names of the fields \
    were kept without a check. preview_model shows why.";
const KEPT: &str = "A preview of the stored source returned no columns, so the names of the fields were kept: pass \
    `fields`, or name it in `clear`, to expose others.";
const NOT_COMPARED: &str = "The columns of the source are unknown, so they were not compared with the fields of the \
    model. preview_model shows why.";
const ENRICHMENT_UNKNOWN: &str =
    "Which fields the enrichment adds is unknown, so the fields were not compared.";

/// What a preview says about the columns of a source.
#[derive(Debug, Default)]
enum Columns {
    Known(Vec<String>),
    /// The API definitely rejects the source, with this error.
    Rejected(Box<ToolError>),
    /// The preview returned no columns, or failed and nothing depends on it.
    #[default]
    Unknown,
}

impl Columns {
    fn known(&self) -> Option<&Vec<String>> {
        match self {
            Self::Known(columns) => Some(columns),
            Self::Rejected(_) | Self::Unknown => None,
        }
    }
}

/// The source that a model is about to read, compared with the stored one.
#[derive(Default)]
pub(in crate::tools) struct NewSource {
    columns: Columns,
    /// The columns of the stored source; none if they are unknown or were not needed.
    stored_columns: Option<Vec<String>>,
    /// Names of the model's fields before the update.
    fields_before: Vec<String>,
    /// Those of an enrichment that adds all of its fields; none if they are unknown.
    enriched_before: Option<Vec<String>>,
    /// The enrichment before the update.
    stored_enricher: Option<Value>,
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
        let selection = names(model.source_fields());
        let stored = model.request();
        let mut source = Self {
            fields_before: names(model.fields.iter().flatten()),
            stored_enricher: stored.get("enricher").cloned(),
            ..Self::default()
        };
        let enriched = |columns: &Vec<String>| -> Vec<String> {
            selection.iter().filter(|name| !columns.contains(name)).cloned().collect()
        };
        if !is_changed || patch.names("fields") {
            // What is written does not depend on the preview: it only adds to the result.
            source.columns = columns(cx, definition).await.unwrap_or_default();
            let known = source.columns.known();
            source.notice = known.is_none().then_some(NOT_COMPARED);
            source.enriched_before = known.filter(|_| !is_changed).map(enriched);
            return Ok(source);
        }
        let (columns, stored_columns) = tokio::join!(columns(cx, definition), columns(cx, &stored));
        let (columns, stored_columns) =
            (columns.map_err(not_written)?, stored_columns.map_err(not_written)?);
        let is_within = |names: &[String], all: &[String]| names.iter().all(|n| all.contains(n));
        (source.exposes_all, source.notice) = match (&stored_columns, &columns) {
            (Columns::Known(stored), columns) => (
                selection.is_empty() || is_within(stored, &source.fields_before),
                columns.known().is_none().then_some(NOT_COMPARED),
            ),
            (Columns::Rejected(_), Columns::Known(columns)) => {
                let all = is_within(&selection, columns);
                (all, all.then_some(ASSUMED_ALL))
            }
            (Columns::Unknown, Columns::Known(_)) => {
                (selection.is_empty(), (!selection.is_empty()).then_some(KEPT))
            }
            (_, Columns::Rejected(_) | Columns::Unknown) => {
                (selection.is_empty(), Some(KEPT_UNCHECKED))
            }
        };
        source.enriched_before = stored_columns.known().map(enriched);
        source.stored_columns = stored_columns.known().cloned();
        source.columns = columns;
        Ok(source)
    }

    /// Whether `fields` has to be left out of the request, so that a model that exposes all columns still does.
    pub(in crate::tools) fn exposes_all(&self) -> bool {
        self.exposes_all
    }

    /// Whether the API definitely rejects a preview of the source.
    pub(in crate::tools) fn is_rejected(&self) -> bool {
        matches!(self.columns, Columns::Rejected(_))
    }

    /// Checks that the API accepts a preview of the source. Only a dry run depends on that: a write gets the error itself.
    ///
    /// # Errors
    /// That of the preview.
    pub(in crate::tools) fn check_preview(&self) -> Result<(), ToolError> {
        let Columns::Rejected(error) = &self.columns else { return Ok(()) };
        let status = error.http_status.map(|status| format!(" ({status})")).unwrap_or_default();
        let message = format!(
            "The API rejected a preview of the source{status}, so it will most likely reject the update. Nothing was changed."
        );
        let mut error = ToolError { message, ..ToolError::clone(error) };
        if error.code != ErrorCode::NotFound {
            let mut details = ["message", "error"].into_iter();
            let read = details.find(|name| error.details.contains_key(*name));
            let read = read.map(|name| format!("Read details.{name}. ")).unwrap_or_default();
            error.hint = format!("{read}The source does not work: {CORRECT_SOURCE}");
        }
        Err(error.with_outcome(Outcome::Refused))
    }

    /// Checks that the new source has the columns that the update keeps naming, and in a dry run also those that it
    /// passes. In a write those are left to the API, which may know names that a preview does not list.
    ///
    /// # Errors
    /// `invalid_argument` with the missing columns and the arguments to pass.
    pub(in crate::tools) fn check(
        &self,
        definition: &Map<String, Value>,
        patch: &Patch,
        is_dry_run: bool,
    ) -> Result<(), ToolError> {
        let Some(columns) = self.columns.known() else { return Ok(()) };
        // Without a list the enrichment adds all of its fields, whose names are unknown here.
        let adds_unknown = adds_unknown(definition);
        // A write leaves a selection that is passed to the API.
        let selects = is_dry_run && patch.names("fields");
        let missing =
            self.missing(definition, selects, |property, name| match patch.names(property) {
                passed if NESTED_PROPERTIES.contains(&property) => {
                    is_dry_run && (passed || self.fields_before.iter().any(|field| field == name))
                }
                true => is_dry_run && !adds_unknown,
                // A name that is no column of the stored source either means something else.
                false => {
                    self.stored_columns.as_ref().is_none_or(|all| all.iter().any(|c| c == name))
                }
            });
        let Some(first) = missing.keys().next() else { return Ok(()) };
        let arguments = quoted(missing.keys());
        let clear = if missing.len() == 1 { "it" } else { "these" };
        let is_column = |name: &Value| columns.iter().any(|column| name == column);
        let are_hidden = missing.values().filter_map(Value::as_array).flatten().all(is_column);
        let (what, hint) = match are_hidden {
            true => (
                "`fields` leaves out",
                format!("Add them to `fields`, or pass {arguments}, or name {clear} in `clear`."),
            ),
            false => (
                "The new source lacks",
                format!(
                    "Pass {arguments} with columns of the new source (details.columns) that `fields` has, or name {clear} \
                     in `clear`."
                ),
            ),
        };
        let message = format!(
            "{what} columns that the updated model would name in {arguments}: see details.missing. Nothing was changed."
        );
        let listed: Vec<&String> = columns.iter().take(MAX_LISTED_COLUMNS).collect();
        Err(ToolError::invalid_argument(first, message)
            .with_hint(hint)
            .with_detail("columns", Some(json!(listed)))
            .with_detail("missing", Some(missing)))
    }

    /// The properties of a rejected definition that may name what the new source lacks.
    pub(in crate::tools) fn suspects(&self, definition: &Map<String, Value>) -> Vec<String> {
        let mut suspects: Vec<String> = match self.columns {
            Columns::Known(_) => {
                self.missing(definition, true, |_, _| true).keys().cloned().collect()
            }
            Columns::Rejected(_) | Columns::Unknown => {
                COLUMN_PROPERTIES.map(str::to_owned).to_vec()
            }
        };
        if !suspects.iter().any(|name| name == "relations") {
            suspects.push("relations".to_owned());
        }
        suspects.retain(|name| definition.contains_key(name));
        suspects
    }

    /// The names in a definition that the new source lacks, by the property that names them. `selects`: whether what names
    /// fields of the model can only name those in `fields`. `is_checked`: whether a property's name is looked at.
    fn missing(
        &self,
        definition: &Map<String, Value>,
        selects: bool,
        is_checked: impl Fn(&str, &str) -> bool,
    ) -> Map<String, Value> {
        let mut missing = Map::new();
        let Some(columns) = self.columns.known() else { return missing };
        let columns: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
        let selected: BTreeSet<&str> = texts(definition.get("fields")).collect();
        let mut added: BTreeSet<&str> = named_items(definition.get("additional_fields")).collect();
        let enricher = definition.get("enricher");
        added.extend(named_items(enricher.and_then(|enricher| enricher.get("fields"))));
        for property in COLUMN_PROPERTIES.into_iter().chain(NESTED_PROPERTIES) {
            if ["identifier", "relations"].contains(&property) && adds_unknown(definition) {
                continue;
            }
            let names_columns = ["fields", "tracking_columns"].contains(&property);
            let known = match selects && !names_columns && !selected.is_empty() {
                true => &selected,
                false => &columns,
            };
            let is_known = |name: &str| known.contains(name) || added.contains(name);
            let is_missing = |name: &&str| !is_known(name) && is_checked(property, name);
            let value = definition.get(property);
            let named: Vec<&str> = match property {
                "relations" => relation_fields(value).collect(),
                "enricher" => mapped_fields(value).collect(),
                _ => texts(value).collect(),
            };
            let lacking: Vec<&str> = named.into_iter().filter(is_missing).collect();
            if !lacking.is_empty() {
                missing.insert(property.to_owned(), json!(lacking));
            }
        }
        missing
    }

    /// What changes about the fields: by the updated model, or by the request if there is none.
    pub(in crate::tools) fn field_changes(
        &self,
        definition: &Map<String, Value>,
        updated: Option<&Model>,
    ) -> FieldChanges {
        let (before, notice) = (&self.fields_before, self.notice);
        let after = match self.fields_after(definition, updated) {
            Ok(after) => after,
            Err(reason) => {
                let notice = notice.or(Some(reason));
                return FieldChanges { notice, ..FieldChanges::default() };
            }
        };
        let difference = |names: &[String], other: &[String]| -> Vec<String> {
            names.iter().filter(|name| !other.contains(name)).cloned().collect()
        };
        FieldChanges {
            added: Some(difference(&after, before)),
            removed: Some(difference(before, &after)),
            not_exposed: self.columns.known().map(|columns| difference(columns, &after)),
            notice,
        }
    }

    /// Names of the fields after the update, or why they are unknown.
    fn fields_after(
        &self,
        definition: &Map<String, Value>,
        updated: Option<&Model>,
    ) -> Result<Vec<String>, &'static str> {
        if let Some(fields) = updated.and_then(|model| model.fields.as_ref()) {
            return Ok(names(fields));
        }
        let selection: Vec<String> = texts(definition.get("fields")).map(str::to_owned).collect();
        let mut after = match selection.is_empty() {
            true => self.columns.known().ok_or(NOT_COMPARED)?.clone(),
            false => selection,
        };
        let added = named_items(definition.get("additional_fields"));
        let enricher = definition.get("enricher");
        let is_kept = self.stored_enricher.as_ref() == enricher;
        let enriched = match enricher.map(|enricher| enricher.get("fields")) {
            None => Vec::new(),
            Some(Some(fields)) => {
                // Where the model does not list them, a new source changes nothing about that.
                let is_listed =
                    |name: &&str| !is_kept || self.fields_before.iter().any(|f| f == name);
                named_items(Some(fields)).filter(is_listed).map(str::to_owned).collect()
            }
            Some(None) => {
                let before = self.enriched_before.as_ref().filter(|_| is_kept);
                before.ok_or(ENRICHMENT_UNKNOWN)?.clone()
            }
        };
        for name in added.map(str::to_owned).chain(enriched) {
            if !after.contains(&name) {
                after.push(name);
            }
        }
        Ok(after)
    }
}

/// The columns of the source in a definition.
///
/// # Errors
/// Any other error of the preview; `timeout` if its job is not done in time.
async fn columns(cx: &Context, definition: &Map<String, Value>) -> Result<Columns, ToolError> {
    let source = ["connection_id", "configuration", "organization_id"];
    let mut source: Map<String, Value> = definition
        .iter()
        .filter(|(name, _)| source.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    source.insert("name".to_owned(), "Preview".into());
    let Ok(source) = serde_json::from_value::<NewModel>(source.into()) else {
        return Ok(Columns::Unknown);
    };
    let mut options = cx.read_options();
    let mut response = cx.client().preview_model(&source, &options).await;
    if response.as_ref().is_err_and(Error::is_slow) {
        options.background = true;
        response = cx.client().preview_model(&source, &options).await;
    }
    let response = match response {
        // A gateway knows nothing about the source.
        Err(error) if is_rejection(&error) => {
            return Ok(Columns::Rejected(Box::new(error.into())));
        }
        response => response?,
    };
    let preview = match cx.resolve(response).await {
        // A job that was stopped says nothing about the source.
        Err(error) if error.code == ErrorCode::JobFailed && error.outcome == Outcome::Refused => {
            return Ok(Columns::Rejected(Box::new(error)));
        }
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
    let columns = names(fields.iter().flatten().filter(|field| field.user_added != Some(true)));
    Ok(if columns.is_empty() { Columns::Unknown } else { Columns::Known(columns) })
}

/// Whether the API itself says that it does not take what was sent.
fn is_rejection(error: &Error) -> bool {
    let Error::Status { status: 400 | 404 | 422, body, .. } = error else { return false };
    body.is_api_error && body.success_status.is_none()
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
    fields.into_iter().filter_map(|field| Some(field.name.as_ref()?.to_string())).collect()
}

/// Names of arguments, each in backticks.
pub(in crate::tools) fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Whether the enrichment adds fields of unknown names, since it has no list of them.
fn adds_unknown(definition: &Map<String, Value>) -> bool {
    definition.get("enricher").is_some_and(|enricher| enricher.get("fields").is_none())
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

/// The model's own fields that its relations name.
fn relation_fields(relations: Option<&Value>) -> impl Iterator<Item = &str> {
    let relations = relations.and_then(Value::as_array).into_iter().flatten();
    relations.filter_map(|relation| relation.get("from")?.as_str())
}

/// The fields that an enrichment reads.
fn mapped_fields(enricher: Option<&Value>) -> impl Iterator<Item = &str> {
    let mappings = enricher.and_then(|enricher| enricher.get("mappings")?.as_object());
    mappings.into_iter().flatten().map(|(field, _)| field.as_str())
}
