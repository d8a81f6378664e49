//! `completions`: shell completions for commands, flags and names of tools.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::error::CliError;
use super::setup::CLIENTS;
use crate::tools::TOOLS;

pub(super) fn command() -> Command {
    Command::new("completions")
        .about("Print completions for a shell")
        .after_help("Example, for bash:\n  polytomic-mcp completions bash > ~/.local/share/bash-completion/completions/polytomic-mcp")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)))
}

pub(super) fn run(matches: &ArgMatches, mut program: Command) -> Result<(), CliError> {
    let Some(shell) = matches.get_one::<Shell>("shell").copied() else { return Ok(()) };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, "polytomic-mcp", &mut text);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    match shell {
        // clap_complete 4.6 writes a subcommand "mcp" and the hyphen of the binary's name the same way, and then
        // looks for states that it never sets: nothing would be completed after a subcommand.
        Shell::Bash => text = text.replace("polytomic__subcmd__mcp", "polytomic__mcp"),
        // clap_complete leaves out the values of positional arguments.
        Shell::Fish => {
            let names: Vec<_> = TOOLS.entries().map(|entry| entry.name).collect();
            let clients: Vec<_> = CLIENTS.iter().map(|client| client.id).collect();
            for (commands, values) in [("call tools", names), ("setup", clients)] {
                text += &format!(
                    "complete -c polytomic-mcp -n \"__fish_seen_subcommand_from {commands}\" -f -a \"{}\"\n",
                    values.join(" ")
                );
            }
        }
        _ => {}
    }
    Ok(std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?)
}
