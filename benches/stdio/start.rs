//! The start: from spawning the server to the complete response to `initialize`, against a hello world.
//!
//! The server has no key and an empty environment; the line is written right after the spawn, as
//! clients do. The hello world is compiled by `rustc -O` here, so that both come from one compiler.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::process::Owned;
use super::table::{Row, Table, Verdict};
use super::{Failure, Plan, median, server};

/// What is aimed at and what must not be passed, in ms over the hello world.
const GOAL: f64 = 4.0;
const LIMIT: f64 = 10.0;

pub(super) fn measure(plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let hello = directory.path().join("hello");
    compile(directory.path(), &hello)?;
    let initialize = server::initialize();
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    // The first of each reads the program from the disk.
    for round in 0..=plan.starts {
        let server = start(&mut server::command(), &initialize, "\"serverInfo\":")?;
        let hello = start(Command::new(&hello).env_clear(), "", "hello")?;
        if round > 0 {
            ours.push(server);
            floor.push(hello);
        }
    }
    let (ours, floor) = (median(ours), median(floor));
    let over = ours - floor;
    table.add(Row {
        what: "start to initialize response, median".to_owned(),
        ours: format!("{ours:.2} ms"),
        floor: format!("{floor:.2} ms"),
        value: format!("+{over:.2} ms"),
        target: format!("≤ {GOAL} ms, limit {LIMIT} ms"),
        verdict: match over {
            _ if over > LIMIT => Verdict::Missed,
            _ if over > GOAL => Verdict::PastGoal,
            _ => Verdict::Met,
        },
    });
    Ok(())
}

fn compile(directory: &Path, hello: &Path) -> Result<(), Failure> {
    let source = directory.join("hello.rs");
    std::fs::write(&source, "fn main() { println!(\"hello\"); }\n")?;
    let mut rustc = Command::new("rustc");
    rustc.arg("-O").arg("-o").arg(hello).arg(&source);
    if !rustc.status()?.success() {
        return Err("rustc could not compile a hello world".into());
    }
    Ok(())
}

/// Milliseconds from the spawn to the first whole line, in which `heard` must stand.
fn start(command: &mut Command, text: &str, received: &str) -> Result<f64, Failure> {
    let mut line = vec![0; 1 << 16];
    command.stderr(Stdio::inherit());
    let started = Instant::now();
    let (process, mut input, mut output) = Owned::start(command)?;
    if !text.is_empty() {
        input.write_all(text.as_bytes())?;
    }
    let length = server::read_line(&mut output, &mut line)?;
    let elapsed = started.elapsed();
    drop(input);
    // Its end must not run into the next one's start.
    process.wait()?;
    let line = String::from_utf8_lossy(line.get(..length).unwrap_or_default());
    if !line.contains(received) {
        return Err(format!("a start got {line}").into());
    }
    Ok(elapsed.as_secs_f64() * 1e3)
}
