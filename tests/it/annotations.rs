//! The annotations of each tool, checked against what its calls change in the sandbox.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use polytomic_mcp::tools::TOOLS;

use crate::support::{CONNECTION, Launch, Sandbox, Session, TARGET, scratch_file, users};

/// A sandbox with two models, a sync that reads from the first, and a finished job.
struct Fixture {
    sandbox: Sandbox,
    session: Session,
    model: Value,
    unused_model: Value,
    sync: Value,
    job: Value,
}

/// All stored objects by path.
type Objects = BTreeMap<String, Value>;

impl Fixture {
    async fn start(file: &str) -> Self {
        let sandbox = Sandbox::start_with(&["--data", file]);
        let more = json!({"labels": ["crm"], "tracking_columns": ["updated_at"]});
        let model = sandbox.post("/api/models", &users(more)).await.data()["id"].clone();
        let unused_model = sandbox.post("/api/models", &users(json!({"name": "Spare"}))).await;
        let unused_model = unused_model.data()["id"].clone();
        let people = json!({"target": {"connection_id": TARGET, "object": "people"}});
        let sync = sandbox.add_sync("Nightly", &model, people).await;
        let path = format!("/api/models/{}/sample?async=true", model.as_str().unwrap());
        let job = sandbox.wait_for_job(&sandbox.get(&path).await.body["job"]).await;
        let launch =
            sandbox.launch().flag("--toolsets").flag("all").flag("--allow-secret-operations");
        let session = Session::open(&launch).await;
        Self { sandbox, session, model, unused_model, sync, job }
    }

    async fn objects(&self) -> Objects {
        let mut objects = Objects::new();
        for list in ["/api/models", "/api/syncs", "/api/connections"] {
            for item in self.sandbox.get(list).await.data().as_array().unwrap() {
                let path = format!("{list}/{}", item["id"].as_str().unwrap());
                objects.insert(path.clone(), self.sandbox.get(&path).await.data().clone());
                objects.insert(format!("{path} in the list"), item.clone());
                if list == "/api/syncs" {
                    // What an execution does to the target is not looked at: that there is one stands for it.
                    let executions = self.sandbox.get(&format!("{path}/executions")).await;
                    let count = executions.data().as_array().unwrap().len();
                    objects.insert(format!("{path}/executions"), json!({ "count": count }));
                }
            }
        }
        objects
    }

    /// Calls a tool, and asserts that it fails with `expected`, or succeeds if that is `None`.
    async fn call(&mut self, tool: &str, arguments: &Value, expected: Option<&str>) {
        let params = json!({"name": tool, "arguments": arguments});
        let response = self.session.request("tools/call", params).await;
        match expected {
            None => {
                self.session.expect_result(tool, &response);
            }
            Some(code) => {
                assert_eq!(self.session.expect_error(&response)["code"], code, "{arguments}");
            }
        }
    }

