//! The settings file, its profiles, and where values are from.

use std::fs;

use polytomic_mcp::registry::Effect;
use serde_json::{Value, json};

use crate::support::{Launch, Session, Stub, count_tools, default_tools};

async fn output(launch: Launch, arguments: &[&str]) -> (i32, String, String) {
    launch.flags(arguments).output().await
}

async fn settings(launch: Launch, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["config", "--json"]].concat();
    let (_, stdout, stderr) = output(launch, &arguments).await;
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"))
}

/// A value for each setting in each place; no two are equal.
fn values(kind: polytomic_mcp::config::SettingKind, name: &str) -> [String; 4] {
    use polytomic_mcp::config::SettingKind::{Choice, List, Number, Path, Secret, Switch, Text};
    match kind {
        Number(minimum, _) => [1, 2, 3, 4].map(|n| (minimum + n).to_string()),
        Choice(_, words) => [0, 1, 2, 0].map(|n| words()[n % words().len()].to_owned()),
        List(_) if name == "toolsets" => ["models", "jobs", "syncs", "account"].map(str::to_owned),
        List(_) if name == "allow_origin" => {
            [1, 2, 3, 4].map(|n| format!("https://{n}.example.com"))
        }
        List(_) => ["get_job", "get_model", "list_models", "get_identity"].map(str::to_owned),
        Switch => ["1", "0", "1", "0"].map(str::to_owned),
        Secret | Text(_) | Path(_)
            if ["base_url", "oauth_issuer", "public_url"].contains(&name) =>
        {
            [1, 2, 3, 4].map(|n| format!("https://{n}.example.com"))
        }
        Secret | Text(_) | Path(_) => [1, 2, 3, 4].map(|n| format!("/value/{n}")),
    }
}

fn toml(kind: polytomic_mcp::config::SettingKind, text: &str) -> String {
    use polytomic_mcp::config::SettingKind::{List, Number, Switch};
    match kind {
        Number(..) => text.to_owned(),
        Switch => (text == "1").to_string(),
        List(_) => format!("[{text:?}]"),
        _ => format!("{text:?}"),
    }
}

#[tokio::test]
async fn flag_variable_profile_file_and_default_have_precedence_in_this_order() {
    for setting in polytomic_mcp::config::SETTINGS {
        let (name, kind) = (setting.name, setting.kind);
        let Some(flag) = setting.flag() else { continue };
        // These say where the file is, and which part of it holds.
        if ["config", "profile"].contains(&name) {
            continue;
        }
        let [in_file, in_profile, in_variable, in_flag] = values(kind, name);
        let file = format!(
            "{name} = {}\n[profiles.p]\n{name} = {}\n[profiles.q]\n",
            toml(kind, &in_file),
            toml(kind, &in_profile)
        );
        let with_flag = |launch: Launch| match kind {
            polytomic_mcp::config::SettingKind::Switch => launch.flag(&format!("--{flag}")),
            _ => launch.flag(&format!("--{flag}")).flag(&in_flag),
        };
        let report = || Launch::unconfigured().flag("config").flag("--json");
        let (bare, file) = (report(), report().with_settings(&file));
        let profile = file.clone().flag("--profile").flag("p");
        let variable = profile.clone().variable(&setting.variable(), &in_variable);
        // read_only contradicts what another word of access says.
        for (launch, value, origin) in [
            (bare, setting.default.to_owned(), "default"),
            (file.clone(), in_file.clone(), "file, line 1"),
            (file.flag("--profile").flag("q"), in_file, "file, line 1"),
            (profile, in_profile, "profile p, line 3"),
            (variable.clone(), in_variable, "variable"),
            (
                with_flag(variable),
                if matches!(kind, polytomic_mcp::config::SettingKind::Switch) {
                    "1".to_owned()
                } else {
                    in_flag.clone()
                },
                "flag",
            ),
        ] {
            // The file of --sandbox-data needs the sandbox.
            let launch = match name {
                "sandbox_data" => launch.variable("POLYTOMIC_SANDBOX", "1"),
                _ => launch,
            };
            let (_, stdout, stderr) = launch.output().await;
            let report: Value = serde_json::from_str(&stdout)
                .unwrap_or_else(|error| panic!("{name} from {origin}: {error} {stderr}"));
            let expected = json!({"value": value, "origin": origin});
            assert_eq!(report["settings"][name], expected, "{name} from {origin}");
        }
    }
}

