//! The tools about syncs that are served on request: from a model to records in a target, and back.

use serde_json::{Value, json};

use crate::support::{CONNECTION, ENDLESS, Launch, Sandbox, Session, TARGET, UNKNOWN_ID, users};

async fn open(launch: Launch) -> Session {
    Session::open(&launch.flag("--toolsets").flag("all")).await
}

/// The arguments of a sync of fields to columns of the same name. The first one is the identity.
fn definition(model: &Value, fields: &[&str]) -> Value {
    let source = |field: &str| json!({"model_id": model, "field": field});
    let mappings: Vec<Value> =
        fields.iter().map(|field| json!({"source": source(field), "target": field})).collect();
    json!({
        "name": "Users to people", "mode": "updateOrCreate", "fields": mappings,
        "identity": {"source": source(fields[0]), "target": fields[0]},
        "target": {"connection_id": TARGET, "object": "people"},
    })
}

#[tokio::test]
async fn a_model_is_written_somewhere_and_run_and_seen() {
    let mut session = open(Launch::sandbox()).await;
    let model = session.call("create_model", users(json!({}))).await["model"]["id"].clone();
    let sync = session.call("create_model_sync", definition(&model, &["email", "name"])).await;
    let sync = &sync["sync"];
    assert_eq!(sync["schedule"], json!({"frequency": "manual"}), "{sync}");
    assert_eq!(sync["model_ids"], json!([model]), "{sync}");
    let id = json!({"sync_id": sync["id"]});

    let started = session.call("start_model_sync", id.clone()).await;
    let execution = &started["execution"];
    assert_eq!(execution["status"], "completed", "{started}");
    assert_eq!(started.get("next"), None, "{started}");
    let counts = &execution["counts"];
    assert!(counts["total"].as_u64().unwrap() > 0 && counts["total"] == counts["insert"]);
    let list = session.call("list_model_sync_executions", id.clone()).await;
    assert_eq!(list["executions"], json!([execution]), "{list}");
    let one = json!({"sync_id": sync["id"], "execution_id": execution["id"]});
    let one = session.call("get_model_sync_execution", one).await;
    assert_eq!(one["execution"], *execution, "{one}");

    // Again, with some of the records only, and with all of them.
    for (options, total) in [
        (json!({"identities": ["user0001@example.com"]}), json!(1)),
        (json!({"resync": true}), counts["total"].clone()),
    ] {
        let mut arguments = id.clone();
        arguments.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let execution = session.call("start_model_sync", arguments).await["execution"].clone();
        assert_eq!(
            (&execution["status"], &execution["counts"]["total"]),
            (&json!("completed"), &total),
            "{execution}"
        );
    }
    // What is there now can be looked at before the next sync.
    let objects = session.call("get_target_objects", json!({"connection_id": TARGET})).await;
    assert_eq!(objects["objects"][0]["id"], "public.people", "{objects}");
    let modes = objects["objects"][0]["modes"].as_array().unwrap();
    assert!(modes.contains(&json!("updateOrCreate")), "{objects}");
    let fields = json!({"connection_id": TARGET, "object": "public.people"});
    let fields = session.call("get_target_fields", fields).await["target"].clone();
    let names: Vec<&Value> =
        fields["fields"].as_array().unwrap().iter().map(|f| &f["id"]).collect();
    assert_eq!(names, ["email", "name"], "{fields}");
    assert!(
        fields["modes"].as_array().unwrap().iter().any(|mode| mode["requires_identity"] == true)
    );

    let deleted = json!({"sync_id": sync["id"], "expected_name": "Users to people"});
    let deleted = session.call("delete_model_sync", deleted).await;
    assert_eq!(deleted["deleted"], true, "{deleted}");
    let error = session.call_err("delete_model_sync", json!({"sync_id": sync["id"]})).await;
    assert_eq!(error["code"], "not_found", "{error}");
}

