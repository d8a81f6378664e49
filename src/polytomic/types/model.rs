//! Models: the request that creates or previews one, and the model in responses.
//!
//! Source: API reference "Create Model", "Get Model", "List Models", 2025-09-18. Responses differ
//! from requests: `fields` are resolved, `labels` are objects of an undocumented shape (gap G8).

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use smol_str::SmolStr;

use super::{ConnectionId, ListItem, LongList, ModelId};

/// A model to create or preview.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "connection_id is described by its type")]
pub struct NewModel {
    pub connection_id: ConnectionId,
    /// Display name, e.g. `Users`; need not be unique.
    // Optional here, since a preview needs no name (gap G11); the schema of create_model requires it.
    #[serde(default)]
    #[schemars(!default, length(min = 1, max = 255))]
    pub name: String,
    /// What to read, in the properties that `get_model_source` returns, e.g.
    /// `{"table": "public.users"}`.
    pub configuration: Map<String, Value>,
    /// Fields in addition to those of the source.
    #[serde(default)]
    pub additional_fields: Option<Vec<AdditionalField>>,
    /// Data from an enrichment connection.
    #[serde(default)]
    pub enricher: Option<NewEnricher>,
    /// Source fields to expose, e.g. `["id"]`; default all.
    #[serde(default)]
    pub fields: Option<Vec<String>>,
    /// Field that identifies a record, e.g. `id`.
    #[serde(default)]
    pub identifier: Option<String>,
    /// Labels, e.g. `["crm"]`.
    #[serde(default)]
    pub labels: Option<Vec<String>>,
    /// UUID of the owning organization.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// UUIDs of permission policies.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
    /// Joins to other models.
    #[serde(default)]
    pub relations: Option<Vec<NewRelation>>,
    /// Columns that track changes, e.g. `["updated_at"]`.
    #[serde(default)]
    pub tracking_columns: Option<Vec<String>>,
}

/// A field declared by the caller.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdditionalField {
    /// Name, e.g. `score`.
    pub name: String,
    /// Label, e.g. `Score`.
    pub label: String,
    /// One of string, number, boolean, datetime, array, object, binary or unknown.
    #[serde(rename = "type")]
    pub kind: String,
    /// Sample value, e.g. `"42"`.
    #[serde(default)]
    #[schemars(extend("format" = "may-be-empty"))]
    pub example: Option<String>,
}

/// Data from an enrichment connection, as in a request.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "connection_id is described by its type")]
pub struct NewEnricher {
    pub connection_id: ConnectionId,
    /// What to look up, e.g. `{"object": "people"}`.
    #[serde(default)]
    pub configuration: Option<Map<String, Value>>,
    /// Input by field of the model, e.g. `{"work_email": "email"}`.
    #[serde(default)]
    pub mappings: Option<BTreeMap<String, String>>,
    /// Fields to add, e.g. `[{"name": "phone"}]`; default all.
    #[serde(default)]
    pub fields: Option<Vec<Map<String, Value>>>,
    /// UUID of the enrichment to update; default a new one.
    #[serde(default)]
    pub enricher_id: Option<String>,
}

/// A join from this model to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelation {
    /// Field of this model, e.g. `company_id`.
    pub from: String,
    /// The model it refers to.
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

response_type! {
    /// A model as the API returns it.
    Model {
        id: String,
        name: String,
        kind as "type": SmolStr,
        version: i64,
        organization_id: String,
        connection_id: String,
        configuration: Map<String, Value>,
        identifier: String,
        #[schemars(with = "Option<Vec<Map<String, Value>>>")]
        fields: LongList<Field>,
        tracking_columns: Vec<String>,
        #[schemars(with = "Option<Vec<Map<String, Value>>>")]
        relations: Vec<Relation>,
        #[schemars(with = "Option<Map<String, Value>>")]
        enricher: Enricher,
        /// Objects of an undocumented shape (gap G8).
        #[schemars(skip)]
        labels: Vec<Value>,
        policies: Vec<String>,
        created_at: SmolStr,
        #[schemars(with = "Option<Map<String, Value>>")]
        created_by: Actor,
        updated_at: SmolStr,
        #[schemars(with = "Option<Map<String, Value>>")]
        updated_by: Actor,
    }
}

response_type! {
    /// One field of a model or of a source.
    Field {
        id: String,
        name: SmolStr,
        label: SmolStr,
        description: String,
        /// Polytomic's type, e.g. `string`.
        kind as "type": SmolStr,
        /// The source's own type, e.g. `varchar`.
        remote_type: SmolStr,
        unique: bool,
        /// Whether it is an additional field.
        user_added: bool,
        /// A sample value of any type.
        #[schemars(skip)]
        example: Value,
        created_at: SmolStr,
        created_by: Box<Actor>,
        updated_at: SmolStr,
    }
}

impl ListItem for Field {
    /// More than most models have.
    const PARSED_ITEMS: usize = 64;
}

response_type! {
    /// A join as the API returns it.
    Relation {
        from: String,
        to: RelationTo,
    }
}

response_type! {
    /// The far end of a join as the API returns it.
    RelationTo {
        model_id: String,
        field: String,
    }
}

response_type! {
    /// An enrichment as the API returns it.
    Enricher {
        connection_id: String,
        configuration: Map<String, Value>,
        mappings: Map<String, Value>,
        fields: Vec<Field>,
        enricher_id: String,
    }
}

response_type! {
    /// Who did something: a user, the system, an organization or a partner.
    Actor {
        id: String,
        name: SmolStr,
        kind as "type": SmolStr,
    }
}

/// The result of a preview: the reference describes fields, its schema a model (gaps G7, G11).
#[derive(Debug, Clone, PartialEq)]
pub enum Preview {
    /// Only the fields.
    Fields(LongList<Field>),
    /// The model as it would be.
    Model(Box<Model>),
}

impl Preview {
    /// The model or the fields.
    #[must_use]
    pub fn split(self) -> (Option<Model>, Option<LongList<Field>>) {
        match self {
            Self::Fields(fields) => (None, Some(fields)),
            Self::Model(model) => (Some(*model), None),
        }
    }
}

/// Not derived: an untagged enumeration would keep the whole value in a form of its own before it is read.
impl<'de> Deserialize<'de> for Preview {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PreviewVisitor)
    }
}

struct PreviewVisitor;

impl<'de> Visitor<'de> for PreviewVisitor {
    type Value = Preview;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model or a list of fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, fields: A) -> Result<Preview, A::Error> {
        LongList::deserialize(SeqAccessDeserializer::new(fields)).map(Preview::Fields)
    }

    fn visit_map<A: MapAccess<'de>>(self, model: A) -> Result<Preview, A::Error> {
        let model = Model::deserialize(MapAccessDeserializer::new(model))?;
        Ok(Preview::Model(Box::new(model)))
    }
}
