//! Empty values, with which clients fill the arguments that they do not use: they count as not passed, and where
//! they would erase something in a model, the update fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::arguments::{Tool, sent, tools};
use crate::support::{
    CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition, over_call, over_mcp, over_rpc,
};
use crate::update::{model, session};

/// What clients fill with.
fn empty_values() -> [Value; 6] {
    [json!(null), json!(""), json!([]), json!({}), json!([""]), json!([{}])]
}

fn optional_arguments(tool: &Tool) -> Vec<String> {
    let required: BTreeSet<&str> =
        tool.schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let names = tool.schema["properties"].as_object().unwrap().keys();
    let mut names: Vec<String> =
        names.filter(|name| !required.contains(name.as_str())).cloned().collect();
    // Arguments that a tool takes without listing them.
    names.push("max_bytes".to_owned());
    names
}

/// The arguments of `update_model` that are no property of a model.
fn is_option(name: &str) -> bool {
    const OPTIONS: [&str; 10] = [
        "async",
        "clear",
        "detail",
        "dry_run",
        "expected_name",
        "expected_version",
        "max_bytes",
        "refresh",
        "replace",
        "wait_seconds",
    ];
    OPTIONS.contains(&name)
}

fn properties(tool: &Tool) -> Vec<String> {
    optional_arguments(tool).into_iter().filter(|name| !is_option(name)).collect()
}

fn with(arguments: &Value, name: &str, value: &Value) -> Value {
    let mut arguments = arguments.clone();
    arguments[name] = value.clone();
    arguments
}

/// An API that has a model, with `extra` properties.
async fn stub(extra: Value) -> Stub {
    let mut model = json!({"id": UNKNOWN_ID, "name": "Users", "version": 3});
    for (name, value) in extra.as_object().unwrap() {
        model[name] = value.clone();
    }
    let stub = Stub::start().await;
    let page = json!({"data": [model, model], "pagination": {"next_page_token": null}});
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    stub.json("GET", "/api/models", 200, page.clone()).await;
    stub.json("GET", "/api/syncs", 200, page).await;
    stub
}