#[tokio::test]
async fn an_update_keeps_what_it_does_not_name() {
    let sandbox = Sandbox::start();
    let mut session = open(sandbox.launch()).await;
    let model = session.call("create_model", users(json!({}))).await["model"]["id"].clone();
    let mut arguments = definition(&model, &["email", "name"]);
    let conditions = json!([{"source": {"model_id": model, "field": "age"}, "function": "GreaterThan", "value": 17}]);
    arguments["model_filters"] = json!({"conditions": conditions});
    arguments["sync_all_records"] = json!(true);
    let sync = session.call("create_model_sync", arguments).await["sync"].clone();
    let path = format!("/api/syncs/{}", sync["id"].as_str().unwrap());
    let update = |mut change: Value| {
        change["sync_id"] = sync["id"].clone();
        change
    };
    let changed = |result: &Value| -> Vec<Value> {
        let changes = result["changed"].as_array().unwrap();
        changes.iter().map(|change| change["property"].clone()).collect()
    };

    let dry =
        session.call("update_model_sync", update(json!({"name": "New", "dry_run": true}))).await;
    assert_eq!((changed(&dry), &dry["dry_run"]), (vec![json!("name")], &json!(true)), "{dry}");
    assert_eq!(sandbox.get(&path).await.data()["name"], "Users to people");
    let same = update(json!({"name": "Users to people", "mode": "updateOrCreate"}));
    assert_eq!(changed(&session.call("update_model_sync", same).await), [""; 0]);
    assert_eq!(sandbox.get(&path).await.data()["updated_at"], sync["updated_at"], "not written");

    let arguments =
        json!({"name": "New", "active": true, "expected_updated_at": dry["updated_at"]});
    let updated = session.call("update_model_sync", update(arguments)).await;
    assert_eq!(changed(&updated), ["name", "active"], "{updated}");
    let stored = sandbox.get(&path).await.data().clone();
    assert_eq!((&stored["name"], &stored["active"]), (&json!("New"), &json!(true)));
    for kept in ["fields", "identity", "target", "model_filters", "schedule", "sync_all_records"] {
        assert_eq!(stored[kept], sync[kept], "{kept}");
    }
    let cleared =
        session.call("update_model_sync", update(json!({"clear": ["model_filters"]}))).await;
    assert_eq!(changed(&cleared), ["model_filters"], "{cleared}");
    let stored = sandbox.get(&path).await.data()["model_filters"].clone();
    assert!(stored.is_null(), "{stored}");

    let replaced = json!({
        "replace": true, "name": "New", "target": stored_of(&sandbox, &path).await["target"], "mode": "updateOrCreate",
        "fields": definition(&model, &["email"])["fields"], "schedule": {"frequency": "manual"}, "dry_run": true,
    });
    let dry = session.call("update_model_sync", update(replaced)).await;
    assert_eq!(changed(&dry), ["fields", "identity", "active", "sync_all_records"], "{dry}");
    for (arguments, code, word) in [
        (
            json!({"expected_name": "Users to people", "name": "x", "dry_run": true}),
            "conflict",
            "expected_name",
        ),
        (
            json!({"target": {"connection_id": TARGET, "object": "people", "search_values": {"password": "********"}}}),
            "invalid_argument",
            "mask",
        ),
        (
            json!({"expected_updated_at": "2020-01-01T00:00:00Z", "name": "x"}),
            "conflict",
            "updated_at",
        ),
        (json!({"expected_name": "Users to people", "name": "x"}), "conflict", "list_model_syncs"),
        (
            json!({"clear": ["identity"], "identity": definition(&model, &["email"])["identity"]}),
            "invalid_argument",
            "clear",
        ),
        (json!({"replace": true, "name": "x"}), "invalid_argument", "target"),
        (json!({"fields": []}), "invalid_argument", "Leave out `fields`"),
        (json!({"feilds": []}), "invalid_argument", "fields"),
        (json!({"mode": "sideways"}), "invalid_argument", "mode"),
    ] {
        let error = session.call_err("update_model_sync", update(arguments.clone())).await;
        assert_eq!(error["code"], code, "{arguments}: {error}");
        assert!(error.to_string().contains(word), "{arguments}: {error}");
    }
    assert_eq!(sandbox.get(&path).await.data()["name"], "New");
}

async fn stored_of(sandbox: &Sandbox, path: &str) -> Value {
    sandbox.get(path).await.data().clone()
}