#[tokio::test]
async fn a_wrong_file_is_the_error_of_each_call() {
    for (text, part) in [
        ("access = ", "not TOML"),
        ("acess = \"read\"", "did you mean access?"),
        ("access = \"raed\"", "line 1: access: expected read, write, full, got \"raed\""),
        ("timeout_seconds = 0", "line 1: timeout_seconds: expected an integer from 1 to 600"),
        ("tools = [\"creat_model\"]", "unknown tool \"creat_model\""),
        ("tools = []", "line 1: tools: expected names separated by commas"),
        ("read_only = true\naccess = \"full\"", "contradict each other"),
        ("api_key = \"k\"", "secrets are not kept in this file"),
        (
            "state = \"relative\"",
            "line 1: state: expected an absolute path, a redis:// or rediss:// URL, or off",
        ),
        ("profile = \"gone\"", "there is no profile \"gone\""),
        ("api_key_file = \"key\"", "line 1: api_key_file: expected an absolute path"),
        ("api_key_command = \"a 'b\"", "line 1: api_key_command: expected a command line"),
        ("\u{0}", "not TOML"),
    ] {
        let launch = Launch::bare().variable("POLYTOMIC_BASE_URL", "http://127.0.0.1:9");
        let launch = launch.with_settings(text);
        let mut session = Session::open(&launch).await;
        let listed = session.request("tools/list", json!({})).await;
        assert!(listed["result"]["tools"].is_array(), "{text}: {listed}");
        let error = session.call_err("list_connections", json!({})).await;
        assert_eq!(error["code"], "not_configured", "{text}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{text}: {error}");
        let stderr = session.close().await.stderr;
        assert!(stderr.contains("calls will fail"), "{text}: {stderr}");
        // What is wrong with one value is beside it. That a tool does not exist is noticed where tools are served.
        let (status, in_report) = match text {
            "tools = [\"creat_model\"]" => (0, false),
            text if text.starts_with("api_key_") => (0, true),
            _ => (1, false),
        };
        let (actual, stdout, stderr) = output(launch, &["config"]).await;
        assert_eq!(
            (actual, stdout.contains(part)),
            (status, in_report),
            "{text}: {stdout}{stderr}"
        );
        assert_eq!(stderr.contains(part), status == 1, "{text}: {stderr}");
    }
}

#[tokio::test]
async fn a_file_that_is_named_has_to_exist_and_one_in_the_working_folder_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.toml"), "access = \"read\"").unwrap();
    let launch = Launch::bare().flags(["config", "--json"]);
    let (_, stdout, _) = launch.output_in(directory.path()).await;
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["settings"]["access"]["origin"], "default");
    let named = directory.path().join("config.toml");
    let dangling = directory.path().join("dangling.toml");
    std::os::unix::fs::symlink("/gone", &dangling).unwrap();
    let report = settings(Launch::bare(), &["--config", named.to_str().unwrap()]).await;
    assert_eq!(report["settings"]["access"], json!({"value": "read", "origin": "file, line 1"}));
    for (path, part) in [
        (directory.path().join("gone.toml").to_str().unwrap(), "does not exist"),
        (directory.path().to_str().unwrap(), "not a file"),
        (dangling.to_str().unwrap(), "No such file"),
        ("config.toml", "expected an absolute path, or off"),
    ] {
        let report = settings(Launch::bare(), &["--config", path]).await;
        assert!(report["problem"].as_str().unwrap().contains(part), "{report}");
    }
    let off = Launch::bare().with_settings("access = \"read\"");
    let report = settings(off, &["--config", "off"]).await;
    assert_eq!(report["settings"]["access"]["origin"], "default");
}

