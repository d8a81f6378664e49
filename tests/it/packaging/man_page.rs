//! The man page, generated from the command line: one page with all commands, and the settings once.

use std::io::Write;
use std::path::Path;

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::support::{compare_or_update, root};

#[test]
fn the_man_page_matches_the_command_line() {
    let page = page();
    for expected in [".TH", "polytomic\\-mcp call", "\\-\\-read\\-only", "EXIT STATUS"] {
        assert!(page.contains(expected), "{expected} is missing:\n{page}");
    }
    compare_or_update("packaging/man/polytomic-mcp.1", &page);
}

#[test]
fn man_renders_the_page_without_warnings() {
    let path = root().join("packaging/man/polytomic-mcp.1");
    let Some(text) = rendered(&path) else {
        // Not by eprintln, which the test runner keeps to itself.
        let _ = writeln!(std::io::stderr(), "the man page was not rendered: there is no man");
        return;
    };
    for expected in ["polytomic-mcp call", "--read-only", "polytomic-mcp demo"] {
        assert!(text.contains(expected), "{expected} is missing:\n{text}");
    }
}

/// The page as `man` shows it, if there is one.
fn rendered(path: &Path) -> Option<String> {
    let mut man = std::process::Command::new("man");
    man.args(["--warnings", "--local-file"]).arg(path);
    man.env_clear().env("PATH", "/usr/bin:/bin").env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8");
    let output = man.output().ok()?;
    // Minimal images have a `man` that only says that pages were left out.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || !text.contains("SYNOPSIS") {
        return None;
    }
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    Some(text)
}

fn page() -> String {
    let mut program = polytomic_mcp::cli::command();
    program.build();
    let man = Man::new(program.clone());
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]);
    // Not all thirty flags, as the crate writes it.
    let (options, command) = (italic("OPTIONS"), italic("COMMAND"));
    synopsis.text([bold("polytomic-mcp"), roman(" ["), options, roman("] ["), command, roman("]")]);
    synopsis.to_writer(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    commands(&program).to_writer(&mut page).unwrap();
    let mut rest = Roff::new();
    rest.control("SH", ["EXAMPLES, VARIABLES AND EXIT STATUS"]);
    verbatim(&mut rest, &program.get_after_help().unwrap().to_string());
    rest.to_writer(&mut page).unwrap();
    man.render_version_section(&mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// A subsection for each command, with the arguments that only it has.
fn commands(program: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    roff.text([roman("Most commands take the options above as well.")]);
    let is_shared = |argument: &&Arg| {
        program.get_arguments().any(|shared| shared.get_id() == argument.get_id())
    };
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        roff.control("SS", [format!("polytomic-mcp {}", command.get_name()).as_str()]);
        roff.text([roman(command.get_about().unwrap().to_string())]);
        for argument in command.get_arguments().filter(|argument| !is_shared(argument)) {
            let names = argument.get_value_names().unwrap_or_default();
            let value = names.iter().map(clap::builder::Str::as_str).collect::<Vec<_>>().join(" ");
            roff.control("TP", []);
            match argument.get_long() {
                Some(flag) if argument.get_action().takes_values() => {
                    roff.text([bold(format!("--{flag}")), roman(" "), italic(value)]);
                }
                Some(flag) => {
                    roff.text([bold(format!("--{flag}"))]);
                }
                None => {
                    roff.text([italic(value)]);
                }
            }
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            roff.text([roman(help)]);
        }
        if let Some(after) = command.get_after_help() {
            verbatim(&mut roff, &after.to_string());
        }
    }
    roff
}

/// Text whose lines and columns stay as they are.
fn verbatim(roff: &mut Roff, text: &str) {
    roff.control("PP", []).control("nf", []);
    for line in text.trim_end().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}
