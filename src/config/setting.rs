//! What a setting is: its name, type, default and help text. Flag and environment variable follow from the name.
//!
//! `max_line_bytes` is `--max-line-bytes` and `POLYTOMIC_MAX_LINE_BYTES`. Secrets have no flag, since other
//! processes can read the command line.

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use self::SettingKind::{Choice, List, Number, Path, Secret, Switch, Text};

/// The type of a setting.
#[derive(Debug, Clone, Copy)]
pub enum SettingKind {
    /// Text that is never shown, without a flag.
    Secret,
    /// Text, with its placeholder in help.
    Text(&'static str),
    /// A path, with its placeholder in help. It may begin with `~`.
    Path(&'static str),
    /// Names separated by commas, with its placeholder in help.
    List(&'static str),
    /// One of several words, with its placeholder in help.
    Choice(&'static str, fn() -> Vec<&'static str>),
    /// On or off.
    Switch,
    /// An integer from a minimum to a maximum.
    Number(u64, u64),
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Name in snake_case.
    pub name: &'static str,
    /// Type of its value.
    pub kind: SettingKind,
    /// Default value; empty if there is none.
    pub default: &'static str,
    /// Help text, in one line.
    pub help: &'static str,
    /// Whether it limits what the server does, or says for which account it does it. Nobody may miss that it has no effect.
    pub protects: bool,
    /// Whether it is about servers that listen on a port, so that only their commands have its flag.
    pub for_ports: bool,
    /// Whether its path may be something else.
    pub(super) can_be_no_path: bool,
}

impl Setting {
    /// Whether its value is never shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Secret)
    }

    /// Whether it is on or off.
    pub(crate) fn is_switch(&self) -> bool {
        matches!(self.kind, Switch)
    }

    pub(super) const fn new(
        name: &'static str,
        kind: SettingKind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self { name, kind, default, help, protects: false, for_ports: false, can_be_no_path: false }
    }

    pub(super) const fn protecting(self) -> Self {
        Self { protects: true, ..self }
    }

    pub(super) const fn for_ports(self) -> Self {
        Self { for_ports: true, ..self }
    }

    /// The same for a path that may be something else: a word that says that there is none, or a URL.
    pub(super) const fn or_no_path(self) -> Self {
        Self { can_be_no_path: true, ..self }
    }

    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("POLYTOMIC_{}", self.name.to_uppercase())
    }

    /// The flag without its dashes; none for a secret.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        (!self.is_secret()).then(|| self.name.replace('_', "-"))
    }

    /// Whether its flag is on the command line.
    pub(super) fn is_on_command_line(&self, matches: &ArgMatches) -> bool {
        matches.try_contains_id(self.name).is_ok_and(|is_known| is_known)
            && matches.value_source(self.name) == Some(ValueSource::CommandLine)
    }

    /// The flag as clap parses it; none for a secret.
    pub(super) fn argument(&self) -> Option<Arg> {
        let default = match self.default {
            "" | "0" => String::new(),
            default => format!(" [default: {default}]"),
        };
        let help = format!("{}{default} [env: {}]", self.help, self.variable());
        let argument = Arg::new(self.name).long(self.flag()?).help(help);
        Some(match self.kind {
            Secret => return None,
            Switch => argument.action(ArgAction::SetTrue),
            Text(placeholder) | Path(placeholder) => argument.value_name(placeholder),
            List(placeholder) => argument.value_name(placeholder).action(ArgAction::Append),
            Choice(placeholder, choices) => argument
                .value_name(placeholder)
                .value_parser(PossibleValuesParser::new(choices()))
                .hide_possible_values(true)
                .ignore_case(true),
            Number(minimum, maximum) => argument
                .value_name("NUMBER")
                .value_parser(value_parser!(u64).range(minimum..=maximum))
                .allow_hyphen_values(true),
        })
    }
}
