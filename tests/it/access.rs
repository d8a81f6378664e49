//! Access modes and the selection of tools: what is hidden is neither listed nor called, on every server.

use std::collections::BTreeSet;
use std::fmt::Write;

use polytomic_mcp::registry::Effect;
use polytomic_mcp::tools::TOOLS;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::{
    CONNECTION, Launch, Server, Session, Stub, count_tools, default_tools, definition, over_call,
    over_http, over_mcp, over_rpc, over_websocket, stateless,
};

/// Every way to hide a tool: how the process is started, and the setting that an error has to name.
fn ways(tool: &str, effect: Effect) -> Vec<(Launch, &'static str)> {
    let with = |flags: &[&str]| Launch::bare().flags(flags);
    let others = |toolset: bool| -> String {
        let of = |set: &&polytomic_mcp::registry::Toolset| {
            !set.entries().any(|entry| entry.name == tool)
        };
        let names: Vec<&str> = match toolset {
            true => TOOLS.toolsets.iter().filter(of).map(|set| set.name).collect(),
            false => TOOLS.entries().map(|entry| entry.name).filter(|name| *name != tool).collect(),
        };
        names.join(",")
    };
    let mut ways = vec![
        (with(&["--exclude-tools", tool]), "--exclude-tools"),
        (with(&["--tools", &others(false)]), "--tools"),
        (Launch::bare().variable("POLYTOMIC_TOOLSETS", &others(true)), "--toolsets"),
        (with(&["--tools", tool, "--exclude-tools", tool]), "--exclude-tools"),
    ];
    if !effect.is_read_only() {
        ways.push((with(&["--read-only"]), "--read-only"));
        ways.push((Launch::bare().variable("POLYTOMIC_ACCESS", "Read"), "--access read"));
        ways.push((with(&["--access", "read", "--tools", tool]), "--access read"));
    }
    if effect == Effect::Destructive {
        ways.push((with(&["--access", "write"]), "--access write"));
    }
    ways
}

fn against(launch: Launch, url: &str) -> Launch {
    launch.variable("POLYTOMIC_BASE_URL", url).variable("POLYTOMIC_API_KEY", "test-key-4711")
}

#[tokio::test]
async fn a_hidden_tool_is_neither_listed_nor_called() {
    let stub = Stub::start().await;
    for entry in TOOLS.entries() {
        for (launch, setting) in ways(entry.name, entry.effect) {
            let launch = against(launch, &stub.url());
            let label = format!("{} hidden by {setting}", entry.name);
            let arguments = json!({"model_id": CONNECTION});
            let mut mcp = Session::open(&launch).await;
            let listed = mcp.request("tools/list", json!({})).await;
            assert!(!names(&listed["result"]["tools"]).contains(entry.name), "{label}");
            let over_initialized = over_mcp(&mut mcp, entry.name, &arguments).await;
            let listed = mcp.request("tools/list", stateless(json!({}))).await;
            assert!(!names(&listed["result"]["tools"]).contains(entry.name), "{label}");
            let params = stateless(json!({"name": entry.name, "arguments": arguments}));
            let response = mcp.request("tools/call", params).await;
            let over_stateless = Err(mcp.expect_error(&response));
            let mut rpc = Session::start(&launch.clone().flag("rpc"));
            let document = rpc.request("rpc.discover", json!({})).await;
            assert!(!names(&document["result"]["methods"]).contains(entry.name), "{label}");
            let over_rpc = over_rpc(&mut rpc, entry.name, &arguments).await;
            let server = Server::start(launch.clone()).await;
            let document = server.call("rpc.discover", json!({})).await;
            assert!(!names(&document["result"]["methods"]).contains(entry.name), "{label}");
            let over_http = over_http(&server, entry.name, &arguments).await;
            let socket = server.websocket();
            let over_websocket = over_websocket(&socket, entry.name, &arguments).await;
            let over_call = over_call(launch, entry.name, &arguments).await;
            let over_listener = [over_http, over_websocket];
            let over_pipes = [over_initialized, over_stateless, over_rpc, over_call];
            for error in over_pipes.into_iter().chain(over_listener) {
                let error = error.expect_err(&label);
                assert_eq!(error["code"], "access_denied", "{label}: {error}");
                assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
                assert!(error["message"].as_str().unwrap().contains(setting), "{label}: {error}");
            }
        }
    }
    assert_eq!(stub.requests().await.len(), 0);
}

