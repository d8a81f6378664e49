//! An agent that creates models, and does what `outcome`, `retryable` and `hint` of each error suggest.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::proxy::Proxy;
use crate::support::{CONNECTION, Launch, Session};

/// An agent gives up after this many calls for one model.
const MAX_CALLS: usize = 60;
/// Longer than a call may take.
const MAX_CALL: Duration = Duration::from_secs(60);
/// One call out of this many ends with a kill at a random time, in addition to the kills of the proxy.
const CALLS_PER_KILL: u32 = 12;

/// Servers, of which one after the other gets a call, and which are started again after each kill.
pub(super) struct Agent {
    launch: Launch,
    sessions: Vec<Session>,
    /// The one that gets the next call.
    next: usize,
    random: fastrand::Rng,
}

/// How the creation of one model went.
pub(super) struct Creation {
    pub(super) name: String,
    pub(super) end: End,
    /// What each call returned.
    pub(super) trace: Vec<String>,
    pub(super) kills: usize,
    pub(super) slowest_call: Duration,
}

pub(super) enum End {
    /// The id that the tool returned.
    Created(String),
    /// An error after which there is nothing to repeat.
    Refused,
    /// Too many calls.
    GivenUp,
}

impl Agent {
    pub(super) async fn start(launch: Launch, servers: usize, seed: u64) -> Self {
        let mut sessions = Vec::new();
        for _ in 0..servers {
            sessions.push(Session::open(&launch).await);
        }
        Self { launch, sessions, next: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// Creates a model, with as many equal calls as that takes.
    pub(super) async fn create(&mut self, name: String, proxy: &Proxy) -> Creation {
        let arguments = json!({
            "connection_id": CONNECTION, "name": name, "configuration": {"table": "public.users"},
        });
        let (end, trace, kills, slowest_call) = (End::GivenUp, Vec::new(), 0, Duration::ZERO);
        let mut creation = Creation { name, end, trace, kills, slowest_call };
        for _ in 0..MAX_CALLS {
            self.next = (self.next + 1) % self.sessions.len();
            let started = Instant::now();
            let response = self.call(&creation.name, &arguments, proxy).await;
            creation.slowest_call = creation.slowest_call.max(started.elapsed());
            let Some(response) = response else {
                creation.kills += 1;
                creation.trace.push("killed".to_owned());
                self.sessions[self.next] = Session::open(&self.launch).await;
                continue;
            };
            if response["result"]["isError"] != true {
                let result = self.sessions[self.next].expect_result("create_model", &response);
                creation.trace.push("created".to_owned());
                creation.end = End::Created(result["model"]["id"].as_str().unwrap().to_owned());
                return creation;
            }
            let error = self.sessions[self.next].expect_error(&response);
            creation.trace.push(format!(
                "{} ({}), outcome {}, key {}: {}",
                error["code"],
                error["http_status"],
                error["outcome"],
                error["details"]["idempotency_key"],
                error["message"]
            ));
            // A user who reads of a rejected key checks it, and has the agent call again.
            let is_repeated = error["outcome"] == "unknown"
                || error["retryable"] == true
                || error["code"] == "unauthorized"
                || error["code"] == "forbidden";
            if !is_repeated {
                creation.end = End::Refused;
                return creation;
            }
        }
        creation
    }

    /// The response to one call; none if the server was killed during it.
    async fn call(&mut self, name: &str, arguments: &Value, proxy: &Proxy) -> Option<Value> {
        let kill_after = match self.random.u32(..CALLS_PER_KILL) {
            0 => Duration::from_micros(self.random.u64(..50_000)),
            _ => MAX_CALL,
        };
        let killed = proxy.killed(name);
        let session = &mut self.sessions[self.next];
        let id = session.start_call("create_model", arguments.clone()).await;
        tokio::select! {
            response = session.next_within(MAX_CALL) => {
                assert_eq!(response["id"], id, "{}", session.transcript());
                Some(response)
            }
            () = killed.notified() => {
                session.kill().await;
                None
            }
            () = tokio::time::sleep(kill_after) => {
                session.kill().await;
                None
            }
        }
    }
}
