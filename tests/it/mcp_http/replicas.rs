//! Two replicas behind a balancer that sends every connection to the next one, with one Redis and one API.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::support::{
    CONNECTION, Era, HttpResponse, Launch, Redis, Sandbox, Server, Stub, UNKNOWN_ID, acceptance,
    deletion, message, users, wait_until,
};

const CLIENTS: usize = 50;
/// Of all clients, unless the variable REPLICA_CALLS says otherwise.
const CALLS: usize = 1_500;

/// A server that can be started again at its address.
struct Replica {
    launch: Launch,
    server: Server,
}

impl Replica {
    async fn start(launch: &Launch) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let launch =
            launch.clone().flag("http").flag("--listen").flag(&format!("127.0.0.1:{port}"));
        // The balancer's name for the server.
        let launch = launch.flag("--public-url").flag("http://balancer.example.com/mcp");
        Self { server: Server::of(launch.clone()).await, launch }
    }

    async fn kill(&mut self) {
        self.server.child.kill().await.unwrap();
    }

    async fn restart(&mut self) {
        self.server = Server::of(self.launch.clone()).await;
    }
}

/// Passes each connection to the next of some addresses, or the one after if nothing listens there.
async fn balance(addresses: Vec<String>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let next = AtomicUsize::new(0);
        while let Ok((mut client, _)) = listener.accept().await {
            let first = next.fetch_add(1, Ordering::Relaxed);
            let addresses = addresses.clone();
            tokio::spawn(async move {
                for index in first..first + addresses.len() {
                    if let Ok(mut server) =
                        TcpStream::connect(&addresses[index % addresses.len()]).await
                    {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}/mcp")
}

/// A client that opens a connection for each request.
struct Client {
    http: reqwest::Client,
    url: String,
    era: Era,
    session: Option<HeaderValue>,
}

impl Client {
    async fn open(url: &str, era: Era) -> Self {
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let mut client = Self { http, url: url.to_owned(), era, session: None };
        if era == Era::Initialize {
            let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
            let response = client.request("initialize", params).await.unwrap();
            client.session = Some(response.headers["mcp-session-id"].clone());
        }
        client
    }

    async fn request(&self, method: &str, params: Value) -> reqwest::Result<HttpResponse> {
        let (body, mut headers) = message(self.era, 1, method, params);
        self.add_headers(&mut headers);
        let request = self.http.post(&self.url).headers(headers).body(body.to_string());
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(HttpResponse { status, headers, text: response.text().await? })
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert("host", HeaderValue::from_static("balancer.example.com"));
        if let Some(session) = &self.session {
            headers.insert("mcp-session-id", session.clone());
        }
    }

    /// The result of a call; an error if the connection broke.
    async fn call(&self, tool: &str, arguments: &Value) -> reqwest::Result<Value> {
        let params = json!({"name": tool, "arguments": arguments});
        let response = self.request("tools/call", params).await?;
        assert_eq!(response.status, 200, "{response:?}");
        let json = response.json();
        assert!(json["result"].is_object(), "{json}");
        Ok(json["result"].clone())
    }

    /// Calls until there is a result that says what was done, as an agent does.
    async fn call_until_definite(&self, tool: &str, arguments: &Value) -> Value {
        for _ in 0..50 {
            let Ok(result) = self.call(tool, arguments).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            if result["isError"] == false {
                return result["structuredContent"].clone();
            }
            let error: Value =
                serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
            assert!(error["outcome"].is_string(), "{error}");
            assert_eq!(error["retryable"], true, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{tool} never succeeded");
    }
}

fn launch(redis: &Redis, sandbox: &Sandbox) -> Launch {
    redis.launch_against(&sandbox.url).variable("POLYTOMIC_API_KEY", &sandbox.key)
}

#[tokio::test]
async fn no_call_is_lost_and_no_model_made_twice_while_a_replica_is_killed() {
    let Some(redis) = Redis::start() else { return };
    let sandbox = Sandbox::start();
    let launch = launch(&redis, &sandbox).flag("--state-required");
    let (mut first, second) = (Replica::start(&launch).await, Replica::start(&launch).await);
    let addresses = [&first, &second].map(|replica| replica.server.address().to_owned());
    let url = balance(addresses.to_vec()).await;
    #[expect(clippy::disallowed_methods, reason = "a switch of the test, not a setting")]
    let calls = std::env::var("REPLICA_CALLS").map_or(CALLS, |calls| calls.parse().unwrap());
    let done = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (url, done) = (url.clone(), Arc::clone(&done));
        clients.spawn(async move {
            let client = Client::open(&url, Era::BOTH[number % 2]).await;
            for call in 0..calls / CLIENTS {
                if call % 5 == 0 {
                    let arguments = json!({
                        "connection_id": CONNECTION, "name": format!("Model {number}-{call}"),
                        "configuration": {"table": "public.users"},
                    });
                    let created = client.call_until_definite("create_model", &arguments).await;
                    assert!(created["model"]["id"].is_string(), "{created}");
                } else {
                    let identity = client.call_until_definite("get_identity", &json!({})).await;
                    assert!(identity["identity"].is_object(), "{identity}");
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for part in 1..=3 {
        // In steps, since a slow machine may take longer for all of them than a wait may.
        for reached in (calls * (part - 1) / 4..=calls * part / 4).step_by(CLIENTS) {
            wait_until("some calls", async || done.load(Ordering::Relaxed) >= reached).await;
        }
        first.kill().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        first.restart().await;
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let client = Client::open(&url, Era::Stateless).await;
    let (mut names, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = client.call_until_definite("list_models", &json!({"cursor": cursor})).await;
        let models = page["models"].as_array().unwrap();
        names.extend(models.iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!((all, names.len()), (calls / 5, calls / 5), "created, and with different names");
}

#[tokio::test]
async fn a_decision_and_a_cancellation_reach_any_replica() {
    let Some(redis) = Redis::start() else { return };
    let sandbox = Sandbox::start();
    let launch = Launch::unconfigured()
        .variable("POLYTOMIC_BASE_URL", &sandbox.url)
        .variable("POLYTOMIC_API_KEY", &sandbox.key)
        .variable("POLYTOMIC_STATE", &redis.url());
    let replicas = [Server::mcp(launch.clone()).await, Server::mcp(launch).await];
    let created = replicas[0].mcp_call(Era::Stateless, "create_model", users(json!({}))).await;
    let delete = async |replica: usize, continuation: &Value| {
        let (body, headers) = deletion(&created["model"], continuation);
        replicas[replica].mcp_send(&body, headers).await.json()["result"].clone()
    };
    let decision = acceptance(&delete(0, &json!({})).await);
    let deleted = delete(1, &decision).await;
    assert_eq!(deleted["structuredContent"]["deleted"], true, "{deleted}");
    let again = delete(0, &decision).await;
    assert!(again["content"][0]["text"].as_str().unwrap().contains("used before"), "{again}");

    let stub = Stub::slow(Duration::from_secs(20)).await;
    let launch = redis.launch_against(&stub.url());
    let replicas = [Server::mcp(launch.clone()).await, Server::mcp(launch).await];
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let response = replicas[0].mcp_request(Era::Initialize, "initialize", params).await;
    let session = response.headers["mcp-session-id"].clone();
    let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
    let (body, mut headers) = message(Era::Initialize, 5, "tools/call", params);
    headers.insert("mcp-session-id", session);
    let call = replicas[0].client.post(&replicas[0].url).headers(headers.clone());
    let call = call.body(body.to_string());
    let call = tokio::spawn(async { HttpResponse::of(call.send().await.unwrap()).await });
    stub.wait_for_requests(1).await;
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}});
    assert_eq!(replicas[1].mcp_send(&cancel, headers).await.status, 202);
    let response = tokio::time::timeout(Duration::from_secs(10), call).await;
    let response = response.expect("the call ends").unwrap();
    assert!(response.text.contains("cancelled"), "{response:?}");
}
