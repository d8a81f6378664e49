//! Models: what is sent to create and preview one, and what the API answers.
//!
//! Source: API reference "Create Model", "Get Model", "List Models", 2025-09-18. Answers differ from
//! requests: `fields` come back resolved, `labels` as objects of an undocumented shape (gap G8).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use super::{ConnectionId, ModelId};

/// A model to be saved or previewed.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "connection_id is described by its type")]
pub struct NewModel {
    pub connection_id: ConnectionId,
    /// Display name, 1 to 255 characters, e.g. `Users`. Need not be unique.
    // Read leniently, since a preview needs no name (gap G11); the schema says who must give it.
    #[serde(default)]
    #[schemars(!default, length(min = 1, max = 255))]
    pub name: String,
    /// What to read, in the terms of the connection type: on a database exactly one of `table`, `view`,
    /// `query`, e.g. `{"table": "public.users"}`. `get_model_source` tells what a connection takes.
    pub configuration: Map<String, Value>,
    /// Fields declared by you on top of those found in the source.
    #[serde(default)]
    pub additional_fields: Option<Vec<AdditionalField>>,
    /// Adds data from a connection that can enrich, e.g. Apollo.
    #[serde(default)]
    pub enricher: Option<NewEnricher>,
    /// Names of the source fields to expose, e.g. `["id", "email"]`; all when left out or empty.
    #[serde(default)]
    pub fields: Option<Vec<String>>,
    /// Name of the field that tells records apart, e.g. `id`.
    #[serde(default)]
    pub identifier: Option<String>,
    /// Labels as plain words, e.g. `["crm"]`.
    #[serde(default)]
    pub labels: Option<Vec<String>>,
    /// Owning organization as a UUID, e.g.
    /// `7f3c2a10-5b1e-4e0a-9c55-1d2f3a4b5c6d`; only for keys that span organizations.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// Ids of permission policies (UUIDs), e.g. `["9f0e1c2b-3a4d-4e5f-8a6b-7c8d9e0f1a2b"]`.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
    /// Joins to other models.
    #[serde(default)]
    pub relations: Option<Vec<NewRelation>>,
    /// Columns that reveal changed rows, e.g. `["updated_at"]`.
    #[serde(default)]
    pub tracking_columns: Option<Vec<String>>,
}

/// A field declared by the caller.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdditionalField {
    /// Name in the source record, e.g. `score`.
    pub name: String,
    /// Display label, e.g. `Score`.
    pub label: String,
    /// One of string, number, boolean, datetime, array, object, binary, unknown, e.g. `number`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Sample value as text, e.g. `42`.
    #[serde(default)]
    pub example: Option<String>,
}

/// Extra data from an enrichment connection, as sent.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "connection_id is described by its type")]
pub struct NewEnricher {
    pub connection_id: ConnectionId,
    /// What to look up, e.g. `{"object": "people"}`.
    #[serde(default)]
    pub configuration: Option<Map<String, Value>>,
    /// Field of this model to input of the enricher, e.g. `{"work_email": "email"}`.
    #[serde(default)]
    pub mappings: Option<BTreeMap<String, String>>,
    /// Field objects to enable, e.g. `[{"name": "phone_number"}]`; all when left out.
    #[serde(default)]
    pub fields: Option<Vec<Map<String, Value>>>,
    /// UUID of the enrichment to change, e.g.
    /// `3d2b1a0f-9e8d-4c7b-a6f5-e4d3c2b1a09f`; a new one is added when left out.
    #[serde(default)]
    pub enricher_id: Option<String>,
}

/// A join from this model to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelation {
    /// Field of this model, e.g. `company_id`.
    pub from: String,
    /// Where it points: model and field.
    pub to: NewRelationTo,
}

/// The far end of a join.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "model_id is described by its type")]
pub struct NewRelationTo {
    pub model_id: ModelId,
    /// Field of that model, e.g. `id`.
    pub field: String,
}

/// A model as the API answers it. Every property may be missing.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Model {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub version: Option<i64>,
    pub organization_id: Option<String>,
    pub connection_id: Option<String>,
    pub configuration: Option<Map<String, Value>>,
    pub identifier: Option<String>,
    #[schemars(with = "Option<Vec<Map<String, Value>>>")]
    pub fields: Option<Vec<Field>>,
    pub tracking_columns: Option<Vec<String>>,
    #[schemars(with = "Option<Vec<Map<String, Value>>>")]
    pub relations: Option<Vec<Relation>>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub enricher: Option<Enricher>,
    /// Objects of an undocumented shape (gap G8).
    #[schemars(skip)]
    pub labels: Option<Vec<Value>>,
    pub policies: Option<Vec<String>>,
    pub created_at: Option<String>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub created_by: Option<Actor>,
    pub updated_at: Option<String>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub updated_by: Option<Actor>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

