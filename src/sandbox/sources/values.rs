//! Converts SQLite values and declared types to JSON values and field types of the API.
//!
//! SQLite does not enforce declared types, so a value that does not fit its column is returned as it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::ValueRef;
use serde_json::{Number, Value};

/// The declared type of a column; a computed column has none.
#[derive(Debug)]
pub(super) struct Declaration {
    /// As declared, in lower case.
    name: Option<String>,
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Datetime,
    Json,
    Number,
    Text,
    Binary,
}

/// Maps parts of a declared type to its kind, first match first: the rules of SQLite, extended.
const KINDS: [(&str, Kind); 15] = [
    ("bool", Kind::Boolean),
    ("date", Kind::Datetime),
    ("time", Kind::Datetime),
    ("json", Kind::Json),
    ("int", Kind::Number),
    ("real", Kind::Number),
    ("floa", Kind::Number),
    ("doub", Kind::Number),
    ("num", Kind::Number),
    ("dec", Kind::Number),
    ("char", Kind::Text),
    ("clob", Kind::Text),
    ("text", Kind::Text),
    ("uuid", Kind::Text),
    ("blob", Kind::Binary),
];

impl Declaration {
    pub(super) fn new(name: Option<&str>) -> Self {
        let name = name.map(str::to_lowercase);
        let kind_of =
            |name: &str| KINDS.iter().find(|(part, _)| name.contains(part)).map(|&(_, kind)| kind);
        let kind = name.as_deref().and_then(kind_of);
        Self { name, kind }
    }

    /// Converts a stored value to JSON.
    pub(super) fn to_json(&self, value: ValueRef<'_>) -> Value {
        match (value, self.kind) {
            (ValueRef::Null, _) => Value::Null,
            (ValueRef::Integer(integer @ 0..=1), Some(Kind::Boolean)) => Value::Bool(integer == 1),
            (ValueRef::Integer(integer), _) => Value::from(integer),
            // JSON has neither infinities nor NaN.
            (ValueRef::Real(real), _) => Number::from_f64(real).map_or(Value::Null, Value::Number),
            (ValueRef::Text(text), Some(Kind::Json)) => {
                serde_json::from_slice(text).unwrap_or_else(|_| to_lossy_string(text))
            }
            (ValueRef::Text(text), _) => to_lossy_string(text),
            (ValueRef::Blob(bytes), _) => STANDARD.encode(bytes).into(),
        }
    }

    /// The field type in the API.
    pub(super) fn field_type(&self, values: &ObservedValues) -> &'static str {
        match self.kind {
            Some(Kind::Boolean) => "boolean",
            Some(Kind::Datetime) => "datetime",
            Some(Kind::Number) => "number",
            Some(Kind::Text) => "string",
            Some(Kind::Binary) => "binary",
            Some(Kind::Json) if values.example.is_array() => "array",
            Some(Kind::Json) => "object",
            None => match values.storage_class() {
                StorageClass::Integer | StorageClass::Real => "number",
                StorageClass::Text => "string",
                StorageClass::Blob => "binary",
            },
        }
    }

    /// The type in the source: as declared, or how the values are stored.
    pub(super) fn remote_type(&self, values: &ObservedValues) -> String {
        let storage_class = || {
            let name = match values.storage_class() {
                StorageClass::Integer => "integer",
                StorageClass::Real => "real",
                StorageClass::Text => "text",
                StorageClass::Blob => "blob",
            };
            name.to_owned()
        };
        self.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(storage_class)
    }
}

fn to_lossy_string(text: &[u8]) -> Value {
    String::from_utf8_lossy(text).into_owned().into()
}

/// Which values a column holds, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct ObservedValues {
    integers: bool,
    reals: bool,
    texts: bool,
    blobs: bool,
    /// The first value that is not null.
    pub(super) example: Value,
}

enum StorageClass {
    Integer,
    Real,
    Text,
    Blob,
}

impl ObservedValues {
    /// Adds a value, as stored and as JSON.
    pub(super) fn add(&mut self, value: ValueRef<'_>, json: &Value) {
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(_) => self.integers = true,
            ValueRef::Real(_) => self.reals = true,
            ValueRef::Text(_) => self.texts = true,
            ValueRef::Blob(_) => self.blobs = true,
        }
        if self.example.is_null() {
            self.example = json.clone();
        }
    }

    /// Integers mixed with reals count as real; other mixtures, and columns of nulls, as text.
    fn storage_class(&self) -> StorageClass {
        match (self.integers, self.reals, self.texts, self.blobs) {
            (true, false, false, false) => StorageClass::Integer,
            (_, true, false, false) => StorageClass::Real,
            (false, false, false, true) => StorageClass::Blob,
            _ => StorageClass::Text,
        }
    }
}
