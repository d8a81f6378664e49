//! `audit`: prints an audit log as a table, a row for each call.
//!
//! The log is read line by line, however long it is. A row is printed at the end of its call; the calls without an end come
//! last, with an unknown outcome. Text from the file is data like any other, whatever is in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use console::{Alignment, pad_str};
use serde_json::json;

use super::error::CliError;
use super::plain_text::plain_text;
use crate::registry::audit::{AuditLine, Event};
use crate::stderr;

/// Far more than a line of the log has.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// Titles and widths of the columns; the last one has any width.
const COLUMNS: &[(&str, usize)] = &[
    ("TIME", 24),
    ("TOOL", 17),
    ("OUTCOME", 8),
    ("ERROR", 21),
    ("CONFIRMED", 9),
    ("     MS", 7),
    ("MODEL", 36),
    ("SYNC", 36),
    ("CONNECTION", 36),
    ("ORGANIZATION", 36),
    ("JOB", 36),
    ("OBJECT", 36),
    ("ACCOUNT", 8),
    ("KEY", 0),
];

pub(super) fn command() -> Command {
    Command::new("audit")
        .about("Print an audit log as a table")
        .after_help(
            "A call without an end, since its process was killed or is still working, has the outcome unknown and no \
             duration.\n\nExamples:\n  \
             polytomic-mcp audit writes.jsonl | less -S\n  \
             polytomic-mcp audit writes.jsonl --output json | jq 'select(.outcome == \"unknown\")'",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("File of --audit-log, or - to read it from stdin"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("FORMAT")
                .value_parser(["text", "json"])
                .default_value("text")
                .hide_default_value(true)
                .help("Output format: text, or json with one object per line [default: text]"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), CliError> {
    let path = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let failed = |error: io::Error| failed(&path, &error);
    let input: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(open(&path)?),
    };
    let as_json = matches.get_one::<String>("output").is_some_and(|format| format == "json");
    let mut reader = BufReader::new(input);
    // No title above an error.
    reader.fill_buf().map_err(failed)?;
    let mut output = BufWriter::new(io::stdout().lock());
    if !as_json {
        writeln!(output, "{}", row(COLUMNS.iter().map(|(title, _)| *title)))?;
    }
    let mut log = Log { reader, line_number: 0, unreadable: None };
    let mut started: HashMap<String, (u64, AuditLine)> = HashMap::new();
    while let Some(line) = log.next().map_err(failed)? {
        match line.event {
            Event::Started => {
                // A call has two of them if its key was replaced.
                let first = started.remove(&line.call).map(|(number, first)| (number, first.time));
                let (number, time) = first.unwrap_or((log.line_number, line.time));
                started.insert(line.call.clone(), (number, AuditLine { time, ..line }));
            }
            Event::Finished => {
                started.remove(&line.call);
                print(&mut output, &line, as_json)?;
            }
        }
    }
    let mut endless: Vec<_> = started.into_values().collect();
    endless.sort_by_key(|(number, _)| *number);
    for (_, line) in endless {
        let line = AuditLine { outcome: Some("unknown".to_owned()), ..line };
        print(&mut output, &line, as_json)?;
    }
    output.flush()?;
    if let Some((count, first)) = log.unreadable {
        let what = match count {
            1 => "1 line is incomplete or not of an audit log".to_owned(),
            count => format!("{count} lines are incomplete or not of an audit log"),
        };
        stderr::print(&format!("polytomic-mcp: {what}, the first is line {first}."));
    }
    Ok(())
}

/// Opens a log. Opening a pipe waits for its writer, perhaps forever.
fn open(path: &Path) -> Result<File, CliError> {
    let metadata = path.metadata().map_err(|error| failed(path, &error))?;
    if metadata.is_dir() {
        return Err(CliError::failed(format!("{}: it is a directory", path.display())));
    }
    if !metadata.is_file() {
        let message = format!("{}: it is not a regular file", path.display());
        return Err(
            CliError::failed(message).with_hint("to read from a pipe, pass - and redirect stdin")
        );
    }
    File::open(path).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    CliError::failed(format!("{}: {error}", path.display()))
}

/// The lines of a log, and how many of them cannot be read.
struct Log<R> {
    reader: BufReader<R>,
    line_number: u64,
    /// Their count, and the number of the first.
    unreadable: Option<(u64, u64)>,
}

impl<R: Read> Log<R> {
    fn next(&mut self) -> io::Result<Option<AuditLine>> {
        loop {
            let mut line = Vec::new();
            if self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.line_number += 1;
            if !line.ends_with(b"\n") {
                self.reader.skip_until(b'\n')?;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            if let Ok(line) = serde_json::from_slice(&line) {
                return Ok(Some(line));
            }
            let (count, first) = self.unreadable.unwrap_or((0, self.line_number));
            self.unreadable = Some((count + 1, first));
        }
    }
}

fn print(output: &mut impl Write, line: &AuditLine, as_json: bool) -> io::Result<()> {
    if as_json {
        return writeln!(output, "{}", json!(line));
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let duration = line.duration_ms.map(|ms| ms.to_string()).unwrap_or_default();
    let cells = [
        line.time.clone(),
        // The tools that call operations by name say nothing.
        line.operation.clone().unwrap_or_else(|| line.tool.clone()),
        text(&line.outcome),
        text(&line.error_code),
        text(&line.confirmation),
        format!("{duration:>7}"),
        text(&line.model_id),
        text(&line.sync_id),
        text(&line.connection_id),
        text(&line.organization_id),
        text(&line.job_id),
        text(&line.object_id),
        text(&line.account),
        text(&line.idempotency_key),
    ];
    writeln!(output, "{}", row(cells.iter().map(String::as_str)))
}

/// Cells in columns, with nothing that could control a terminal.
fn row<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells = cells.zip(COLUMNS).map(|(cell, (_, width))| {
        pad_str(&plain_text(cell), *width, Alignment::Left, None).into_owned()
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
