//! From what schemars writes to what every client and model accepts: one transform for all tools.
//!
//! Facts (schemars 1.2): `Option<T>` gives a null type or an `anyOf` with null, a documented enum gives
//! `oneOf` of constants, integers get formats, and the serialize contract calls every Option required.
//! Values of any type, enums with data and recursive types cannot be cleaned; the test over the registry
//! names them.

use schemars::generate::SchemaSettings;
use schemars::transform::{RestrictFormats, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// The schema of arguments: closed objects, each property described.
pub(super) fn input<T: JsonSchema>() -> Map<String, Value> {
    let mut root = cleaned::<T>(SchemaSettings::draft2020_12().for_deserialize());
    close(&mut root);
    root
}

/// The schema of results: objects stay open, so that a client with a cached list survives a new
/// property; below the first level there is no prose, since each byte of it costs context.
pub(super) fn output<T: JsonSchema>() -> Map<String, Value> {
    let mut root = cleaned::<T>(SchemaSettings::draft2020_12().for_serialize());
    open(&mut root, 0);
    root
}

/// The properties of a cleaned schema in their order, and whether each is required.
pub(crate) fn properties(
    schema: &Map<String, Value>,
) -> impl Iterator<Item = (&String, &Value, bool)> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        move |name: &String| required.is_some_and(|all| all.iter().any(|n| n == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(move |(name, schema)| (name, schema, is_required(name)))
}

/// The example that a description gives: "e.g. `Users`". That of an id is always the same, since each byte
/// of the list costs context.
pub(crate) fn example(schema: &Map<String, Value>) -> Option<&str> {
    const ID: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";
    let words = schema.get("description").and_then(Value::as_str)?;
    let given = || Some(words.split_once("e.g. `")?.1.split_once('`')?.0);
    given().or_else(|| words.contains("UUID").then_some(ID))
}

/// The bounds of a value in words: "0 to 600", "at most 2 items".
pub(crate) fn bounds(schema: &Map<String, Value>) -> Option<String> {
    const RANGES: [(&str, &str, &str); 3] = [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ];
    RANGES.iter().find_map(|(low, high, unit)| match (schema.get(*low), schema.get(*high)) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}")),
        (Some(low), None) => Some(format!("at least {low}{unit}")),
        (None, Some(high)) => Some(format!("at most {high}{unit}")),
        (None, None) => None,
    })
}

