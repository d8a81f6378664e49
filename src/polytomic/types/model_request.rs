//! From a model in a response back to a request: to update it without loss, and to create the same model again.
//!
//! Source: contract section 3.5; labels are returned as objects of an undocumented shape (gap G8), and
//! `configuration` with properties that the API added (gap G22), which stay.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::model::{Enricher, Field, Model, NewModel, Relation};
use crate::polytomic::exact_numbers::{has_number_beyond_doubles, marked_number};

/// Maximum length of a name that [`NewModel`] allows.
const MAX_NAME_CHARACTERS: usize = 255;

/// A model as the properties of a request that creates the same model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definition {
    /// The properties of the request.
    pub request: Map<String, Value>,
    /// What the model has and a request cannot express, as phrases.
    pub omitted: Vec<&'static str>,
    /// What to know about the request where it is not the model as it is, as sentences.
    pub remarks: Vec<&'static str>,
}

impl Definition {
    /// The request as a type; none if the model lacks a property that a request requires.
    #[must_use]
    pub fn new_model(self) -> Option<NewModel> {
        serde_json::from_value(Value::Object(self.request)).ok()
    }
}

impl Model {
    /// The request that updates the model without changing it: the names of the fields found in the source, the
    /// additional fields separately, the other properties unchanged. Labels that cannot be read as text are left
    /// out, see [`Model::label_names`].
    #[must_use]
    pub fn request(&self) -> Map<String, Value> {
        let found: Vec<Value> =
            self.source_fields().filter_map(|field| Some(json!(field.name.as_ref()?))).collect();
        let additional: Vec<Value> =
            self.additional_fields().map(|field| field.declaration()).collect();
        let mut request = Map::new();
        let mut put = |name: &str, value: Value| {
            let is_empty = match &value {
                Value::Array(list) => list.is_empty(),
                Value::String(text) => text.is_empty(),
                value => value.is_null(),
            };
            if !is_empty {
                request.insert(name.to_owned(), value);
            }
        };
        put("connection_id", json!(self.connection_id));
        put("name", json!(self.name));
        put("configuration", json!(self.configuration));
        put("additional_fields", json!(additional));
        put("enricher", json!(self.enricher));
        put("fields", json!(found));
        put("identifier", json!(self.identifier));
        put("labels", json!(self.label_names()));
        put("organization_id", json!(self.organization_id));
        put("policies", json!(self.policies));
        put("relations", json!(self.relations));
        put("tracking_columns", json!(self.tracking_columns));
        request
    }

    /// The request that creates the same model: [`Model::request`] without ids of its parts, whose reuse may
    /// change the parts of this model, and without properties that no request can contain.
    #[must_use]
    pub fn definition(&self) -> Definition {
        let (mut request, mut omitted, mut remarks) = (self.request(), Vec::new(), Vec::new());
        omitted.extend(
            ["connection_id", "name", "configuration"]
                .into_iter()
                .filter(|name| !request.contains_key(*name)),
        );
        if self.label_names().is_none() {
            omitted.push("labels that are not text");
        }
        if self.source_fields().any(|field| field.name.is_none()) {
            omitted.push("fields without a name");
        }
        if self.additional_fields().any(|field| field.name.is_none()) {
            omitted.push("additional fields without a name");
        }
        if self.additional_fields().any(|field| !field.has_text_example()) {
            omitted.push("examples of additional fields that are not text");
        }
        let named = || self.additional_fields().filter(|field| field.name.is_some());
        if named().any(|field| field.label.is_none() || field.kind.is_none()) {
            remarks.push(
                "Additional fields without a label or type got their name and \"unknown\": correct them.",
            );
        }
        if self.name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME_CHARACTERS) {
            remarks
                .push("The name has more than 255 characters, which is too long for a new model.");
        }
        let additional: Vec<Value> = named()
            .map(|field| {
                let mut declaration = field.declaration();
                if field.kind.is_none()
                    && let Value::Object(map) = &mut declaration
                {
                    map.insert("type".to_owned(), "unknown".into());
                }
                declaration
            })
            .collect();
        let stored_relations = self.relations.iter().flatten();
        let relations: Vec<Value> =
            stored_relations.clone().filter_map(Relation::declaration).collect();
        if relations.len() < stored_relations.count() {
            omitted.push("relations without both ends");
        }
        let enricher = self.enricher.as_ref().map(|enricher| enricher.declaration(&mut omitted));
        for (name, value) in [
            ("additional_fields", (!additional.is_empty()).then_some(Value::Array(additional))),
            ("relations", (!relations.is_empty()).then_some(Value::Array(relations))),
            ("enricher", enricher.flatten()),
        ] {
            match value {
                Some(value) => drop(request.insert(name.to_owned(), value)),
                None => drop(request.shift_remove(name)),
            }
        }
        if has_number_beyond_doubles(&json!(request)) {
            remarks.push(
                "Numbers beyond the range of doubles are shown as text: pass them as numbers.",
            );
        }
        Definition { request, omitted, remarks }
    }

    /// The labels as the text that requests take; none if one of them has no text: responses contain objects of
    /// an undocumented shape (gap G8).
    #[must_use]
    pub fn label_names(&self) -> Option<Vec<String>> {
        let name = |label: &Value| {
            let name = label.get("name").or_else(|| label.get("label")).unwrap_or(label);
            name.as_str().map(str::to_owned)
        };
        self.labels.iter().flatten().map(name).collect()
    }

    /// The fields found in the source.
    pub fn source_fields(&self) -> impl Iterator<Item = Cow<'_, Field>> {
        self.fields.iter().flatten().filter(|field| field.user_added != Some(true))
    }

    fn additional_fields(&self) -> impl Iterator<Item = Cow<'_, Field>> {
        self.fields.iter().flatten().filter(|field| field.user_added == Some(true))
    }
}

