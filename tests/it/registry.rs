//! Rules that hold for every tool, checked over the real list, and the files generated from it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use polytomic_mcp::config::{SETTINGS, Setting, SettingKind};
use polytomic_mcp::registry::Effect;
use polytomic_mcp::tools::TOOLS;
use serde_json::{Value, json};

use self::list_bytes::{MAX_LIST_BYTES, MAX_SEEN_BYTES, list_bytes};
use crate::support::{Launch, Session, compare_or_update_part, root};

#[path = "../../benches/stdio/list_bytes.rs"]
#[allow(dead_code, reason = "the bench reports single tools as well")]
mod list_bytes;

async fn tools() -> Vec<Value> {
    let mut session = Session::open(&all_toolsets(Launch::bare())).await;
    let response = session.request("tools/list", json!({})).await;
    response["result"]["tools"].as_array().unwrap().clone()
}

fn all_toolsets(launch: Launch) -> Launch {
    launch.flag("--toolsets").flag("all")
}

#[tokio::test]
async fn names_and_descriptions_keep_to_their_limits() {
    for tool in tools().await {
        let name = tool["name"].as_str().unwrap();
        assert!(name.len() <= 40, "{name}: shorten the name to 40 characters");
        assert!(
            name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
            "{name}: write it in snake_case"
        );
        let verb = name.split('_').next().unwrap();
        let verbs = [
            "list", "get", "create", "update", "delete", "preview", "sample", "test", "start",
            "cancel", "find", "call", "describe",
        ];
        assert!(verbs.contains(&verb), "{name}: begin it with one of {verbs:?}");
        let description = tool["description"].as_str().unwrap();
        let length = description.chars().count();
        assert!((40..=600).contains(&length), "{name}: {length} characters of description");
        assert!(!description.contains('\n'), "{name}: the description has a line break");
        assert!(tool["title"].as_str().is_some_and(|t| !t.is_empty()), "{name}: add a title");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name}: {hint} is not spelled out");
        }
    }
}

#[tokio::test]
async fn annotations_follow_from_the_effect() {
    let tools = tools().await;
    let hints = |name: &str| {
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        let hint = |key: &str| tool["annotations"][key].as_bool().unwrap();
        (hint("readOnlyHint"), hint("destructiveHint"), hint("idempotentHint"))
    };
    assert_eq!(hints("list_models"), (true, false, true));
    assert_eq!(hints("preview_model"), (true, false, true));
    assert_eq!(hints("create_model"), (false, false, false));
    assert_eq!(hints("delete_model"), (false, true, true));
}

#[tokio::test]
async fn schemas_use_only_what_every_client_accepts() {
    for tool in tools().await {
        let name = tool["name"].as_str().unwrap();
        let mut breaches = Vec::new();
        for (schema, input) in [(&tool["inputSchema"], true), (&tool["outputSchema"], false)] {
            let at = format!("{name} {}", if input { "input" } else { "output" });
            assert_eq!(schema["type"], "object", "{at}");
            assert!(schema["properties"].is_object(), "{at}: no properties");
            assert!(schema["required"].is_array(), "{at}: no required");
            check_schema(&at, schema, input, 1, &mut breaches);
            jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{at}: {error}"));
        }
        assert_eq!(breaches, Vec::<String>::new(), "see the schema rules in docs/architecture.md");
    }
}

