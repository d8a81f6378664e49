//! `cargo bench --profile dist --bench stdio`: the release binary against floors that run beside it.
//!
//! A floor does the same work with nothing of ours in it: a hello world for the start, a loop of bare
//! GETs for the calls, a route of axum that does one for the calls over HTTP. What is judged are ratios to it,
//! since figures of two machines, or of one machine at two hours, say little. docs/performance.md has what is
//! measured, why, and figures.
//!
//! One executable in five parts: the bench, which starts itself again on one core; `stub`, the API
//! that all sides ask; `floor`, the loop of bare GETs; `route`, the route. `-- --quick` measures with smaller
//! counts.
//!
//! Exit status: 0 all targets met, 1 one was missed, 2 nothing could be measured.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a program for people, of which the parts end with their input"
)]
#![allow(clippy::indexing_slicing, reason = "a missing key of a JSON value reads as null")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "figures are shown with three digits"
)]

mod calls;
mod floor;
mod http;
mod list_bytes;
mod memory;
mod pinning;
mod process;
mod server;
mod sizes;
mod start;
mod stub;
mod table;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use process::Part;
use server::{Server, ServerKind};
use table::Table;

/// Why nothing could be measured.
type Failure = Box<dyn std::error::Error>;

/// The program under test, built by cargo with the bench's own profile.
const BINARY: &str = env!("CARGO_BIN_EXE_polytomic-mcp");
/// A server that never responds must not block the bench forever.
const PATIENCE: Duration = Duration::from_secs(600);

/// How much is measured.
struct Plan {
    /// Starts of each side.
    starts: usize,
    /// Rounds of calls, ours and the floor's in turn.
    rounds: usize,
    /// Calls in a round, one after the other.
    in_turn: usize,
    /// Calls in a round, 64 in flight.
    at_once: usize,
    /// Calls after which memory is looked at.
    memory: usize,
}

const FULL: Plan = Plan { starts: 300, rounds: 20, in_turn: 4_000, at_once: 10_000, memory: 5_000 };
const QUICK: Plan = Plan { starts: 100, rounds: 5, in_turn: 2_000, at_once: 4_000, memory: 5_000 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let result = match arguments.first().map(String::as_str) {
        Some("stub") => stub::run().map(|()| ExitCode::SUCCESS),
        Some("floor") => floor::run(&arguments).map(|()| ExitCode::SUCCESS),
        Some("route") => http::run_route(&arguments).map(|()| ExitCode::SUCCESS),
        _ if cfg!(debug_assertions) && !has("--bench") => {
            // `cargo test --all-targets` runs benches too, to see that they build.
            println!("stdio: nothing to test; `cargo bench --profile dist --bench stdio` measures");
            Ok(ExitCode::SUCCESS)
        }
        _ if cfg!(debug_assertions) => {
            Err("this is no release build; run `cargo bench --profile dist --bench stdio`".into())
        }
        Some("pinned") => measure(if has("--quick") { &QUICK } else { &FULL }),
        _ => pinning::start_again(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn measure(plan: &Plan) -> Result<ExitCode, Failure> {
    std::thread::spawn(|| {
        std::thread::sleep(PATIENCE);
        eprintln!("error: not done within {} s", PATIENCE.as_secs());
        // The parts end with their input, which ends with this process.
        std::process::exit(2);
    });
    println!(
        "{} {}, {} starts, {} rounds of {} calls in turn and {} at 64 in flight, on one core",
        std::env::consts::OS,
        std::env::consts::ARCH,
        plan.starts,
        plan.rounds,
        plan.in_turn,
        plan.at_once
    );
    let mut table = Table::default();
    start::measure(plan, &mut table)?;
    let (_stub, url) = Part::stub()?;
    let mut server = Server::start(&url, ServerKind::Mcp, Some(server::WINDOW))?;
    calls::measure(plan, &url, &mut server, &mut table)?;
    memory::measure(plan, &url, &server, &mut table)?;
    let sizes = sizes::measure(Path::new(BINARY), &mut table)?;
    println!("\n{table}\n{sizes}");
    Ok(ExitCode::from(u8::from(table.missed())))
}

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::INFINITY)
}