    /// Calls of a tool, each with the expected errors of the first and the second time. Every call of a tool that
    /// writes starts with a new fixture.
    fn calls(&self, tool: &str) -> Vec<(Value, ExpectedErrors)> {
        const NONE: ExpectedErrors = (None, None);
        const NOT_FOUND: ExpectedErrors = (Some("not_found"), Some("not_found"));
        let (model, connection) = (&self.model, json!({"connection_id": CONNECTION}));
        let source = json!({
            "connection_id": CONNECTION, "configuration": {"table": "public.users"},
        });
        let with_async = |mut arguments: Value| {
            arguments["async"] = json!(true);
            arguments
        };
        let with_property = |name: &str, value: &Value| json!({"model_id": model, name: value});
        match tool {
            "create_model" => {
                let model = users(json!({"name": "Another"}));
                vec![(with_async(model.clone()), NONE), (model, NONE)]
            }
            "preview_model" => vec![(with_async(source.clone()), NONE), (source, NONE)],
            "update_model" => vec![
                (with_property("name", &json!("People")), NONE),
                (with_property("clear", &json!(["labels", "tracking_columns"])), NONE),
                (with_property("clear", &json!(["fields", "identifier"])), NONE),
                (with_property("refresh", &json!(true)), NONE),
                (
                    with_async(with_property(
                        "configuration",
                        &json!({"query": "SELECT * FROM users"}),
                    )),
                    NONE,
                ),
                (
                    json!({
                        "model_id": model, "replace": true, "name": "People",
                        "connection_id": CONNECTION, "configuration": {"table": "public.users"},
                    }),
                    NONE,
                ),
                (
                    json!({"model_id": model, "expected_version": 1, "name": "People"}),
                    (None, Some("conflict")),
                ),
            ],
            "delete_model" => vec![
                (json!({"model_id": self.unused_model}), (None, Some("not_found"))),
                (with_property("force", &json!(true)), (None, Some("not_found"))),
            ],
            "get_model" => vec![(with_property("async", &json!(true)), NONE)],
            "sample_records" => {
                vec![
                    (json!({"model_id": model}), NONE),
                    (with_property("async", &json!(true)), NONE),
                ]
            }
            "list_models" | "list_connections" | "list_connection_types" => {
                vec![(json!({"detail": "full"}), NONE)]
            }
            "list_model_syncs" => vec![(json!({"model_id": model}), NONE)],
            "get_model_sync" => vec![(json!({"sync_id": self.sync}), NONE)],
            "create_model_sync" => {
                let source = json!({"model_id": model, "field": "email"});
                let fields = json!([{"source": source, "target": "mail"}]);
                let target = json!({"connection_id": CONNECTION, "object": "People"});
                let sync =
                    json!({"name": "More", "mode": "create", "fields": fields, "target": target});
                vec![(sync, NONE)]
            }
            "update_model_sync" => {
                vec![(json!({"sync_id": self.sync, "name": "Hourly"}), NONE)]
            }
            "delete_model_sync" => {
                vec![(json!({"sync_id": self.sync}), (None, Some("not_found")))]
            }
            "start_model_sync" => {
                vec![(json!({"sync_id": self.sync}), NONE)]
            }
            "list_model_sync_executions" => vec![(json!({"sync_id": self.sync}), NONE)],
            "get_model_sync_execution" => {
                let ids = json!({"sync_id": self.sync, "execution_id": crate::support::UNKNOWN_ID});
                vec![(ids, NOT_FOUND)]
            }
            "get_target_objects" => vec![(json!({"connection_id": TARGET}), NONE)],
            "get_target_fields" => {
                vec![(json!({"connection_id": TARGET, "object": "public.new"}), NOT_FOUND)]
            }
            "get_model_source" | "get_model_source_fields" => vec![(source, NONE)],
            "get_enrichment_source" | "get_enrichment_fields" => vec![(connection, NOT_FOUND)],
            "get_connection" | "test_connection" => vec![(connection, NONE)],
            "get_connection_type_schema" => vec![(json!({"connection_type": "sqlite"}), NONE)],
            "get_job" => {
                vec![(json!({"type": "samplemodel", "job_id": self.job["job_id"]}), NONE)]
            }
            "get_identity" => vec![(json!({}), NONE)],
            "describe_model" => vec![(json!({"model_id": model}), NONE)],
            "find_operations" => vec![(json!({"query": "webhooks", "detail": "full"}), NONE)],
            "call_read_operation" => vec![(json!({"operation": "list_bulk_syncs"}), NONE)],
            "call_write_operation" => {
                let path = json!({"id": self.sync});
                let configuration = json!({"path": "/nowhere/more.db"});
                let connection = json!({
                    "name": "More", "type": "sqlite", "configuration": configuration, "validate": false,
                });
                vec![
                    (
                        json!({"operation": "activate_model_sync", "path": path, "body": {"active": true}}),
                        NONE,
                    ),
                    (json!({"operation": "create_connection", "body": connection}), NONE),
                ]
            }
            "call_delete_operation" => {
                let (path, query) = (json!({"id": CONNECTION}), json!({"force": true}));
                let call = json!({"operation": "delete_connection", "path": path, "query": query});
                vec![(call, (None, Some("not_found")))]
            }
            _ => panic!("{tool}: add calls here, so that its annotations are checked"),
        }
    }
}

/// Error codes of the first and the second call.
type ExpectedErrors = (Option<&'static str>, Option<&'static str>);

/// Properties that record a write.
const STAMPS: [&str; 3] = ["updated_at", "updated_by", "version"];

/// Removes the stamps, at any depth.
fn remove_stamps(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !STAMPS.contains(&name.as_str()));
            map.values_mut().for_each(remove_stamps);
        }
        Value::Array(list) => list.iter_mut().for_each(remove_stamps),
        _ => {}
    }
}

fn without_stamps(mut objects: Objects) -> Objects {
    objects.values_mut().for_each(remove_stamps);
    objects
}