#[tokio::test]
async fn a_misspelled_hidden_tool_never_suggests_another_one() {
    let write = Launch::bare().flag("--access").flag("write");
    let read = Launch::bare().flag("--read-only");
    for (launch, names, setting) in [
        (write, &["delete-model", " delete_model\t", "Delete_Model", "delete_modle"][..], "write"),
        (read, &["create-model", "creat_model", "delete_models", "update_modell"], "--read-only"),
    ] {
        let mut mcp = Session::open(&launch).await;
        let mut rpc = Session::start(&launch.clone().flag("rpc"));
        for name in names {
            let arguments = json!({"model_id": CONNECTION});
            let params = json!({"name": name, "arguments": arguments});
            let response = mcp.request("tools/call", params).await;
            assert_eq!(response["result"]["isError"], true, "{name}: {response}");
            for error in [
                mcp.expect_error(&response),
                over_rpc(&mut rpc, name, &arguments).await.expect_err(name),
            ] {
                assert_eq!(error["code"], "access_denied", "{name}: {error}");
                assert!(error["message"].as_str().unwrap().contains(setting), "{name}: {error}");
            }
        }
        let response = rpc.request("get-model ", json!({})).await;
        assert_eq!(response["error"]["data"]["nearest"], "get_model", "{response}");
        let response = rpc.request("list_everything", json!({})).await;
        assert_eq!(response["error"]["data"], Value::Null, "{response}");
    }
}

#[tokio::test]
async fn a_hidden_tool_is_refused_over_http() {
    let stub = Stub::start().await;
    let launch = against(Launch::bare().flag("--read-only"), &stub.url());
    let server = Server::start(launch).await;
    let response = server.call("create_model", definition()).await;
    assert_eq!(response["error"]["data"]["code"], "access_denied", "{response}");
    assert_eq!(stub.requests().await.len(), 0);
}

#[tokio::test]
async fn exclusion_beats_selection_and_access_beats_both() {
    let all: Vec<&str> = TOOLS.entries().map(|entry| entry.name).collect();
    let usual: Vec<&str> = TOOLS.default_entries().map(|entry| entry.name).collect();
    let reading = || TOOLS.default_entries().filter(|entry| entry.effect.is_read_only());
    let reading: Vec<&str> = reading().map(|entry| entry.name).collect();
    let without = |name: &str| usual.iter().copied().filter(|tool| *tool != name).collect();
    let toolset = |name: &str| -> Vec<&str> {
        let toolset = TOOLS.toolsets.iter().find(|toolset| toolset.name == name).unwrap();
        toolset.entries().map(|entry| entry.name).collect()
    };
    for (flags, expected) in [
        (&[][..], usual.clone()),
        (&["--access", "full"], usual.clone()),
        (&["--access", "WRITE"], without("delete_model")),
        (&["--access", "read"], reading.clone()),
        (&["--read-only"], reading.clone()),
        (&["--read-only", "--access", "read"], reading.clone()),
        (&["--toolsets", "all"], all.clone()),
        (&["--toolsets", "syncs"], toolset("syncs")),
        (&["--toolsets", "jobs", "--toolsets", "account"], vec!["get_job", "get_identity"]),
        (&["--toolsets", "Jobs, account"], vec!["get_job", "get_identity"]),
        (&["--toolsets", "jobs", "--tools", "get-model"], vec!["get_model", "get_job"]),
        (&["--tools", "get_job,get_model"], vec!["get_model", "get_job"]),
        (&["--tools", "get_job,get_model", "--exclude-tools", "get_job"], vec!["get_model"]),
        (&["--toolsets", "jobs", "--exclude-tools", "get_job"], vec![]),
        (&["--read-only", "--tools", "get_job,delete_model"], vec!["get_job"]),
    ] {
        let launch = Launch::bare().flags(flags);
        let mut session = Session::open(&launch).await;
        let listed = session.request("tools/list", json!({})).await;
        let listed = listed["result"]["tools"].as_array().unwrap();
        let listed: Vec<&str> = listed.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(listed, expected, "{flags:?}");
        let stderr = session.close().await.stderr;
        let lacks_some = usual.iter().any(|name| !listed.contains(name));
        assert_eq!(stderr.contains("access"), lacks_some, "{flags:?}: {stderr}");
        let named_in_vain = flags.contains(&"get_job,delete_model");
        let warning = "--tools names delete_model, which is disabled by --read-only";
        assert_eq!(stderr.contains(warning), named_in_vain, "{flags:?}: {stderr}");
    }
}

