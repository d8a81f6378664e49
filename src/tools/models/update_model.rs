//! `update_model`: change what is named, keep the rest.
//!
//! Source: API reference "Update Model", 2025-09-18: the API replaces everything. So the model is read, the
//! change is put into what a request for it would be (contract section 3.5), and that is written. Labels
//! come back as objects of an undocumented shape; where they cannot be read they have to be named (gap G8).
//! The API has no condition on a write: the version is compared once more right before it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::create_model::{mend_parts, referred_to};
use crate::polytomic::{Job, Model, ModelId, NewModel};
use crate::tools::error::{Code, Outcome};
use crate::tools::{Context, Effect, NextCall, Operation, ToolError, arguments};

pub(super) struct UpdateModel;

/// How the change is made; what is changed stands beside it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Manner {
    model_id: ModelId,
    /// Properties to empty, e.g. `["enricher"]`.
    #[serde(default)]
    clear: Vec<Clearable>,
    /// Only tell what would change, unchecked, e.g. `true`.
    #[serde(default)]
    dry_run: bool,
    /// Refuse at another version, e.g. `3`.
    #[serde(default)]
    expected_version: Option<i64>,
    /// Keep nothing that is not given, e.g. `true`.
    #[serde(default)]
    replace: bool,
    /// Have the source's fields read anew, e.g. `true`.
    #[serde(default)]
    refresh: bool,
}

/// What can be emptied.
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

/// The properties of a model, none of them required, and how the change is made.
pub(super) struct Args {
    manner: Manner,
    /// What is given, in the shape of the API.
    given: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The message names the place already.
        let wrong = |error: ToolError| de::Error::custom(error.message.trim_end_matches('.'));
        read(Map::deserialize(deserializer)?).map_err(wrong)
    }
}

impl JsonSchema for Args {
    fn schema_name() -> Cow<'static, str> {
        "UpdateModel".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Manner::json_schema(generator);
        let mut properties = referred_to(generator).remove("properties");
        if let (Some(Value::Object(own)), Some(Value::Object(of_model))) =
            (schema.get_mut("properties"), &mut properties)
        {
            own.append(of_model);
        }
        schema
    }
}

#[skip_serializing_none]
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The model as it is now; absent while `job` is unfinished.
    model: Option<Model>,
    /// The job that saves it, where the API speaks of one.
    job: Option<Job>,
    /// What the call changes; `model` shows what the API made of it.
    changed: Vec<Change>,
    /// Of a dry run: the version that was read, for `expected_version`.
    version: Option<i64>,
    /// True when nothing was written.
    dry_run: Option<bool>,
    /// The call that goes on from here; present while the job is unfinished.
    next: Option<NextCall>,
}

/// One property that changes; `before` or `after` is absent where it is empty.
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
    const DESCRIPTION: &'static str = "Change a model. Send only what changes: the rest is kept. \
        A property is replaced as a whole; `clear` empties some. Answers what changed. Before: \
        `get_model`, and `dry_run` to see what would change. After: `sample_records`.";
    const EFFECT: Effect = Effect::Write { idempotent: true, overwrites: true };
    const JOB: bool = true;
    type Args = Args;
    type Output = Output;

    fn mend(arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
        mend_parts(arguments)
    }

    fn has_changed(output: &Output) -> bool {
        output.dry_run.is_none()
    }

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let Args { manner, given } = args;
        let id = manner.model_id;
        let model = cx.read_model(id).await?;
        if let Some(expected) = manner.expected_version
            && model.version != Some(expected)
        {
            return Err(other_version(&model, &format!("expected version {expected}")));
        }
        let after = after(&model, &manner, given)?;
        let changed = changes(&stored(&model), &after);
        if manner.dry_run {
            let (dry_run, version) = (Some(true), model.version);
            return Ok(Output { changed, dry_run, version, ..Output::default() });
        }
        if changed.is_empty() && !manner.refresh {
            return Ok(Output { model: Some(model), ..Output::default() });
        }
        let now = cx.read_model(id).await?;
        if is_another(&model, &now) {
            return Err(other_version(&now, "it was changed by somebody else meanwhile"));
        }
        let mut definition = after;
        if manner.refresh {
            definition.insert("refresh".to_owned(), true.into());
        }
        let answer = cx.client().update_model(id, &definition, cx.call_options()).await;
        let answer = answer.map_err(|error| explained(error.into(), &changed, &definition))?;
        let settled = cx.settle(answer).await;
        let settled = settled.map_err(|error| explained(error, &changed, &definition))?;
        let (model, job, next) = (settled.data, settled.job, settled.next);
        Ok(Output { model, job, changed, next, ..Output::default() })
    }
}

