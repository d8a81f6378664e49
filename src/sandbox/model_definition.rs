//! From a checked request to a model: the request's names are held against the columns that its
//! table, view or query has at this moment.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::account::{Actor, ORGANIZATION};
use crate::sandbox::error::ApiError;
use crate::sandbox::model::{Field, Model, Relation, RelationEnd};
use crate::sandbox::model_request::ModelRequest;
use crate::sandbox::sources::{Column, INSPECTED_ROWS, ReadLimit, nearest};
use crate::sandbox::state::AppState;

/// Makes the model with this `id`, or the preview when there is none.
pub(super) async fn define(
    app: &AppState,
    request: ModelRequest,
    id: Option<Uuid>,
    limit: &ReadLimit,
) -> Result<Model, ApiError> {
    let table = app.source.read(request.selection.clone(), INSPECTED_ROWS, limit).await?;
    let now = now();
    let fields =
        choose_fields(&request, &table.columns, id.unwrap_or(request.connection_id), &now)?;
    let identifier = match &request.identifier {
        Some(identifier) => {
            known("identifier", identifier, fields.iter().map(|field| field.name.as_str()))?;
            Some(identifier.clone())
        }
        None => default_identifier(&table.columns, &fields),
    };
    for column in request.tracking_columns.iter().flatten() {
        known("tracking_columns", column, table.columns.iter().map(|column| column.name.as_str()))?;
    }
    for (index, relation) in request.relations.iter().flatten().enumerate() {
        check_relation(app, index, relation, id, &fields).await?;
    }
    let labels = request
        .labels
        .map(|labels| labels.into_iter().map(|label| json!({ "name": label })).collect());
    Ok(Model {
        id,
        name: request.name,
        r#type: "sqlite".to_owned(),
        version: 1,
        organization_id: request.organization_id.unwrap_or(ORGANIZATION),
        connection_id: request.connection_id,
        configuration: request.configuration,
        identifier,
        fields,
        tracking_columns: request.tracking_columns,
        relations: request.relations,
        enricher: request.enricher,
        labels,
        policies: request.policies,
        created_at: now.clone(),
        created_by: Actor::user(),
        updated_at: now,
        updated_by: Actor::user(),
    })
}

/// The fields that a table, view or query has before there is a model.
pub(super) fn plain_fields(columns: &[Column], owner: Uuid) -> Vec<Field> {
    let now = now();
    columns.iter().map(|column| inferred_field(column, owner, &now)).collect()
}

fn choose_fields(
    request: &ModelRequest,
    columns: &[Column],
    owner: Uuid,
    now: &str,
) -> Result<Vec<Field>, ApiError> {
    let mut chosen: Vec<&Column> = Vec::new();
    for name in &request.fields {
        known("fields", name, columns.iter().map(|column| column.name.as_str()))?;
        if chosen.iter().any(|column| &column.name == name) {
            return Err(ApiError::invalid(format!("fields: \"{name}\" is there twice.")));
        }
        chosen.extend(columns.iter().find(|column| &column.name == name));
    }
    if request.fields.is_empty() {
        chosen.extend(columns);
    }
    // A declared field takes the place of the column it is named after.
    let declared =
        |column: &Column| request.additional_fields.iter().any(|field| field.name == column.name);
    let added = request.additional_fields.iter().map(|field| Field {
        id: field_id(owner, &field.name),
        name: field.name.clone(),
        label: field.label.clone(),
        description: None,
        r#type: field.r#type.clone(),
        remote_type: None,
        unique: false,
        user_added: true,
        example: field.example.clone().unwrap_or(Value::Null),
        created_at: now.to_owned(),
        created_by: Actor::user(),
        updated_at: now.to_owned(),
    });
    let inferred = chosen.into_iter().filter(|column| !declared(column));
    Ok(inferred.map(|column| inferred_field(column, owner, now)).chain(added).collect())
}

fn inferred_field(column: &Column, owner: Uuid, now: &str) -> Field {
    Field {
        id: field_id(owner, &column.name),
        name: column.name.clone(),
        label: label(&column.name),
        description: None,
        r#type: column.field_type.to_owned(),
        remote_type: Some(column.remote_type.clone()),
        unique: column.unique,
        user_added: false,
        example: column.example.clone(),
        created_at: now.to_owned(),
        created_by: Actor::user(),
        updated_at: now.to_owned(),
    }
}

/// The same for one owner and name, so that an update keeps the ids of the fields.
fn field_id(owner: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&owner, name.as_bytes())
}

/// `last_login_at` becomes `Last Login At`, and `id` becomes `ID`.
fn label(name: &str) -> String {
    let words = name.split(['_', ' ', '-']).filter(|word| !word.is_empty());
    let titled = words.map(|word| {
        if word.eq_ignore_ascii_case("id") {
            return "ID".to_owned();
        }
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
    });
    titled.collect::<Vec<String>>().join(" ")
}

fn default_identifier(columns: &[Column], fields: &[Field]) -> Option<String> {
    let exposed = |column: &&Column| fields.iter().any(|field| field.name == column.name);
    let primary = columns.iter().filter(|column| column.primary).find(exposed);
    primary
        .map(|column| column.name.clone())
        .or_else(|| fields.first().map(|field| field.name.clone()))
}

async fn check_relation(
    app: &AppState,
    index: usize,
    relation: &Relation,
    own_id: Option<Uuid>,
    own_fields: &[Field],
) -> Result<(), ApiError> {
    let names = own_fields.iter().map(|field| field.name.as_str());
    known(&format!("relations[{index}].from"), &relation.from, names)?;
    let RelationEnd { model_id, field } = &relation.to;
    let other = if own_id == Some(*model_id) {
        None
    } else {
        let other = app.store.model(*model_id).await?;
        Some(other.ok_or_else(|| {
            ApiError::invalid(format!(
                "relations[{index}].to.model_id: there is no model {model_id}."
            ))
        })?)
    };
    let fields = other.as_ref().map_or(own_fields, |other| &other.fields);
    let names = fields.iter().map(|field| field.name.as_str());
    known(&format!("relations[{index}].to.field"), field, names)
}

/// Refuses a name that is not among `names`, with the nearest that is.
fn known<'a>(
    place: &str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), ApiError> {
    if names.clone().any(|known| known == name) {
        return Ok(());
    }
    let advice = nearest(name, names);
    Err(ApiError::invalid(format!("{place}: there is no \"{name}\"; {advice}")))
}

/// The time in the form that the API shows.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}