/// Collects every breach of the schema rules, with its path.
fn check_schema(at: &str, schema: &Value, input: bool, level: usize, breaches: &mut Vec<String>) {
    const KEYWORDS: &[&str] = &[
        "type",
        "format",
        "description",
        "enum",
        "items",
        "properties",
        "required",
        "additionalProperties",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "default",
        "examples",
    ];
    let Some(node) = schema.as_object() else {
        return breaches.push(format!("{at}: the schema is not an object"));
    };
    let mut breach = |what: String| breaches.push(format!("{at}: {what}"));
    for key in node.keys().filter(|key| !KEYWORDS.contains(&key.as_str())) {
        breach(format!("keyword {key}"));
    }
    if level > 5 {
        breach(format!("level {level}"));
    }
    let kind = node.get("type").and_then(Value::as_str).unwrap_or_default();
    if !["object", "array", "string", "integer", "number", "boolean"].contains(&kind) {
        breach(format!("type {:?}", node.get("type")));
    }
    if node.get("format").is_some_and(|format| format != "date-time") {
        breach("format".to_owned());
    }
    if node.get("default").is_some_and(Value::is_null) {
        breach("default null".to_owned());
    }
    let choices = node.get("enum").and_then(Value::as_array);
    if choices.is_some_and(|choices| !choices.iter().all(Value::is_string)) {
        breach("enum of values other than strings".to_owned());
    }
    if kind == "array" && !node.contains_key("items") {
        breach("array without items".to_owned());
    }
    if node.get("additionalProperties").is_some_and(Value::is_boolean) {
        breach(
            "a boolean additionalProperties: named properties say that an object is closed"
                .to_owned(),
        );
    }
    let properties = node.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, property) in properties {
        let at = format!("{at}.{name}");
        let description = property["description"].as_str().unwrap_or_default();
        if input && description.chars().count() < 10 {
            breaches.push(format!("{at}: describe it"));
        }
        // Some converters drop the keywords.
        for keyword in ["minimum", "maximum", "default"].iter().filter(|_| input) {
            let bound = property.get(*keyword).filter(|bound| bound.is_number());
            if let Some(bound) = bound.filter(|bound| !description.contains(&bound.to_string())) {
                breaches.push(format!("{at}: say {keyword} {bound} in the description"));
            }
        }
        let is_free = property["type"] == "object" && property.get("properties").is_none();
        let has_example =
            ["e.g.", "Same as in `create_"].iter().any(|text| description.contains(text));
        if input && is_free && !has_example {
            breaches.push(format!("{at}: give an example of the map"));
        }
        check_schema(&at, property, input, level + 1, breaches);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = node.get(key).filter(|inner| !inner.is_boolean()) {
            check_schema(&format!("{at}[{key}]"), inner, input, level + 1, breaches);
        }
    }
}

#[tokio::test]
async fn the_list_stays_within_its_byte_budget() {
    let mut session = Session::open(&Launch::bare()).await;
    let result = session.request("tools/list", json!({})).await["result"].clone();
    let (whole, seen) = list_bytes(&result);
    let count = result["tools"].as_array().unwrap().len();
    assert!(count <= 20, "{count} tools");
    assert!(whole <= MAX_LIST_BYTES, "{whole} bytes: shorten a schema");
    assert!(seen <= MAX_SEEN_BYTES, "an agent sees {seen} bytes: shorten a description");
}

#[tokio::test]
async fn the_toolsets_about_syncs_stay_within_theirs() {
    let launch = Launch::bare().flag("--toolsets");
    let mut session = Session::open(&launch.flag("models,syncs,jobs,connections,account")).await;
    let result = session.request("tools/list", json!({})).await["result"].clone();
    let (_, seen) = list_bytes(&result);
    assert!(seen <= 32_000, "an agent sees {seen} bytes: shorten a description");
}

#[tokio::test]
async fn the_toolset_of_all_operations_stays_within_its_own() {
    let mut session = Session::open(&Launch::bare().flag("--toolsets").flag("api")).await;
    let result = session.request("tools/list", json!({})).await["result"].clone();
    assert_eq!(result["tools"].as_array().unwrap().len(), 4);
    let (_, seen) = list_bytes(&result);
    assert!(seen <= 3_500, "an agent sees {seen} bytes: shorten a description");
}

#[tokio::test]
async fn the_list_is_the_same_every_time() {
    assert_eq!(json!(tools().await).to_string(), json!(tools().await).to_string());
}

#[tokio::test]
async fn the_schema_files_match_the_tools() {
    const REPAIR: &str = "repair: cargo run -- schemas --toolsets all --write tool-schemas";
    let directory = root().join("tool-schemas");
    let tools = tools().await;
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        let toolset = TOOLS.toolset_of(name).unwrap().name;
        let text = fs::read_to_string(directory.join(format!("{toolset}/{name}.json")))
            .unwrap_or_else(|error| panic!("{name}.json: {error}; {REPAIR}"));
        let file: Value = serde_json::from_str(&text).unwrap();
        for key in ["name", "title", "description", "annotations", "inputSchema", "outputSchema"] {
            let (actual, stored) = (&tool[key], &file[key]);
            assert_eq!(actual, stored, "{name}.json: {key} differs from the code (left); {REPAIR}");
        }
        assert_eq!(
            text,
            format!("{tool:#}\n"),
            "{name}.json: not formatted as the command writes it; {REPAIR}"
        );
    }
    let folders = TOOLS.toolsets.iter().map(|toolset| directory.join(toolset.name));
    let folders = std::iter::once(directory.clone()).chain(folders);
    let files: BTreeSet<String> = folders.flat_map(|folder| names_in(&folder, "json")).collect();
    let names: BTreeSet<String> =
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(files, names, "a file is missing or left over; {REPAIR}");
}

