//! The hints that clients see of a tool, each proven on what the sandbox stores.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, Sandbox, Session, scratch_file, users};

/// A sandbox with two models, a sync that reads the first, and a job that is done.
struct World {
    sandbox: Sandbox,
    session: Session,
    model: Value,
    spare: Value,
    sync: Value,
    job: Value,
}

/// All that is stored, by its path.
type Stored = BTreeMap<String, Value>;

impl World {
    async fn made(file: &str) -> Self {
        let sandbox = Sandbox::start_with(&["--data", file]);
        let more = json!({"labels": ["crm"], "tracking_columns": ["updated_at"]});
        let model = sandbox.post("/api/models", &users(more)).await.data()["id"].clone();
        let spare = sandbox.post("/api/models", &users(json!({"name": "Spare"}))).await;
        let spare = spare.data()["id"].clone();
        let sync = sandbox.add_sync("Nightly", &model, json!({})).await;
        let path = format!("/api/models/{}/sample?async=true", model.as_str().unwrap());
        let job = sandbox.wait_for_job(&sandbox.get(&path).await.body["job"]).await;
        let session = sandbox.session().await;
        Self { sandbox, session, model, spare, sync, job }
    }

    async fn stored(&self) -> Stored {
        let mut stored = Stored::new();
        for list in ["/api/models", "/api/syncs", "/api/connections"] {
            for item in self.sandbox.get(list).await.data().as_array().unwrap() {
                let path = format!("{list}/{}", item["id"].as_str().unwrap());
                stored.insert(path.clone(), self.sandbox.get(&path).await.data().clone());
                stored.insert(format!("{path} in the list"), item.clone());
            }
        }
        stored
    }

    /// Calls a tool, which may fail with `expected` alone.
    async fn call(&mut self, tool: &str, arguments: &Value, expected: Option<&str>) {
        let params = json!({"name": tool, "arguments": arguments});
        let answer = self.session.request("tools/call", params).await;
        match expected {
            None => {
                self.session.expect_result(tool, &answer);
            }
            Some(code) => {
                assert_eq!(self.session.expect_error(&answer)["code"], code, "{arguments}")
            }
        }
    }

    /// Calls of a tool, each with the failures that the first and the second call may end in. Each begins
    /// in a world of its own.
    fn calls(&self, tool: &str) -> Vec<(Value, Failures)> {
        const NONE: Failures = (None, None);
        const NOT_FOUND: Failures = (Some("not_found"), Some("not_found"));
        let (model, connection) = (&self.model, json!({"connection_id": CONNECTION}));
        let source = json!({
            "connection_id": CONNECTION, "configuration": {"table": "public.users"},
        });
        let in_background = |mut arguments: Value| {
            arguments["async"] = json!(true);
            arguments
        };
        let named = |name: &str, value: &Value| json!({"model_id": model, name: value});
        match tool {
            "create_model" => {
                let model = users(json!({"name": "Another"}));
                vec![(in_background(model.clone()), NONE), (model, NONE)]
            }
            "preview_model" => vec![(in_background(source.clone()), NONE), (source, NONE)],
            "update_model" => vec![
                (named("name", &json!("People")), NONE),
                (named("clear", &json!(["labels", "tracking_columns"])), NONE),
                (named("clear", &json!(["fields", "identifier"])), NONE),
                (named("refresh", &json!(true)), NONE),
                (
                    in_background(named("configuration", &json!({"query": "SELECT * FROM users"}))),
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
                (json!({"model_id": self.spare}), (None, Some("not_found"))),
                (named("force", &json!(true)), (None, Some("not_found"))),
            ],
            "get_model" => vec![(named("async", &json!(true)), NONE)],
            "sample_records" => {
                vec![(json!({"model_id": model}), NONE), (named("async", &json!(true)), NONE)]
            }
            "list_models" | "list_connections" | "list_connection_types" => {
                vec![(json!({"detail": "full"}), NONE)]
            }
            "list_model_syncs" => vec![(json!({"model_id": model}), NONE)],
            "get_model_sync" => vec![(json!({"sync_id": self.sync}), NONE)],
            "get_model_source" | "get_model_source_fields" => vec![(source, NONE)],
            "get_enrichment_source" | "get_enrichment_fields" => vec![(connection, NOT_FOUND)],
            "get_connection" | "test_connection" => vec![(connection, NONE)],
            "get_connection_type_schema" => vec![(json!({"connection_type": "sqlite"}), NONE)],
            "get_job" => {
                vec![(json!({"type": "samplemodel", "job_id": self.job["job_id"]}), NONE)]
            }
            "get_identity" => vec![(json!({}), NONE)],
            _ => panic!("{tool}: give it arguments here, so that its hints are proven"),
        }
    }
}

/// What the first call and the second one fail with.
type Failures = (Option<&'static str>, Option<&'static str>);

/// What says that and when something was written.
const STAMPS: [&str; 3] = ["updated_at", "updated_by", "version"];

/// Takes the stamps out, at any depth.
fn unstamp(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !STAMPS.contains(&name.as_str()));
            map.values_mut().for_each(unstamp);
        }
        Value::Array(list) => list.iter_mut().for_each(unstamp),
        _ => {}
    }
}

