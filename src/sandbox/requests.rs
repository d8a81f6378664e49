//! Reading what clients send, leniently: `null` is absent, unknown properties are ignored. What
//! is left is checked as far as it can be without looking at the data.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::sandbox::connections::CONNECTION;
use crate::sandbox::definition::{AdditionalField, FIELD_TYPES, Relation};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::sources::Selection;

const BODY_BYTES: usize = 10 * 1024 * 1024;
/// A body over the bound is still read up to here, since a client that is cut off while it
/// writes sees a broken connection in place of the answer.
const DRAINED_BYTES: usize = 8 * BODY_BYTES;
const NAME_CHARS: usize = 255;
/// Of a long refusal at either end: the start has the value's kind, the end what was expected.
const KEPT_CHARS: usize = 120;

/// A JSON object in the body.
pub(super) struct Object<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Object<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let bytes = read_body(request.into_body()).await?;
        if bytes.trim_ascii().is_empty() {
            return Err(Refusal::invalid("The body is missing: a JSON object is expected."));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = Value::deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value))
            .map_err(|error| Refusal::invalid(format!("The body is not valid JSON: {error}.")))?;
        if !value.is_object() {
            return Err(Refusal::invalid("The body must be a JSON object."));
        }
        serde_path_to_error::deserialize(value).map(Self).map_err(|error| {
            let path = error.path().to_string();
            Refusal::invalid(format!("{path}: {}.", shorten(&error.into_inner().to_string())))
        })
    }
}

/// The reader's words without the middle of a value that they repeat in full.
fn shorten(words: &str) -> String {
    let length = words.chars().count();
    if length <= 2 * KEPT_CHARS {
        return words.to_owned();
    }
    let start = words.chars().take(KEPT_CHARS);
    start.chain(['…']).chain(words.chars().skip(length - KEPT_CHARS)).collect()
}

async fn read_body(mut body: Body) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // A body that breaks off is no request, so its idempotency key must stay free.
        let frame = frame.map_err(|_| Refusal::client_left())?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else if length > DRAINED_BYTES {
            break;
        } else {
            bytes = Vec::new();
        }
    }
    if length > BODY_BYTES {
        return Err(Refusal::too_large(format!("The body is over {BODY_BYTES} bytes.")));
    }
    Ok(bytes)
}

/// The variable parts of the path, whatever bytes they were encoded from.
pub(super) struct PathParts<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParts<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(read)) => Ok(Self(read)),
            Err(_) => Err(Refusal::not_found("The id in the path is not UTF-8.")),
        }
    }
}

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
    pub(super) fn check(self) -> Result<ModelRequest, Refusal> {
        let name = check_name(self.name)?;
        let connection_id = self
            .connection_id
            .ok_or_else(|| missing("connection_id", "the UUID of a connection"))?;
        if connection_id != CONNECTION {
            return Err(Refusal::unknown("connection", &connection_id.to_string()));
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
pub(super) fn select(configuration: &Map<String, Value>) -> Result<Selection, Refusal> {
    let mut selection = None;
    for key in Selection::KEYS {
        let chosen = match configuration.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(chosen)) if chosen.trim().is_empty() => continue,
            Some(Value::String(chosen)) => Selection::new(key, chosen.clone()),
            Some(_) => {
                return Err(Refusal::invalid(format!("configuration.{key}: expected a string.")));
            }
        };
        if selection.replace(chosen).is_some() {
            return Err(Refusal::invalid(
                "configuration: only one of table, view and query can be given, not several.",
            ));
        }
    }
    selection.ok_or_else(|| {
        Refusal::invalid("configuration: exactly one of table, view and query must be given.")
    })
}

fn check_additional(
    index: usize,
    field: &AdditionalField,
    all: &[AdditionalField],
) -> Result<(), Refusal> {
    if field.name.is_empty() {
        return Err(Refusal::invalid(format!("additional_fields[{index}].name: it is empty.")));
    }
    if !FIELD_TYPES.contains(&field.r#type.as_str()) {
        return Err(Refusal::invalid(format!(
            "additional_fields[{index}].type: expected one of {}.",
            FIELD_TYPES.join(", ")
        )));
    }
    if all.iter().take(index).any(|earlier| earlier.name == field.name) {
        return Err(Refusal::invalid(format!(
            "additional_fields[{index}].name: {} is there twice.",
            field.name
        )));
    }
    Ok(())
}

fn check_enricher(mut enricher: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let is_uuid = |value: &Value| value.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok());
    if !enricher.get("connection_id").is_some_and(is_uuid) {
        return Err(Refusal::invalid("enricher.connection_id: expected the UUID of a connection."));
    }
    match enricher.get("enricher_id") {
        None | Some(Value::Null) => {
            enricher.insert("enricher_id".to_owned(), Uuid::new_v4().to_string().into());
        }
        Some(id) if is_uuid(id) => {}
        Some(_) => return Err(Refusal::invalid("enricher.enricher_id: expected a UUID.")),
    }
    Ok(enricher)
}

/// The name of something that is to be saved.
pub(super) fn check_name(name: Option<String>) -> Result<String, Refusal> {
    let name = name.ok_or_else(|| missing("name", "a string of 1 to 255 characters"))?;
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS {
        return Err(Refusal::invalid("name: expected a string of 1 to 255 characters."));
    }
    Ok(name)
}

/// A query parameter that is yes or no.
pub(super) fn read_bool(name: &str, value: &str) -> Result<bool, Refusal> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Refusal::invalid(format!("{name}: expected true or false."))),
    }
}

pub(super) fn missing(name: &str, expected: &str) -> Refusal {
    Refusal::invalid(format!("{name}: it is missing; expected {expected}."))
}
