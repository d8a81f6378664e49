//! `doctor`: each thing that can be wrong is found, and the one thing to repair is named.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{ClosedPort, Company, Launch, Proxy, Stub, UNKNOWN_HOST, at_the_company};

async fn doctor(launch: Launch) -> (i32, Value, String) {
    let (status, stdout, stderr) = launch.flag("doctor").flag("--json").output().await;
    let report = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout} {stderr}"));
    (status, report, stderr)
}

fn failed(report: &Value) -> Vec<(&str, &str, &str)> {
    let text = |check: &'_ Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| text(check, "status") == "failed");
    failed
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap_or_default();
            (text("name"), text("message"), text("fix"))
        })
        .collect()
}

#[tokio::test]
async fn all_is_well_with_the_sandbox() {
    let (status, report, stderr) = doctor(Launch::sandbox()).await;
    assert_eq!((status, &report["ok"]), (0, &json!(true)), "{report} {stderr}");
    let names: Vec<&str> =
        report["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    let order = [
        "settings",
        "address",
        "connection",
        "TLS",
        "credential",
        "permissions",
        "API version",
        "clock",
        "tools",
    ];
    assert_eq!(names[..order.len()], order);
    let (status, stdout, _) = Launch::sandbox().flag("doctor").output().await;
    assert_eq!(status, 0);
    assert!(stdout.contains("✓ credential  Sandbox as sandbox@example.com"), "{stdout}");
}

/// A service that is well, but for one response.
async fn service(path: &str, response: ResponseTemplate) -> Stub {
    let stub = Stub::start().await;
    stub.respond("GET", path, response).await;
    let identity = json!({"data": {"organization_name": "Acme", "email": "a@b.c"}});
    stub.json("GET", "/api/me", 200, identity).await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    stub.json("GET", "/api/models", 200, json!({"data": []})).await;
    stub
}

#[tokio::test]
async fn the_one_thing_to_repair_is_named() {
    let json = |status: u16, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let me = || json(200, json!({"data": {"organization_name": "Acme"}}));
    let page = ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "text/html");
    let rejected = service("/api/me", json(401, json!({"message": "bad key"}))).await;
    let forbidden = service("/api/models", json(403, json!({"message": "not for you"}))).await;
    let html = service("/api/me", page).await;
    let version = service("/api/me", me().insert_header("X-Polytomic-Version", "2020-01-01")).await;
    let clock =
        service("/api/me", me().insert_header("Date", "Mon, 01 Jan 2024 00:00:00 GMT")).await;
    let well = service("/nothing", ResponseTemplate::new(404)).await;
    let company = Company::start(&["polytomic.example"], -1..2).await;
    let open = format!("http://{}", Proxy::start(company.port, "200 OK").await.url);
    let refusing = format!("http://{}", Proxy::start(company.port, "403 Forbidden").await.url);
    let closed = ClosedPort::new();
    let no_key = Launch::bare().variable("POLYTOMIC_BASE_URL", &well.url());
    let with_key = |key: &str| Launch::against(&rejected.url()).variable("POLYTOMIC_API_KEY", key);
    for (label, launch, check, message, fix) in [
        ("no key", no_key, "credential", "No API key", "POLYTOMIC_API_KEY"),
        ("a wrong key", with_key("k-4711"), "credential", "rejected the key", "POLYTOMIC_API_KEY"),
        ("Bearer in the key", with_key("Bearer k-4711"), "credential", "rejected", "Bearer"),
        ("quotes around the key", with_key("\"k-4711\""), "credential", "rejected", "quotes"),
        ("forbidden", Launch::against(&forbidden.url()), "permissions", "403", ""),
        (
            "an unknown host",
            Launch::against(&format!("https://{UNKNOWN_HOST}")),
            "connection",
            "does not resolve",
            "POLYTOMIC_BASE_URL",
        ),
        (
            "a refused connection",
            Launch::against(&closed.url()),
            "connection",
            "cannot be reached",
            "POLYTOMIC_BASE_URL",
        ),
        (
            "a certificate of its own",
            Launch::against(&format!("https://localhost:{}", company.port)),
            "TLS",
            "not issued by an authority",
            "POLYTOMIC_CA_FILE",
        ),
        (
            "the same behind a proxy",
            at_the_company(&open),
            "TLS",
            "not issued",
            "POLYTOMIC_CA_FILE",
        ),
        ("a proxy that refuses", at_the_company(&refusing), "credential", "proxy", "HTTPS_PROXY"),
        (
            "a proxy that is not there",
            at_the_company(&closed.url()),
            "connection",
            &format!("the proxy at {}", closed.address()),
            "HTTPS_PROXY",
        ),
        (
            "a page in its place",
            Launch::against(&html.url()),
            "credential",
            "",
            "POLYTOMIC_BASE_URL",
        ),
        (
            "another version",
            Launch::against(&version.url()),
            "API version",
            "2020-01-01",
            "POLYTOMIC_API_VERSION",
        ),
        ("a wrong clock", Launch::against(&clock.url()), "clock", "differs by", "clock"),
        (
            "an invalid variable",
            Launch::against(&well.url()).variable("POLYTOMIC_TIMEOUT_SECONDS", "soon"),
            "settings",
            "POLYTOMIC_TIMEOUT_SECONDS",
            "polytomic-mcp config",
        ),
        (
            "an invalid file",
            Launch::against(&well.url()).with_settings("acces = \"read\""),
            "settings",
            "did you mean access?",
            "polytomic-mcp config",
        ),
        (
            "no tool left",
            Launch::against(&well.url()).flag("--tools=get_job").flag("--exclude-tools=get_job"),
            "tools",
            "leave no tool",
            "--exclude-tools",
        ),
    ] {
        let (status, report, stderr) = doctor(launch).await;
        assert_eq!((status, &report["ok"]), (1, &json!(false)), "{label}: {report} {stderr}");
        let [(name, found, advice)] = failed(&report)[..] else { panic!("{label}: {report}") };
        assert_eq!(name, check, "{label}: {report}");
        assert!(found.contains(message) && advice.contains(fix), "{label}: {report}");
        assert!(!report.to_string().contains("4711"), "{label}: {report}");
    }
    let (status, report, _) = doctor(Launch::against(&well.url())).await;
    assert_eq!(status, 0, "{report}");
}