#[tokio::test]
async fn an_invalid_setting_that_protects_data_stops_the_start() {
    for (name, value, parts) in [
        ("POLYTOMIC_ACCESS", "raed", &["POLYTOMIC_ACCESS", "read, write, full", "\"read\""][..]),
        ("POLYTOMIC_ACCESS", "none", &["read, write, full"]),
        ("POLYTOMIC_READ_ONLY", "yep", &["POLYTOMIC_READ_ONLY", "1 or 0", "\"yep\""]),
        ("POLYTOMIC_TOOLSETS", "models,sync", &["--toolsets", "\"sync\"", "\"syncs\""]),
        ("POLYTOMIC_TOOLSETS", ",", &["POLYTOMIC_TOOLSETS", "separated by commas"]),
        ("POLYTOMIC_TOOLS", "creat_model", &["--tools", "\"create_model\""]),
        ("POLYTOMIC_EXCLUDE_TOOLS", "delete", &["--exclude-tools", "\"delete\""]),
        ("POLYTOMIC_EXCLUDE_TOOLS", "deletemodel", &["\"delete_model\""]),
        ("POLYTOMIC_CONFIRM", "nevr", &["POLYTOMIC_CONFIRM", "Did you mean \"never\"?"]),
        ("POLYTOMIC_CONFIRM", "no", &["never, destructive, writes"]),
        ("POLYTOMIC_CONFIM", "never", &["POLYTOMIC_CONFIRM"]),
        ("POLYTOMIC_MASK", "pii", &["POLYTOMIC_MASK", "off, secrets, personal"]),
        ("POLYTOMIC_MASK", "personel", &["Did you mean \"personal\"?"]),
        // Misspelled names of settings.
        ("POLYTOMIC_MASKING", "personal", &["POLYTOMIC_MASKING is not a setting"]),
        ("POLYTOMIC_CONFIRMATION", "writes", &["is not a setting"]),
        ("POLYTOMIC_AUDIT_FILE", "/x", &["is not a setting"]),
        ("POLYTOMIC_MODE", "read", &["is not a setting"]),
        ("POLYTOMIC_DISABLE_TOOLS", "delete_model", &["is not a setting"]),
        ("POLYTOMIC_MCP_ACCESS", "read", &["is not a setting"]),
        ("polytomic_access", "read", &["did you mean POLYTOMIC_ACCESS?"]),
        ("POLYTOMIC_READONLY", "1", &["POLYTOMIC_READ_ONLY"]),
        ("POLYTOMIC_ACESS", "read", &["POLYTOMIC_ACCESS"]),
        ("POLYTOMIC_EXCLUDE_TOOL", "delete_model", &["POLYTOMIC_EXCLUDE_TOOLS"]),
        // The server would work elsewhere.
        ("POLYTOMIC_SANBOX", "1", &["did you mean POLYTOMIC_SANDBOX?"]),
        ("POLYTOMIC_USE_SANDBOX", "1", &["is not a setting"]),
        ("POLYTOMIC_PROFIL", "test", &["did you mean POLYTOMIC_PROFILE?"]),
        ("POLYTOMIC_BASE_URI", "https://x.example", &["did you mean POLYTOMIC_BASE_URL?"]),
    ] {
        for command in [&[][..], &["rpc"], &["call", "list_models"], &["tools"], &["schemas"]] {
            let launch = Launch::bare().flags(command);
            let (status, stdout, stderr) = launch.variable(name, value).output().await;
            assert_eq!((status, stdout.as_str()), (2, ""), "{command:?} {name}={value}: {stderr}");
            for part in parts {
                assert!(stderr.contains(part), "{command:?} {name}={value}: {stderr}");
            }
        }
    }
    for flags in [
        &["--access", "raed"][..],
        &["--toolsets", "sync"],
        &["--tools", "creat_model"],
        &["--exclude-tools", ""],
        &["--read-only", "--access", "full"],
    ] {
        let launch = Launch::bare().flags(flags);
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{flags:?}: {stderr}");
    }
    let unknown = Launch::bare().variable("POLYTOMIC_TOKEN", "x");
    let stderr = Session::open(&unknown).await.close().await.stderr;
    assert!(stderr.contains("POLYTOMIC_TOKEN is not a setting, and has no effect"), "{stderr}");
}

