//! Edits the configuration files of clients: JSON with comments, TOML and YAML. Everything but the edited value stays byte
//! for byte, and each edit is checked: read again, the file has the new value, and the rest is what it was.

mod json;
mod json_layout;
mod problem;
mod splice;
mod toml;
mod yaml;
mod yaml_tree;

use serde_json::{Map, Value};

pub(super) use problem::Problem;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, with comments and trailing commas.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

impl Format {
    /// The value of a text; null if it has none.
    pub(super) fn value(self, text: &str) -> Result<Value, Problem> {
        match self {
            Self::Json => json::value(text),
            Self::Toml => toml::value(text),
            Self::Yaml => yaml::value(text),
        }
    }

    /// Sets the value at a path and creates what is missing on the way.
    pub(super) fn set(self, text: &str, path: &[&str], value: &Value) -> Result<String, Problem> {
        let changed = match self {
            Self::Json => json::set(text, path, value),
            Self::Toml => toml::set(text, path, value),
            Self::Yaml => yaml::set(text, path, value),
        }?;
        let has_value = at(&self.value(&changed)?, path) == Some(value);
        if has_value && self.is_same_but(text, &changed, path)? {
            Ok(changed)
        } else {
            Err(Problem::unsafe_edit())
        }
    }

    /// Removes the value at a path.
    pub(super) fn remove(self, text: &str, path: &[&str]) -> Result<String, Problem> {
        let mut changed = text.to_owned();
        // A name may come several times.
        while at(&self.value(&changed)?, path).is_some() {
            let before = changed.len();
            changed = match self {
                Self::Json => json::remove(&changed, path),
                Self::Toml => toml::remove(&changed, path),
                Self::Yaml => yaml::remove(&changed, path),
            }?;
            if changed.len() >= before {
                return Err(Problem::unsafe_edit());
            }
        }
        if self.is_same_but(text, &changed, path)? {
            Ok(changed)
        } else {
            Err(Problem::unsafe_edit())
        }
    }

    /// Appends an element to the list at a path. Only JSON has such lists.
    pub(super) fn push(
        self,
        text: &str,
        path: &[&str],
        element: &Value,
    ) -> Result<String, Problem> {
        let changed = json::push(text, path, element)?;
        if self.is_same_but(text, &changed, path)? {
            Ok(changed)
        } else {
            Err(Problem::unsafe_edit())
        }
    }

    /// Removes an element of the list at a path.
    pub(super) fn remove_element(
        self,
        text: &str,
        path: &[&str],
        index: usize,
    ) -> Result<String, Problem> {
        let changed = json::remove_element(text, path, index)?;
        if self.is_same_but(text, &changed, path)? {
            Ok(changed)
        } else {
            Err(Problem::unsafe_edit())
        }
    }

    fn is_same_but(self, before: &str, after: &str, path: &[&str]) -> Result<bool, Problem> {
        let [before, after] = [before, after].map(|text| {
            self.value(text).map(|mut value| {
                clear(&mut value, path);
                value
            })
        });
        Ok(before? == after?)
    }
}

/// The value at a path.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// Sets the value at a path to null, whether it exists or not.
fn clear(value: &mut Value, path: &[&str]) {
    let Some((name, rest)) = path.split_first() else {
        *value = Value::Null;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Some(members) = value.as_object_mut() {
        clear(members.entry(*name).or_insert(Value::Null), rest);
    }
}