#[tokio::test]
async fn an_empty_optional_argument_of_any_tool_is_absent() {
    let stub = stub(json!({})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut count = 0;
    for mut tool in tools(&mut session).await {
        let optional = optional_arguments(&tool);
        if tool.name == "update_model" {
            // Without a change nothing is written.
            tool.minimal["refresh"] = json!(true);
        }
        let expected = sent(&stub, &mut session, &tool, &tool.minimal, "minimal").await;
        // Everything at once, and each argument alone, with its other names.
        for value in empty_values() {
            let all = optional.iter().fold(tool.minimal.clone(), |all, name| match name.as_str() {
                "refresh" | "name" => all,
                name => with(&all, name, &value),
            });
            let received = sent(&stub, &mut session, &tool, &all, "all").await;
            assert_eq!(received, expected, "{}: all as {value}", tool.name);
            for name in optional.iter().map(String::as_str).filter(|name| *name != "refresh") {
                // The model has a name.
                if (tool.name.as_str(), name) == ("update_model", "name") && !value.is_null() {
                    continue;
                }
                let call = with(&tool.minimal, name, &value);
                let received = sent(&stub, &mut session, &tool, &call, name).await;
                assert_eq!(received, expected, "{}: {name} as {value}", tool.name);
                count += 1;
            }
        }
    }
    assert!(count >= 500, "{count}");
}

#[tokio::test]
async fn an_empty_value_inside_an_argument_is_absent_or_part_of_a_definition() {
    let stub = stub(json!({})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let all = tools(&mut session).await;
    let create = all.iter().find(|tool| tool.name == "create_model").unwrap();
    let model = |extra: Value| {
        let mut arguments = definition();
        for (name, value) in extra.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        arguments
    };
    let enricher = |extra: Value| {
        let mut enricher = json!({"connection_id": CONNECTION});
        for (name, value) in extra.as_object().unwrap() {
            enricher[name] = value.clone();
        }
        model(json!({"enricher": enricher}))
    };
    let field = json!({"name": "score", "label": "Score", "type": "number"});
    for (arguments, as_if) in [
        (model(json!({"enricher": {}})), definition()),
        (model(json!({"enricher": "{}"})), definition()),
        (
            model(
                json!({"enricher": {"connection_id": "", "configuration": {}, "mappings": {}, "fields": [], "enricher_id": ""}}),
            ),
            definition(),
        ),
        (model(json!({"enricher": {"connection_id": null}})), definition()),
        (
            model(json!({"relations": [{"from": "", "to": {"model_id": "", "field": ""}}]})),
            definition(),
        ),
        (model(json!({"relations": [{}]})), definition()),
        (
            model(json!({"additional_fields": [{"name": "", "label": "", "type": ""}]})),
            definition(),
        ),
        (enricher(json!({"enricher_id": ""})), enricher(json!({}))),
        (enricher(json!({"mappings": "", "fields": {}})), enricher(json!({}))),
        // A definition from get_model may contain these.
        (enricher(json!({"fields": []})), enricher(json!({"fields": []}))),
        (enricher(json!({"mappings": "{}"})), enricher(json!({"mappings": {}}))),
        (
            model(json!({"additional_fields": [with(&field, "example", &json!(""))]})),
            model(json!({"additional_fields": [with(&field, "example", &json!(""))]})),
        ),
        (
            model(json!({"configuration": {"table": "t", "schema": "", "filters": []}})),
            model(json!({"configuration": {"table": "t", "schema": "", "filters": []}})),
        ),
    ] {
        let received = sent(&stub, &mut session, create, &arguments, "create_model").await;
        let body: Value = serde_json::from_str(&received[0].2).unwrap();
        assert_eq!(body, as_if, "{arguments}");
    }
    // What is required cannot be absent.
    for (arguments, argument) in [
        (model(json!({"name": ""})), "name"),
        (model(json!({"connection_id": " "})), "connection_id"),
        (model(json!({"configuration": ""})), "configuration"),
        (model(json!({"configuration": []})), "configuration"),
        (model(json!({"enricher": {"fields": [{"name": "a"}]}})), "enricher.connection_id"),
        (model(json!({"labels": [null]})), "labels[0]"),
    ] {
        let error = session.call_err("create_model", arguments).await;
        assert_eq!(error["details"]["argument"], argument, "{error}");
    }
}

#[tokio::test]
async fn a_model_created_with_empty_values_is_as_without_them() {
    let mut session = Session::sandbox().await;
    let all = tools(&mut session).await;
    let create = all.iter().find(|tool| tool.name == "create_model").unwrap();
    let comparable = |created: &Value| {
        let mut model = created["model"].clone();
        for name in ["id", "created_at", "updated_at"] {
            model.as_object_mut().unwrap().remove(name);
        }
        model
    };
    let expected = session.call("create_model", definition()).await;
    for value in empty_values() {
        let arguments = optional_arguments(create)
            .iter()
            .fold(definition(), |all, name| with(&all, name, &value));
        let created = session.call("create_model", arguments).await;
        assert_eq!(comparable(&created), comparable(&expected), "{value}");
    }
}

#[tokio::test]
async fn an_empty_value_for_what_a_model_holds_is_an_error_and_changes_nothing() {
    let (mut session, id) = session().await;
    let all = tools(&mut session).await;
    let update = all.iter().find(|tool| tool.name == "update_model").unwrap();
    let before = model(&mut session, &id).await;
    let call = json!({"model_id": id, "name": "People"});
    let mut count = 0;
    for name in properties(update) {
        for value in empty_values().into_iter().filter(|value| !value.is_null()) {
            for extra in [json!({}), json!({"dry_run": true}), json!({"async": true})] {
                let mut arguments = with(&call, &name, &value);
                arguments.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
                let error = session.call_err("update_model", arguments.clone()).await;
                assert_eq!(error["code"], "invalid_argument", "{arguments}: {error}");
                assert_eq!(error["outcome"], "not_sent", "{arguments}: {error}");
                assert_eq!(error["details"]["argument"], name, "{arguments}: {error}");
                let hint = error["hint"].as_str().unwrap();
                assert!(hint.contains(&format!("Leave out `{name}`")), "{arguments}: {error}");
                assert!(hint.contains("`clear`"), "{arguments}: {error}");
                count += 1;
            }
        }
        assert_eq!(model(&mut session, &id).await, before, "{name}");
    }
    assert!(count >= 12 * 5 * 3, "{count}");
}

#[tokio::test]
async fn an_over_eager_rename_names_everything_that_it_would_erase() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    let rename = json!({
        "model_id": id, "name": "People", "fields": [], "relations": [], "tracking_columns": [], "labels": [],
        "additional_fields": [], "enricher": {}, "identifier": "", "policies": [], "configuration": {},
        "connection_id": "", "organization_id": "", "clear": [], "detail": "", "dry_run": "", "expected_version": "",
        "replace": "", "refresh": "", "async": "", "wait_seconds": "", "max_bytes": "",
    });
    let error = session.call_err("update_model", rename.clone()).await;
    let problems = error["details"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 10, "{error}");
    assert!(error["message"].as_str().unwrap().contains("10 more problems"), "{error}");
    for problem in problems {
        assert!(problem["hint"].as_str().unwrap().contains("`clear`"), "{problem}");
    }
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("Leave out `fields`, `relations`, "), "{error}");
    assert!(hint.contains("`organization_id` to keep them; to empty `fields`, "), "{error}");
    assert_eq!(model(&mut session, &id).await, before);

    // The same for what cannot be cleared, and over the other servers.
    let fixed = json!({"model_id": id, "name": "", "configuration": {"table": ""}});
    let error = session.call_err("update_model", fixed).await;
    let expected = "Leave out `name`, `configuration` to keep them; `clear` cannot empty them.";
    assert_eq!(error["hint"], expected, "{error}");
    assert_eq!(model(&mut session, &id).await, before);
}