#[tokio::test]
async fn the_entries_of_clients_have_to_start_this_version() {
    let launch = Launch::sandbox();
    let file = launch.home().join(".cursor/mcp.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let this = env!("CARGO_BIN_EXE_polytomic-mcp");
    let old = launch.home().join("polytomic-mcp");
    std::fs::write(&old, "#!/bin/sh\necho polytomic-mcp 0.0.1\n").unwrap();
    std::fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let old = old.to_str().unwrap();
    for (command, problem) in [
        (this, None),
        ("/gone/polytomic-mcp", Some("/gone/polytomic-mcp does not exist")),
        ("polytomic-mcp", Some("no absolute path")),
        (old, Some("\"polytomic-mcp 0.0.1\"")),
    ] {
        let entry =
            json!({"mcpServers": {"polytomic": {"command": command, "args": ["--sandbox"]}}});
        std::fs::write(&file, entry.to_string()).unwrap();
        let (status, report, _) = doctor(launch.clone()).await;
        let clients = report["checks"].as_array().unwrap().last().unwrap();
        assert_eq!(clients["name"], "clients", "{report}");
        let message = clients["message"].as_str().unwrap();
        match problem {
            None => assert!(status == 0 && message.contains("Cursor (polytomic)"), "{report}"),
            Some(problem) => {
                assert_eq!((status, &clients["status"]), (1, &json!("failed")), "{report}");
                assert!(message.contains(problem) && message.contains("mcp.json"), "{report}");
                let fix = clients["fix"].as_str().unwrap();
                assert!(fix.contains("polytomic-mcp setup cursor"), "{report}");
            }
        }
    }
    std::fs::write(&file, "{").unwrap();
    let (status, report, _) = doctor(launch).await;
    let clients = check(&report, "clients");
    assert_eq!((status, &clients["status"]), (1, &json!("failed")), "{report}");
    assert!(
        clients["message"].as_str().unwrap().starts_with("Cursor: its file is not"),
        "{report}"
    );
    assert!(clients["fix"].as_str().unwrap().contains("mcp.json"), "{report}");
}

#[tokio::test]
async fn the_profile_of_an_entry_has_to_exist() {
    let launch = Launch::sandbox().with_settings("[profiles.here]\nsandbox = true\n");
    let file = launch.home().join(".cursor/mcp.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let empty = launch.home().join("empty.toml");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    for (arguments, variables, problem) in [
        (json!(["--profile", "here"]), json!({}), None),
        (json!(["--profile=here", "rpc"]), json!({}), None),
        (json!(["--profile", "gone"]), json!({}), Some("there is no profile \"gone\"")),
        (json!(["rpc", "--profile", "gone"]), json!({}), Some("there is no profile \"gone\"")),
        (json!([]), json!({"POLYTOMIC_PROFILE": "gone"}), Some("there is no profile \"gone\"")),
        (json!(["--profile", "here", "--config", empty]), json!({}), Some("empty.toml has none")),
        (json!(["--config", "/gone.toml"]), json!({}), Some("/gone.toml does not exist")),
        (json!(["--profil", "here"]), json!({}), Some("its arguments are invalid: unexpected")),
    ] {
        let program = env!("CARGO_BIN_EXE_polytomic-mcp");
        let entry = json!({"command": program, "args": arguments, "env": variables});
        let servers = json!({"mcpServers": {"mine": entry}});
        std::fs::write(&file, servers.to_string()).unwrap();
        // Variables of the shell do not reach the server.
        let (status, report, _) =
            doctor(launch.clone().variable("POLYTOMIC_PROFILE", "here")).await;
        let clients = check(&report, "clients");
        let message = clients["message"].as_str().unwrap();
        match problem {
            None => assert_eq!((status, message), (0, "Cursor (mine)"), "{report}"),
            Some(problem) => {
                assert_eq!(status, 1, "{report}");
                assert!(
                    message.contains("Cursor: mine in ") && message.contains(problem),
                    "{message}"
                );
                assert!(clients["fix"].as_str().unwrap().contains("profile"), "{report}");
            }
        }
    }
}

#[tokio::test]
async fn the_printed_fix_keeps_the_name_and_the_arguments_of_the_entry() {
    let home = Launch::bare();
    let file = home.home().join(".cursor/mcp.json");
    let launch = home.clone().flag("--sandbox");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let arguments = json!(["--read-only", "--sandbox", "--audit-log", "/tmp/it's a log"]);
    let key = json!({"POLYTOMIC_API_KEY": "${env:POLYTOMIC_API_KEY}"});
    let entry = |key: &Value| {
        let program = "/gone/polytomic-mcp";
        json!({"mcpServers": {"mine": {"command": program, "args": arguments, "env": key}}})
    };
    std::fs::write(&file, entry(&json!({})).to_string()).unwrap();
    let (_, report, _) = doctor(launch.clone()).await;
    let fix = check(&report, "clients")["fix"].as_str().unwrap();
    let words = shlex::split(fix.strip_prefix("Run: polytomic-mcp ").unwrap()).unwrap();
    let setup = words.iter().fold(home.clone(), |launch, word| launch.flag(word));
    let (status, _, stderr) = setup.output().await;
    assert_eq!(status, 0, "{fix}: {stderr}");
    let after: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(after["mcpServers"].as_object().unwrap().len(), 1, "{after}");
    assert_eq!(after["mcpServers"]["mine"]["args"], arguments, "{after}");
    std::fs::write(&file, entry(&key).to_string()).unwrap();
    let (_, report, _) = doctor(launch.clone()).await;
    let fix = check(&report, "clients")["fix"].as_str().unwrap();
    assert!(fix.contains(" --client-key "), "{fix}");
}

#[tokio::test]
async fn a_program_that_a_file_in_the_working_folder_names_is_not_started() {
    let launch = Launch::sandbox();
    let folder = tempfile::tempdir().unwrap();
    let (program, marker) = (folder.path().join("polytomic-mcp"), folder.path().join("started"));
    std::fs::write(&program, format!("#!/bin/sh\necho x > '{}'\n", marker.display())).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let entry = |command: &str| {
        let servers = json!({"mcpServers": {"polytomic": {"command": command, "args": []}}});
        std::fs::write(folder.path().join(".mcp.json"), servers.to_string()).unwrap();
    };
    let run = async || {
        let mut command = launch.clone().flag("doctor").flag("--json").command();
        let output = command.current_dir(&folder).output().await.unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    entry(program.to_str().unwrap());
    let report = run().await;
    assert_eq!(check(&report, "clients")["status"], "ok", "{report}");
    assert!(!marker.exists(), "{report}");
    entry("/gone/polytomic-mcp");
    let report = run().await;
    let clients = check(&report, "clients");
    assert!(clients["message"].as_str().unwrap().contains("does not exist"), "{report}");
    assert!(clients["fix"].as_str().unwrap().contains("--scope project"), "{report}");
}

/// The check with a name.
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

#[tokio::test]
async fn a_response_that_is_not_of_the_api_confirms_nothing_and_is_not_the_fault_of_the_key() {
    let json = |status: u16, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let page = ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "text/html");
    let moved = ResponseTemplate::new(302).insert_header("Location", "https://sso.example/in");
    for (label, response, message) in [
        ("a page", page, "The key was not checked. "),
        ("a redirect", moved, "https://sso.example/in"),
        ("rejected", json(401, json!({"message": "bad key"})), "details.message: bad key"),
        ("failed", json(500, json!({"message": "oops"})), "since the service failed. "),
        ("limited", json(429, json!({"message": "slow"})), "since the service failed. "),
        ("odd", json(200, json!({"data": []})), "details.reason: "),
    ] {
        let stub = service("/api/me", response).await;
        let (_, report, stderr) = doctor(Launch::against(&stub.url())).await;
        let credential = check(&report, "credential");
        assert_eq!(credential["status"], "failed", "{label}: {report} {stderr}");
        let text = credential["message"].as_str().unwrap();
        assert!(text.contains(message), "{label}: {report}");
        assert_eq!(
            text.contains("The key was not checked"),
            label != "rejected",
            "{label}: {text}"
        );
        let fix = credential["fix"].as_str().unwrap();
        assert!(!fix.is_empty(), "{label}: {report}");
        assert_eq!(check(&report, "API version")["status"], "skipped", "{label}: {report}");
        let skipped = check(&report, "permissions")["message"].as_str().unwrap();
        assert_eq!(skipped.contains("not accepted"), label == "rejected", "{label}: {report}");
    }
}

#[tokio::test]
async fn a_proxy_variable_that_is_not_understood_is_the_fault() {
    for (name, value, is_fault) in [
        ("HTTPS_PROXY", "garbage://", true),
        ("https_proxy", "ftp://proxy:21", true),
        ("ALL_PROXY", "garbage://", true),
        ("HTTPS_PROXY", "", false),
        ("HTTP_PROXY", "garbage://", false),
    ] {
        let launch = Launch::against(&format!("https://{UNKNOWN_HOST}")).variable(name, value);
        let (status, report, _) = doctor(launch.clone()).await;
        let address = check(&report, "address");
        let is_failed = address["status"] == "failed";
        assert_eq!((status, is_failed), (1, is_fault), "{name}={value}: {report}");
        if is_fault {
            assert_eq!(failed(&report).len(), 1, "{report}");
            assert!(address["message"].as_str().unwrap().starts_with(name), "{report}");
            assert!(!report.to_string().contains(value), "{report}");
            let (_, report, _) = doctor(launch.variable("NO_PROXY", UNKNOWN_HOST)).await;
            assert_eq!(check(&report, "address")["status"], "ok", "{report}");
        }
    }
}

#[tokio::test]
async fn a_setting_with_which_nothing_starts_is_a_failed_check() {
    for (name, value, failed_check) in [
        ("POLYTOMIC_ACCESS", "raed", "settings"),
        ("POLYTOMIC_READONLY", "1", "settings"),
        ("POLYTOMIC_READ_ONLY", "perhaps", "settings"),
        ("POLYTOMIC_EXCLUDE_TOOLS", "delete_modle", "tools"),
    ] {
        let (status, report, stderr) = doctor(Launch::sandbox().variable(name, value)).await;
        assert_eq!(status, 1, "{name}: {report} {stderr}");
        let [(found, message, fix)] = failed(&report)[..] else { panic!("{name}: {report}") };
        assert_eq!(found, failed_check, "{report}");
        assert!(message.contains(value) || message.contains(name), "{report}");
        assert!(!fix.is_empty(), "{report}");
        if found == "settings" {
            assert_eq!(check(&report, "clock")["status"], "skipped", "{report}");
            assert_eq!(check(&report, "tools")["status"], "skipped", "{report}");
        }
    }
}
