//! Properties of definitions and changes over any model that an API may return: a definition creates the same model, and a
//! change writes what it does not name as it was read.

#![cfg(test)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::changes::{Patch, SETS, apply, changes, current_definition};
use crate::polytomic::{Model, NewModel};
use crate::registry::{MODEL, coerce_and_validate, deserialize, schema};

/// The properties that `clear` takes.
const CLEARABLE: [&str; 8] = [
    "additional_fields",
    "enricher",
    "fields",
    "identifier",
    "labels",
    "policies",
    "relations",
    "tracking_columns",
];

fn patch(properties: Value, cleared: &[&str]) -> Patch {
    Patch {
        properties: properties.as_object().cloned().unwrap(),
        cleared: cleared.iter().map(|name| (*name).to_owned()).collect(),
        ..Patch::default()
    }
}

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
    prop::collection::vec(("[a-z]{1,4}", anything()), 0..4).prop_map(|e| e.into_iter().collect())
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

fn sorted(list: &Value) -> Vec<String> {
    let mut items: Vec<String> =
        list.as_array().into_iter().flatten().map(Value::to_string).collect();
    items.sort();
    items.dedup();
    items
}

/// The model that an API creates from a request, with ids and properties of its own.
fn created(request: &Map<String, Value>) -> Model {
    let mut model = request.clone();
    let mut fields: Vec<Value> = request
        .get("fields")
        .into_iter()
        .flat_map(|names| names.as_array().unwrap())
        .map(|name| json!({"id": "f", "name": name, "type": "string", "user_added": false}))
        .collect();
    for added in model.shift_remove("additional_fields").unwrap_or(json!([])).as_array().unwrap() {
        let mut field = added.clone();
        (field["id"], field["user_added"]) = (json!("f"), json!(true));
        fields.push(field);
    }
    model.insert("fields".to_owned(), fields.into());
    let labels = request.get("labels").into_iter().flat_map(|labels| labels.as_array().unwrap());
    model.insert("labels".to_owned(), labels.map(|name| json!({"id": 1, "name": name})).collect());
    if let Some(enricher) = model.get_mut("enricher") {
        enricher["enricher_id"] = json!("00000000-0000-4000-8000-000000000000");
        for field in enricher["fields"].as_array_mut().into_iter().flatten() {
            (field["id"], field["created_at"]) = (json!("f"), json!("2026-01-01T00:00:00Z"));
        }
    }
    for relation in model.get_mut("relations").into_iter().flat_map(|r| r.as_array_mut().unwrap()) {
        relation["id"] = json!(7);
    }
    serde_json::from_value(model.into()).unwrap()
}

proptest! {
    #[test]
    fn a_definition_creates_the_same_model_and_changes_nothing_about_its_own(stored in model()) {
        let model: Model = serde_json::from_value(stored).unwrap();
        let definition = model.definition();
        prop_assert_eq!(&definition.omitted, &[""; 0]);
        let mut arguments = definition.request.clone();
        coerce_and_validate(&mut arguments, &schema::input::<NewModel>()).unwrap();
        prop_assert_eq!(&arguments, &definition.request, "coerced");
        let request: NewModel = deserialize(arguments).unwrap();
        let Value::Object(request) = json!(request) else { unreachable!() };
        prop_assert_eq!(&request, &definition.request, "read as arguments of create_model");
        prop_assert_eq!(created(&request).definition(), definition.clone());
        for replaces in [false, true] {
            let patch = Patch { replaces, ..patch(definition.request.clone().into(), &[]) };
            let written = apply(&model, &patch).unwrap();
            prop_assert_eq!(changes(MODEL, &current_definition(&model), &written), Vec::new());
        }
    }

    #[test]
    fn properties_that_are_not_named_are_written_as_they_were_read(
        stored in model(),
        clear in prop::sample::subsequence(CLEARABLE.to_vec(), 0..3),
        name in prop::option::of("[a-z]{1,9}"),
        tracking in prop::option::of(texts()),
    ) {
        let model: Model = serde_json::from_value(stored.clone()).unwrap();
        let mut patch = Map::<String, Value>::new();
        patch.extend(name.map(|name| ("name".to_owned(), json!(name))));
        if !clear.contains(&"tracking_columns") {
            patch.extend(tracking.map(|t| ("tracking_columns".to_owned(), json!(t))));
        }
        let written = apply(&model, &self::patch(json!(patch), &clear)).unwrap();
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
            let is_same_set = || SETS.contains(&property) && sorted(&as_read) == sorted(&patch[property]);
            let expected = if patch.contains_key(property) && (is_empty || !is_same_set()) {
                Some(patch[property].clone())
            } else if is_empty || clear.contains(&property) {
                None
            } else {
                Some(as_read)
            };
            prop_assert_eq!(written.get(property), expected.as_ref(), "{}", property);
        }
        // Nothing is written that a request cannot contain.
        prop_assert_eq!(written.get("undocumented"), None);
        // Only named properties are reported as changed.
        for change in changes(MODEL, &model.request(), &written) {
            let is_named = patch.contains_key(&change.property)
                || clear.contains(&change.property.as_str());
            prop_assert!(is_named, "{change:?}");
        }
    }
}