#[tokio::test]
async fn an_empty_or_unfilled_setting_counts_as_unset() {
    for value in ["", " ", "${user_config.access}"] {
        let launch = ["ACCESS", "READ_ONLY", "TOOLSETS", "TOOLS", "EXCLUDE_TOOLS"]
            .iter()
            .fold(Launch::bare(), |launch, name| {
                launch.variable(&format!("POLYTOMIC_{name}"), value)
            });
        let mut session = Session::open(&launch).await;
        let listed = session.request("tools/list", json!({})).await;
        assert_eq!(names(&listed["result"]["tools"]).len(), default_tools());
        assert!(session.close().await.stderr.contains("POLYTOMIC_ACCESS is empty"));
    }
}

#[tokio::test]
async fn no_text_names_a_tool_that_access_hides() {
    for access in ["read", "write"] {
        let hidden = TOOLS.entries().filter(|entry| match access {
            "read" => !entry.effect.is_read_only(),
            _ => entry.effect == Effect::Destructive,
        });
        let hidden: BTreeSet<&str> = hidden.map(|entry| entry.name).collect();
        let launch = Launch::bare().flag("--access").flag(access);
        let mut mcp = Session::start(&launch);
        let introduction = mcp.initialize("2025-11-25").await["instructions"].to_string();
        let notice = if access == "read" { "read-only" } else { "Nothing can be deleted" };
        assert!(introduction.contains(notice), "{introduction}");
        let listed = mcp.request("tools/list", json!({})).await.to_string();
        let mut rpc = Session::start(&launch.clone().flag("rpc"));
        let document = rpc.request("rpc.discover", json!({})).await.to_string();
        assert!(document.contains(notice), "{document}");
        let (_, tools, _) = launch.clone().flag("tools").output().await;
        assert!(tools.contains(notice), "{tools}");
        let mut texts = vec![introduction, listed, document, tools];
        for entry in TOOLS.entries().filter(|entry| !hidden.contains(entry.name)) {
            texts.push(launch.clone().flag("tools").flag(entry.name).output().await.1);
        }
        for text in texts {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let named: Vec<&str> = words.filter(|word| hidden.contains(word)).collect();
            assert!(named.is_empty(), "--access {access} names {named:?}: {text}");
        }
    }
    let (status, _, stderr) =
        Launch::bare().flag("tools").flag("delete_model").flag("--read-only").output().await;
    assert_eq!(status, 3, "{stderr}");
    assert!(stderr.contains("--read-only"), "{stderr}");
}

#[tokio::test]
async fn no_text_names_an_excluded_tool() {
    let uri = json!({"uri": "polytomic://guides/model-configurations"});
    let access = [Launch::bare().flag("--read-only"), Launch::bare().flag("--access=write")];
    let without = |tool| Launch::bare().flag("--exclude-tools").flag(tool);
    let launches = TOOLS.entries().map(|entry| without(entry.name)).chain(access);
    for launch in launches {
        let mut mcp = Session::start(&launch);
        let introduction = mcp.initialize("2025-11-25").await["instructions"].take();
        let listed = mcp.request("tools/list", json!({})).await["result"]["tools"].take();
        let guide = mcp.request("resources/read", uri.clone()).await["result"]["contents"].take();
        let served = names(&listed);
        let hidden: Vec<&str> = TOOLS.entries().map(|entry| entry.name).collect();
        let hidden: Vec<&str> = hidden.into_iter().filter(|name| !served.contains(name)).collect();
        assert!(!hidden.is_empty());
        let mut texts = vec![introduction.to_string(), guide[0]["text"].to_string()];
        for tool in listed.as_array().unwrap() {
            let name = tool["name"].as_str().unwrap();
            texts.push(tool.to_string());
            let id = |id: &str| json!({"model_id": id, "connection_id": id, "job_id": id, "sync_id": id});
            for arguments in [json!({}), id("x"), json!({"nothing": 1})] {
                let params = json!({"name": name, "arguments": arguments});
                let response = mcp.request("tools/call", params).await;
                texts.push(response["result"].to_string());
            }
        }
        for text in texts {
            assert!(!text.contains("\"\""), "an empty text: {text}");
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let named: Vec<&str> = words.filter(|word| hidden.contains(word)).collect();
            assert!(named.is_empty(), "{launch:?} names {named:?}: {text}");
        }
    }
}

