//! The shape of sampled records: their columns, with the types of their values and the share of nulls, and no value.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::polytomic::{LongList, Record, marked_number};

/// What sampled records hold.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(in crate::tools) columns: Vec<Column>,
    /// How many records there are.
    pub(in crate::tools) sampled: usize,
}

/// A column of sampled records.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::tools) struct Column {
    /// Id of the model or enricher.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
    name: String,
    /// Types of its values in JSON.
    types: Vec<&'static str>,
    /// Share of records in which it is null or missing, 0 to 1.
    nulls: f64,
    #[serde(skip)]
    values: usize,
}

/// The indexes of columns by model and name.
type Indexes = HashMap<String, HashMap<String, usize>>;

impl Shape {
    /// The shape of records, with the columns in the order in which they are first seen.
    pub(in crate::tools) fn of(records: Option<&LongList<Record>>) -> Self {
        let mut shape = Self::default();
        let mut indexes = Indexes::new();
        for record in records.into_iter().flat_map(LongList::iter) {
            shape.sampled += 1;
            for_each_value(&record, |model_id, name, value| {
                let index = shape.column(&mut indexes, model_id, name);
                shape.add(index, value);
            });
        }
        for column in &mut shape.columns {
            column.nulls = share(shape.sampled - column.values.min(shape.sampled), shape.sampled);
        }
        shape
    }

    fn add(&mut self, index: usize, value: &Value) {
        if let Some(column) = self.columns.get_mut(index) {
            column.add(value);
        }
    }

    /// The index of the column with this name, which is added if it is new.
    fn column(&mut self, indexes: &mut Indexes, model_id: Option<&str>, name: &str) -> usize {
        let of_model = match indexes.get_mut(model_id.unwrap_or_default()) {
            Some(of_model) => of_model,
            None => indexes.entry(model_id.unwrap_or_default().to_owned()).or_default(),
        };
        let index = match of_model.get(name) {
            Some(index) => *index,
            None => {
                of_model.insert(name.to_owned(), self.columns.len());
                self.columns.len()
            }
        };
        if index == self.columns.len() {
            let (model_id, name) = (model_id.map(str::to_owned), name.to_owned());
            self.columns.push(Column { model_id, name, ..Column::default() });
        }
        index
    }
}

impl Column {
    fn add(&mut self, value: &Value) {
        let name = match value {
            Value::Null => return,
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(text) if marked_number(text).is_some() => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.values += 1;
        if !self.types.contains(&name) {
            self.types.push(name);
        }
    }
}

/// Visits the values of a record with the id of the model or enricher, and the name of the column.
pub(super) fn for_each_value(record: &Record, mut visit: impl FnMut(Option<&str>, &str, &Value)) {
    for (key, value) in record.values() {
        match value {
            Value::Object(values) => {
                values.iter().for_each(|(name, value)| visit(Some(key), name, value));
            }
            // A record that is not by the id of its model.
            value => visit(None, key, value),
        }
    }
}

/// A share with three decimals.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    let thousandths = (part * 2_000 + whole) / (2 * whole).max(1);
    f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1_000.0
}