#[tokio::test]
async fn the_path_of_the_file_is_printed() {
    let launch = Launch::bare();
    let (status, stdout, stderr) = output(launch.clone(), &["config", "path"]).await;
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(stdout.trim(), launch.settings_file().to_str().unwrap());
}

#[tokio::test]
async fn two_accounts_are_two_servers_with_different_titles() {
    let (one, other) = (Stub::start().await, Stub::start().await);
    for stub in [&one, &other] {
        stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    }
    let text = format!(
        "access = \"read\"\n[profiles.one]\nbase_url = {:?}\napi_key_command = \"echo key-one\"\n\
         [profiles.other]\nbase_url = {:?}\napi_key_command = \"echo key-other\"\naccess = \"full\"\n",
        one.url(),
        other.url()
    );
    let launch = Launch::bare().with_settings(&text);
    let reading = count_tools(Effect::is_read_only);
    for (name, stub, tools) in [("one", &one, reading), ("other", &other, default_tools())] {
        let mut session = Session::start(&launch.clone().flag("--profile").flag(name));
        let introduction = session.initialize("2025-11-25").await;
        assert_eq!(introduction["serverInfo"]["title"], format!("Polytomic ({name})"));
        let listed = session.request("tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), tools);
        session.call("list_connections", json!({})).await;
        let requests = stub.requests().await;
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].headers["authorization"], format!("Bearer key-{name}"));
    }
    let chosen = Launch::bare().with_settings(&format!("profile = \"other\"\n{text}"));
    let mut session = Session::start(&chosen);
    let introduction = session.initialize("2025-11-25").await;
    assert_eq!(introduction["serverInfo"]["title"], "Polytomic (other)");
}

#[tokio::test]
async fn the_result_of_each_write_names_the_organization() {
    let mut session = Session::sandbox().await;
    let identity = session.call("get_identity", json!({})).await;
    let organization = &identity["identity"]["organization_id"];
    assert!(organization.is_string(), "{identity}");
    let created = session.call("create_model", crate::support::definition()).await;
    assert_eq!(&created["model"]["organization_id"], organization, "{created}");
    let id = &created["model"]["id"];
    let updated = session.call("update_model", json!({"model_id": id, "name": "People"})).await;
    assert_eq!(&updated["model"]["organization_id"], organization, "{updated}");
    // The name is compared, so that the model is read.
    let arguments = json!({"model_id": id, "expected_name": "People"});
    let deleted = session.call("delete_model", arguments).await;
    assert_eq!(&deleted["organization_id"], organization, "{deleted}");

    let stub = Stub::start().await;
    let path = format!("/api/models/{}", crate::support::UNKNOWN_ID);
    stub.json("DELETE", &path, 200, json!({})).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_ORGANIZATION_ID", "acme");
    let mut session = Session::open(&launch).await;
    let arguments = json!({"model_id": crate::support::UNKNOWN_ID, "force": true});
    let deleted = session.call("delete_model", arguments).await;
    assert_eq!(deleted["organization_id"], "acme", "{deleted}");
}

#[tokio::test]
async fn the_order_of_precedence_holds_between_read_only_and_access() {
    let both = "[profiles.p]\naccess = \"full\"\n";
    for (launch, access) in [
        (Launch::bare().with_settings("access = \"write\"").flag("--read-only"), 17),
        (
            Launch::bare().with_settings("access = \"write\"").variable("POLYTOMIC_READ_ONLY", "1"),
            17,
        ),
        (Launch::bare().with_settings(&format!("read_only = true\n{both}")), 17),
        (
            Launch::bare().with_settings(&format!("read_only = true\n{both}")).flag("--profile=p"),
            20,
        ),
        (Launch::bare().variable("POLYTOMIC_ACCESS", "full").flag("--read-only"), 17),
    ] {
        let mut session = Session::open(&launch).await;
        let listed = session.request("tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), access, "{launch:?}");
    }
}