#[tokio::test]
async fn writing_schemas_repairs_the_directory_and_keeps_other_files() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("models")).unwrap();
    for gone in ["gone_tool", "models/gone_too"] {
        let tool = json!({"name": gone.rsplit('/').next(), "inputSchema": {}});
        fs::write(at(&format!("{gone}.json")), tool.to_string()).unwrap();
    }
    fs::write(at("models/get_model.json"), "old").unwrap();
    fs::write(at("package.json"), r#"{"name": "package"}"#).unwrap();
    fs::write(at("notes.txt"), "mine").unwrap();
    let path = directory.path().to_str().unwrap();
    let launch = Launch::bare().flag("schemas").flag("--write").flag(path);
    let (status, _, stderr) = launch.output().await;
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(!at("gone_tool.json").exists() && !at("models/gone_too.json").exists());
    assert!(at("package.json").exists() && at("notes.txt").exists());
    let written = fs::read_to_string(at("models/get_model.json")).unwrap();
    let kept = root().join("tool-schemas/models/get_model.json");
    assert_eq!(written, fs::read_to_string(kept).unwrap());
}

fn names_in(directory: &Path, extension: &str) -> BTreeSet<String> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_tables_of_the_readme_match_the_code() {
    let head = "| tool | what it does | effect |\n|---|---|---|\n";
    let [mut table, mut on_request] = [head; 2].map(str::to_owned);
    for tool in TOOLS.entries() {
        let toolset = TOOLS.toolset_of(tool.name).unwrap();
        let table = if toolset.is_on_request(tool.name) { &mut on_request } else { &mut table };
        let first = tool.description.split_inclusive(". ").next().unwrap().trim_end();
        let effect = match tool.effect {
            Effect::Read => "reads",
            Effect::Write { overwrites: false, .. } => "creates",
            Effect::Write { overwrites: true, .. } => "overwrites",
            Effect::Destructive => "deletes",
        };
        *table += &format!("| `{}` | {first} | {effect} |\n", tool.name);
    }
    compare_or_update_part("README.md", "tools", &table);
    compare_or_update_part("README.md", "tools on request", &on_request);

    for (page, part, for_ports) in
        [("README.md", "settings", false), ("docs/http.md", "port settings", true)]
    {
        let settings = SETTINGS.iter().filter(|setting| setting.for_ports == for_ports);
        compare_or_update_part(page, part, &table_of(settings.copied()));
    }
}

fn table_of(settings: impl Iterator<Item = &'static Setting>) -> String {
    let mut table = "| variable | flag | default | what it does |\n|---|---|---|---|\n".to_owned();
    for setting in settings {
        let flag = match (setting.flag(), setting.kind) {
            (None, _) => "none: a secret".to_owned(),
            (Some(flag), SettingKind::Switch) => format!("`--{flag}`"),
            (
                Some(flag),
                SettingKind::Text(name)
                | SettingKind::Path(name)
                | SettingKind::List(name)
                | SettingKind::Choice(name, _),
            ) => format!("`--{flag} {name}`"),
            (Some(flag), _) => format!("`--{flag} NUMBER`"),
        };
        let default = if setting.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", setting.default)
        };
        table += &format!("| `{}` | {flag} | {default} | {} |\n", setting.variable(), setting.help);
    }
    table
}

#[tokio::test]
async fn every_tool_takes_max_bytes_and_those_with_large_results_list_it() {
    let tools = tools().await;
    let mut session = Session::open(&all_toolsets(Launch::sandbox())).await;
    let mut unlisted = Vec::new();
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        if tool["inputSchema"]["properties"].get("max_bytes").is_none() {
            unlisted.push(name);
        }
        let error = session.call_err(name, json!({"max_bytes": 3_999})).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("at least 4000"), "{name}: {error}");
    }
    let small = [
        "get_identity",
        "get_connection",
        "test_connection",
        "get_model_sync",
        "create_model",
        "delete_model",
        "get_enrichment_source",
        "get_enrichment_fields",
        "create_model_sync",
        "update_model_sync",
        "delete_model_sync",
        "start_model_sync",
        "cancel_model_sync",
        "get_model_sync_execution",
        "find_operations",
        "call_write_operation",
        "call_delete_operation",
    ];
    unlisted.sort_unstable();
    assert_eq!(unlisted, {
        let mut small = small;
        small.sort_unstable();
        small
    });
    session.call("get_identity", json!({"max_bytes": 4_000})).await;
}