fn unstamped(mut stored: Stored) -> Stored {
    stored.values_mut().for_each(unstamp);
    stored
}

/// What was there and is not any more, or otherwise.
fn lost(before: &Stored, after: &Stored) -> Vec<String> {
    let mut lost = Vec::new();
    for (path, value) in before {
        match after.get(path) {
            None => lost.push(path.clone()),
            Some(now) => {
                let properties = value.as_object().unwrap().iter();
                let gone = properties.filter(|(name, value)| now.get(name.as_str()) != Some(value));
                lost.extend(gone.map(|(name, _)| format!("{name} of {path}")));
            }
        }
    }
    lost
}

/// Where two states differ.
fn differences(before: &Stored, after: &Stored) -> Vec<String> {
    let mut all = lost(before, after);
    all.extend(lost(after, before));
    all
}

const NO_DIFFERENCE: &[String] = &[];

#[tokio::test]
async fn each_hint_is_what_the_tool_does() {
    let mut session = Session::open(&Launch::bare()).await;
    let answer = session.request("tools/list", json!({})).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 20, "give a new tool arguments above");
    let file = scratch_file("reads.db");
    let mut shared = World::made(file.path()).await;
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let hint = |hint: &str| tool["annotations"][hint].as_bool().unwrap();
        if hint("readOnlyHint") {
            assert!(hint("idempotentHint") && !hint("destructiveHint"), "{name} only reads");
            let before = shared.stored().await;
            for (arguments, (first, second)) in shared.calls(name) {
                for expected in [first, second] {
                    shared.call(name, &arguments, expected).await;
                    assert_eq!(
                        shared.stored().await,
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
            let mut world = World::made(file.path()).await;
            let (arguments, (first, second)) = world.calls(name).swap_remove(case);
            let before = world.stored().await;
            world.call(name, &arguments, first).await;
            let after = world.stored().await;
            assert_ne!(differences(&before, &after), NO_DIFFERENCE, "{name} {arguments}");
            // That something was written lately is no loss.
            let gone = lost(&unstamped(before), &unstamped(after.clone()));
            lost_any |= !gone.is_empty();
            world.call(name, &arguments, second).await;
            let again = world.stored().await;
            // What the API fills in cannot be told from what is to be taken out: it is written once more.
            let rewrites = arguments["clear"][0] == "fields"
                || arguments["refresh"] == true
                || arguments["replace"] == true;
            let second = if rewrites {
                differences(&unstamped(after), &unstamped(again))
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
async fn a_dry_run_and_a_refused_call_write_nothing() {
    let file = scratch_file("unwritten.db");
    let mut world = World::made(file.path()).await;
    let before = world.stored().await;
    let model = world.model.clone();
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
        world.call(tool, &arguments, expected).await;
        let now = world.stored().await;
        assert_eq!(differences(&before, &now), NO_DIFFERENCE, "{tool} {arguments}");
    }
}
