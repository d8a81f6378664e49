//! How much of its fields a model shows: what an agent needs to choose among them, or all that the API returns.
//!
//! The API returns some 330 bytes for each field, mostly ids, times and flags.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::secrets::without_secrets;
use crate::polytomic::{Field, LongList, Model};
use crate::registry::{ToolError, deserialize};
use crate::tools::listing::Detail;

/// A model at a level of detail, with its secrets masked: a summary is the complete model with summaries of its fields.
pub(in crate::tools) fn model_at(detail: Detail, model: Model) -> Model {
    let mut model = without_secrets(model);
    model.fields = model.fields.map(|fields| fields_at(detail, fields));
    model
}

/// A field at a level of detail.
pub(in crate::tools) fn field_at(detail: Detail, mut field: Field) -> Field {
    match detail {
        Detail::Summary => summarize(&mut field),
        Detail::Full => {}
    }
    field
}

/// Fields at a level of detail.
pub(in crate::tools) fn fields_at(detail: Detail, mut fields: LongList<Field>) -> LongList<Field> {
    match detail {
        Detail::Summary => fields.change_each(summarize),
        Detail::Full => {}
    }
    fields
}

/// Leaves name and type of a field, and of the other properties those that say something. In place, since fields are large and
/// models have many.
fn summarize(field: &mut Field) {
    // Without `..`, so that a new property is not shown by accident.
    let Field {
        name,
        kind: _,
        label,
        unique,
        user_added,
        description,
        example,
        id,
        remote_type,
        created_at,
        created_by,
        updated_at,
        rest,
    } = field;
    (*id, *remote_type, *rest) = (None, None, None);
    (*created_at, *created_by, *updated_at) = (None, None, None);
    let name = name.as_deref().unwrap_or_default();
    label.take_if(|label| label.is_empty() || is_title_case(label, name));
    unique.take_if(|unique| !*unique);
    user_added.take_if(|user_added| !*user_added);
    description.take_if(|description| description.is_empty());
    example.take_if(|example| example.is_null());
}

/// Whether a label is the name in title case, as most are: `company_id` and `Company ID`.
fn is_title_case(label: &str, name: &str) -> bool {
    let is_separator = |byte: u8| matches!(byte, b' ' | b'_' | b'-');
    let is_same =
        |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || (is_separator(a) && is_separator(b));
    // Words take much longer to compare, and models have many fields.
    (label.len() == name.len() && label.bytes().zip(name.bytes()).all(is_same))
        || words(label) == words(name)
}

/// The words of a name or of its label, in lower case: `company_id` and `Company ID` have the same.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lowercase = false;
    for c in text.chars() {
        let is_separator = c.is_whitespace() || c == '_' || c == '-';
        if is_separator || (after_lowercase && c.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| !is_separator) {
            word.extend(c.to_lowercase());
        }
        after_lowercase = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The arguments of a tool with its level of detail.
pub(in crate::tools) struct WithDetail<T> {
    pub(in crate::tools) args: T,
    pub(in crate::tools) detail: Detail,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for WithDetail<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut arguments = Map::deserialize(deserializer)?;
        let detail = arguments.shift_remove("detail").map(serde_json::from_value).transpose();
        // The message already contains the path.
        let custom = |error: ToolError| de::Error::custom(error.message.trim_end_matches('.'));
        Ok(Self {
            detail: detail.map_err(de::Error::custom)?.unwrap_or_default(),
            args: deserialize(arguments).map_err(custom)?,
        })
    }
}

impl<T: JsonSchema> JsonSchema for WithDetail<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}WithDetail", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            let detail = generator.subschema_for::<Detail>();
            properties.insert("detail".to_owned(), detail.to_value());
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_of_a_field_has_what_says_something() {
        for (label, field, expected) in [
            (
                "what the API adds",
                json!({
                    "id": "a", "name": "company_id", "label": "Company ID", "type": "number",
                    "remote_type": "integer", "unique": false, "user_added": false, "description": null,
                    "example": null, "created_at": "2026-01-01T00:00:00Z", "created_by": {"id": "b"},
                    "updated_at": "2026-01-01T00:00:00Z", "undocumented": 1,
                }),
                json!({"name": "company_id", "type": "number"}),
            ),
            (
                "all that says something",
                json!({
                    "name": "mrr", "label": "Revenue", "type": "number", "unique": true,
                    "user_added": true, "description": "Per month", "example": 0,
                }),
                json!({
                    "name": "mrr", "label": "Revenue", "type": "number", "unique": true,
                    "user_added": true, "description": "Per month", "example": 0,
                }),
            ),
            ("a null for each", json!({"name": null, "type": null}), json!({})),
            ("a label alone", json!({"label": "Id"}), json!({"label": "Id"})),
            (
                "empty texts",
                json!({"name": "a", "label": "", "description": ""}),
                json!({"name": "a"}),
            ),
        ] {
            let field: Field = serde_json::from_value(field).unwrap();
            assert_eq!(json!(field_at(Detail::Summary, field)), expected, "{label}");
        }
    }

    #[test]
    fn a_label_is_left_out_if_it_is_the_name_in_title_case() {
        for (name, label, is_shown) in [
            ("last_login_at", "Last Login At", false),
            ("company_id", "Company ID", false),
            ("firstName", "First Name", false),
            ("e-mail", "E Mail", false),
            ("id", "id", false),
            ("straße", "Straße", false),
            ("price", "Price (EUR)", true),
            ("ab", "A B", true),
            ("mrr", "Monthly recurring revenue", true),
        ] {
            let field =
                Field { name: Some(name.into()), label: Some(label.into()), ..Field::default() };
            let shown = field_at(Detail::Summary, field);
            assert_eq!(shown.label.is_some(), is_shown, "{name}: {label}");
        }
    }
}
