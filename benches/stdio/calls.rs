//! Calls of `get_model`: how long one takes, how many a second, and what they cost in CPU.
//!
//! Servers and floors ask the same stub in turn, round by round, so that what else the machine does falls
//! on all. A ratio is the median of the rounds' ratios; CPU is summed over the rounds, since /proc
//! counts it in steps of 10 ms.

use std::time::Duration;

use super::http::HttpServer;
use super::process::Part;
use super::server::{Server, ServerKind, WINDOW};
use super::table::{Row, Table, Verdict};
use super::{Failure, Plan, median};

const LATENCY_TIMES: f64 = 3.0;
const MCP_SHARE: f64 = 0.33;
const RPC_SHARE: f64 = 0.35;
const CPU_TIMES: f64 = 3.0;
const HTTP_LATENCY_TIMES: f64 = 3.0;
const HTTP_SHARE: f64 = 0.4;

/// What the rounds gave for one side and one number of calls in flight.
#[derive(Default)]
struct Side {
    /// A round's median call, or the time all its calls took; in seconds.
    rounds: Vec<f64>,
    cpu: Duration,
}

pub(super) fn measure(
    plan: &Plan,
    url: &str,
    server: &mut Server,
    table: &mut Table,
) -> Result<(), Failure> {
    let mut floor = Part::floor(url)?;
    // Connections are opened and buffers grown before the clock runs.
    server.at_once(WINDOW, 500)?;
    let mut rpc = Server::start(url, ServerKind::Rpc, Some(WINDOW))?;
    rpc.at_once(WINDOW, 500)?;
    floor_calls(&mut floor, WINDOW, 500)?;
    let mut http = OverHttp::new(HttpServer::mcp(url)?)?;
    let mut route = OverHttp::new(HttpServer::bare_route(url)?)?;

    let (mut ours, mut bare) = (Side::default(), Side::default());
    let (mut ours_at_once, mut bare_at_once) = (Side::default(), Side::default());
    let mut rpc_at_once = Side::default();
    for _ in 0..plan.rounds {
        let before = server.process.cpu()?;
        ours.rounds.push(median(server.in_turn(plan.in_turn)?));
        ours.cpu += server.process.cpu()? - before;

        let before = floor.process.cpu()?;
        bare.rounds.push(floor_calls(&mut floor, 1, plan.in_turn)?.1);
        bare.cpu += floor.process.cpu()? - before;

        let before = server.process.cpu()?;
        let all = server.at_once(WINDOW, plan.at_once)?;
        ours_at_once.rounds.push(all.as_secs_f64());
        ours_at_once.cpu += server.process.cpu()? - before;

        let before = rpc.process.cpu()?;
        let all = rpc.at_once(WINDOW, plan.at_once)?;
        rpc_at_once.rounds.push(all.as_secs_f64());
        rpc_at_once.cpu += rpc.process.cpu()? - before;

        let before = floor.process.cpu()?;
        let all = floor_calls(&mut floor, WINDOW, plan.at_once)?.0;
        bare_at_once.rounds.push(all);
        bare_at_once.cpu += floor.process.cpu()? - before;

        http.round(plan)?;
        route.round(plan)?;
    }
    let what = "get_model, one call at a time, median";
    table.add(latency(what, &ours, &bare, LATENCY_TIMES));
    let what = "get_model a second, 64 in flight";
    table.add(rate(what, &ours_at_once, &bare_at_once, plan.at_once, MCP_SHARE));
    let what = "the same over rpc";
    table.add(rate(what, &rpc_at_once, &bare_at_once, plan.at_once, RPC_SHARE));
    let count = plan.rounds * plan.at_once;
    let what = "CPU of 1,000 calls, 64 in flight";
    table.add(cpu(what, &ours_at_once, &bare_at_once, count, true));
    let what = "the same over rpc";
    table.add(cpu(what, &rpc_at_once, &bare_at_once, count, false));
    let what = "CPU of 1,000 calls in turn";
    table.add(cpu(what, &ours, &bare, plan.rounds * plan.in_turn, false));

    let what = "get_model over HTTP, one at a time, median";
    table.add(latency(what, &http.in_turn, &route.in_turn, HTTP_LATENCY_TIMES));
    let what = "get_model over HTTP a second, 64 in flight";
    table.add(rate(what, &http.at_once, &route.at_once, plan.at_once, HTTP_SHARE));
    let what = "CPU of 1,000 calls over HTTP, 64 in flight";
    table.add(cpu(what, &http.at_once, &route.at_once, count, false));
    let what = "over HTTP beside stdio, one at a time";
    table.add(latency(what, &http.in_turn, &ours, f64::INFINITY));
    let what = "over HTTP beside stdio, 64 in flight";
    table.add(rate(what, &http.at_once, &ours_at_once, plan.at_once, 0.0));
    Ok(())
}