#[tokio::test]
async fn the_mask_of_a_passphrase_is_not_written_back() {
    let sandbox = Sandbox::start();
    let mut session = open(sandbox.launch()).await;
    let model = session.call("create_model", users(json!({}))).await["model"]["id"].clone();
    let secret = json!({"encryption_passphrase": "correct horse battery staple"});
    let sync = sandbox.add_sync("Nightly", &model, secret).await;
    let error = session.call_err("update_model_sync", json!({"sync_id": sync, "name": "x"})).await;
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!("invalid_argument"), &json!("not_sent"))
    );
    assert!(error["hint"].as_str().unwrap().contains("in Polytomic"), "{error}");
}

#[tokio::test]
async fn no_identities_are_not_all_of_them() {
    let mut session = open(Launch::sandbox()).await;
    let model = session.call("create_model", users(json!({}))).await["model"]["id"].clone();
    let sync = session.call("create_model_sync", definition(&model, &["email"])).await;
    let sync = &sync["sync"]["id"];
    for identities in [json!([]), json!([""]), json!(["user0001@example.com", " "])] {
        let arguments = json!({"sync_id": sync, "identities": identities});
        let error = session.call_err("start_model_sync", arguments).await;
        assert_eq!(error["details"]["argument"], "identities", "{identities}: {error}");
    }
    let list = session.call("list_model_sync_executions", json!({"sync_id": sync})).await;
    assert_eq!(list["executions"], json!([]), "nothing was started");
}

#[tokio::test]
async fn another_target_is_asked_about_and_own_only_refuses_syncs() {
    let sandbox = Sandbox::start();
    let model = sandbox.create(json!({"table": "users"})).await["id"].clone();
    let sync = sandbox.add_sync("Nightly", &model, json!({})).await;
    let launch = sandbox.unconfirmed_launch();
    let mut session = open(launch.clone()).await;
    let condition = |field: &str| json!({"source": {"model_id": model, "field": field}, "function": "IsNotNull"});
    let both = json!({"conditions": [condition("email"), condition("age")]});
    let filters = json!({"sync_id": sync, "model_filters": both});
    session.call("update_model_sync", filters).await;
    for change in [
        json!({"target": {"connection_id": TARGET, "object": "people"}}),
        json!({"mode": "replace"}),
        json!({"model_filters": {"conditions": [condition("age")]}}),
    ] {
        let mut arguments = change.clone();
        arguments["sync_id"] = sync.clone();
        let error = session.call_err("update_model_sync", arguments).await;
        assert_eq!(error["code"], "confirmation_required", "{change}: {error}");
    }
    let mut session = open(launch.flag("--own-only")).await;
    for (tool, arguments) in [
        ("create_model_sync", definition(&model, &["id"])),
        ("start_model_sync", json!({"sync_id": sync})),
        ("delete_model_sync", json!({"sync_id": sync, "expected_name": "Nightly"})),
    ] {
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["code"], "access_denied", "{tool}: {error}");
    }
}

#[tokio::test]
async fn a_running_execution_is_waited_for_and_cancelled() {
    let mut session = open(Launch::sandbox()).await;
    let endless = json!({"connection_id": CONNECTION, "name": "Endless", "configuration": {"query": ENDLESS}});
    let model = session.call("create_model", endless).await["model"]["id"].clone();
    let mut arguments = definition(&model, &["id", "name"]);
    arguments["mode"] = json!("append");
    let sync = session.call("create_model_sync", arguments).await["sync"]["id"].clone();
    let start = json!({"sync_id": sync, "wait_seconds": 0});
    let started = session.call("start_model_sync", start.clone()).await;
    let next = &started["next"];
    assert_eq!(next["tool"], "get_model_sync_execution", "{started}");
    let again = session.call_err("start_model_sync", start).await;
    assert_eq!((&again["code"], &again["outcome"]), (&json!("conflict"), &json!("refused")));
    assert!(again["hint"].as_str().unwrap().contains("cancel_model_sync"), "{again}");
    let mut short = next["arguments"].clone();
    short["wait_seconds"] = json!(1);
    let waited = session.call("get_model_sync_execution", short).await;
    assert_eq!(waited["next"], *next, "{waited}");

    let cancelled = session.call("cancel_model_sync", json!({"sync_id": sync})).await;
    assert_eq!(cancelled["execution"]["id"], next["arguments"]["execution_id"], "{cancelled}");
    let ended = session.call("get_model_sync_execution", next["arguments"].clone()).await;
    assert_eq!(ended["execution"]["status"], "canceled", "{ended}");
    let error = session.call_err("cancel_model_sync", json!({"sync_id": sync})).await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("conflict"), &json!(false)));
    assert!(!error["message"].as_str().unwrap().contains("first request"), "{error}");
}

