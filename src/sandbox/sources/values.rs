//! From what SQLite stores and declares to what the API shows. A declaration is a promise that
//! SQLite does not hold anybody to, so a value that breaks it is shown as it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::ValueRef;
use serde_json::{Number, Value};

/// What the source says about a column; a computed one has no declaration.
#[derive(Debug)]
pub(super) struct Declaration {
    /// In lower case.
    declared: Option<String>,
    meaning: Option<Meaning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Boolean,
    Datetime,
    Json,
    Number,
    Text,
    Binary,
}

/// Parts of declared types, the first that fits: as SQLite does it, with more meanings.
const MEANINGS: [(&str, Meaning); 15] = [
    ("bool", Meaning::Boolean),
    ("date", Meaning::Datetime),
    ("time", Meaning::Datetime),
    ("json", Meaning::Json),
    ("int", Meaning::Number),
    ("real", Meaning::Number),
    ("floa", Meaning::Number),
    ("doub", Meaning::Number),
    ("num", Meaning::Number),
    ("dec", Meaning::Number),
    ("char", Meaning::Text),
    ("clob", Meaning::Text),
    ("text", Meaning::Text),
    ("uuid", Meaning::Text),
    ("blob", Meaning::Binary),
];

impl Declaration {
    pub(super) fn new(declared: Option<&str>) -> Self {
        let declared = declared.map(str::to_lowercase);
        let fitting = |declared: &str| {
            MEANINGS.iter().find(|(part, _)| declared.contains(part)).map(|&(_, meaning)| meaning)
        };
        let meaning = declared.as_deref().and_then(fitting);
        Self { declared, meaning }
    }

    /// The value as JSON.
    pub(super) fn value(&self, stored: ValueRef<'_>) -> Value {
        match (stored, self.meaning) {
            (ValueRef::Null, _) => Value::Null,
            (ValueRef::Integer(integer @ 0..=1), Some(Meaning::Boolean)) => {
                Value::Bool(integer == 1)
            }
            (ValueRef::Integer(integer), _) => Value::from(integer),
            // JSON has neither infinities nor NaN.
            (ValueRef::Real(real), _) => Number::from_f64(real).map_or(Value::Null, Value::Number),
            (ValueRef::Text(text), Some(Meaning::Json)) => {
                serde_json::from_slice(text).unwrap_or_else(|_| lossy(text))
            }
            (ValueRef::Text(text), _) => lossy(text),
            (ValueRef::Blob(bytes), _) => STANDARD.encode(bytes).into(),
        }
    }

    /// The API's word for what the column holds.
    pub(super) fn field_type(&self, seen: &Seen) -> &'static str {
        match self.meaning {
            Some(Meaning::Boolean) => "boolean",
            Some(Meaning::Datetime) => "datetime",
            Some(Meaning::Number) => "number",
            Some(Meaning::Text) => "string",
            Some(Meaning::Binary) => "binary",
            Some(Meaning::Json) if seen.example.is_array() => "array",
            Some(Meaning::Json) => "object",
            None => match seen.storage() {
                Storage::Integer | Storage::Real => "number",
                Storage::Text => "string",
                Storage::Blob => "binary",
            },
        }
    }

    /// The source's word for it.
    pub(super) fn remote_type(&self, seen: &Seen) -> String {
        let stored = || {
            let word = match seen.storage() {
                Storage::Integer => "integer",
                Storage::Real => "real",
                Storage::Text => "text",
                Storage::Blob => "blob",
            };
            word.to_owned()
        };
        self.declared.clone().filter(|declared| !declared.is_empty()).unwrap_or_else(stored)
    }
}

fn lossy(text: &[u8]) -> Value {
    String::from_utf8_lossy(text).into_owned().into()
}

/// What was met in a column.
#[derive(Debug, Default)]
pub(super) struct Seen {
    integers: bool,
    reals: bool,
    texts: bool,
    blobs: bool,
    pub(super) example: Value,
}

enum Storage {
    Integer,
    Real,
    Text,
    Blob,
}

impl Seen {
    pub(super) fn note(&mut self, stored: ValueRef<'_>, value: &Value) {
        match stored {
            ValueRef::Null => {}
            ValueRef::Integer(_) => self.integers = true,
            ValueRef::Real(_) => self.reals = true,
            ValueRef::Text(_) => self.texts = true,
            ValueRef::Blob(_) => self.blobs = true,
        }
        if self.example.is_null() {
            self.example = value.clone();
        }
    }

    /// Mixed numbers are real; other mixtures, and nothing but nulls, are text.
    fn storage(&self) -> Storage {
        match (self.integers, self.reals, self.texts, self.blobs) {
            (true, false, false, false) => Storage::Integer,
            (_, true, false, false) => Storage::Real,
            (false, false, false, true) => Storage::Blob,
            _ => Storage::Text,
        }
    }
}