/// Whether a value is text, and not a number that is kept as text.
fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| marked_number(text).is_none())
}

impl Field {
    /// The field as an item of `additional_fields`.
    fn declaration(&self) -> Value {
        let label = self.label.as_ref().or(self.name.as_ref());
        let example = self.example.as_ref().filter(|example| is_text(example));
        let mut declaration =
            json!({"name": self.name, "label": label, "type": self.kind, "example": example});
        if let Value::Object(map) = &mut declaration {
            map.retain(|_, value| !value.is_null());
        }
        declaration
    }

    fn has_text_example(&self) -> bool {
        self.example.as_ref().is_none_or(|example| example.is_null() || is_text(example))
    }
}

impl Relation {
    /// The relation as an item of `relations`; none if one of its ends is unknown.
    fn declaration(&self) -> Option<Value> {
        let (from, to) = (self.from.as_ref()?, self.to.as_ref()?);
        let model_id = to.model_id.as_ref().filter(|id| Uuid::parse_str(id).is_ok())?;
        let field = to.field.as_ref()?;
        Some(json!({"from": from, "to": {"model_id": model_id, "field": field}}))
    }
}

impl Enricher {
    /// The enrichment as `enricher` without ids of its own; none if its connection is unknown.
    fn declaration(&self, omitted: &mut Vec<&'static str>) -> Option<Value> {
        let connection = self.connection_id.as_ref().filter(|id| Uuid::parse_str(id).is_ok());
        let Some(connection) = connection else {
            omitted.push("an enricher without a connection");
            return None;
        };
        let mut declaration = Map::from_iter([("connection_id".to_owned(), json!(connection))]);
        let mut put = |name: &str, value: Option<Value>| {
            declaration.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("configuration", self.configuration.clone().map(Value::Object));
        let mappings = self.mappings.clone().map(|mut mappings| {
            let total = mappings.len();
            mappings.retain(|_, field| field.is_string());
            if mappings.len() < total {
                omitted.push("mappings of the enricher that are not text");
            }
            Value::Object(mappings)
        });
        put("mappings", mappings);
        let fields = self.fields.as_ref().map(|fields| {
            fields.iter().map(|field| json!(field.without_ids())).collect::<Vec<_>>().into()
        });
        put("fields", fields);
        Some(Value::Object(declaration))
    }
}

impl Field {
    fn without_ids(&self) -> Self {
        let (id, created_at, created_by, updated_at) = (None, None, None, None);
        Self { id, created_at, created_by, updated_at, ..self.clone() }
    }
}
