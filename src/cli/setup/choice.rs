//! Which clients, if the command line names none.

use std::io::{self, BufRead, IsTerminal, Write};

use super::clients::{CLIENTS, Client};
use super::found::{ConfiguredEntry, configured_entries};
use super::places::Folders;
use crate::cli::error::CliError;
use crate::cli::plain_text::{plain_lines, plain_text};
use crate::stderr;

/// Lists the clients of this machine and asks, at a terminal; elsewhere it lists them and says what to run.
pub(super) fn choose(
    folders: &Folders,
    is_removal: bool,
) -> Result<Vec<&'static Client>, CliError> {
    let entries = configured_entries();
    let has_entry = |client: &Client| {
        entries.iter().any(|entry| entry.client.id == client.id && entry.content.is_ok())
    };
    let candidates: Vec<&'static Client> = CLIENTS
        .iter()
        .filter(|client| if is_removal { has_entry(client) } else { folders.has(client) })
        .collect();
    if candidates.is_empty() {
        let ids: Vec<&str> = CLIENTS.iter().map(|client| client.id).collect();
        let text = match is_removal {
            true => "No client has this server.".to_owned(),
            false => format!(
                "No client was found on this machine. To write a file all the same, name one of {}.",
                ids.join(", ")
            ),
        };
        writeln!(io::stdout(), "{text}")?;
        return Ok(Vec::new());
    }
    writeln!(io::stdout(), "{}", plain_lines(list(&candidates, &entries).trim_end()))?;
    let verb = if is_removal { "--remove" } else { "" };
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        let first = candidates.first().map_or("", |client| client.id);
        let example = format!("polytomic-mcp setup {first} {verb}");
        stderr::print(&format!("hint: name the clients, e.g. {}", example.trim_end()));
        return Ok(Vec::new());
    }
    let question = if is_removal { "Remove it from" } else { "Add it to" };
    write!(io::stdout(), "{question} (numbers or names, or all; nothing to stop): ")?;
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    chosen(&candidates, &line)
}

fn list(candidates: &[&'static Client], entries: &[ConfiguredEntry]) -> String {
    let mut text = String::new();
    let width = candidates.iter().map(|client| client.id.len()).max().unwrap_or(0);
    for (index, client) in candidates.iter().enumerate() {
        text += &format!("{:>3}  {:<width$}  {}\n", index + 1, client.id, client.title);
        for entry in entries.iter().filter(|entry| entry.client.id == client.id) {
            text += &match &entry.content {
                Ok(program) => {
                    let (name, command) = (&program.name, &program.command);
                    let (file, arguments) = (entry.file.display(), program.arguments.join(" "));
                    let line = format!("has {name} in {file}: {command} {arguments}");
                    format!("{:>5}{}\n", "", line.trim_end())
                }
                Err(problem) => format!("{:>5}{problem}\n", ""),
            };
        }
    }
    text
}

/// The clients of a line such as `1, cursor`.
fn chosen(candidates: &[&'static Client], line: &str) -> Result<Vec<&'static Client>, CliError> {
    let words = line.split([',', ' ', '\t']).map(str::trim).filter(|word| !word.is_empty());
    let mut chosen = Vec::new();
    for word in words {
        if word.eq_ignore_ascii_case("all") {
            return Ok(candidates.to_vec());
        }
        let number = word.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let client = match number {
            Some(index) => candidates.get(index).copied(),
            None => Client::named(&word.to_ascii_lowercase()),
        };
        let client = client.ok_or_else(|| {
            CliError::usage(format!("{:?} is none of the clients", plain_text(word)))
                .with_hint("nothing was written")
        })?;
        chosen.push(client);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_chosen_by_number_or_name() {
        let candidates: Vec<&'static Client> = CLIENTS.iter().take(3).collect();
        let ids = |line: &str| {
            chosen(&candidates, line)
                .map(|found| found.iter().map(|c| c.id).collect::<Vec<_>>())
                .ok()
        };
        assert_eq!(ids("\n"), Some(Vec::new()));
        assert_eq!(ids(" 2,1\n"), Some(vec!["claude-code", "claude-desktop"]));
        assert_eq!(ids("Zed"), Some(vec!["zed"]));
        assert_eq!(ids("all").unwrap().len(), 3);
        assert_eq!((ids("4"), ids("0"), ids("emacs")), (None, None, None));
    }
}
