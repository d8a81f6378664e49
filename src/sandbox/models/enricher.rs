//! The enricher of a model: checking it, and looking up the records of a sample.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::sandbox::accounts::{Actor, Caller};
use crate::sandbox::connections;
use crate::sandbox::connections::enrichment::{self, Object};
use crate::sandbox::http::error::ApiError;
use crate::sandbox::models::model::{Field, Model};
use crate::sandbox::models::names::{check_name, to_label};
use crate::sandbox::seed::SHOP;
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::AppState;

/// Data from an enrichment connection, as it is stored and returned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Enricher {
    pub(in crate::sandbox) connection_id: Uuid,
    #[serde(default)]
    pub(in crate::sandbox) configuration: Map<String, Value>,
    pub(in crate::sandbox) enricher_id: Uuid,
    #[serde(default)]
    pub(in crate::sandbox) fields: Vec<Field>,
    /// Inputs by field of the model.
    #[serde(default)]
    pub(in crate::sandbox) mappings: BTreeMap<String, String>,
}

/// As in a request.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct EnricherRequest {
    connection_id: Uuid,
    configuration: Option<Map<String, Value>>,
    enricher_id: Option<Uuid>,
    fields: Option<Vec<FieldName>>,
    mappings: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct FieldName {
    name: String,
}

/// Resolves the enricher of a model with these fields.
///
/// # Errors
/// 404 for an unknown connection, 400 for one that cannot enrich and for what does not fit its inputs.
pub(in crate::sandbox) async fn resolve(
    app: &Arc<AppState>,
    caller: Caller,
    request: EnricherRequest,
    fields: &[Field],
) -> Result<Enricher, ApiError> {
    let connection_id = request.connection_id.to_string();
    let connection = connections::find(app, caller, &connection_id).await?;
    enrichment::check(&connection).map_err(|error| {
        ApiError::invalid(format!("enricher.connection_id: {}", error.message()))
    })?;
    let configuration = request.configuration.unwrap_or_default();
    let object = Object::find("enricher.configuration", &configuration)?;
    let mappings = request.mappings.unwrap_or_default();
    for (field, input) in &mappings {
        let names = fields.iter().map(|field| field.name.as_str());
        check_name("enricher.mappings", field, names)?;
        let path = format!("enricher.mappings.{field}");
        check_name(&path, input, object.all_inputs().iter().copied())?;
    }
    object.check_inputs("enricher.mappings", |input| {
        mappings.values().any(|mapped| mapped == input)
    })?;
    let names = || object.fields.iter().map(|(name, _)| *name);
    let selected = request.fields.unwrap_or_default();
    for field in &selected {
        check_name("enricher.fields", &field.name, names())?;
    }
    let enricher_id = request.enricher_id.unwrap_or_else(Uuid::new_v4);
    let is_selected =
        |name: &str| selected.is_empty() || selected.iter().any(|field| field.name == name);
    let field = |(name, r#type): &(&str, &str)| Field {
        id: Uuid::new_v5(&enricher_id, name.as_bytes()),
        name: (*name).to_owned(),
        label: to_label(name),
        description: None,
        r#type: (*r#type).to_owned(),
        remote_type: Some((*r#type).to_owned()),
        unique: false,
        user_added: false,
        example: Value::Null,
        created_at: connection.created_at.clone(),
        created_by: Actor::admin(),
        updated_at: connection.created_at.clone(),
    };
    let fields = object.fields.iter().filter(|(name, _)| is_selected(name)).map(field).collect();
    Ok(Enricher { connection_id: connection.id, configuration, enricher_id, fields, mappings })
}

/// Looks up records of a model. Returns the enriched fields of each, null if nothing is known, and warnings.
///
/// # Errors
/// 400 past the deadline. Otherwise an enrichment that fails is a warning.
pub(in crate::sandbox) async fn enrich(
    app: &Arc<AppState>,
    caller: Caller,
    enricher: &Enricher,
    model: &Model,
    records: &[Map<String, Value>],
    limit: &ReadLimit,
) -> Result<(Vec<Map<String, Value>>, Vec<String>), ApiError> {
    let fields = |known: Option<Map<String, Value>>| -> Map<String, Value> {
        let value = |name: &str| known.as_ref().and_then(|known| known.get(name)).cloned();
        let names = enricher.fields.iter().map(|field| field.name.clone());
        names.map(|name| (name.clone(), value(&name).unwrap_or_default())).collect()
    };
    let connection = connections::find(app, caller, &enricher.connection_id.to_string()).await;
    let object = connection.and_then(|connection| {
        enrichment::check(&connection)?;
        let object = Object::find("enricher.configuration", &enricher.configuration)?;
        Ok((connection.name, object))
    });
    let (name, object) = match object {
        Ok(object) => object,
        Err(error) => {
            let warning = format!("The records were not enriched: {}", error.message());
            return Ok((records.iter().map(|_| fields(None)).collect(), vec![warning]));
        }
    };
    let inputs: Vec<Map<String, Value>> = records
        .iter()
        .map(|record| {
            let mapped = enricher.mappings.iter();
            mapped
                .filter_map(|(field, input)| Some((input.clone(), record.get(field)?.clone())))
                .collect()
        })
        .collect();
    let known = object.look_up(&app.sources, SHOP, &inputs, limit).await?;
    let unknown = known.iter().filter(|known| known.is_none()).count();
    let warnings = match unknown {
        0 => Vec::new(),
        _ => vec![format!(
            "{name} knows nothing about {unknown} of {} records of {}; their enriched fields are null.",
            records.len(),
            model.name
        )],
    };
    Ok((known.into_iter().map(fields).collect(), warnings))
}
