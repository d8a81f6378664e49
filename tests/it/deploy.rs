//! The files of docs/deploy.md, tried with the programs that they are for as far as one machine can.

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::compat::skip;
use crate::support::{
    Era, HttpResponse, Launch, Server, Stub, UNKNOWN_ID, message, root, wait_until,
};

const PUBLIC_NAME: &str = "mcp.example.com";

/// The first block of docs/deploy.md in a language.
fn block(language: &str) -> String {
    blocks(language).into_iter().next().unwrap_or_else(|| panic!("no block of {language}"))
}

fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/deploy.md")).unwrap();
    let begin = format!("```{language}\n");
    page.split(&begin)
        .skip(1)
        .map(|block| block.split("\n```").next().unwrap().to_owned() + "\n")
        .collect()
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    let output = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if output.is_err() {
        skip(&format!("{program} is not installed"));
    }
    output.is_ok()
}

/// A program that a test has started.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server as the systemd unit starts it, over an API that is slow enough for progress.
async fn server_of_the_unit(stub: &Stub) -> Server {
    let unit = block("ini");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let flags = command.split(' ').skip(1).map(|flag| match flag {
        "127.0.0.1:8080" => "127.0.0.1:0",
        flag => flag,
    });
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_HTTP_TOKEN", "token-4711");
    Server::of(launch.flags(flags)).await
}

/// Calls through a proxy on a port: a list, and a call whose progress arrives before its end.
async fn call_through(port: u16, scheme: &str, client: &reqwest::Client) {
    let url = format!("{scheme}://{PUBLIC_NAME}:{port}/mcp");
    let send = async |method: &str, params: Value| {
        let (body, mut headers) = message(Era::Stateless, 1, method, params);
        headers.insert("authorization", HeaderValue::from_static("Bearer token-4711"));
        client.post(&url).headers(headers).body(body.to_string()).send().await
    };
    wait_until("the proxy", async || {
        send("tools/list", json!({})).await.is_ok_and(|response| response.status() == 200)
    })
    .await;
    let list = HttpResponse::of(send("tools/list", json!({})).await.unwrap()).await.json();
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(20));
    let params = json!({
        "name": "get_model", "arguments": {"model_id": UNKNOWN_ID}, "_meta": {"progressToken": 1},
    });
    let started = Instant::now();
    let mut response = send("tools/call", params).await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    let (first_after, first) = (started.elapsed(), String::from_utf8_lossy(&first).into_owned());
    assert!(first.contains("notifications/progress"), "{first}");
    let mut rest = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        rest += &String::from_utf8_lossy(&chunk);
    }
    assert!(rest.contains("\"Users\""), "{rest}");
    let whole = started.elapsed();
    assert!(whole - first_after > Duration::from_secs(1), "{first_after:?} of {whole:?}");
    let metrics = client.get(format!("{scheme}://{PUBLIC_NAME}:{port}/metrics"));
    let metrics = metrics.header("authorization", "Bearer token-4711").send().await.unwrap();
    assert_eq!(metrics.status().as_u16(), 403, "metrics are not public");
}

/// A client that finds the public name on this machine.
fn client(certificate: Option<&str>) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy();
    let builder = builder.resolve(PUBLIC_NAME, ([127, 0, 0, 1], 0).into());
    let certificates =
        certificate.map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
    builder.tls_certs_only(certificates).build().unwrap()
}

#[test]
fn the_systemd_unit_is_valid() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("polytomic-mcp.service");
    let binary = env!("CARGO_BIN_EXE_polytomic-mcp");
    fs::write(&unit, block("ini").replace("/usr/local/bin/polytomic-mcp", binary)).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(&unit)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("polytomic-mcp.service"), "{stderr}");
}

