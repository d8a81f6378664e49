//! Resolves a sync and its model to what an execution does with each record: which are written, with which values, to which columns.

use rusqlite::types::Value;
use uuid::Uuid;

use crate::sandbox::executions::execution::{SourceIdentity, StartOptions};
use crate::sandbox::executions::filters::{Filter, to_stored, to_text};
use crate::sandbox::executions::logic::Logic;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::models::model::Model;
use crate::sandbox::sources::StreamColumn;
use crate::sandbox::syncs::sync::{self, Identity, ModelField, ModelSync};

/// Modes that look for the rows of a record.
const MODES_WITH_IDENTITY: [&str; 3] = ["update", "updateOrCreate", "remove"];

/// A column of the target, and where its value comes from.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) column: String,
    source: Origin,
    /// The declared type of the column that the value comes from.
    pub(super) declared_type: Option<String>,
    /// Whether the column may be added to a table that lacks it.
    pub(super) is_new: bool,
    pub(super) on_insert: bool,
    pub(super) on_update: bool,
    /// The property that asks for it.
    pub(super) path: String,
}

#[derive(Debug)]
enum Origin {
    Column(Place),
    Constant(Value),
}

/// The index of a field among the columns of the source; `None` for a declared field without one.
type Place = Option<usize>;

/// Fields that must have certain values, all of them.
type Alternative = Vec<(Place, String)>;

/// How the rows of a record are found.
#[derive(Debug)]
pub(super) struct Key {
    /// Sources of the values, and the columns of the target that hold them.
    parts: Vec<(Place, String)>,
    /// Whether all columns must match, or the first that finds a row decides.
    pub(super) needs_all: bool,
}

impl Key {
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(_, column)| column.as_str())
    }

    /// The values that identify a record, by their columns.
    pub(super) fn values<'a>(&'a self, row: &'a [Value]) -> impl Iterator<Item = &'a Value> {
        self.parts.iter().map(|(place, _)| at(row, *place))
    }
}

#[derive(Debug)]
struct Override {
    place: Place,
    condition: Option<Filter>,
    value: Value,
}

/// Filters, and how they are combined.
#[derive(Debug)]
struct FilterSet {
    filters: Vec<(Place, Filter)>,
    logic: Logic,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) mode: String,
    pub(super) outputs: Vec<Output>,
    pub(super) key: Option<Key>,
    filters: Vec<FilterSet>,
    overrides: Vec<Override>,
    /// Of which each record must match one.
    selected: Option<Vec<Alternative>>,
}

fn at(row: &[Value], place: Place) -> &Value {
    place.and_then(|index| row.get(index)).unwrap_or(&Value::Null)
}

/// The one model that a sync reads from.
///
/// # Errors
/// 400 if there is none or are several.
pub(super) fn only_model(sync: &ModelSync) -> Result<Uuid, ApiError> {
    match *sync.model_ids.as_slice() {
        [id] => Ok(id),
        [] => Err(ApiError::invalid("fields: no field has a source, so there is nothing to read.")),
        [..] => Err(ApiError::invalid(format!(
            "The sync reads from {} models; the sandbox runs syncs of one model only.",
            sync.model_ids.len()
        ))),
    }
}

/// The name of the table that a sync writes to.
///
/// # Errors
/// 400 if there is none, or if it is in a schema.
pub(super) fn table_name(sync: &ModelSync) -> Result<String, ApiError> {
    let target = &sync.target;
    let created = target.create.as_ref().and_then(|create| create.get("name"));
    let name = target.object.as_ref().or(target.new_name.as_ref()).or(created);
    let name = name.map(|name| name.trim()).filter(|name| !name.is_empty()).ok_or_else(|| {
        ApiError::invalid(
            "target.object: missing; expected the name of a table, or new_name for a new one.",
        )
    })?;
    match name.split_once('.') {
        Some((schema, table)) if matches!(schema, "public" | "main") && !table.is_empty() => {
            Ok(table.to_owned())
        }
        Some((schema, _)) => Err(ApiError::invalid(format!(
            "target.object: there is no schema {schema}; a SQLite database has only public."
        ))),
        None => Ok(name.to_owned()),
    }
}

impl Plan {
    /// # Errors
    /// 400 for what does not fit the model, and for what the sandbox cannot do.
    pub(super) fn new(
        sync: &ModelSync,
        model: &Model,
        columns: &[StreamColumn],
        options: &StartOptions,
    ) -> Result<Self, ApiError> {
        let fields = Fields { model, columns };
        let target_conditions =
            sync.target_filters.as_ref().and_then(|filters| filters.conditions.as_ref());
        if target_conditions.is_some_and(|conditions| !conditions.is_empty()) {
            return Err(ApiError::invalid(
                "target_filters: the sandbox does not filter by the records of the target.",
            ));
        }
        let key = fields.key(sync)?;
        if key.is_none() && MODES_WITH_IDENTITY.contains(&sync.mode.as_str()) {
            return Err(ApiError::invalid(format!(
                "identity: missing; mode {} needs one.",
                sync.mode
            )));
        }
        Ok(Self {
            mode: sync.mode.clone(),
            outputs: fields.outputs(sync)?,
            filters: fields.filters(sync)?,
            overrides: fields.overrides(sync)?,
            selected: fields.selected(key.as_ref(), options)?,
            key,
        })
    }

