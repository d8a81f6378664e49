//! The request body of creating, previewing and updating a model, and its validation without the data.

use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{missing, read_object, validate_name};
use crate::sandbox::models::configuration::Configuration;
use crate::sandbox::models::enricher::EnricherRequest;
use crate::sandbox::models::model::{AdditionalField, FIELD_TYPES, Relation};
use crate::sandbox::sources::Selection;

/// The body of create, preview and update, before validation.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct ModelBody {
    connection_id: Option<Uuid>,
    name: Option<String>,
    configuration: Option<Configuration>,
    organization_id: Option<Uuid>,
    identifier: Option<String>,
    fields: Option<Vec<String>>,
    additional_fields: Option<Vec<AdditionalField>>,
    tracking_columns: Option<Vec<String>>,
    relations: Option<Vec<Relation>>,
    enricher: Option<EnricherRequest>,
    labels: Option<Vec<String>>,
    policies: Option<Vec<String>>,
}

impl<S: Sync> FromRequest<S> for ModelBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        /// The part of a body whose text is kept.
        #[derive(Deserialize)]
        struct Exact {
            configuration: Option<Configuration>,
        }

        let (mut body, text): (Self, Vec<u8>) = read_object(request).await?;
        // An error, as of a property that comes twice, leaves what was read.
        if let Ok(Exact { configuration }) = serde_json::from_slice(&text) {
            body.configuration = configuration;
        }
        Ok(body)
    }
}

/// A validated body.
#[derive(Debug)]
pub(in crate::sandbox) struct ModelRequest {
    pub(in crate::sandbox) connection_id: Uuid,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) configuration: Configuration,
    pub(in crate::sandbox) selection: Selection,
    pub(in crate::sandbox) identifier: Option<String>,
    /// Empty for all fields.
    pub(in crate::sandbox) fields: Vec<String>,
    pub(in crate::sandbox) additional_fields: Vec<AdditionalField>,
    pub(in crate::sandbox) tracking_columns: Option<Vec<String>>,
    pub(in crate::sandbox) relations: Option<Vec<Relation>>,
    pub(in crate::sandbox) enricher: Option<EnricherRequest>,
    pub(in crate::sandbox) labels: Option<Vec<String>>,
    pub(in crate::sandbox) policies: Option<Vec<String>>,
}

impl ModelBody {
    /// # Errors
    /// 400 for what is invalid whatever the data, 404 for an unknown connection.
    pub(in crate::sandbox) fn validate(self, caller: Caller) -> Result<ModelRequest, ApiError> {
        caller.check_organization(self.organization_id)?;
        let name = validate_name(self.name)?;
        let connection_id = self
            .connection_id
            .ok_or_else(|| missing("connection_id", "the UUID of a connection"))?;
        let configuration = self
            .configuration
            .ok_or_else(|| missing("configuration", "an object with table, view or query"))?;
        let selection = configuration.selection()?;
        let additional_fields = self.additional_fields.unwrap_or_default();
        for (index, field) in additional_fields.iter().enumerate() {
            validate_additional_field(index, field, &additional_fields)?;
        }
        Ok(ModelRequest {
            connection_id,
            name,
            configuration,
            selection,
            identifier: self.identifier.filter(|identifier| !identifier.is_empty()),
            fields: self.fields.unwrap_or_default(),
            additional_fields,
            tracking_columns: self.tracking_columns,
            relations: self.relations,
            enricher: self.enricher,
            labels: self.labels,
            policies: self.policies,
        })
    }

    /// Sets a default name: a preview needs none.
    pub(in crate::sandbox) fn with_default_name(mut self, name: &str) -> Self {
        self.name.get_or_insert_with(|| name.to_owned());
        self
    }
}

fn validate_additional_field(
    index: usize,
    field: &AdditionalField,
    all: &[AdditionalField],
) -> Result<(), ApiError> {
    if field.name.is_empty() {
        return Err(ApiError::invalid(format!(
            "additional_fields[{index}].name: must not be empty."
        )));
    }
    if !FIELD_TYPES.contains(&field.r#type.as_str()) {
        return Err(ApiError::invalid(format!(
            "additional_fields[{index}].type: expected one of {}.",
            FIELD_TYPES.join(", ")
        )));
    }
    if all.iter().take(index).any(|earlier| earlier.name == field.name) {
        return Err(ApiError::invalid(format!(
            "additional_fields[{index}].name: duplicate field \"{}\".",
            field.name
        )));
    }
    Ok(())
}