#[tokio::test]
async fn nginx_in_front_passes_events_on_as_they_come() {
    if !is_installed("nginx") {
        return;
    }
    let stub = Stub::slow(Duration::from_secs(6)).await;
    let server = server_of_the_unit(&stub).await;
    let made = rcgen::generate_simple_self_signed(vec![PUBLIC_NAME.to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("cert.pem"), made.cert.pem()).unwrap();
    fs::write(at("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let port = free_port();
    let site = block("nginx")
        .replace("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl"))
        .replace("http://127.0.0.1:8080", &format!("http://{}", server.address()))
        .replace("/etc/ssl/mcp.example.com.pem", &at("cert.pem"))
        .replace("/etc/ssl/mcp.example.com.key", &at("key.pem"));
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String =
        folders.iter().map(|name| format!("{name}_temp_path {};\n", at(name))).collect();
    let config = format!(
        "daemon off; worker_processes 1; pid {};\nevents {{}}\nhttp {{ access_log off;\n{folders}{site}}}\n",
        at("pid")
    );
    fs::write(at("nginx.conf"), config).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.args(["-p", directory.path().to_str().unwrap(), "-e", "stderr", "-c", &at("nginx.conf")]);
    let mut test = Command::new("nginx");
    test.args(nginx.get_args()).arg("-t");
    let output = test.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let nginx = Started(nginx.stderr(Stdio::null()).spawn().unwrap());
    call_through(port, "https", &client(Some(&made.cert.pem()))).await;
    // Its worker ends with it, and not by a signal that nothing can handle.
    let _ = Command::new("kill").arg(nginx.0.id().to_string()).status();
    wait_until("nginx to end", async || !Path::new(&at("pid")).exists()).await;
}

#[tokio::test]
async fn caddy_in_front_passes_events_on_as_they_come() {
    if Command::new("caddy").arg("version").output().is_err() {
        return skip("caddy is not installed");
    }
    let stub = Stub::slow(Duration::from_secs(6)).await;
    let server = server_of_the_unit(&stub).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("Caddyfile");
    let port = free_port();
    // Without a certificate, which Caddy would have to get from the network.
    let site = block("caddyfile")
        .replace("mcp.example.com {", &format!("http://mcp.example.com:{port} {{"))
        .replace("127.0.0.1:8080", server.address());
    fs::write(&file, format!("{{\n\tadmin off\n}}\n{site}")).unwrap();
    let caddy = |action: &str| {
        let mut command = Command::new("caddy");
        command.args([action, "--adapter", "caddyfile", "--config"]).arg(&file);
        command.env("HOME", directory.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let output = caddy("validate").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let _caddy = Started(caddy("run").stderr(Stdio::null()).spawn().unwrap());
    call_through(port, "http", &client(None)).await;
}

#[test]
fn containers_are_started_with_settings_that_exist() {
    let mut arguments = Vec::new();
    let mut variables = Vec::new();
    for text in blocks("yaml") {
        for document in yaml_serde::Deserializer::from_str(&text) {
            let document: Value = serde::Deserialize::deserialize(document).unwrap();
            let containers = document["spec"]["template"]["spec"]["containers"].as_array();
            for container in containers.into_iter().flatten() {
                arguments.push(container["args"].clone());
                let names = container["env"].as_array().unwrap().iter();
                variables
                    .extend(names.map(|variable| variable["name"].as_str().unwrap().to_owned()));
                let probe = |name: &str| container[name]["httpGet"]["path"].clone();
                assert_eq!(
                    (probe("livenessProbe"), probe("readinessProbe")),
                    (json!("/healthz"), json!("/readyz"))
                );
            }
            if let Some(service) = document["services"].get("polytomic-mcp") {
                arguments.push(service["command"].clone());
                let environment: HashMap<String, String> =
                    serde_json::from_value(service["environment"].clone()).unwrap();
                variables.extend(environment.into_keys());
            }
        }
    }
    assert_eq!(arguments.len(), 2, "{arguments:?}");
    for arguments in arguments {
        let words: Vec<String> = serde_json::from_value(arguments).unwrap();
        let words = ["polytomic-mcp".to_owned()].into_iter().chain(words);
        polytomic_mcp::cli::command().try_get_matches_from(words).unwrap();
    }
    let known: Vec<String> =
        polytomic_mcp::config::SETTINGS.iter().map(|setting| setting.variable()).collect();
    assert!(
        variables.len() >= 6 && variables.iter().all(|name| known.contains(name)),
        "{variables:?}"
    );
}
