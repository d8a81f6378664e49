//! `update_model`: change the named properties of a model and keep the others.
//!
//! Source: API reference "Update Model", 2025-09-18: the API replaces the whole model. So the model is read, turned
//! into the request that would create it (contract section 3.5), and written with the changes. Labels are returned
//! as objects of an undocumented shape; if they cannot be read, the call has to name them (gap G8). The API has no
//! conditional write: the version is compared once more right before it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::create_model::{abbreviated_schema, coerce_nested};
use crate::polytomic::{Job, Model, ModelId, NewModel};
use crate::registry::{
    Context, Effect, ErrorCode, NextCall, Operation, Outcome, Resolved, ToolError, deserialize,
};

pub(super) struct UpdateModel;

/// Arguments that control the update; the other arguments are the properties to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpdateOptions {
    model_id: ModelId,
    /// Properties to clear, e.g. `["enricher"]`.
    #[serde(default)]
    clear: Vec<Clearable>,
    /// Return the changes without applying them, e.g. `true`.
    #[serde(default)]
    dry_run: bool,
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
    fn name(self) -> String {
        json!(self).as_str().unwrap_or_default().to_owned()
    }
}

/// The properties of a model, all optional, and the options of the update.
pub(super) struct Args {
    options: UpdateOptions,
    /// The passed properties, in the shape of the API.
    patch: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The message already contains the path.
        let custom = |error: ToolError| de::Error::custom(error.message.trim_end_matches('.'));
        parse(Map::deserialize(deserializer)?).map_err(custom)
    }
}

impl JsonSchema for Args {
    fn schema_name() -> Cow<'static, str> {
        "UpdateModel".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = UpdateOptions::json_schema(generator);
        let mut properties = abbreviated_schema(generator).remove("properties");
        if let (Some(Value::Object(options)), Some(Value::Object(model))) =
            (schema.get_mut("properties"), &mut properties)
        {
            options.append(model);
        }
        schema
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
    /// The current version, for `expected_version`; dry run only.
    version: Option<i64>,
    /// True if nothing was written.
    dry_run: Option<bool>,
    /// The call that continues; present while the job is unfinished.
    next: Option<NextCall>,
    /// Present if the status of the job is unknown.
    notice: Option<&'static str>,
}

/// A changed property; `before` or `after` is absent if it is empty.
#[skip_serializing_none]
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Change {
    property: String,
    #[schemars(skip)]
    before: Option<Value>,
    #[schemars(skip)]
    after: Option<Value>,
}

impl Operation for UpdateModel {
    const NAME: &'static str = "update_model";
    const TITLE: &'static str = "Update model";
    const DESCRIPTION: &'static str = "Update a model. Pass only the properties to change; the \
        others keep their values. A passed property is replaced as a whole; `clear` empties \
        properties. Returns what changed. Before: `get_model`, and `dry_run` to see the changes. \
        After: `sample_records`.";
    const EFFECT: Effect = Effect::Write { idempotent: true, overwrites: true };
    const JOB: bool = true;
    type Args = Args;
    type Output = Output;

    fn coerce(arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
        coerce_nested(arguments)
    }

    fn has_changed_data(output: &Output) -> bool {
        output.dry_run.is_none()
    }

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let Args { options, patch } = args;
        let id = options.model_id;
        let model = cx.get_current_model(id).await?;
        if let Some(expected) = options.expected_version
            && model.version != Some(expected)
        {
            return Err(version_conflict(&model, &format!("expected version {expected}")));
        }
        let mut definition = apply(&model, &options, patch)?;
        let changed = changes(&current_definition(&model), &definition);
        if options.dry_run {
            let (dry_run, version) = (Some(true), model.version);
            return Ok(Output { changed, dry_run, version, ..Output::default() });
        }
        if changed.is_empty() && !options.refresh {
            return Ok(Output { model: Some(model), ..Output::default() });
        }
        let latest = cx.get_current_model(id).await?;
        if was_updated(&model, &latest) {
            return Err(version_conflict(&latest, "it was updated during this call"));
        }
        if options.refresh {
            definition.insert("refresh".to_owned(), true.into());
        }
        let response = cx.client().update_model(id, &definition, cx.call_options()).await;
        let response =
            response.map_err(|error| with_source_hint(error.into(), &changed, &definition))?;
        let resolved = cx.resolve(response).await;
        let resolved = resolved.map_err(|error| with_source_hint(error, &changed, &definition))?;
        let Resolved { data: model, job, next, notice } = resolved;
        Ok(Output { model, job, changed, next, notice, ..Output::default() })
    }
}

