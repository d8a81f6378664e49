//! Where the ids, tables and columns come from that complete the arguments of prompts and resources.

use serde_json::{Map, Value};

use crate::registry::{KnownValue, ValueSource};

/// Ids of models.
pub(super) static MODELS: ValueSource = ValueSource {
    tool: "list_models",
    arguments: no_arguments,
    values: |result| objects(result, "models"),
    is_list: false,
};
/// Ids of connections.
pub(super) static CONNECTIONS: ValueSource = ValueSource {
    tool: "list_connections",
    arguments: no_arguments,
    values: |result| objects(result, "connections"),
    is_list: false,
};
/// Ids of syncs.
pub(super) static SYNCS: ValueSource = ValueSource {
    tool: "list_model_syncs",
    arguments: no_arguments,
    values: |result| objects(result, "syncs"),
    is_list: false,
};
/// Names of tables and views of the connection.
pub(super) static TABLES: ValueSource = ValueSource {
    tool: "get_model_source",
    arguments: of_connection,
    values: tables,
    is_list: false,
};
/// Names of columns of the table of the connection.
pub(super) static COLUMNS: ValueSource = ValueSource {
    tool: "get_model_source_fields",
    arguments: of_table,
    values: |result| names(result, "fields", "name"),
    is_list: true,
};
/// Ids of objects of the connection that a sync can write to.
pub(super) static TARGET_OBJECTS: ValueSource = ValueSource {
    tool: "get_target_objects",
    arguments: of_connection,
    values: |result| objects(result, "objects"),
    is_list: false,
};

/// Where a table is in the configuration of a model.
const TABLE_PROPERTIES: [&str; 2] = ["table", "view"];

fn no_arguments(_: &Map<String, Value>) -> Vec<Map<String, Value>> {
    vec![Map::new()]
}

fn of_connection(filled: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let id = filled.get("connection_id").cloned();
    id.map(|id| Map::from_iter([("connection_id".to_owned(), id)])).into_iter().collect()
}

/// It may be a table or a view.
fn of_table(filled: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let Some(name) = filled.get("table") else { return Vec::new() };
    let with_table = |(property, mut arguments): (&str, Map<String, Value>)| {
        let configuration = Map::from_iter([(property.to_owned(), name.clone())]);
        arguments.insert("configuration".to_owned(), configuration.into());
        arguments
    };
    let connection = of_connection(filled);
    let both = TABLE_PROPERTIES
        .into_iter()
        .flat_map(|property| connection.iter().map(move |arguments| (property, arguments.clone())));
    both.map(with_table).collect()
}

/// The ids of a list, with the names of the objects.
fn objects(result: &Value, list: &str) -> Vec<KnownValue> {
    let items = result.get(list).and_then(Value::as_array).into_iter().flatten();
    let known = |item: &Value| {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(KnownValue { value: text("id")?, name: text("name") })
    };
    items.filter_map(known).collect()
}

/// A property of each item of a list.
fn names(result: &Value, list: &str, property: &str) -> Vec<KnownValue> {
    let items = result.get(list).and_then(Value::as_array).into_iter().flatten();
    let names = items.filter_map(|item| item.get(property)?.as_str());
    names.map(|name| KnownValue { value: name.to_owned(), name: None }).collect()
}

fn tables(result: &Value) -> Vec<KnownValue> {
    let choices = TABLE_PROPERTIES
        .iter()
        .filter_map(|name| result.get("items")?.get(*name)?.get("items")?.as_array());
    let known = |choice: &Value| {
        let text = |name: &str| choice.get(name).and_then(Value::as_str).map(str::to_owned);
        let value = choice.as_str().map(str::to_owned).or_else(|| text("value"))?;
        Some(KnownValue { value, name: text("label") })
    };
    choices.flatten().filter_map(known).collect()
}
