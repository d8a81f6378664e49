//! Generates the schemas of arguments and results, in the subset that every client and model accepts.
//!
//! One transform cleans what schemars 1.2 generates: `Option<T>` gives a null type or an `anyOf` with null, a
//! documented enum gives `oneOf` of constants, integers get formats, and the serialize contract makes every Option
//! required. Values of any type, enums with data and recursive types cannot be cleaned; a test over the registry
//! reports them.

use schemars::generate::SchemaSettings;
use schemars::transform::{RestrictFormats, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// The only format that clients see.
pub(super) const DATE_TIME: &str = "date-time";
/// Format of an id that the API parses as a UUID.
pub(super) const UUID: &str = "uuid";
/// Format of an idempotency key.
pub(super) const KEY: &str = "idempotency-key";
/// Format of an optional value that may be empty; any other empty value of an argument counts as not passed.
pub(super) const MAY_BE_EMPTY: &str = "may-be-empty";

/// Format of a text that is a segment of a URL's path: neither empty nor dots.
pub(super) const PATH_SEGMENT: &str = "path-segment";

/// Schema by which arguments are validated: closed objects, each property described.
pub(crate) fn input<T: JsonSchema>() -> Map<String, Value> {
    let mut root =
        cleaned::<T>(SchemaSettings::draft2020_12().for_deserialize(), &[UUID, KEY, MAY_BE_EMPTY]);
    close(&mut root);
    root
}

/// A schema of arguments as clients see it. Formats are left out, since some clients refuse them and the
/// descriptions name them; so is every boolean `additionalProperties`, for which google-genai 3.6 refuses a tool. An
/// object with named properties is closed all the same, and one without is free. The properties of arguments that another tool takes as well are left to that tool,
/// since every byte of the list of tools costs context.
pub(super) fn advertised(
    mut schema: Map<String, Value>,
    same_as: Option<SameArguments>,
) -> Map<String, Value> {
    let SameArguments { tool, arguments } = same_as.unwrap_or_default();
    for (name, property) in properties_mut(&mut schema) {
        if arguments.contains(&name.as_str())
            && let Some(property) = property.as_object_mut()
        {
            abbreviate(property, tool);
        }
    }
    remove_unshown(&mut schema);
    schema
}

/// Arguments that another tool, which has the complete schema, takes as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct SameArguments {
    /// Name of that tool.
    pub tool: &'static str,
    /// Names of the arguments: objects, or lists of them.
    pub arguments: &'static [&'static str],
}

fn abbreviate(property: &mut Map<String, Value>, tool: &str) {
    let description = format!("Same as in `{tool}`.");
    let free = json!({"type": "object"});
    let abbreviated = match property.get("type") == Some(&json!("array")) {
        true => json!({"type": "array", "items": free, "description": description}),
        false => json!({"type": "object", "description": description}),
    };
    if let Value::Object(abbreviated) = abbreviated {
        *property = abbreviated;
    }
}

fn remove_unshown(node: &mut Map<String, Value>) {
    if node.get("format").is_some_and(|format| format != DATE_TIME) {
        node.shift_remove("format");
    }
    if node.get("additionalProperties").is_some_and(Value::is_boolean) {
        node.shift_remove("additionalProperties");
    }
    for child in children_mut(node) {
        remove_unshown(child);
    }
}

/// Replaces every description in a schema.
pub(super) fn map_descriptions(node: &mut Map<String, Value>, map: &impl Fn(&str) -> String) {
    if let Some(Value::String(description)) = node.get_mut("description") {
        *description = map(description);
    }
    for child in children_mut(node) {
        map_descriptions(child, map);
    }
}

/// Schema of results. Objects stay open, so that a client with a cached list survives a new property; only the
/// first level has descriptions, since every byte of them costs context.
pub(crate) fn output<T: JsonSchema>() -> Map<String, Value> {
    let mut root = cleaned::<T>(SchemaSettings::draft2020_12().for_serialize(), &[]);
    open(&mut root, 0);
    root
}

