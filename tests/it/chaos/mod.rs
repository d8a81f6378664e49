//! Creates over a network that drops, cuts, resets, repeats, delays and hangs, behind gateways that respond in place
//! of the API, by agents whose servers are killed: no model is created twice, and none that was acknowledged is lost.
//!
//! `CHAOS_CREATES` sets the number of models, `CHAOS_SEED` repeats the faults of a run.

mod agent;
mod faults;
mod proxy;

use std::collections::HashMap;
use std::env;
use std::fmt::Write;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use self::agent::{Agent, Creation, End};
use self::proxy::Proxy;
use crate::support::{Launch, Redis, Sandbox, scratch_file};

/// Models of a run, if `CHAOS_CREATES` does not set another number.
const CREATES: usize = 60;
const AGENTS: usize = 6;
const MAX_CALL: Duration = Duration::from_secs(50);
/// A failed run prints this many models with all that happened to them.
const MAX_TRACES: usize = 40;

#[tokio::test]
async fn no_model_is_created_twice_or_lost() {
    let state = scratch_file("chaos-state");
    println!("{}", run(state.path(), 1).await);
}

#[tokio::test]
async fn the_same_holds_if_each_call_comes_to_another_server() {
    let Some(redis) = Redis::start() else { return };
    println!("{}", run(&redis.url(), 2).await);
}

/// With a place for the state, and a number of servers for each agent. Returns what happened in figures.
async fn run(state: &str, servers: usize) -> String {
    let creates = number("CHAOS_CREATES").map_or(CREATES, |n| usize::try_from(n).unwrap());
    let seed = number("CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let started = Instant::now();
    let sandbox = Sandbox::start();
    let proxy = Proxy::start(&sandbox.url, seed).await;
    let launch = Launch::bare()
        .variable("POLYTOMIC_BASE_URL", &proxy.url)
        .variable("POLYTOMIC_API_KEY", &sandbox.key)
        .variable("POLYTOMIC_STATE", state)
        // A request that hangs takes this long.
        .variable("POLYTOMIC_TIMEOUT_SECONDS", "1");

    let agents = (0..AGENTS).map(async |index| {
        let mut agent =
            Agent::start(launch.clone(), servers, seed.wrapping_add(index as u64)).await;
        let mut creations = Vec::new();
        for number in (index..creates).step_by(AGENTS) {
            creations.push(agent.create(format!("chaos {number}"), &proxy).await);
        }
        creations
    });
    let creations: Vec<Creation> = join_all(agents).await.into_iter().flatten().collect();
    proxy.drain().await;

    let models = models_by_name(&sandbox).await;
    let none = Vec::new();
    let ids = |creation: &Creation| models.get(&creation.name).unwrap_or(&none);
    let twice = |creation: &Creation| ids(creation).len() > 1;
    let lost = |creation: &Creation| matches!(&creation.end, End::Created(id) if !ids(creation).contains(id));
    // An error reported that nothing was created.
    let denied =
        |creation: &Creation| matches!(creation.end, End::Refused) && !ids(creation).is_empty();
    let slow = |creation: &Creation| creation.slowest_call > MAX_CALL;
    let given_up = |creation: &Creation| matches!(creation.end, End::GivenUp);
    let count = |is: &dyn Fn(&Creation) -> bool| creations.iter().filter(|c| is(c)).count();
    let calls: usize = creations.iter().map(|creation| creation.trace.len()).sum();
    let kills: usize = creations.iter().map(|creation| creation.kills).sum();
    let slowest = creations.iter().map(|creation| creation.slowest_call).max().unwrap_or_default();
    let figures = format!(
        "seed {seed}: {creates} creates, {calls} calls, {} requests, {kills} kills; {} twice, {} lost, \
         {} refused but created, {} given up; slowest call {:.1} s; {:.1} s in all",
        proxy.requests(),
        count(&twice),
        count(&lost),
        count(&denied),
        count(&given_up),
        slowest.as_secs_f64(),
        started.elapsed().as_secs_f64(),
    );
    let is_bad = |creation: &&Creation| {
        twice(creation)
            || lost(creation)
            || denied(creation)
            || slow(creation)
            || given_up(creation)
    };
    let mut traces = String::new();
    for creation in creations.iter().filter(is_bad).take(MAX_TRACES) {
        let calls = creation.trace.join("\n  ");
        let requests = proxy.trace(&creation.name).join("\n  ");
        let _ = writeln!(
            traces,
            "{}: models {:?}\n  {calls}\n  {requests}",
            creation.name,
            ids(creation)
        );
    }
    assert!(traces.is_empty(), "{figures}\nRepeat it with CHAOS_SEED={seed}\n{traces}");
    figures
}

/// The ids of all models by their names, from the sandbox without the proxy.
async fn models_by_name(sandbox: &Sandbox) -> HashMap<String, Vec<String>> {
    let mut models: HashMap<String, Vec<String>> = HashMap::new();
    for model in sandbox.all("/api/models", "", 50).await {
        let text = |name: &str| Value::as_str(&model[name]).unwrap().to_owned();
        models.entry(text("name")).or_default().push(text("id"));
    }
    models
}

/// A number from an environment variable.
#[expect(clippy::disallowed_methods, reason = "it configures the test, not the server")]
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: expected a number, got {text:?}")))
}
