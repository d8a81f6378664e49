//! Resolves a validated request to a model: infers its fields from the table, view or query, and checks the
//! names in the request against them.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::accounts::{Actor, Caller};
use crate::sandbox::connections;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::models::enricher;
use crate::sandbox::models::model::{Field, Model, Relation, RelationEnd};
use crate::sandbox::models::names::{check_name, to_label};
use crate::sandbox::models::request::ModelRequest;
use crate::sandbox::sources::{Column, INSPECTED_ROWS, ReadLimit};
use crate::sandbox::state::AppState;
use crate::sandbox::store::{self, Tx, format_time};

/// Resolves a request to the model with this `id`, or to a preview if there is none.
pub(in crate::sandbox) async fn resolve_model(
    app: &Arc<AppState>,
    caller: Caller,
    request: ModelRequest,
    id: Option<Uuid>,
    limit: &ReadLimit,
) -> Result<Model, ApiError> {
    let connection = connections::find(app, caller, &request.connection_id.to_string()).await?;
    let source = app.sources.open(&connection)?;
    let table = source.read(request.selection.clone(), INSPECTED_ROWS, limit).await?;
    let owner = id.unwrap_or(request.connection_id);
    let fields = resolve_fields(&request, &table.columns, owner, &caller.actor())?;
    let identifier = match &request.identifier {
        Some(identifier) => {
            check_name("identifier", identifier, fields.iter().map(|field| field.name.as_str()))?;
            Some(identifier.clone())
        }
        None => default_identifier(&table.columns, &fields),
    };
    for column in request.tracking_columns.iter().flatten() {
        check_name(
            "tracking_columns",
            column,
            table.columns.iter().map(|column| column.name.as_str()),
        )?;
    }
    let enricher = match request.enricher {
        Some(enricher) => {
            let enricher = enricher::resolve(app, caller, enricher, &fields).await?;
            let invalid = |error: serde_json::Error| ApiError::internal(&error);
            serde_json::to_value(enricher).map_err(invalid)?.as_object().cloned()
        }
        None => None,
    };
    let labels = request
        .labels
        .map(|labels| labels.into_iter().map(|label| json!({ "name": label })).collect());
    Ok(Model {
        id,
        name: request.name,
        r#type: connection.r#type,
        version: 1,
        organization_id: caller.organization_id(),
        connection_id: request.connection_id,
        configuration: request.configuration,
        identifier,
        fields,
        tracking_columns: request.tracking_columns,
        relations: request.relations,
        enricher,
        labels,
        policies: request.policies,
        created_at: String::new(),
        created_by: caller.actor(),
        updated_at: String::new(),
        updated_by: caller.actor(),
    })
}

/// Completes a resolved model with what its transaction knows: the time, and whether its relations lead to other models.
pub(in crate::sandbox) fn complete_model(tx: &Tx<'_>, model: &mut Model) -> Result<(), ApiError> {
    for (index, relation) in model.relations.iter().flatten().enumerate() {
        check_relation(tx, index, relation, model)?;
    }
    let now = format_time(tx.now());
    model.created_at.clone_from(&now);
    for field in &mut model.fields {
        field.created_at.clone_from(&now);
        field.updated_at.clone_from(&now);
    }
    model.updated_at = now;
    Ok(())
}

/// The fields of a table, view or query without a model.
pub(in crate::sandbox) fn inferred_fields(
    columns: &[Column],
    owner: Uuid,
    now: &str,
) -> Vec<Field> {
    let field = |column| Field {
        created_at: now.to_owned(),
        updated_at: now.to_owned(),
        ..inferred_field(column, owner, &Actor::admin())
    };
    columns.iter().map(field).collect()
}

fn resolve_fields(
    request: &ModelRequest,
    columns: &[Column],
    owner: Uuid,
    author: &Actor,
) -> Result<Vec<Field>, ApiError> {
    let mut selected: Vec<&Column> = Vec::new();
    for name in &request.fields {
        check_name("fields", name, columns.iter().map(|column| column.name.as_str()))?;
        if selected.iter().any(|column| &column.name == name) {
            return Err(ApiError::invalid(format!("fields: duplicate field \"{name}\".")));
        }
        selected.extend(columns.iter().find(|column| &column.name == name));
    }
    if request.fields.is_empty() {
        selected.extend(columns);
    }
    // A declared field replaces the column of the same name.
    let is_declared =
        |column: &Column| request.additional_fields.iter().any(|field| field.name == column.name);
    let declared = request.additional_fields.iter().map(|field| Field {
        id: field_id(owner, &field.name),
        name: field.name.clone(),
        label: field.label.clone(),
        description: None,
        r#type: field.r#type.clone(),
        remote_type: None,
        unique: false,
        user_added: true,
        example: field.example.clone().unwrap_or(Value::Null),
        created_at: String::new(),
        created_by: author.clone(),
        updated_at: String::new(),
    });
    let inferred = selected.into_iter().filter(|column| !is_declared(column));
    Ok(inferred.map(|column| inferred_field(column, owner, author)).chain(declared).collect())
}

fn inferred_field(column: &Column, owner: Uuid, author: &Actor) -> Field {
    Field {
        id: field_id(owner, &column.name),
        name: column.name.clone(),
        label: to_label(&column.name),
        description: None,
        r#type: column.field_type.to_owned(),
        remote_type: Some(column.remote_type.clone()),
        unique: column.is_unique,
        user_added: false,
        example: column.example.clone(),
        created_at: String::new(),
        created_by: author.clone(),
        updated_at: String::new(),
    }
}

/// Derived from owner and name, so that an update keeps the ids of the fields.
fn field_id(owner: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&owner, name.as_bytes())
}

fn default_identifier(columns: &[Column], fields: &[Field]) -> Option<String> {
    let is_selected = |column: &&Column| fields.iter().any(|field| field.name == column.name);
    // A part of a primary key identifies nothing.
    let is_key = |column: &&Column| column.is_primary_key && column.is_unique;
    let primary = columns.iter().filter(is_key).find(is_selected);
    primary
        .map(|column| column.name.clone())
        .or_else(|| fields.first().map(|field| field.name.clone()))
}

fn check_relation(
    tx: &Tx<'_>,
    index: usize,
    relation: &Relation,
    model: &Model,
) -> Result<(), ApiError> {
    let names = |fields: &[Field]| -> Vec<String> {
        fields.iter().map(|field| field.name.clone()).collect()
    };
    let model_names = names(&model.fields);
    let path = format!("relations[{index}].from");
    check_name(&path, &relation.from, model_names.iter().map(String::as_str))?;
    let RelationEnd { model_id, field } = &relation.to;
    let others = if model.id == Some(*model_id) {
        model_names
    } else {
        let other = store::models::find(tx, model.organization_id, *model_id)?;
        let other = other.ok_or_else(|| {
            ApiError::invalid(format!(
                "relations[{index}].to.model_id: there is no model {model_id}."
            ))
        })?;
        names(&other.fields)
    };
    let path = format!("relations[{index}].to.field");
    check_name(&path, field, others.iter().map(String::as_str))
}