/// Objects and properties that were removed or changed.
fn lost(before: &Objects, after: &Objects) -> Vec<String> {
    let mut lost = Vec::new();
    for (path, value) in before {
        match after.get(path) {
            None => lost.push(path.clone()),
            Some(now) => {
                let properties = value.as_object().unwrap().iter();
                let changed =
                    properties.filter(|(name, value)| now.get(name.as_str()) != Some(value));
                lost.extend(changed.map(|(name, _)| format!("{name} of {path}")));
            }
        }
    }
    lost
}

/// Objects and properties that differ between two states.
fn differences(before: &Objects, after: &Objects) -> Vec<String> {
    let mut all = lost(before, after);
    all.extend(lost(after, before));
    all
}

const NO_DIFFERENCE: &[String] = &[];

#[tokio::test]
async fn annotations_match_what_the_tools_do() {
    let launch = Launch::bare().flag("--toolsets").flag("all");
    let mut session = Session::open(&launch).await;
    let response = session.request("tools/list", json!({})).await;
    let tools = response["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), TOOLS.entries().count());
    // What it does needs an execution that runs: see model_syncs.
    let tools = tools.iter().filter(|tool| tool["name"] != "cancel_model_sync");
    let file = scratch_file("reads.db");
    let mut shared = Fixture::start(file.path()).await;
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let hint = |name: &str| tool["annotations"][name].as_bool().unwrap();
        if hint("readOnlyHint") {
            assert!(hint("idempotentHint") && !hint("destructiveHint"), "{name} only reads");
            let before = shared.objects().await;
            for (arguments, (first, second)) in shared.calls(name) {
                for expected in [first, second] {
                    shared.call(name, &arguments, expected).await;
                    assert_eq!(
                        shared.objects().await,
                        before,
                        "{name} {arguments} changed something"
                    );
                }
            }
            continue;
        }
        let cases = shared.calls(name).len();
        let (mut lost_any, mut changed_again) = (false, false);
        for case in 0..cases {
            let file = scratch_file("writes.db");
            let mut fixture = Fixture::start(file.path()).await;
            let (arguments, (first, second)) = fixture.calls(name).swap_remove(case);
            let before = fixture.objects().await;
            fixture.call(name, &arguments, first).await;
            let after = fixture.objects().await;
            assert_ne!(differences(&before, &after), NO_DIFFERENCE, "{name} {arguments}");
            // A new stamp is not a loss.
            let lost = lost(&without_stamps(before), &without_stamps(after.clone()));
            lost_any |= !lost.is_empty();
            fixture.call(name, &arguments, second).await;
            let again = fixture.objects().await;
            // These always write: a property that the API has filled in looks like one that was set.
            let rewrites = arguments["clear"][0] == "fields"
                || arguments["refresh"] == true
                || arguments["replace"] == true;
            let second = if rewrites {
                differences(&without_stamps(after), &without_stamps(again))
            } else {
                differences(&after, &again)
            };
            changed_again |= !second.is_empty();
            if hint("idempotentHint") {
                assert_eq!(second, NO_DIFFERENCE, "{name} {arguments}: a second time");
            }
        }
        assert_eq!(lost_any, hint("destructiveHint"), "{name}: destructiveHint");
        assert_eq!(changed_again, !hint("idempotentHint"), "{name}: idempotentHint");
    }
}

#[tokio::test]
async fn a_dry_run_and_a_rejected_call_write_nothing() {
    let file = scratch_file("unwritten.db");
    let mut fixture = Fixture::start(file.path()).await;
    let before = fixture.objects().await;
    let model = fixture.model.clone();
    for (tool, arguments, expected) in [
        ("update_model", json!({"dry_run": true, "name": "People"}), None),
        ("update_model", json!({"name": "Users"}), None),
        ("update_model", json!({"expected_version": 9, "name": "People"}), Some("conflict")),
        ("update_model", json!({"fields": ["nope"]}), Some("invalid_argument")),
        ("delete_model", json!({}), Some("dependents_exist")),
        ("delete_model", json!({"expected_name": "People", "force": true}), Some("conflict")),
    ] {
        let mut arguments = arguments;
        arguments["model_id"] = model.clone();
        fixture.call(tool, &arguments, expected).await;
        let now = fixture.objects().await;
        assert_eq!(differences(&before, &now), NO_DIFFERENCE, "{tool} {arguments}");
    }
}