/// Reads the manner, and checks what is given as far as a schema cannot, each by its place.
fn read(mut arguments: Map<String, Value>) -> Result<Args, ToolError> {
    let mut manner = Map::new();
    for name in ["model_id", "clear", "dry_run", "expected_version", "replace", "refresh"] {
        if let Some(value) = arguments.shift_remove(name) {
            manner.insert(name.to_owned(), value);
        }
    }
    let manner: Manner = arguments::read(manner)?;
    for name in manner.clear.iter().map(|property| property.name()) {
        if arguments.contains_key(&name) {
            let message =
                format!("clear: expected properties that are not given, got \"{name}\" as well.");
            return Err(ToolError::invalid_argument("clear", message));
        }
    }
    let mut whole = arguments.clone();
    for (name, stand_in) in [
        ("connection_id", json!(uuid::Uuid::nil())),
        ("name", json!("")),
        ("configuration", json!({})),
    ] {
        if manner.replace && !whole.contains_key(name) {
            let message = format!(
                "{name}: expected a value, since `replace` keeps none of connection_id, name and \
                 configuration, got nothing."
            );
            return Err(ToolError::invalid_argument(name, message));
        }
        whole.entry(name).or_insert(stand_in);
    }
    let read: NewModel = arguments::read(whole)?;
    let Value::Object(mut given) = json!(read) else { return Err(ToolError::internal()) };
    given.retain(|name, _| arguments.contains_key(name));
    Ok(Args { manner, given })
}

/// The definition that is to be written.
fn after(
    model: &Model,
    manner: &Manner,
    given: Map<String, Value>,
) -> Result<Map<String, Value>, ToolError> {
    if manner.replace {
        return Ok(given);
    }
    let cleared: Vec<String> = manner.clear.iter().map(|property| property.name()).collect();
    let names =
        |name: &str| given.contains_key(name) || cleared.iter().any(|cleared| cleared == name);
    let is_written = manner.refresh || !given.is_empty() || !cleared.is_empty();
    if !names("labels") && model.label_words().is_none() && is_written {
        return Err(ToolError::new(
            Code::InvalidArgument,
            "The model's labels cannot be read back as words; saving it would lose them.",
            "Give `labels` as the words they should be, or name them in `clear` to drop them.",
        )
        .with_detail("labels", model.labels.clone()));
    }
    let mut definition = model.request();
    definition.retain(|name, _| !cleared.contains(name));
    for (name, value) in given {
        definition.insert(name, value);
    }
    Ok(definition)
}

/// The model as a request, with labels that a request could not hold as the API shows them.
fn stored(model: &Model) -> Map<String, Value> {
    let mut stored = model.request();
    if model.label_words().is_none() {
        stored.insert("labels".to_owned(), json!(model.labels));
    }
    stored
}

/// Whether a model was saved between two readings. The API may leave the version out.
fn is_another(before: &Model, now: &Model) -> bool {
    match (before.version, now.version) {
        (None, None) => before.updated_at != now.updated_at || stored(before) != stored(now),
        (before, now) => before != now,
    }
}