/// A server over HTTP, or the bare route, and what the rounds gave for it.
struct OverHttp {
    server: HttpServer,
    in_turn: Side,
    at_once: Side,
}

impl OverHttp {
    fn new(mut server: HttpServer) -> Result<Self, Failure> {
        server.at_once(500)?;
        Ok(Self { server, in_turn: Side::default(), at_once: Side::default() })
    }

    fn round(&mut self, plan: &Plan) -> Result<(), Failure> {
        let before = self.server.process.cpu()?;
        self.in_turn.rounds.push(median(self.server.in_turn(plan.in_turn)?));
        let between = self.server.process.cpu()?;
        self.in_turn.cpu += between - before;
        self.at_once.rounds.push(self.server.at_once(plan.at_once)?.as_secs_f64());
        self.at_once.cpu += self.server.process.cpu()? - between;
        Ok(())
    }
}

/// Seconds that all calls took, and the median one.
fn floor_calls(floor: &mut Part, window: usize, count: usize) -> Result<(f64, f64), Failure> {
    let response = floor.ask(&format!("{window} {count}"))?;
    let (all, each) = response.split_once(' ').ok_or("the floor sent an unexpected line")?;
    let seconds = |nanoseconds: &str| nanoseconds.parse::<f64>().map(|n| n / 1e9);
    Ok((seconds(all)?, seconds(each)?))
}

/// Median of the rounds' ratios: a disturbance falls on both sides of its round or spoils that one only.
fn ratio(ours: &Side, floor: &Side) -> f64 {
    let pairs = ours.rounds.iter().zip(&floor.rounds);
    median(pairs.map(|(ours, floor)| ours / floor).collect())
}

/// Unless `target` is finite, the row is not judged.
fn latency(what: &str, ours: &Side, floor: &Side, target: f64) -> Row {
    let times = ratio(ours, floor);
    let micros = |side: &Side| format!("{:.0} µs", median(side.rounds.clone()) * 1e6);
    let judged = target.is_finite();
    Row {
        what: what.to_owned(),
        ours: micros(ours),
        floor: micros(floor),
        value: format!("{times:.2} ×"),
        target: if judged { format!("≤ {target} ×") } else { String::new() },
        verdict: if judged { Verdict::of(times <= target) } else { Verdict::Unjudged },
    }
}

/// Unless `target` is positive, the row is not judged.
fn rate(what: &str, ours: &Side, floor: &Side, count: usize, target: f64) -> Row {
    let share = 1.0 / ratio(ours, floor);
    let rate = |side: &Side| format!("{:.0} /s", count as f64 / median(side.rounds.clone()));
    let judged = target > 0.0;
    Row {
        what: what.to_owned(),
        ours: rate(ours),
        floor: rate(floor),
        value: format!("{share:.2} ×"),
        target: if judged { format!("≥ {target} ×") } else { String::new() },
        verdict: if judged { Verdict::of(share >= target) } else { Verdict::Unjudged },
    }
}

fn cpu(what: &str, ours: &Side, floor: &Side, count: usize, judged: bool) -> Row {
    let millis = |side: &Side| side.cpu.as_secs_f64() * 1e6 / count as f64;
    let (ours, floor) = (millis(ours), millis(floor));
    let times = ours / floor;
    Row {
        what: what.to_owned(),
        ours: format!("{ours:.1} ms"),
        floor: format!("{floor:.1} ms"),
        value: format!("{times:.2} ×"),
        target: if judged { format!("≤ {CPU_TIMES} ×") } else { String::new() },
        verdict: if judged { Verdict::of(times <= CPU_TIMES) } else { Verdict::Unjudged },
    }
}