impl Model {
    /// What would have to be sent to make the same model: of the fields the names, those declared by a
    /// caller apart, the rest as it is. None where the answer lacks what a request needs.
    ///
    /// Labels come back as objects of an undocumented shape; they are taken over where each has a
    /// `name` or `label`, and else left out (gap G8).
    ///
    /// Source: contract section 3.5.
    #[must_use]
    pub fn definition(&self) -> Option<NewModel> {
        let id = |text: &str| Uuid::parse_str(text).ok();
        let fields = self.fields.iter().flatten();
        let (added, found): (Vec<&Field>, Vec<&Field>) =
            fields.partition(|field| field.user_added == Some(true));
        let additional = |field: &&Field| {
            let name = field.name.clone()?;
            Some(AdditionalField {
                label: field.label.clone().unwrap_or_else(|| name.clone()),
                name,
                kind: field.kind.clone()?,
                example: field.example.as_ref().and_then(Value::as_str).map(str::to_owned),
            })
        };
        let relation = |relation: &Relation| {
            let to = relation.to.as_ref()?;
            let model_id = ModelId(id(to.model_id.as_deref()?)?);
            let to = NewRelationTo { model_id, field: to.field.clone()? };
            Some(NewRelation { from: relation.from.clone()?, to })
        };
        Some(NewModel {
            connection_id: ConnectionId(id(self.connection_id.as_deref()?)?),
            name: self.name.clone()?,
            configuration: self.configuration.clone()?,
            additional_fields: filled(added.iter().filter_map(additional).collect()),
            enricher: self.enricher.as_ref().and_then(Enricher::definition),
            fields: filled(found.iter().filter_map(|field| field.name.clone()).collect()),
            identifier: self.identifier.clone().filter(|name| !name.is_empty()),
            labels: self.label_words(),
            organization_id: self.organization_id.clone(),
            policies: self.policies.clone(),
            relations: filled(self.relations.iter().flatten().filter_map(relation).collect()),
            tracking_columns: self.tracking_columns.clone(),
        })
    }

    /// The labels as the words that requests take; none where one of them has no word.
    fn label_words(&self) -> Option<Vec<String>> {
        let word = |label: &Value| {
            let named = label.get("name").or_else(|| label.get("label")).unwrap_or(label);
            named.as_str().map(str::to_owned)
        };
        self.labels.as_ref()?.iter().map(word).collect()
    }
}

impl Enricher {
    fn definition(&self) -> Option<NewEnricher> {
        let text =
            |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        let name = |field: &Field| {
            let name = Value::String(field.name.clone()?);
            Some(Map::from_iter([("name".to_owned(), name)]))
        };
        let fields = self.fields.iter().flatten().filter_map(name).collect();
        Some(NewEnricher {
            connection_id: ConnectionId(Uuid::parse_str(self.connection_id.as_deref()?).ok()?),
            configuration: self.configuration.clone(),
            mappings: self.mappings.as_ref().map(|map| map.iter().filter_map(text).collect()),
            fields: filled(fields),
            enricher_id: self.enricher_id.clone(),
        })
    }
}

fn filled<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// One field of a model or of a source.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Field {
    pub id: Option<String>,
    pub name: Option<String>,
    pub label: Option<String>,
    pub description: Option<String>,
    /// Polytomic's type, e.g. `string`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The source's own type, e.g. `varchar`.
    pub remote_type: Option<String>,
    pub unique: Option<bool>,
    /// Whether it was declared as an additional field.
    pub user_added: Option<bool>,
    /// A sample value of any type.
    #[schemars(skip)]
    pub example: Option<Value>,
    pub created_at: Option<String>,
    pub created_by: Option<Actor>,
    pub updated_at: Option<String>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// A join as answered.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Relation {
    pub from: Option<String>,
    pub to: Option<RelationTo>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// The far end of a join as answered.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct RelationTo {
    pub model_id: Option<String>,
    pub field: Option<String>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// An enrichment as answered.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Enricher {
    pub connection_id: Option<String>,
    pub configuration: Option<Map<String, Value>>,
    pub mappings: Option<Map<String, Value>>,
    pub fields: Option<Vec<Field>>,
    pub enricher_id: Option<String>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// Who did something: a user, the system, an organization or a partner.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct Actor {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Properties the contract does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// What a preview comes back as: the reference speaks of fields, its schema of a model (gaps G7, G11).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Preview {
    /// The fields alone.
    Fields(Vec<Field>),
    /// The model as it would be.
    Model(Box<Model>),
}

impl Preview {
    /// Model or fields, each in its place.
    #[must_use]
    pub fn split(self) -> (Option<Model>, Option<Vec<Field>>) {
        match self {
            Self::Fields(fields) => (None, Some(fields)),
            Self::Model(model) => (Some(*model), None),
        }
    }
}

/// One page of models.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelPage {
    /// Newest change first, at most 50.
    pub models: Vec<Model>,
    /// Opaque; absent on the last page, and where the API does not page at all (gap G10).
    pub next_page_token: Option<String>,
}
