//! What a sample says of the fields of a model: how many values are missing, how many differ, and some of them.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::record_shape::{for_each_value, share};
use crate::polytomic::{LongList, ModelId, Sample, unmarked};

/// How many different values are kept as examples, and how long they may be.
const MAX_EXAMPLES: usize = 3;
const MAX_EXAMPLE_CHARACTERS: usize = 40;

/// What a sample says.
pub(in crate::tools) struct Profile {
    /// How many records it has.
    pub(in crate::tools) records: usize,
    columns: HashMap<String, ProfiledColumn>,
}

/// What a sample says of a column.
#[derive(Default)]
pub(in crate::tools) struct ProfiledColumn {
    records: usize,
    values: usize,
    distinct: HashSet<String>,
    /// Different values, shortened.
    pub(in crate::tools) examples: Vec<String>,
}

impl Profile {
    /// The profile of a sample, without what enrichers have added.
    pub(in crate::tools) fn of(sample: &Sample, model: ModelId) -> Self {
        let records = sample.records.as_ref();
        let mut profile =
            Self { records: records.map_or(0, LongList::len), columns: HashMap::new() };
        for record in records.into_iter().flat_map(LongList::iter) {
            for_each_value(&record, |id, name, value| {
                if id.is_some_and(|id| Uuid::parse_str(id) != Ok(model.0)) {
                    return;
                }
                match profile.columns.get_mut(name) {
                    Some(column) => column.add(value),
                    None => {
                        let mut column = ProfiledColumn::default();
                        column.add(value);
                        profile.columns.insert(name.to_owned(), column);
                    }
                }
            });
        }
        let records = profile.records;
        profile.columns.values_mut().for_each(|column| column.records = records);
        profile
    }

    /// What it says of a column; none if no record has it.
    pub(in crate::tools) fn column(&self, name: &str) -> Option<&ProfiledColumn> {
        self.columns.get(name)
    }
}

impl ProfiledColumn {
    fn add(&mut self, value: &Value) {
        let text = match value {
            Value::Null => return,
            Value::String(text) => unmarked(text).to_owned(),
            value => value.to_string(),
        };
        self.values += 1;
        if self.distinct.contains(&text) {
            return;
        }
        if self.examples.len() < MAX_EXAMPLES && !text.is_empty() {
            let mut example: String = text.chars().take(MAX_EXAMPLE_CHARACTERS).collect();
            if example.len() < text.len() {
                example.push('…');
            }
            self.examples.push(example);
        }
        self.distinct.insert(text);
    }

    /// The share of records without a value, 0 to 1.
    pub(in crate::tools) fn nulls(&self) -> f64 {
        share(self.records.saturating_sub(self.values), self.records)
    }

    /// The share of different ones among the values, 0 to 1; none without a value.
    pub(in crate::tools) fn distinct(&self) -> Option<f64> {
        (self.values > 0).then(|| share(self.distinct.len(), self.values))
    }

    /// Whether no value comes twice; none without a value.
    pub(in crate::tools) fn is_unique(&self) -> Option<bool> {
        (self.values > 0).then_some(self.distinct.len() == self.values)
    }

    /// Whether each record has a value.
    pub(in crate::tools) fn is_never_null(&self) -> bool {
        self.values >= self.records
    }
}