/// The properties that differ, an empty one being the same as none.
fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let filled = |map: &Map<String, Value>, name: &str| {
        map.get(name).filter(|value| *value != &json!([]) && *value != &json!("")).cloned()
    };
    let added = after.keys().filter(|name| !before.contains_key(*name));
    before
        .keys()
        .chain(added)
        .map(|name| Change {
            property: name.clone(),
            before: filled(before, name),
            after: filled(after, name),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

fn other_version(model: &Model, why: &str) -> ToolError {
    let version =
        model.version.map_or("no version".to_owned(), |version| format!("version {version}"));
    ToolError::new(
        Code::Conflict,
        format!("The model has {version}: {why}. Nothing was written."),
        "Call get_model for the present state, then update_model with its version as `expected_version`.",
    )
    .with_outcome(Outcome::NotSent)
}

/// What a model reads decides which names its other properties may hold.
fn explained(error: ToolError, changed: &[Change], definition: &Map<String, Value>) -> ToolError {
    let changes = |name: &str| changed.iter().any(|change| change.property == name);
    let source = changes("configuration") || changes("connection_id");
    // In the background the same refusal is a job's.
    let details = match error.code {
        Code::InvalidArgument => "message",
        Code::JobFailed => "error",
        _ => return error,
    };
    if source && definition.contains_key("fields") && !changes("fields") {
        return error.with_hint(format!(
            "Read details.{details}. If the new source lacks names that were kept, give `fields`, \
             `identifier` and `tracking_columns` anew, or name them in `clear`."
        ));
    }
    error
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manner(clear: Vec<Clearable>) -> Manner {
        let model_id = ModelId(uuid::Uuid::nil());
        Manner {
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
        /// A model as the API may answer it.
        fn model()(
            configuration in map(), enrichment in map(), found in texts(), added in texts(),
            tracking in texts(), labels in texts(), policies in texts(),
            identifier in prop::option::of("[a-z]{0,4}"), has_enricher in any::<bool>(),
            from in texts(), unheard_of in anything(),
        ) -> Value {
            let id = "248df4b7-aa70-47b8-a036-33ac447e668d";
            let found = found.iter().map(|name| json!({"name": name, "type": "string", "user_added": false, "x": unheard_of}));
            let added = added.iter().map(|name| json!({"name": name, "label": name, "type": "number", "example": "7", "user_added": true}));
            let fields: Vec<Value> = found.chain(added).collect();
            let relations: Vec<Value> = from.iter().map(|from| json!({"from": from, "to": {"model_id": id, "field": "id"}, "more": unheard_of})).collect();
            json!({
                "id": id, "name": "Users", "connection_id": id, "organization_id": id, "version": 3,
                "configuration": configuration, "fields": fields, "identifier": identifier,
                "tracking_columns": tracking, "policies": policies, "relations": relations,
                "labels": labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
                "enricher": has_enricher.then(|| json!({
                    "connection_id": id, "enricher_id": id, "configuration": enrichment,
                    "mappings": {"email": "email"}, "fields": [{"name": "phone", "odd": true}],
                })),
                "unheard_of": unheard_of,
            })
        }
    }

    proptest! {
        #[test]
        fn what_is_not_named_is_written_as_it_was_read(
            stored in model(),
            clear in prop::sample::subsequence(CLEARABLE.to_vec(), 0..3),
            name in prop::option::of("[a-z]{1,9}"),
            tracking in prop::option::of(texts()),
        ) {
            let model: Model = serde_json::from_value(stored.clone()).unwrap();
            let mut given = Map::new();
            given.extend(name.map(|name| ("name".to_owned(), json!(name))));
            if !clear.contains(&Clearable::TrackingColumns) {
                given.extend(tracking.map(|t| ("tracking_columns".to_owned(), json!(t))));
            }
            let manner = manner(clear);
            let written = after(&model, &manner, given.clone()).unwrap();
            let names = |part: &str| -> Vec<Value> {
                let list = stored[part].as_array().cloned().unwrap_or_default();
                list.iter().map(|item| item["name"].clone()).collect()
            };
            let added = |yes: bool| -> Vec<Value> {
                stored["fields"].as_array().unwrap().iter().filter(|f| f["user_added"] == yes).cloned().collect()
            };
            let declared: Vec<Value> = added(true).iter().map(|f| {
                json!({"name": f["name"], "label": f["label"], "type": f["type"], "example": f["example"]})
            }).collect();
            let found: Vec<Value> = added(false).iter().map(|f| f["name"].clone()).collect();
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
                let expected = if let Some(value) = given.get(property) {
                    Some(value.clone())
                } else if is_empty || manner.clear.iter().any(|c| c.name() == property) {
                    None
                } else {
                    Some(as_read)
                };
                prop_assert_eq!(written.get(property), expected.as_ref(), "{}", property);
            }
            // And nothing is written that a request cannot hold.
            prop_assert_eq!(written.get("unheard_of"), None);
            // What is named alone is told as changed.
            for change in changes(&model.request(), &written) {
                let named = given.contains_key(&change.property)
                    || manner.clear.iter().any(|c| c.name() == change.property);
                prop_assert!(named, "{change:?}");
            }
        }
    }

    #[test]
    fn labels_that_cannot_be_read_have_to_be_named() {
        let model = |labels: Value| -> Model {
            serde_json::from_value(json!({"name": "a", "labels": labels})).unwrap()
        };
        let given = |value: Value| value.as_object().cloned().unwrap();
        let odd = model(json!([{"key": "value"}]));
        let change = given(json!({"name": "b"}));
        let error = after(&odd, &manner(vec![]), change.clone()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(after(&odd, &manner(vec![]), Map::new()).is_ok(), "nothing changes");
        assert!(after(&odd, &manner(vec![Clearable::Labels]), change.clone()).is_ok());
        assert!(after(&odd, &manner(vec![]), given(json!({"name": "b", "labels": ["x"]}))).is_ok());
        for readable in [json!(null), json!([]), json!(["x"]), json!([{"label": "x"}])] {
            assert!(after(&model(readable), &manner(vec![]), change.clone()).is_ok());
        }
    }
}