#[tokio::test]
async fn a_shell_learns_that_an_execution_has_failed() {
    let sandbox = Sandbox::start();
    let model = sandbox.create(json!({"table": "users"})).await["id"].clone();
    let people = json!({"target": {"connection_id": TARGET, "object": "people"}});
    let sync = sandbox.add_sync("Nightly", &model, people).await;
    let argument = format!("sync_id={}", sync.as_str().unwrap());
    let start = ["call", "start_model_sync", &argument, "--output", "json"];
    let launch = sandbox.launch().flags(start);
    let (status, stdout, stderr) = launch.output().await;
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    sandbox.delete(&format!("/api/models/{}", model.as_str().unwrap())).await;
    let (status, stdout, stderr) = launch.output().await;
    assert_eq!(status, 1, "{stdout}");
    let error: Value = serde_json::from_str(&stdout).unwrap();
    let error = error.get("error").unwrap_or(&error);
    assert_eq!((&error["code"], &error["outcome"]), (&json!("job_failed"), &json!("unknown")));
    let execution = &error["details"]["execution"];
    assert_eq!(execution["status"], "failed", "{error}");
    assert!(!execution["errors"].as_array().unwrap().is_empty(), "{error}");
    assert!(stderr.contains("without completing"), "{stderr}");
    // To look at it is no error.
    let shown = format!("execution_id={}", execution["id"].as_str().unwrap());
    let get = ["call", "get_model_sync_execution", &argument, &shown];
    let (status, _, stderr) = sandbox.launch().flags(get).output().await;
    assert_eq!((status, stderr.as_str()), (0, ""));
}

#[tokio::test]
async fn they_are_off_unless_a_setting_names_them() {
    let create = definition(&json!(UNKNOWN_ID), &["id"]);
    let mut session = Session::sandbox().await;
    let error = session.call_err("create_model_sync", create.clone()).await;
    assert_eq!(error["code"], "access_denied", "{error}");
    assert!(error["message"].as_str().unwrap().contains("--toolsets"), "{error}");
    for (flags, is_served) in [
        (["--toolsets", "syncs"], true),
        (["--tools", "create_model_sync"], true),
        (["--tools", "get_model_sync"], false),
        (["--toolsets", "models"], false),
    ] {
        let mut session = Session::open(&Launch::sandbox().flags(flags)).await;
        let error = session.call_err("create_model_sync", create.clone()).await;
        assert_eq!(error["code"] != "access_denied", is_served, "{flags:?}: {error}");
    }
    let launch = Launch::sandbox().flags(["--toolsets", "all", "--access", "write"]);
    let mut session = Session::open(&launch).await;
    let error = session.call_err("delete_model_sync", json!({"sync_id": UNKNOWN_ID})).await;
    assert_eq!(error["code"], "access_denied", "{error}");
}

#[tokio::test]
async fn ids_that_no_object_has_get_an_error_that_says_where_to_look() {
    let mut session = open(Launch::sandbox()).await;
    let sync = json!({"sync_id": UNKNOWN_ID});
    let execution = json!({"sync_id": UNKNOWN_ID, "execution_id": UNKNOWN_ID});
    for (tool, arguments, word) in [
        ("start_model_sync", sync.clone(), "list_model_syncs"),
        ("cancel_model_sync", sync.clone(), "list_model_syncs"),
        ("list_model_sync_executions", sync.clone(), "list_model_syncs"),
        ("get_model_sync_execution", execution, "list_model_sync_executions"),
        ("update_model_sync", json!({"sync_id": UNKNOWN_ID, "name": "x"}), "list_model_syncs"),
        ("get_target_objects", json!({"connection_id": UNKNOWN_ID}), "list_connections"),
    ] {
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["code"], "not_found", "{tool}: {error}");
        assert!(error["hint"].as_str().unwrap().contains(word), "{tool}: {error}");
    }
}
