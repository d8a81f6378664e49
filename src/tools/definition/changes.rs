//! What an update changes: the definition of the model with the passed properties, compared with the stored one.
//!
//! Source: contract section 3.5. Labels are returned as objects of an undocumented shape; if they cannot be read,
//! the update has to name them (gap G8).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::secrets::{
    keep_secrets_of, mask_property_of, refuse_emptied_secrets, refuse_moved_secrets,
};
use crate::polytomic::{Enricher, Model, is_same_value};
use crate::registry::{ErrorCode, ObjectKind, ToolError, listed_names};

/// Properties whose order means nothing.
pub(super) const SETS: [&str; 3] = ["labels", "policies", "tracking_columns"];

/// Properties whose members are definitions: one that is not passed again is lost. The `fields` of a sync are as well; those
/// of a model are names.
const DEFINITIONS: [&str; 5] =
    ["additional_fields", "relations", "fields", "override_fields", "overrides"];
/// Properties of a sync with such a list inside.
const WITH_DEFINITIONS: [(&str, &str); 3] =
    [("identities", "mappings"), ("model_filters", "conditions"), ("target_filters", "conditions")];

/// What an update asks for.
#[derive(Debug, Default)]
pub(in crate::tools) struct Patch {
    /// The passed properties, in the shape of the API.
    pub(in crate::tools) properties: Map<String, Value>,
    /// Names of the properties to clear.
    pub(in crate::tools) cleared: Vec<String>,
    /// Whether properties that are not passed are dropped.
    pub(in crate::tools) replaces: bool,
    /// Whether the model is written even if nothing changes.
    pub(in crate::tools) refreshes: bool,
}

impl Patch {
    /// Whether the update decides about a property, rather than keeping it.
    pub(in crate::tools) fn names(&self, property: &str) -> bool {
        self.replaces
            || self.properties.contains_key(property)
            || self.cleared.iter().any(|cleared| cleared == property)
    }
}

/// A changed property; `before` or `after` is absent if it is empty.
#[skip_serializing_none]
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(in crate::tools) struct Change {
    pub(in crate::tools) property: String,
    #[schemars(skip)]
    before: Option<Value>,
    #[schemars(skip)]
    after: Option<Value>,
}

impl Change {
    /// Whether the property is empty afterwards, or lacks definitions that it had.
    pub(in crate::tools) fn is_loss(&self) -> bool {
        self.after.is_none() || !self.lost_and_kept().0.is_empty()
    }

    /// Whether the property has other values afterwards, besides what it loses.
    pub(in crate::tools) fn has_other_values(&self) -> bool {
        let kept = self.lost_and_kept().1;
        match &self.after {
            Some(Value::Array(after)) if self.is_loss() => !after.iter().eq(kept),
            after => after.is_some(),
        }
    }

    /// The definitions in the list that it lacks afterwards, and the others.
    fn lost_and_kept(&self) -> (Vec<&Value>, Vec<&Value>) {
        let (Some(before), Some(after)) =
            (self.definitions(self.before.as_ref()), self.definitions(self.after.as_ref()))
        else {
            return Default::default();
        };
        if self.property == "fields" && !before.iter().all(Value::is_object) {
            return Default::default();
        }
        // Several relations may begin at the same field.
        let mut names_left: Vec<Option<&str>> = after.iter().map(name_of).collect();
        before.iter().partition(|item| {
            let position = names_left.iter().position(|name| *name == name_of(item));
            position.map(|position| names_left.swap_remove(position)).is_none()
        })
    }

    /// The list of definitions in a value of the property.
    fn definitions<'a>(&self, value: Option<&'a Value>) -> Option<&'a Vec<Value>> {
        let property = self.property.as_str();
        let inner = WITH_DEFINITIONS.iter().find(|(name, _)| *name == property);
        match (value?, inner) {
            (Value::Array(list), None) if DEFINITIONS.contains(&property) => Some(list),
            (Value::Object(object), Some((_, list))) => object.get(*list)?.as_array(),
            _ => None,
        }
    }

    /// The property with what is lost, for a person: its text or the names in it, if it has any.
    pub(in crate::tools) fn describe_loss(&self) -> String {
        if self.property == "fields" && self.after.is_none() {
            return "the selection of fields (all columns are exposed)".to_owned();
        }
        let lost = self.lost_and_kept().0;
        let names: Option<Vec<&str>> = match &self.before {
            _ if !lost.is_empty() => lost.into_iter().map(name_of).collect(),
            Some(Value::String(text)) => Some(vec![text]),
            Some(Value::Array(items)) => items.iter().map(name_of).collect(),
            _ => None,
        };
        match names {
            Some(names) => format!("{} ({})", self.property, listed_names(names.into_iter())),
            None => self.property.clone(),
        }
    }

    fn without_secrets(mut self, kind: ObjectKind) -> Self {
        for value in [&mut self.before, &mut self.after].into_iter().flatten() {
            mask_property_of(kind, &self.property, value);
        }
        self
    }
}

