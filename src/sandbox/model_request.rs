//! The body of creating, previewing and updating a model, and what is checked of it without looking at the data.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::sandbox::account::CONNECTION;
use crate::sandbox::error::ApiError;
use crate::sandbox::model::{AdditionalField, FIELD_TYPES, Relation};
use crate::sandbox::requests::{check_name, missing};
use crate::sandbox::sources::Selection;

/// The body of create, preview and update, as it comes.
#[derive(Debug, Deserialize)]
pub(super) struct ModelBody {
    connection_id: Option<Uuid>,
    name: Option<String>,
    configuration: Option<Map<String, Value>>,
    organization_id: Option<Uuid>,
    identifier: Option<String>,
    fields: Option<Vec<String>>,
    additional_fields: Option<Vec<AdditionalField>>,
    tracking_columns: Option<Vec<String>>,
    relations: Option<Vec<Relation>>,
    enricher: Option<Map<String, Value>>,
    labels: Option<Vec<String>>,
    policies: Option<Vec<String>>,
}

/// The same, checked.
#[derive(Debug)]
pub(super) struct ModelRequest {
    pub(super) connection_id: Uuid,
    pub(super) name: String,
    pub(super) configuration: Map<String, Value>,
    pub(super) selection: Selection,
    pub(super) organization_id: Option<Uuid>,
    pub(super) identifier: Option<String>,
    /// Empty when all are meant.
    pub(super) fields: Vec<String>,
    pub(super) additional_fields: Vec<AdditionalField>,
    pub(super) tracking_columns: Option<Vec<String>>,
    pub(super) relations: Option<Vec<Relation>>,
    pub(super) enricher: Option<Map<String, Value>>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) policies: Option<Vec<String>>,
}

impl ModelBody {
    /// # Errors
    /// 400 for what no data could make right, 404 for a connection that is not there.
    pub(super) fn check(self) -> Result<ModelRequest, ApiError> {
        let name = check_name(self.name)?;
        let connection_id = self
            .connection_id
            .ok_or_else(|| missing("connection_id", "the UUID of a connection"))?;
        if connection_id != CONNECTION {
            return Err(ApiError::unknown("connection", &connection_id.to_string()));
        }
        let configuration = self
            .configuration
            .ok_or_else(|| missing("configuration", "an object with table, view or query"))?;
        let selection = select(&configuration)?;
        let additional_fields = self.additional_fields.unwrap_or_default();
        for (index, field) in additional_fields.iter().enumerate() {
            check_additional(index, field, &additional_fields)?;
        }
        Ok(ModelRequest {
            connection_id,
            name,
            configuration,
            selection,
            organization_id: self.organization_id,
            identifier: self.identifier.filter(|identifier| !identifier.is_empty()),
            fields: self.fields.unwrap_or_default(),
            additional_fields,
            tracking_columns: self.tracking_columns,
            relations: self.relations,
            enricher: self.enricher.map(check_enricher).transpose()?,
            labels: self.labels,
            policies: self.policies,
        })
    }

    /// For a preview, which needs no name.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.name.get_or_insert_with(|| name.to_owned());
        self
    }
}

/// The one of `table`, `view` and `query` that a configuration names.
pub(super) fn select(configuration: &Map<String, Value>) -> Result<Selection, ApiError> {
    let mut selection = None;
    for key in Selection::KEYS {
        let chosen = match configuration.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(chosen)) if chosen.trim().is_empty() => continue,
            Some(Value::String(chosen)) => Selection::new(key, chosen.clone()),
            Some(_) => {
                return Err(ApiError::invalid(format!("configuration.{key}: expected a string.")));
            }
        };
        if selection.replace(chosen).is_some() {
            return Err(ApiError::invalid(
                "configuration: only one of table, view and query can be given, not several.",
            ));
        }
    }
    selection.ok_or_else(|| {
        ApiError::invalid("configuration: exactly one of table, view and query must be given.")
    })
}

fn check_additional(
    index: usize,
    field: &AdditionalField,
    all: &[AdditionalField],
) -> Result<(), ApiError> {
    if field.name.is_empty() {
        return Err(ApiError::invalid(format!("additional_fields[{index}].name: it is empty.")));
    }
    if !FIELD_TYPES.contains(&field.r#type.as_str()) {
        return Err(ApiError::invalid(format!(
            "additional_fields[{index}].type: expected one of {}.",
            FIELD_TYPES.join(", ")
        )));
    }
    if all.iter().take(index).any(|earlier| earlier.name == field.name) {
        return Err(ApiError::invalid(format!(
            "additional_fields[{index}].name: {} is there twice.",
            field.name
        )));
    }
    Ok(())
}

fn check_enricher(mut enricher: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let is_uuid = |value: &Value| value.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok());
    if !enricher.get("connection_id").is_some_and(is_uuid) {
        return Err(ApiError::invalid(
            "enricher.connection_id: expected the UUID of a connection.",
        ));
    }
    match enricher.get("enricher_id") {
        None | Some(Value::Null) => {
            enricher.insert("enricher_id".to_owned(), Uuid::new_v4().to_string().into());
        }
        Some(id) if is_uuid(id) => {}
        Some(_) => return Err(ApiError::invalid("enricher.enricher_id: expected a UUID.")),
    }
    Ok(enricher)
}
