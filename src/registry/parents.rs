//! What a property is because of the properties that it is part of: below some names any value may be a secret, and below
//! others a name that looks like that of a secret is the name of a column or of a choice.

use serde_json::Value;

use super::secret_names::{without_digits, words};

/// Below a name with one of these words, the names of properties are free, and any may hold a secret.
const FREE_PARENTS: &[&str] =
    &["cookies", "header", "headers", "parameter", "parameters", "params"];
/// What is below a name with one of these words authenticates, or describes how.
const AUTH_PARENTS: &[&str] = &["auth", "authentication", "authorisation", "bearer", "oauth"];
/// Words that end so are such words: `httpheaders`, `queryparams`.
const FREE_ENDINGS: &[&str] = &["cookies", "headers", "parameters", "params"];
/// Beside one of these words, a header is that of a table: `has_header`, `column_headers`.
const TABLE_WORDS: &[&str] = &[
    "column", "columns", "csv", "first", "has", "line", "lines", "no", "row", "rows", "sheet",
    "skip", "table", "use",
];
/// Below a name with one of these words, `key` names a property.
const PAGING_PARENTS: &[&str] =
    &["cursor", "order", "ordering", "pagination", "paging", "sort", "sorting"];
/// A name that ends with one of these words holds a choice: the name that people read, and its id, as in `{"name": "Tokens",
/// "value": "tbl1"}`.
const CHOICES: &[&str] = &[
    "base",
    "baseobj",
    "column",
    "dataset",
    "folder",
    "sheet",
    "spreadsheet",
    "table",
    "tableobj",
    "view",
    "viewobj",
    "worksheet",
];
/// Below a name that ends with one of these words, names are those of columns if all values are types.
const BY_COLUMN: &[&str] = &["columns", "fields", "schema", "types"];
const COLUMN_TYPES: &[&str] = &[
    "array",
    "bigint",
    "binary",
    "bool",
    "boolean",
    "date",
    "datetime",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "json",
    "number",
    "numeric",
    "object",
    "string",
    "text",
    "time",
    "timestamp",
    "uuid",
    "varchar",
];

/// What a property is, given its parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// Its own name decides.
    Plain,
    /// It authenticates, or describes how.
    Auth,
    /// Its name is free, so it may be a secret.
    Free,
    /// It says how to page or sort.
    Paging,
    /// It is the name or the id of a choice.
    Choice,
    /// Its name is that of a column.
    Column,
    /// It is a part of a secret.
    Secret,
}

impl Parent {
    /// What the properties of a property are, given its name, whether it is a secret itself, and whether it inherits that.
    pub(super) fn below(self, name: &str, value: &Value, is_own: bool, is_inherited: bool) -> Self {
        let words = words(name);
        let ends_with =
            |known: &[&str]| words.last().is_some_and(|word| known.contains(&without_digits(word)));
        match self {
            _ if is_own => Self::Secret,
            Self::Secret => Self::Secret,
            Self::Free if is_inherited => Self::Secret,
            _ if has_free_properties(&words) && !is_table_header(&words, value) => Self::Free,
            Self::Auth if is_inherited => Self::Auth,
            _ if has_any(&words, AUTH_PARENTS) => Self::Auth,
            _ if has_any(&words, PAGING_PARENTS) => Self::Paging,
            // A list has pairs.
            _ if ends_with(CHOICES) && value.is_object() => Self::Choice,
            _ if ends_with(BY_COLUMN) && has_only_types(value) => Self::Column,
            _ => Self::Plain,
        }
    }
}

/// Whether a text with this name is a header or a cookie as a whole.
pub(super) fn has_free_name(name: &str, value: &Value) -> bool {
    let words = words(name);
    let is_free = |word: &String| {
        let word = without_digits(word);
        word == "header" || word.ends_with("headers") || word.ends_with("cookies")
    };
    words.iter().any(is_free) && !is_table_header(&words, value)
}

/// Whether below a name with these words the names of properties are free.
pub(super) fn has_free_properties(words: &[String]) -> bool {
    let ends_free =
        |word: &String| FREE_ENDINGS.iter().any(|end| without_digits(word).ends_with(end));
    has_any(words, FREE_PARENTS) || words.iter().any(ends_free)
}

/// Whether a property with these words is about the first line of a table. A header of HTTP has a colon, or is an object.
pub(super) fn is_table_header(words: &[String], value: &Value) -> bool {
    let is_header = |word: &String| ["header", "headers"].contains(&without_digits(word));
    let is_plain = |text: &Value| text.as_str().is_some_and(|text| !text.contains(':'));
    words.iter().any(is_header)
        && has_any(words, TABLE_WORDS)
        && !has_any(words, &["api", "auth", "cookies", "http", "parameters", "params", "request"])
        && value.as_array().map_or_else(|| is_plain(value), |list| list.iter().all(is_plain))
}

/// Whether an object has names of types for values, as in `{"id": "int", "token": "string"}`.
fn has_only_types(value: &Value) -> bool {
    let is_type = |value: &Value| {
        let name = value.as_str().map(str::to_ascii_lowercase);
        name.is_some_and(|name| COLUMN_TYPES.contains(&name.as_str()))
    };
    value.as_object().is_some_and(|map| map.values().all(is_type))
}

fn has_any(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| known.contains(&without_digits(word)))
}