/// How a person calls a member of a list.
fn name_of(item: &Value) -> Option<&str> {
    let name = ["name", "label", "from", "target", "field_id", "field"]
        .iter()
        .find_map(|key| item.get(*key)?.as_str());
    let source = || item.get("source")?.get("field")?.as_str();
    item.as_str().or(name).or_else(source)
}

/// The request for a model with the changes of an update. Secrets that a new configuration does not name stay; none goes to
/// another connection.
///
/// # Errors
/// `invalid_argument` if labels would be lost, a secret erased by an empty value, or sent to another connection.
pub(in crate::tools) fn apply(
    model: &Model,
    patch: &Patch,
) -> Result<Map<String, Value>, ToolError> {
    let is_written = patch.refreshes || !patch.properties.is_empty() || !patch.cleared.is_empty();
    if !patch.names("labels") && model.label_names().is_none() && is_written {
        return Err(ToolError::new(
            ErrorCode::InvalidArgument,
            "The model's labels cannot be read as text; updating the model would drop them.",
            "Pass `labels` as a list of texts, or name it in `clear` to drop them.",
        )
        .with_detail("labels", model.labels.clone()));
    }
    let stored = model.request();
    let comparable = comparable(model);
    if !patch.names("configuration") && !has_stored_connection(patch, model) {
        refuse_moved_secrets(&stored)?;
    }
    patched(&stored, &comparable, patch, |name, value| {
        if name == "enricher" {
            keep_enricher_id(value, model);
        }
        is_for_same_connection(name, value, patch, model)
    })
}

/// A request with the changes of an update. Secrets that a new value does not name stay. `comparable`: the same properties as
/// tools show them. `adapt` completes a passed value, and returns whether it is for the connection that its stored value is for.
///
/// # Errors
/// `invalid_argument` if a secret would be erased by an empty value.
pub(in crate::tools) fn patched(
    stored: &Map<String, Value>,
    comparable: &Map<String, Value>,
    patch: &Patch,
    adapt: impl Fn(&str, &mut Value) -> bool,
) -> Result<Map<String, Value>, ToolError> {
    let mut definition = match patch.replaces {
        true => Map::new(),
        false => stored.clone(),
    };
    definition.retain(|name, _| !patch.cleared.contains(name));
    for (name, value) in &patch.properties {
        let mut value = value.clone();
        let has_same_connection = adapt(name, &mut value);
        if !patch.replaces && has_same_connection {
            refuse_emptied_secrets(name, &value, stored.get(name))?;
            keep_secrets_of(name, &mut value, stored.get(name));
        }
        // What means the same is written as it was read.
        let (stored, comparable) = (stored.get(name), comparable.get(name));
        let value = match stored.filter(|_| is_same(name, &value, stored, comparable)) {
            Some(stored) => stored.clone(),
            None => value,
        };
        definition.insert(name.clone(), value);
    }
    Ok(definition)
}

/// The model's definition as it is, with labels that cannot be read as text in the form of the API.
pub(in crate::tools) fn current_definition(model: &Model) -> Map<String, Value> {
    let mut definition = model.request();
    if model.label_names().is_none() {
        definition.insert("labels".to_owned(), json!(model.labels));
    }
    definition
}