    /// Applies the overrides to a record. Returns whether it is to be written.
    pub(super) fn prepare(&self, row: &mut [Value]) -> bool {
        let is_selected = self.selected.as_ref().is_none_or(|alternatives| {
            alternatives.iter().any(|fields| {
                fields.iter().all(|(place, value)| to_text(at(row, *place)) == *value)
            })
        });
        let passes = |set: &FilterSet| {
            set.logic.holds(&|index| {
                set.filters
                    .get(index)
                    .is_some_and(|(place, filter)| filter.matches(at(row, *place)))
            })
        };
        if !is_selected || !self.filters.iter().all(passes) {
            return false;
        }
        for Override { place, condition, value } in &self.overrides {
            let applies =
                condition.as_ref().is_none_or(|condition| condition.matches(at(row, *place)));
            if applies && let Some(stored) = place.and_then(|index| row.get_mut(index)) {
                stored.clone_from(value);
            }
        }
        true
    }
}

impl Output {
    pub(super) fn value<'a>(&'a self, row: &'a [Value]) -> &'a Value {
        match &self.source {
            Origin::Column(place) => at(row, *place),
            Origin::Constant(value) => value,
        }
    }
}

/// The fields of the model, and the columns of its source.
struct Fields<'a> {
    model: &'a Model,
    columns: &'a [StreamColumn],
}