/// Separates the options from the properties, and validates what a schema cannot express.
fn parse(mut arguments: Map<String, Value>) -> Result<Args, ToolError> {
    let mut options = Map::new();
    for name in ["model_id", "clear", "dry_run", "expected_version", "replace", "refresh"] {
        if let Some(value) = arguments.shift_remove(name) {
            options.insert(name.to_owned(), value);
        }
    }
    let options: UpdateOptions = deserialize(options)?;
    for name in options.clear.iter().map(|property| property.name()) {
        if arguments.contains_key(&name) {
            let message =
                format!("clear: expected properties that are not passed as well, got \"{name}\".");
            return Err(ToolError::invalid_argument("clear", message));
        }
    }
    let mut definition = arguments.clone();
    for (name, placeholder) in [
        ("connection_id", json!(uuid::Uuid::nil())),
        ("name", json!("")),
        ("configuration", json!({})),
    ] {
        if options.replace && !definition.contains_key(name) {
            let message = format!(
                "{name}: expected a value, got nothing; `replace` requires connection_id, name and \
                 configuration."
            );
            return Err(ToolError::invalid_argument(name, message));
        }
        definition.entry(name).or_insert(placeholder);
    }
    let definition: NewModel = deserialize(definition)?;
    let Value::Object(mut patch) = json!(definition) else { return Err(ToolError::internal()) };
    patch.retain(|name, _| arguments.contains_key(name));
    Ok(Args { options, patch })
}

/// The model's definition with the changes applied.
fn apply(
    model: &Model,
    options: &UpdateOptions,
    patch: Map<String, Value>,
) -> Result<Map<String, Value>, ToolError> {
    if options.replace {
        return Ok(patch);
    }
    let cleared: Vec<String> = options.clear.iter().map(|property| property.name()).collect();
    let is_named =
        |name: &str| patch.contains_key(name) || cleared.iter().any(|cleared| cleared == name);
    let is_written = options.refresh || !patch.is_empty() || !cleared.is_empty();
    if !is_named("labels") && model.label_names().is_none() && is_written {
        return Err(ToolError::new(
            ErrorCode::InvalidArgument,
            "The model's labels cannot be read as text; updating the model would drop them.",
            "Pass `labels` as a list of texts, or name it in `clear` to drop them.",
        )
        .with_detail("labels", model.labels.clone()));
    }
    let mut definition = model.request();
    definition.retain(|name, _| !cleared.contains(name));
    definition.extend(patch);
    Ok(definition)
}

/// The model's definition as it is, with labels that cannot be read as text in the form of the API.
fn current_definition(model: &Model) -> Map<String, Value> {
    let mut definition = model.request();
    if model.label_names().is_none() {
        definition.insert("labels".to_owned(), json!(model.labels));
    }
    definition
}

/// Whether a model was updated between two reads. The API may omit the version.
fn was_updated(before: &Model, latest: &Model) -> bool {
    match (before.version, latest.version) {
        (None, None) => {
            before.updated_at != latest.updated_at
                || current_definition(before) != current_definition(latest)
        }
        (before, latest) => before != latest,
    }
}

/// The properties that differ; an empty value equals an absent one.
fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let non_empty = |map: &Map<String, Value>, name: &str| {
        map.get(name).filter(|value| *value != &json!([]) && *value != &json!("")).cloned()
    };
    let added = after.keys().filter(|name| !before.contains_key(*name));
    before
        .keys()
        .chain(added)
        .map(|name| Change {
            property: name.clone(),
            before: non_empty(before, name),
            after: non_empty(after, name),
        })
        .filter(|change| change.before != change.after)
        .collect()
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