#[tokio::test]
async fn a_tool_describes_the_arguments_that_it_shares_with_a_hidden_one() {
    let mut session = Session::open(&Launch::bare().flag("--read-only")).await;
    let listed = session.request("tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    let preview = tools.iter().find(|tool| tool["name"] == "preview_model").unwrap();
    let relation = &preview["inputSchema"]["properties"]["relations"];
    assert!(relation["items"]["properties"]["from"].is_object(), "{preview}");
}

#[tokio::test]
async fn hints_name_only_tools_that_are_served() {
    let stub = Stub::start().await;
    stub.json("GET", &format!("/api/models/{CONNECTION}"), 404, json!({"message": "gone"})).await;
    let hint = async |launch: Launch| {
        let mut session = Session::open(&against(launch, &stub.url())).await;
        let error = session.call_err("get_model", json!({"model_id": CONNECTION})).await;
        error["hint"].as_str().unwrap().to_owned()
    };
    assert!(hint(Launch::bare()).await.contains("list_models"));
    let short = hint(Launch::bare().flag("--exclude-tools").flag("list_models")).await;
    assert!(short.contains("Ask the user") && !short.contains("list_models"), "{short}");
}

#[tokio::test]
async fn the_hash_is_that_of_the_served_list() {
    let mut hashes = BTreeSet::new();
    for flags in [&[][..], &["--read-only"], &["--toolsets", "models"], &["--tools", "get_job"]] {
        let launch = Launch::bare().flags(flags);
        let mut session = Session::open(&launch).await;
        let mut tools = session.request("tools/list", json!({})).await["result"]["tools"].take();
        tools.sort_all_objects();
        let mut expected = "sha256:".to_owned();
        for byte in digest(&SHA256, tools.to_string().as_bytes()).as_ref() {
            write!(expected, "{byte:02x}").unwrap();
        }
        let schemas = launch.flag("schemas");
        let (status, stdout, _) = schemas.clone().flag("--hash").output().await;
        assert_eq!((status, stdout.trim()), (0, expected.as_str()), "{flags:?}");
        let (_, _, stderr) = schemas.output().await;
        assert!(stderr.contains(&expected), "{flags:?}: {stderr}");
        hashes.insert(expected);
    }
    assert_eq!(hashes.len(), 4, "{hashes:?}");
}

#[tokio::test]
async fn the_start_logs_the_mode() {
    let reading = count_tools(Effect::is_read_only);
    let writing = count_tools(|effect| effect != Effect::Destructive);
    for (flags, expected) in [
        (&["--log", "info"][..], &format!("access=full tools={}", default_tools())),
        (&["--log", "info", "--read-only"], &format!("access=read tools={reading}")),
        (&["--access", "write"], &format!("polytomic-mcp: access write, {writing} tools\n")),
        (&["--tools", "get_job"], &"polytomic-mcp: access full, 1 tool\n".to_owned()),
    ] {
        let launch = Launch::sandbox().flags(flags);
        let stderr = Session::open(&launch).await.close().await.stderr;
        assert!(stderr.contains(expected), "{flags:?}: {stderr}");
    }
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_command_says_which_setting_hides_the_tool_and_speaks_of_no_server() {
    let settings = "[profiles.p]\nread_only = true\n";
    for words in [&["call", "delete_model"][..], &["tools", "delete_model"]] {
        let launch = Launch::bare().with_settings(settings);
        let words = [&["--profile", "p", "--exclude-tools", "get_job"][..], words].concat();
        let launch = words.iter().fold(launch, |launch, word| launch.flag(word));
        let (status, stdout, stderr) = launch.output().await;
        let text = format!("{stdout}{stderr}");
        assert_eq!(status, 3, "{text}");
        assert!(text.contains("delete_model is disabled by --read-only"), "{text}");
        assert!(
            text.contains("Set here: read_only (profile p, line 2), exclude_tools (flag)."),
            "{text}"
        );
        assert!(!text.contains("server"), "{text}");
    }
}