/// The words that a value is one of: `"never", "daily"`.
pub(crate) fn choices(schema: &Map<String, Value>) -> Option<String> {
    let words = schema.get("enum").and_then(Value::as_array)?;
    Some(words.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
}

fn cleaned<T: JsonSchema>(mut settings: SchemaSettings) -> Map<String, Value> {
    settings.meta_schema = None;
    settings.inline_subschemas = true;
    let mut formats = RestrictFormats::default();
    formats.infer_from_meta_schema = false;
    formats.allowed_formats.insert("date-time".into());
    let generator = settings.with_transform(formats).with_transform(clean).into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    let root = schema.ensure_object();
    root.shift_remove("description"); // of the Rust type; the tool's own description speaks
    root.shift_remove("nullable");
    root.entry("properties").or_insert_with(|| json!({}));
    root.entry("required").or_insert_with(|| json!([]));
    std::mem::take(root)
}

/// Children first. A node that allowed null carries the mark `nullable` until its parent has read it.
fn clean(schema: &mut Schema) {
    transform_subschemas(&mut clean, schema);
    // A boolean schema stays one: ensure_object would make `false` a `{"not":{}}`.
    let Some(node) = schema.as_object_mut() else {
        return;
    };
    for key in ["title", "$schema", "writeOnly"] {
        node.shift_remove(key);
    }
    if let Some(word) = node.shift_remove("const") {
        node.insert("enum".into(), json!([word]));
    }
    unite_alternatives(node);
    take_null_out(node);
    if let Some(Value::String(text)) = node.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let mut optional = Vec::new();
    for (name, property) in properties_mut(node) {
        if property.as_object_mut().is_some_and(|p| p.shift_remove("nullable").is_some()) {
            optional.push(name.clone());
        }
    }
    if let Some(Value::Array(required)) = node.get_mut("required") {
        required.retain(|name| !optional.iter().any(|o| name == o));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = node.get_mut(key) {
            inner.shift_remove("nullable");
            // What holds them has a description, and each property of theirs.
            inner.shift_remove("description");
        }
    }
}

fn take_null_out(node: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = node.get_mut("type") {
        let before = types.len();
        types.retain(|t| t != "null");
        let nullable = types.len() < before;
        if let [only] = types.as_slice() {
            let only = only.clone();
            node.insert("type".into(), only);
        }
        if nullable {
            node.insert("nullable".into(), true.into());
        }
    }
    if let Some(Value::Array(words)) = node.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    // That nothing, no or an empty list is meant where nothing is given goes without saying.
    if node
        .get("default")
        .is_some_and(|default| [json!(null), json!(false), json!([])].contains(default))
    {
        node.shift_remove("default");
    }
}

/// `anyOf: [T, null]` of an Option becomes T; `oneOf` of one-word enums becomes one enum. Anything else
/// is left in, so that the test over the registry names it.
fn unite_alternatives(node: &mut Map<String, Value>) {
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(mut parts)) = node.shift_remove(key) else {
            continue;
        };
        let before = parts.len();
        parts.retain(|part| part.get("type") != Some(&json!("null")));
        if parts.len() < before {
            node.insert("nullable".into(), true.into());
        }
        let words: Option<Vec<Value>> = parts
            .iter()
            .map(|part| part.get("enum")?.as_array().cloned())
            .collect::<Option<Vec<_>>>()
            .map(|lists| lists.concat());
        match (parts.as_slice(), words) {
            ([Value::Object(only)], _) => {
                for (key, value) in only {
                    // The field's own words stand before its type's.
                    node.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            (_, Some(words)) if !words.is_empty() => {
                node.insert("type".into(), json!("string"));
                node.insert("enum".into(), words.into());
            }
            _ => {
                node.insert(key.into(), parts.into());
            }
        }
    }
}

/// Closes every object that names its properties and says of the others that they are free.
fn close(node: &mut Map<String, Value>) {
    if node.get("type") == Some(&json!("object")) && !node.contains_key("additionalProperties") {
        let free = !node.contains_key("properties");
        node.insert("additionalProperties".into(), free.into());
    }
    for child in children_mut(node) {
        close(child);
    }
}

fn open(node: &mut Map<String, Value>, depth: usize) {
    node.shift_remove("additionalProperties");
    if node.get("required").is_some_and(|r| r == &json!([])) && depth > 0 {
        node.shift_remove("required");
    }
    if depth > 1 {
        node.shift_remove("description");
    }
    for child in children_mut(node) {
        open(child, depth + 1);
    }
}

fn children_mut(node: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let mut children = Vec::new();
    for (key, value) in node {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                children.extend(properties.values_mut().filter_map(Value::as_object_mut));
            }
            ("items" | "additionalProperties", Value::Object(inner)) => children.push(inner),
            _ => {}
        }
    }
    children.into_iter()
}

fn properties_mut(node: &mut Map<String, Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    node.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;

    /// How often.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Often {
        /// Not at all.
        Never,
        Daily,
    }

    /// Of the type.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        /// Of the
        /// inner property.
        word: String,
    }

    /// Gone.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Everything {
        /// Own words.
        inner: Option<Inner>,
        often: Option<Often>,
        #[serde(default)]
        #[schemars(range(min = 1, max = 9))]
        count: Option<u32>,
        /// Free.
        map: Option<Map<String, Value>>,
    }

    #[test]
    fn arguments_are_closed_described_and_free_of_null() {
        assert_eq!(
            Value::Object(input::<Everything>()),
            json!({
                "type": "object",
                "properties": {
                    "inner": {
                        "description": "Own words.",
                        "type": "object",
                        "properties": {
                            "word": {"description": "Of the inner property.", "type": "string"}
                        },
                        "additionalProperties": false,
                        "required": ["word"],
                    },
                    "often": {"description": "How often.", "type": "string", "enum": ["daily", "never"]},
                    "count": {"type": "integer", "minimum": 1, "maximum": 9},
                    "map": {"description": "Free.", "type": "object", "additionalProperties": true},
                },
                "additionalProperties": false,
                "required": [],
            })
        );
    }

    #[test]
    fn results_are_open_short_and_require_nothing_optional() {
        assert_eq!(
            Value::Object(output::<Everything>()),
            json!({
                "type": "object",
                "properties": {
                    "inner": {
                        "description": "Own words.",
                        "type": "object",
                        "properties": {"word": {"type": "string"}},
                        "required": ["word"],
                    },
                    "often": {"description": "How often.", "type": "string", "enum": ["daily", "never"]},
                    "count": {"type": "integer", "minimum": 1, "maximum": 9},
                    "map": {"description": "Free.", "type": "object"},
                },
                "required": [],
            })
        );
    }
}