/// The properties of a cleaned schema, in order, and whether each is required.
pub(crate) fn properties(
    schema: &Map<String, Value>,
) -> impl Iterator<Item = (&String, &Value, bool)> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        move |name: &String| required.is_some_and(|all| all.iter().any(|n| n == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(move |(name, schema)| (name, schema, is_required(name)))
}

/// The example in a description: "e.g. `Users`". Ids share one example, which the list of tools leaves out, since
/// every byte costs context.
pub(crate) fn example(schema: &Map<String, Value>) -> Option<&str> {
    const ID: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";
    let description = schema.get("description").and_then(Value::as_str)?;
    let example = || Some(description.split_once("e.g. `")?.1.split_once('`')?.0);
    example().or_else(|| description.contains("UUID").then_some(ID))
}

/// The bounds of a value as text: "0 to 600", "at most 2 items".
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

/// The values of an enumeration as text: `"never", "daily"`.
pub(crate) fn choices(schema: &Map<String, Value>) -> Option<String> {
    let choices = schema.get("enum").and_then(Value::as_array)?;
    Some(choices.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
}

/// The words of a text that is open, by its description: "string, number or unknown".
pub(super) fn described_choices(schema: &Map<String, Value>) -> Option<String> {
    let description = schema.get("description").and_then(Value::as_str)?;
    Some(description.strip_prefix("One of ")?.trim_end_matches('.').to_owned())
}

/// What a UUID is, by the first sentence of its description: "a UUID from list_models".
pub(super) fn described_uuid(schema: &Map<String, Value>) -> String {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let sentence = description.split('.').next().unwrap_or_default().replace('`', "");
    let mut characters = sentence.chars();
    match characters.next().filter(|_| sentence.contains("UUID")) {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => "a UUID".to_owned(),
    }
}

/// The schema in the subset that clients accept, with the formats `formats` and date-time.
fn cleaned<T: JsonSchema>(
    mut settings: SchemaSettings,
    formats: &[&'static str],
) -> Map<String, Value> {
    let mut allowed = RestrictFormats::default();
    allowed.infer_from_meta_schema = false;
    allowed
        .allowed_formats
        .extend(formats.iter().chain(&[DATE_TIME]).map(|format| (*format).into()));
    settings.meta_schema = None;
    settings.inline_subschemas = true;
    let generator = settings.with_transform(allowed).with_transform(clean).into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    let root = schema.ensure_object();
    root.shift_remove("description"); // of the Rust type; the tool has its own description
    root.shift_remove("nullable");
    root.entry("properties").or_insert_with(|| json!({}));
    root.entry("required").or_insert_with(|| json!([]));
    std::mem::take(root)
}

/// Cleans a node, its children first. A node that allowed null is marked `nullable` until its parent has read
/// that.
fn clean(schema: &mut Schema) {
    transform_subschemas(&mut clean, schema);
    // A boolean schema stays one: ensure_object would make `false` a `{"not":{}}`.
    let Some(node) = schema.as_object_mut() else {
        return;
    };
    for key in ["title", "$schema", "writeOnly"] {
        node.shift_remove(key);
    }
    if let Some(value) = node.shift_remove("const") {
        node.insert("enum".into(), json!([value]));
    }
    merge_alternatives(node);
    remove_null(node);
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
            // The property that holds them has a description, and so has each of their properties.
            inner.shift_remove("description");
        }
    }
}

fn remove_null(node: &mut Map<String, Value>) {
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
    if let Some(Value::Array(choices)) = node.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    // A default of null, false or an empty list carries no information.
    if node
        .get("default")
        .is_some_and(|default| [json!(null), json!(false), json!([])].contains(default))
    {
        node.shift_remove("default");
    }
}

/// Turns `anyOf: [T, null]` of an Option into T, and `oneOf` of constants into one enum. Anything else is left
/// in, so that the test over the registry reports it.
fn merge_alternatives(node: &mut Map<String, Value>) {
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(mut parts)) = node.shift_remove(key) else {
            continue;
        };
        let before = parts.len();
        parts.retain(|part| part.get("type") != Some(&json!("null")));
        if parts.len() < before {
            node.insert("nullable".into(), true.into());
        }
        let choices: Option<Vec<Value>> = parts
            .iter()
            .map(|part| part.get("enum")?.as_array().cloned())
            .collect::<Option<Vec<_>>>()
            .map(|lists| lists.concat());
        match (parts.as_slice(), choices) {
            ([Value::Object(only)], _) => {
                for (key, value) in only {
                    // The description of a property has precedence over that of its type.
                    node.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            (_, Some(choices)) if !choices.is_empty() => {
                node.insert("type".into(), json!("string"));
                node.insert("enum".into(), choices.into());
            }
            _ => {
                node.insert(key.into(), parts.into());
            }
        }
    }
}

/// Closes every object with named properties, and marks the others as free.
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
        /// Of the property.
        inner: Option<Inner>,
        often: Option<Often>,
        #[serde(default)]
        #[schemars(range(min = 1, max = 9))]
        count: Option<u32>,
        /// Free.
        map: Option<Map<String, Value>>,
    }

    #[test]
    fn argument_schemas_are_closed_described_and_free_of_null() {
        assert_eq!(
            Value::Object(input::<Everything>()),
            json!({
                "type": "object",
                "properties": {
                    "inner": {
                        "description": "Of the property.",
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
    fn result_schemas_are_open_short_and_require_nothing_optional() {
        assert_eq!(
            Value::Object(output::<Everything>()),
            json!({
                "type": "object",
                "properties": {
                    "inner": {
                        "description": "Of the property.",
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