#[tokio::test]
async fn an_over_eager_rename_of_a_plain_model_renames_it() {
    let mut session = Session::sandbox().await;
    let id = session.create_model("Users", "public.users").await;
    let all = tools(&mut session).await;
    let update = all.iter().find(|tool| tool.name == "update_model").unwrap();
    let before = model(&mut session, &id).await;
    let held =
        ["connection_id", "name", "configuration", "organization_id", "identifier", "fields"];
    for (n, value) in empty_values().into_iter().enumerate() {
        let name = format!("People {n}");
        let rename = properties(update)
            .iter()
            .filter(|name| !held.contains(&name.as_str()))
            .fold(json!({"model_id": id, "name": name}), |all, name| with(&all, name, &value));
        assert!(rename.as_object().unwrap().len() >= 8, "{rename}");
        let updated = session.call("update_model", rename.clone()).await;
        assert_eq!(updated["changed"].as_array().unwrap().len(), 1, "{rename}: {updated}");
        let after = model(&mut session, &id).await;
        assert_eq!(after["name"], name.as_str());
        assert_eq!(after["fields"], before["fields"]);
    }
}

#[tokio::test]
async fn further_empty_values_erase_nothing() {
    let (mut session, id) = session().await;
    let before = model(&mut session, &id).await;
    let with_enricher = |extra: Value| {
        let mut enricher = before["enricher"].clone();
        enricher.as_object_mut().unwrap().remove("enricher_id").unwrap();
        for (name, value) in extra.as_object().unwrap() {
            enricher[name] = value.clone();
        }
        json!({"enricher": enricher})
    };
    for (label, change, argument) in [
        ("a list as text", json!({"relations": " [ ] "}), "relations"),
        ("an object as text", json!({"enricher": "{}"}), "enricher"),
        ("a list for an object", json!({"enricher": []}), "enricher"),
        ("an object for a list", json!({"labels": {}}), "labels"),
        ("empty items", json!({"fields": ["", ""]}), "fields"),
        ("an item without values", json!({"relations": [{}]}), "relations"),
        (
            "an item of empty values",
            json!({"relations": [{"from": "", "to": {"model_id": "", "field": ""}}]}),
            "relations",
        ),
        (
            "a source of empty values",
            json!({"configuration": {"table": "", "query": null}}),
            "configuration",
        ),
        ("a blank id", json!({"connection_id": "  "}), "connection_id"),
        (
            "an enricher of empty values",
            json!({"enricher": {"connection_id": "", "mappings": {"": ""}, "fields": []}}),
            "enricher",
        ),
        ("empty fields of the enricher", with_enricher(json!({"fields": []})), "enricher.fields"),
        ("its empty mappings", with_enricher(json!({"mappings": {}})), "enricher.mappings"),
        ("as text", with_enricher(json!({"mappings": ""})), "enricher.mappings"),
        (
            "its empty configuration",
            with_enricher(json!({"configuration": {"object": ""}})),
            "enricher.configuration",
        ),
    ] {
        let mut arguments = change.clone();
        arguments["model_id"] = json!(id);
        let error = session.call_err("update_model", arguments).await;
        assert_eq!(error["code"], "invalid_argument", "{label}: {error}");
        assert_eq!(error["details"]["argument"], argument, "{label}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("`clear`"), "{label}: {error}");
        assert_eq!(model(&mut session, &id).await, before, "{label}");
    }
    // Nothing would be erased by these.
    for (label, change, changed) in [
        ("the id of the enricher", with_enricher(json!({"enricher_id": ""})), json!([])),
        (
            "what the caller clears as well",
            json!({"labels": [], "clear": ["labels"]}),
            json!(["labels"]),
        ),
        ("what is cleared by now", json!({"labels": [], "name": "Users"}), json!([])),
    ] {
        let mut arguments = change.clone();
        arguments["model_id"] = json!(id);
        let updated = session.call("update_model", arguments).await;
        let names: Vec<&Value> = updated["changed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| &change["property"])
            .collect();
        assert_eq!(json!(names), changed, "{label}: {updated}");
    }
    // With `replace` the caller asks for dropping what is not passed.
    let mut replacement = definition();
    replacement["model_id"] = json!(id);
    for (name, value) in
        [("replace", json!(true)), ("relations", json!([])), ("enricher", json!({}))]
    {
        replacement[name] = value;
    }
    let replaced = session.call("update_model", replacement).await;
    assert_eq!(replaced["model"].get("enricher"), None, "{replaced}");
}

#[tokio::test]
async fn empty_values_are_read_alike_by_every_server() {
    let stub = stub(json!({
        "connection_id": CONNECTION, "configuration": {"table": "t"}, "labels": ["crm"], "identifier": "id",
    }))
    .await;
    let launch = Launch::against(&stub.url());
    let mut mcp = Session::open(&launch).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    for (tool, arguments) in [
        // As a client of the cases sends it.
        (
            "list_models",
            json!({"cursor": "", "connection_id": "", "detail": "", "name_contains": ""}),
        ),
        (
            "list_model_syncs",
            json!({"cursor": "", "model_id": [], "limit": {}, "name_contains": ""}),
        ),
        (
            "update_model",
            json!({"model_id": UNKNOWN_ID, "labels": [], "identifier": "", "name": "a"}),
        ),
        ("update_model", json!({"model_id": UNKNOWN_ID, "relations": [], "enricher": {}})),
        ("delete_model", json!({"model_id": ""})),
    ] {
        let expected = over_mcp(&mut mcp, tool, &arguments).await;
        assert_eq!(over_rpc(&mut rpc, tool, &arguments).await, expected, "rpc: {tool} {arguments}");
        let call = over_call(launch.clone(), tool, &arguments).await;
        assert_eq!(call, expected, "call: {tool} {arguments}");
        let is_refused = arguments.get("labels").is_some() || tool == "delete_model";
        assert_eq!(expected.is_err(), is_refused, "{tool} {arguments}: {expected:?}");
    }
    // `call` reads `labels=` as a list of one empty text.
    let assigned = ["call", "update_model", "labels=", "identifier="]
        .iter()
        .fold(launch, |launch, argument| launch.flag(argument))
        .flag(&format!("model_id={UNKNOWN_ID}"));
    let (status, _, stderr) = assigned.output().await;
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("name them in `clear`"), "{stderr}");
    assert!(!stub.lines().await.iter().any(|line| line.starts_with("PUT")));
}

#[test]
fn the_properties_of_a_model_are_the_arguments_that_are_no_options() {
    // Guards against an argument that the tables above leave out.
    let update = include_str!("../../tool-schemas/models/update_model.json");
    let update: Value = serde_json::from_str(update).unwrap();
    let names = update["inputSchema"]["properties"].as_object().unwrap().keys();
    let properties: Vec<&String> =
        names.filter(|name| !is_option(name) && *name != "model_id").collect();
    assert_eq!(properties.len(), 12, "{properties:?}");
}
