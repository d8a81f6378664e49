//! Counts what was masked, for the notice beside the result. Values never appear in it.

use std::collections::HashSet;

use super::level::Masking;
use crate::registry::words::Words;

/// Maximum number of columns that are named.
const MAX_COLUMNS: usize = 10;
/// Longer names are only counted, as are those that are not plain words: they come from outside.
const MAX_NAME_CHARACTERS: usize = 40;

/// What was masked.
#[derive(Debug, Default)]
pub(super) struct Report {
    values: usize,
    numbers: usize,
    columns: Vec<String>,
    seen: HashSet<String>,
    other_columns: usize,
    left_out: usize,
}

impl Report {
    /// Counts a masked value.
    pub(super) fn add(&mut self, column: Option<&str>, was_number: bool) {
        self.values += 1;
        self.numbers += usize::from(was_number);
        let Some(column) = column.filter(|column| !self.seen.contains(*column)) else { return };
        self.seen.insert(column.to_owned());
        let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let is_short = column.chars().count() <= MAX_NAME_CHARACTERS;
        if self.columns.len() < MAX_COLUMNS && is_short && column.chars().all(is_plain) {
            self.columns.push(column.to_owned());
        } else {
            self.other_columns += 1;
        }
    }

    /// How many values were masked so far.
    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// Counts an example that is left out of a definition, which is written as it is.
    pub(super) fn add_left_out(&mut self) {
        self.left_out += 1;
    }

    /// What was masked, in a sentence; none if nothing was.
    pub(super) fn notice(&self, masking: Masking) -> Option<String> {
        let setting = format!("POLYTOMIC_MASK={}", masking.word());
        let mut sentences = Vec::new();
        if self.values > 0 {
            let values = count(self.values, "value");
            let columns = self.columns();
            let numbers = match self.numbers {
                0 => String::new(),
                1 => "; 1 of them was a number and is now text".to_owned(),
                numbers => format!("; {numbers} of them were numbers and are now text"),
            };
            sentences.push(format!("{setting} masked {values}{columns}{numbers}."));
        }
        if self.left_out > 0 {
            let examples = count(self.left_out, "example");
            sentences.push(format!("{setting} leaves {examples} out of the definition."));
        }
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    fn columns(&self) -> String {
        let others = count(self.other_columns, "other column");
        match (self.columns.join(", "), self.other_columns) {
            (names, 0) if names.is_empty() => String::new(),
            (names, 0) => format!(" in {names}"),
            (names, _) if names.is_empty() => format!(" in {}", others.replace("other ", "")),
            (names, _) => format!(" in {names} and {others}"),
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