/// Adds a hint if a new source may lack the fields that other properties still name.
fn with_source_hint(
    error: ToolError,
    changed: &[Change],
    definition: &Map<String, Value>,
) -> ToolError {
    let is_changed = |name: &str| changed.iter().any(|change| change.property == name);
    let source_changed = is_changed("configuration") || is_changed("connection_id");
    // In a background job the same error is the job's.
    let detail = match error.code {
        ErrorCode::InvalidArgument => "message",
        ErrorCode::JobFailed => "error",
        _ => return error,
    };
    if source_changed && definition.contains_key("fields") && !is_changed("fields") {
        return error.with_hint(format!(
            "Read details.{detail}. If the new source lacks fields that the model still names, pass \
             `fields`, `identifier` and `tracking_columns`, or name them in `clear`."
        ));
    }
    error
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options(clear: Vec<Clearable>) -> UpdateOptions {
        let model_id = ModelId(uuid::Uuid::nil());
        UpdateOptions {
            model_id,
            clear,
            dry_run: false,
            expected_version: None,
            replace: false,
            refresh: false,
        }
    }

    const CLEARABLE: [Clearable; 8] = [
        Clearable::AdditionalFields,
        Clearable::Enricher,
        Clearable::Fields,
        Clearable::Identifier,
        Clearable::Labels,
        Clearable::Policies,
        Clearable::Relations,
        Clearable::TrackingColumns,
    ];

    fn texts() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a-z]{1,5}", 0..4)
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec(("[a-z]{1,4}", inner), 0..3)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn map() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::vec(("[a-z]{1,4}", anything()), 0..4)
            .prop_map(|e| e.into_iter().collect())
    }

    prop_compose! {
        /// A model as the API may return it.
        fn model()(
            configuration in map(), enrichment in map(), found in texts(), added in texts(),
            tracking in texts(), labels in texts(), policies in texts(),
            identifier in prop::option::of("[a-z]{0,4}"), has_enricher in any::<bool>(),
            from in texts(), undocumented in anything(),
        ) -> Value {
            let id = "248df4b7-aa70-47b8-a036-33ac447e668d";
            let found = found.iter().map(|name| json!({"name": name, "type": "string", "user_added": false, "x": undocumented}));
            let added = added.iter().map(|name| json!({"name": name, "label": name, "type": "number", "example": "7", "user_added": true}));
            let fields: Vec<Value> = found.chain(added).collect();
            let relations: Vec<Value> = from.iter().map(|from| json!({"from": from, "to": {"model_id": id, "field": "id"}, "more": undocumented})).collect();
            json!({
                "id": id, "name": "Users", "connection_id": id, "organization_id": id, "version": 3,
                "configuration": configuration, "fields": fields, "identifier": identifier,
                "tracking_columns": tracking, "policies": policies, "relations": relations,
                "labels": labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
                "enricher": has_enricher.then(|| json!({
                    "connection_id": id, "enricher_id": id, "configuration": enrichment,
                    "mappings": {"email": "email"}, "fields": [{"name": "phone", "odd": true}],
                })),
                "undocumented": undocumented,
            })
        }
    }

    proptest! {
        #[test]
        fn properties_that_are_not_named_are_written_as_they_were_read(
            stored in model(),
            clear in prop::sample::subsequence(CLEARABLE.to_vec(), 0..3),
            name in prop::option::of("[a-z]{1,9}"),
            tracking in prop::option::of(texts()),
        ) {
            let model: Model = serde_json::from_value(stored.clone()).unwrap();
            let mut patch = Map::new();
            patch.extend(name.map(|name| ("name".to_owned(), json!(name))));
            if !clear.contains(&Clearable::TrackingColumns) {
                patch.extend(tracking.map(|t| ("tracking_columns".to_owned(), json!(t))));
            }
            let options = options(clear);
            let written = apply(&model, &options, patch.clone()).unwrap();
            let names = |part: &str| -> Vec<Value> {
                let list = stored[part].as_array().cloned().unwrap_or_default();
                list.iter().map(|item| item["name"].clone()).collect()
            };
            let fields = |user_added: bool| -> Vec<Value> {
                stored["fields"].as_array().unwrap().iter().filter(|f| f["user_added"] == user_added).cloned().collect()
            };
            let declared: Vec<Value> = fields(true).iter().map(|f| {
                json!({"name": f["name"], "label": f["label"], "type": f["type"], "example": f["example"]})
            }).collect();
            let found: Vec<Value> = fields(false).iter().map(|f| f["name"].clone()).collect();
            for (property, as_read) in [
                ("connection_id", stored["connection_id"].clone()),
                ("name", stored["name"].clone()),
                ("configuration", stored["configuration"].clone()),
                ("organization_id", stored["organization_id"].clone()),
                ("identifier", stored["identifier"].clone()),
                ("tracking_columns", stored["tracking_columns"].clone()),
                ("policies", stored["policies"].clone()),
                ("relations", stored["relations"].clone()),
                ("enricher", stored["enricher"].clone()),
                ("labels", json!(names("labels"))),
                ("fields", json!(found)),
                ("additional_fields", json!(declared)),
            ] {
                let is_empty = as_read.is_null() || as_read == json!([]) || as_read == json!("");
                let expected = if let Some(value) = patch.get(property) {
                    Some(value.clone())
                } else if is_empty || options.clear.iter().any(|c| c.name() == property) {
                    None
                } else {
                    Some(as_read)
                };
                prop_assert_eq!(written.get(property), expected.as_ref(), "{}", property);
            }
            // Nothing is written that a request cannot contain.
            prop_assert_eq!(written.get("undocumented"), None);
            // Only named properties are reported as changed.
            for change in changes(&model.request(), &written) {
                let is_named = patch.contains_key(&change.property)
                    || options.clear.iter().any(|c| c.name() == change.property);
                prop_assert!(is_named, "{change:?}");
            }
        }
    }

    #[test]
    fn labels_that_cannot_be_read_must_be_named() {
        let model = |labels: Value| -> Model {
            serde_json::from_value(json!({"name": "a", "labels": labels})).unwrap()
        };
        let patch = |value: Value| value.as_object().cloned().unwrap();
        let unreadable = model(json!([{"key": "value"}]));
        let change = patch(json!({"name": "b"}));
        let error = apply(&unreadable, &options(vec![]), change.clone()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(apply(&unreadable, &options(vec![]), Map::new()).is_ok(), "nothing changes");
        assert!(apply(&unreadable, &options(vec![Clearable::Labels]), change.clone()).is_ok());
        assert!(
            apply(&unreadable, &options(vec![]), patch(json!({"name": "b", "labels": ["x"]})))
                .is_ok()
        );
        for readable in [json!(null), json!([]), json!(["x"]), json!([{"label": "x"}])] {
            assert!(apply(&model(readable), &options(vec![]), change.clone()).is_ok());
        }
    }
}
