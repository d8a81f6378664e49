//! `completions`: what a shell needs to complete commands, flags and names of tools.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::Failure;

pub(super) fn command() -> Command {
    Command::new("completions")
        .about("Print the completions for a shell")
        .after_help("Example, for bash:\n  polytomic-mcp completions bash > ~/.local/share/bash-completion/completions/polytomic-mcp")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)))
}

pub(super) fn run(matches: &ArgMatches, mut program: Command) -> Result<(), Failure> {
    let Some(shell) = matches.get_one::<Shell>("shell").copied() else { return Ok(()) };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, "polytomic-mcp", &mut text);
    Ok(std::io::Write::write_all(&mut std::io::stdout(), &text)?)
}