/// The properties that differ; an empty value equals an absent one.
pub(in crate::tools) fn changes(
    kind: ObjectKind,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Vec<Change> {
    differences(before, after)
        .map(|(name, before, after)| Change {
            property: name.clone(),
            before: before.cloned(),
            after: after.cloned(),
        })
        .map(|change| change.without_secrets(kind))
        .collect()
}

/// Whether any property differs.
pub(in crate::tools) fn is_changed(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> bool {
    differences(before, after).next().is_some()
}

/// The properties that differ, by name, with both of their values unless they are empty.
fn differences<'a>(
    before: &'a Map<String, Value>,
    after: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a String, Option<&'a Value>, Option<&'a Value>)> {
    let is_empty = |value: &Value| match value {
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    let non_empty = move |map: &'a Map<String, Value>, name: &str| {
        map.get(name).filter(|value| !is_empty(value))
    };
    let added = after.keys().filter(|name| !before.contains_key(*name));
    before
        .keys()
        .chain(added)
        .map(move |name| (name, non_empty(before, name), non_empty(after, name)))
        .filter(|(_, before, after)| before != after)
}

/// The definition of a model as `get_model` returns it, with the id of its enrichment.
fn comparable(model: &Model) -> Map<String, Value> {
    let mut definition = model.definition().request;
    if let Some(enricher) = definition.get_mut("enricher") {
        keep_enricher_id(enricher, model);
    }
    definition
}

/// Keeps the id of the model's enrichment unless another id or connection is passed: without an id the API adds an
/// enrichment, and a definition has none, so that a copy leaves the original's alone.
fn keep_enricher_id(enricher: &mut Value, model: &Model) {
    let Some(stored) = &model.enricher else { return };
    if let (true, Some(id), Value::Object(enricher)) =
        (has_same_connection(enricher, stored), &stored.enricher_id, enricher)
    {
        enricher.entry("enricher_id").or_insert_with(|| json!(id));
    }
}

/// Whether a passed property is for the connection that its stored value is for.
fn is_for_same_connection(name: &str, passed: &Value, patch: &Patch, model: &Model) -> bool {
    match (name, &model.enricher) {
        ("enricher", Some(stored)) => has_same_connection(passed, stored),
        _ => has_stored_connection(patch, model),
    }
}

/// Whether the model stays with its connection.
fn has_stored_connection(patch: &Patch, model: &Model) -> bool {
    patch.properties.get("connection_id").is_none_or(|connection| {
        let ids = connection.as_str().zip(model.connection_id.as_deref());
        ids.is_some_and(|(passed, stored)| passed.eq_ignore_ascii_case(stored))
    })
}

/// Whether a passed enricher is for the connection of the stored one.
pub(super) fn has_same_connection(passed: &Value, stored: &Enricher) -> bool {
    match (&stored.connection_id, passed.get("connection_id").and_then(Value::as_str)) {
        (Some(stored), Some(passed)) => stored.eq_ignore_ascii_case(passed),
        _ => false,
    }
}

/// Whether a passed value means the same as the stored one.
fn is_same(name: &str, passed: &Value, stored: Option<&Value>, comparable: Option<&Value>) -> bool {
    let set = |value: &Value| -> Option<BTreeSet<String>> {
        value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let is_value = |known: Option<&Value>| known.is_some_and(|known| is_same_value(passed, known));
    is_value(stored)
        || is_value(comparable)
        || SETS.contains(&name) && set(passed).is_some() && set(passed) == stored.and_then(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::MODEL;

    fn patch(properties: Value, cleared: &[&str]) -> Patch {
        Patch {
            properties: properties.as_object().cloned().unwrap(),
            cleared: cleared.iter().map(|name| (*name).to_owned()).collect(),
            ..Patch::default()
        }
    }

    #[test]
    fn labels_that_cannot_be_read_must_be_named() {
        let model = |labels: Value| -> Model {
            serde_json::from_value(json!({"name": "a", "labels": labels})).unwrap()
        };
        let unreadable = model(json!([{"key": "value"}]));
        let renamed = || json!({"name": "b"});
        let error = apply(&unreadable, &patch(renamed(), &[])).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(apply(&unreadable, &patch(json!({}), &[])).is_ok(), "nothing changes");
        assert!(apply(&unreadable, &patch(renamed(), &["labels"])).is_ok());
        let with_labels = json!({"name": "b", "labels": ["x"]});
        assert!(apply(&unreadable, &patch(with_labels, &[])).is_ok());
        for readable in [json!(null), json!([]), json!(["x"]), json!([{"label": "x"}])] {
            assert!(apply(&model(readable), &patch(renamed(), &[])).is_ok());
        }
    }

    #[test]
    fn another_order_of_a_set_is_no_change() {
        let stored = json!({
            "name": "a", "labels": [{"name": "x"}, {"name": "y"}], "policies": ["p", "q"],
            "tracking_columns": ["b", "a"], "fields": [{"name": "f"}, {"name": "g"}],
        });
        let model: Model = serde_json::from_value(stored).unwrap();
        let changed = |properties: Value| -> Vec<String> {
            let written = apply(&model, &patch(properties, &[])).unwrap();
            let changes = changes(MODEL, &current_definition(&model), &written);
            changes.into_iter().map(|change| change.property).collect()
        };
        for (property, value, is_change) in [
            ("labels", json!(["y", "x"]), false),
            ("labels", json!(["y", "x", "x"]), false),
            ("labels", json!(["y", "z"]), true),
            ("labels", json!(["y"]), true),
            ("labels", json!([]), true),
            ("policies", json!(["q", "p"]), false),
            ("policies", json!(["q", "p", "r"]), true),
            ("tracking_columns", json!(["a", "b"]), false),
            ("tracking_columns", json!(["a", "c"]), true),
            ("fields", json!(["g", "f"]), true),
        ] {
            let expected = if is_change { vec![property.to_owned()] } else { Vec::new() };
            assert_eq!(changed(json!({property: value})), expected, "{property}: {value}");
        }
    }

    #[test]
    fn an_enrichment_keeps_its_id_unless_another_connection_is_passed() {
        let [first, second] =
            ["248df4b7-aa70-47b8-a036-33ac447e668d", "00000000-0000-4000-8000-000000000000"];
        let enricher = json!({"connection_id": first, "enricher_id": second, "odd": 1});
        let model: Model =
            serde_json::from_value(json!({"name": "a", "enricher": enricher})).unwrap();
        for (label, passed, expected) in [
            ("the same", json!({"connection_id": first}), enricher.clone()),
            (
                "another configuration",
                json!({"connection_id": first, "configuration": {"object": "people"}}),
                json!({"connection_id": first, "configuration": {"object": "people"}, "enricher_id": second}),
            ),
            (
                "another connection",
                json!({"connection_id": second}),
                json!({"connection_id": second}),
            ),
            (
                "another id",
                json!({"connection_id": first, "enricher_id": first}),
                json!({"connection_id": first, "enricher_id": first}),
            ),
        ] {
            let written = apply(&model, &patch(json!({"enricher": passed}), &[])).unwrap();
            assert_eq!(written["enricher"], expected, "{label}");
        }
    }

    #[test]
    fn a_definition_names_what_it_cannot_express() {
        let id = "248df4b7-aa70-47b8-a036-33ac447e668d";
        let complete = json!({
            "connection_id": id, "name": "Users", "configuration": {"table": "t"},
            "fields": [{"name": "score", "label": "Score", "type": "number", "user_added": true}],
        });
        for (pointer, value, omitted, lost) in [
            ("/labels", json!([{"key": "value"}]), "labels", "/labels"),
            ("/fields/0/example", json!(7), "examples", "/additional_fields/0/example"),
            ("/fields/0/name", json!(null), "additional fields", "/additional_fields"),
            ("/relations", json!([{"from": "a"}]), "relations", "/relations"),
            ("/enricher", json!({"enricher_id": id}), "enricher", "/enricher"),
            (
                "/enricher",
                json!({"connection_id": id, "mappings": {"email": null}}),
                "mappings",
                "/enricher/mappings/email",
            ),
            ("/name", json!(null), "name", "/name"),
        ] {
            let mut stored = complete.clone();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            stored.pointer_mut(parent).unwrap()[name] = value;
            let model: Model = serde_json::from_value(stored).unwrap();
            let definition = model.definition();
            assert_eq!(definition.omitted.len(), 1, "{pointer}: {definition:?}");
            assert!(definition.omitted[0].contains(omitted), "{pointer}: {definition:?}");
            assert_eq!(json!(definition.request).pointer(lost), None, "{pointer}");
        }
        let model: Model = serde_json::from_value(complete).unwrap();
        assert_eq!(model.definition().omitted, [""; 0]);
    }
}
