//! Questions to the user over HTTP: asked by one replica, decided at another one.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::{required, stub, unreachable};
use crate::support::{Launch, MODEL, Redis, Stub, UNKNOWN_ID, client, stateless};

/// `http` as a process.
struct Replica {
    url: String,
    client: reqwest::Client,
    _child: Child,
}

impl Replica {
    async fn start(launch: Launch) -> Self {
        let launch = launch.variable("POLYTOMIC_CONFIRM", "destructive").flags([
            "http",
            "--listen",
            "127.0.0.1:0",
        ]);
        let mut child =
            launch.command().stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let first: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        let url = first["url"].as_str().unwrap().to_owned();
        Self { url, client: client(), _child: child }
    }

    /// Deletes the model [`UNKNOWN_ID`] in the stateless era, with what comes back for a question.
    async fn delete(&self, arguments: Value, again: Option<(&Value, Value)>) -> Value {
        let mut params = stateless(json!({"name": "delete_model", "arguments": arguments}));
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
        if let Some((state, action)) = again {
            params["requestState"] = state.clone();
            params["inputResponses"] = json!({"confirm": action});
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = self.client.post(&self.url).body(body.to_string());
        let response = request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "delete_model")
            .send();
        let text = response.await.unwrap().text().await.unwrap();
        let response: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        response["result"].clone()
    }

    /// The state of the question that a call asks.
    async fn ask(&self) -> Value {
        let result = self.delete(delete(), None).await;
        assert_eq!(result["resultType"], "input_required", "{result}");
        result["requestState"].clone()
    }
}

fn delete() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"confirm": true}})
}

fn error(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
}

async fn deletes(api: &Stub) -> usize {
    let delete = format!("DELETE {MODEL}");
    api.lines().await.into_iter().filter(|line| *line == delete).count()
}

#[tokio::test]
async fn a_question_of_one_replica_is_decided_once_at_another_one() {
    let Some(redis) = Redis::start() else { return };
    let api = stub().await;
    let first = Replica::start(redis.launch_against(&api.url())).await;
    let second = Replica::start(redis.launch_against(&api.url())).await;
    let state = first.ask().await;
    let result = second.delete(delete(), Some((&state, yes()))).await;
    assert_ne!(result["isError"], true, "{result}");
    for replica in [&first, &second] {
        let error = error(&replica.delete(delete(), Some((&state, yes()))).await);
        assert!(error["message"].as_str().unwrap().contains("used before"), "{error}");
    }
    assert_eq!(deletes(&api).await, 1);
    // At all replicas at once: one of them takes it.
    let state = first.ask().await;
    let (one, other) = tokio::join!(
        first.delete(delete(), Some((&state, yes()))),
        second.delete(delete(), Some((&state, yes())))
    );
    assert!((one["isError"] == true) != (other["isError"] == true), "{one}\n{other}");
    assert_eq!(deletes(&api).await, 2);
}

#[tokio::test]
async fn a_question_that_was_cancelled_at_one_replica_lets_the_name_do_at_another_one() {
    let Some(redis) = Redis::start() else { return };
    let api = stub().await;
    let first = Replica::start(redis.launch_against(&api.url())).await;
    let second = Replica::start(redis.launch_against(&api.url())).await;
    let named = json!({"model_id": UNKNOWN_ID, "expected_name": "Users"});
    let result = second.delete(named.clone(), None).await;
    assert_eq!(result["resultType"], "input_required", "{result}");
    let state = first.ask().await;
    let cancelled = first.delete(delete(), Some((&state, json!({"action": "cancel"})))).await;
    assert_eq!(error(&cancelled)["code"], "confirmation_required");
    let result = second.delete(named, None).await;
    assert!(result["isError"] != true && result["resultType"] != "input_required", "{result}");
    assert_eq!(deletes(&api).await, 1);
}

#[tokio::test]
async fn without_redis_a_replica_asks_alone_unless_the_state_is_required() {
    let Some(mut redis) = Redis::start() else { return };
    let api = stub().await;
    let lenient = Replica::start(redis.launch_against(&api.url())).await;
    let strict = Replica::start(required(redis.launch_against(&api.url()))).await;
    let before = lenient.ask().await;
    strict.ask().await;
    redis.kill();
    let started = Instant::now();
    let refused = error(&strict.delete(delete(), None).await);
    unreachable(&refused, &redis.address());
    let state = lenient.ask().await;
    let result = lenient.delete(delete(), Some((&state, yes()))).await;
    assert_ne!(result["isError"], true, "{result}");
    // Nobody knows whether this one was used.
    let error = error(&lenient.delete(delete(), Some((&before, yes()))).await);
    assert_eq!(error["code"], "confirmation_required", "{error}");
    assert_eq!(deletes(&api).await, 1);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