impl Fields<'_> {
    fn place(&self, path: &str, name: &str) -> Result<Place, ApiError> {
        if !self.model.fields.iter().any(|field| field.name == name) {
            return Err(ApiError::invalid(format!(
                "{path}: model {} has no field \"{name}\".",
                self.model.name
            )));
        }
        Ok(self.columns.iter().position(|column| column.name == name))
    }

    fn place_of(&self, path: &str, field: &ModelField) -> Result<Place, ApiError> {
        self.place(&format!("{path}.field"), &field.field)
    }

    /// A field that is referenced by itself, or by its id.
    fn referenced(
        &self,
        path: &str,
        field: Option<&ModelField>,
        id: Option<&String>,
    ) -> Result<Place, ApiError> {
        if let Some(field) = field {
            return self.place_of(&format!("{path}.field"), field);
        }
        let id = id.ok_or_else(|| ApiError::invalid(format!("{path}.field: missing.")))?;
        let field =
            self.model.fields.iter().find(|field| {
                field.name == *id || Uuid::parse_str(id).is_ok_and(|id| id == field.id)
            });
        let name = field.map_or(id, |field| &field.name);
        self.place(&format!("{path}.field_id"), name)
    }

    fn key(&self, sync: &ModelSync) -> Result<Option<Key>, ApiError> {
        let mappings = identities(sync);
        if mappings.is_empty() {
            return Ok(None);
        }
        let mut parts = Vec::new();
        for (path, identity) in &mappings {
            if identity.function != "Equality" {
                return Err(ApiError::invalid(format!(
                    "{path}.function: the sandbox matches by Equality only, not by {}.",
                    identity.function
                )));
            }
            let place = self.place_of(&format!("{path}.source"), &identity.source)?;
            parts.push((place, identity.target.clone()));
        }
        let strategy = sync.identities.as_ref().and_then(|identities| identities.strategy.as_ref());
        let needs_all = strategy.is_none_or(|strategy| strategy != "priority");
        Ok(Some(Key { parts, needs_all }))
    }

    fn outputs(&self, sync: &ModelSync) -> Result<Vec<Output>, ApiError> {
        let mut outputs: Vec<Output> = Vec::new();
        let lists =
            [("fields", Some(&sync.fields)), ("override_fields", sync.override_fields.as_ref())];
        for (list, fields) in lists {
            for (index, field) in fields.into_iter().flatten().enumerate() {
                let path = format!("{list}[{index}]");
                if field.encryption_enabled == Some(true) {
                    return Err(ApiError::invalid(format!(
                        "{path}.encryption_enabled: the sandbox does not encrypt."
                    )));
                }
                let (source, declared_type) = match (&field.override_value, &field.source) {
                    (Some(value), _) => (Origin::Constant(Value::Text(value.clone())), None),
                    (None, Some(source)) => {
                        let place = self.place_of(&format!("{path}.source"), source)?;
                        (Origin::Column(place), self.declared_type(place))
                    }
                    (None, None) => {
                        return Err(ApiError::invalid(format!(
                            "{path}: expected a source or an override_value."
                        )));
                    }
                };
                let earlier = |output: &Output| output.column.eq_ignore_ascii_case(&field.target);
                // A constant of `override_fields` replaces a mapping to the same column.
                if let Some(at) = outputs.iter().position(earlier) {
                    if list == "fields" {
                        return Err(ApiError::invalid(format!(
                            "{path}.target: \"{}\" is mapped twice.",
                            field.target
                        )));
                    }
                    outputs.remove(at);
                }
                let mode = field.sync_mode.as_deref().unwrap_or_default();
                outputs.push(Output {
                    column: field.target.clone(),
                    source,
                    declared_type,
                    is_new: field.new.unwrap_or_default(),
                    on_insert: mode != "update",
                    on_update: mode != "create",
                    path,
                });
            }
        }
        // A new row must have its identity, or it would not be found again.
        for (path, identity) in identities(sync) {
            if outputs.iter().any(|o| o.column.eq_ignore_ascii_case(&identity.target)) {
                continue;
            }
            let place = self.place_of(&format!("{path}.source"), &identity.source)?;
            outputs.push(Output {
                column: identity.target.clone(),
                source: Origin::Column(place),
                declared_type: self.declared_type(place),
                is_new: identity.new_field.unwrap_or_default(),
                on_insert: true,
                on_update: false,
                path,
            });
        }
        Ok(outputs)
    }

    fn declared_type(&self, place: Place) -> Option<String> {
        place.and_then(|index| self.columns.get(index))?.declared_type.clone()
    }

    fn filters(&self, sync: &ModelSync) -> Result<Vec<FilterSet>, ApiError> {
        let mut filters = Vec::new();
        let mut labels = Vec::new();
        for (index, filter) in sync.filters.iter().flatten().enumerate() {
            let path = format!("filters[{index}]");
            if filter.field_type.as_deref() == Some("Target") || filter.value_field.is_some() {
                return Err(ApiError::invalid(format!(
                    "{path}: the sandbox filters by values of the model only, not by the records of the target or \
                     other fields."
                )));
            }
            let place = self.referenced(&path, filter.field.as_ref(), filter.field_id.as_ref())?;
            filters.push((place, Filter::new(&path, &filter.function, filter.value.as_ref())?));
            labels.push(filter.label.as_deref());
        }
        let logic = Logic::parse("filter_logic", sync.filter_logic.as_deref(), &labels)?;
        let mut sets = vec![FilterSet { filters, logic }];

        if let Some(model_filters) = &sync.model_filters {
            let (mut filters, mut labels) = (Vec::new(), Vec::new());
            for (index, condition) in model_filters.conditions.iter().flatten().enumerate() {
                let path = format!("model_filters.conditions[{index}]");
                let place = self.place_of(&format!("{path}.source"), &condition.source)?;
                let filter = Filter::new(&path, &condition.function, condition.value.as_ref())?;
                filters.push((place, filter));
                labels.push(condition.label.as_deref());
            }
            let logic = model_filters.logic.as_deref();
            let logic = Logic::parse("model_filters.logic", logic, &labels)?;
            sets.push(FilterSet { filters, logic });
        }
        Ok(sets)
    }

    fn overrides(&self, sync: &ModelSync) -> Result<Vec<Override>, ApiError> {
        let resolve = |(index, item): (usize, &sync::Override)| {
            let path = format!("overrides[{index}]");
            let place = self.referenced(&path, item.field.as_ref(), item.field_id.as_ref())?;
            let condition = match &item.function {
                Some(function) => Some(Filter::new(&path, function, item.value.as_ref())?),
                None => None,
            };
            let value = item.r#override.as_ref().map_or(Value::Null, to_stored);
            Ok(Override { place, condition, value })
        };
        sync.overrides.iter().flatten().enumerate().map(resolve).collect()
    }

    fn selected(
        &self,
        key: Option<&Key>,
        options: &StartOptions,
    ) -> Result<Option<Vec<Alternative>>, ApiError> {
        let mut selected = Vec::new();
        if let Some(identities) = &options.identities {
            let place = key.and_then(|key| key.parts.first()).map(|(place, _)| *place);
            let place = place.ok_or_else(|| {
                ApiError::invalid(
                    "identities: the sync has no identity that they could be values of.",
                )
            })?;
            selected.extend(identities.iter().map(|value| vec![(place, value.clone())]));
        }
        for (index, fields) in options.source_identities.iter().flatten().enumerate() {
            let path = format!("source_identities[{index}].source");
            let field = |item: &SourceIdentity| {
                Ok((self.place_of(&path, &item.source)?, item.value.clone()))
            };
            selected.push(fields.iter().map(field).collect::<Result<Vec<_>, ApiError>>()?);
        }
        let is_limited = options.identities.is_some() || options.source_identities.is_some();
        Ok(is_limited.then_some(selected))
    }
}

/// The identities of a sync, with their paths.
fn identities(sync: &ModelSync) -> Vec<(String, &Identity)> {
    let mappings = sync.identities.as_ref().map(|identities| &identities.mappings);
    let mappings = mappings.into_iter().flatten().enumerate();
    let many: Vec<_> =
        mappings.map(|(index, item)| (format!("identities.mappings[{index}]"), item)).collect();
    match &sync.identity {
        Some(identity) if many.is_empty() => vec![("identity".to_owned(), identity)],
        _ => many,
    }
}
