//! Every setting once: its name, from which flag and variable follow, its default and what it does.
//!
//! `max_line_bytes` is `--max-line-bytes` and `POLYTOMIC_MAX_LINE_BYTES`. A secret has no flag, since a command
//! line can be read by others.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

use crate::polytomic::API_VERSION;

/// The hosted service.
pub(super) const HOSTED: &str = "https://app.polytomic.com";

/// What a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text that is shown to nobody and has no flag.
    Secret,
    /// Text; the word stands for it in help.
    Text(&'static str),
    /// On or off.
    Switch,
    /// A whole number in a range.
    Number(u64, u64),
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name in snake_case.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What holds when it is not set; empty for nothing.
    pub default: &'static str,
    /// What it does, in a line.
    pub help: &'static str,
}

impl Setting {
    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("POLYTOMIC_{}", self.name.to_uppercase())
    }

    /// The flag without its dashes; none for a secret.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        (self.kind != Kind::Secret).then(|| self.name.replace('_', "-"))
    }

    /// Whether its flag stands on the command line.
    pub(super) fn is_given(&self, flags: &ArgMatches) -> bool {
        flags.try_contains_id(self.name).is_ok_and(|known| known)
            && flags.value_source(self.name) == Some(ValueSource::CommandLine)
    }
}

pub(super) static API_KEY: Setting = Setting {
    name: "api_key",
    kind: Kind::Secret,
    default: "",
    help: "Key of the API; without one the tools are listed, and calls say what to set",
};
pub(super) static ORGANIZATION_ID: Setting = Setting {
    name: "organization_id",
    kind: Kind::Text("ID"),
    default: "",
    help: "Organization in which the key is used (Basic instead of Bearer)",
};
pub(super) static BASE_URL: Setting = Setting {
    name: "base_url",
    kind: Kind::Text("URL"),
    default: HOSTED,
    help: "Address of the service",
};
pub(super) static ALLOW_HTTP: Setting = Setting {
    name: "allow_http",
    kind: Kind::Switch,
    default: "0",
    help: "Allow plain http to other machines: the key then travels readable",
};
pub(super) static VERSION: Setting = Setting {
    name: "api_version",
    kind: Kind::Text("DATE"),
    default: API_VERSION,
    help: "Version of the API that is asked for",
};
pub(super) static TIMEOUT_SECONDS: Setting = Setting {
    name: "timeout_seconds",
    kind: Kind::Number(1, 600),
    default: "30",
    help: "The most that one HTTP operation may take",
};
pub(super) static MAX_IN_FLIGHT: Setting = Setting {
    name: "max_in_flight",
    kind: Kind::Number(1, 1_024),
    default: "8",
    help: "The most requests to the API at once; further ones wait their turn",
};
pub(super) static MAX_BYTES: Setting = Setting {
    name: "max_bytes",
    kind: Kind::Number(4_000, 32 << 20),
    default: "48000",
    help: "The most bytes of an answer where a call does not say; longer lists are cut",
};
pub(super) static MAX_LINE_BYTES: Setting = Setting {
    name: "max_line_bytes",
    kind: Kind::Number(1_024, 1 << 30),
    default: "33554432",
    help: "The longest line that is read from stdin",
};
pub(super) static DRAIN_SECONDS: Setting = Setting {
    name: "drain_seconds",
    kind: Kind::Number(0, 600),
    default: "30",
    help: "How long calls in flight get after the end of the input",
};
pub(super) static RPC_TOKEN: Setting = Setting {
    name: "rpc_token",
    kind: Kind::Secret,
    default: "",
    help: "Token that `rpc --listen` asks of every request; needed beyond loopback",
};
pub(super) static SANDBOX: Setting = Setting {
    name: "sandbox",
    kind: Kind::Switch,
    default: "0",
    help: "Use the embedded sandbox instead of the service; needs no account",
};
pub(super) static SANDBOX_DATA: Setting = Setting {
    name: "sandbox_data",
    kind: Kind::Text("FILE"),
    default: "",
    help: "File that keeps the sandbox's models, syncs and jobs; in memory when not set",
};
pub(super) static LOG: Setting = Setting {
    name: "log",
    kind: Kind::Text("LEVEL"),
    default: "warn",
    help: "Level of the log on stderr: off, error, warn, info, debug or trace",
};

/// All settings, in the order in which help and README show them.
pub static SETTINGS: &[&Setting] = &[
    &API_KEY,
    &ORGANIZATION_ID,
    &BASE_URL,
    &ALLOW_HTTP,
    &VERSION,
    &TIMEOUT_SECONDS,
    &MAX_IN_FLIGHT,
    &MAX_BYTES,
    #[cfg(feature = "sandbox")]
    &SANDBOX,
    #[cfg(feature = "sandbox")]
    &SANDBOX_DATA,
    &MAX_LINE_BYTES,
    &DRAIN_SECONDS,
    &RPC_TOKEN,
    &LOG,
];

/// What help says of the settings that have no flag.
pub(crate) fn secrets() -> String {
    let secrets = SETTINGS.iter().filter(|setting| setting.kind == Kind::Secret);
    secrets.map(|setting| format!("  {:<20} {}\n", setting.variable(), setting.help)).collect()
}

/// The flags of all settings that have one.
pub(crate) fn flags() -> impl Iterator<Item = Arg> {
    SETTINGS.iter().filter_map(|setting| {
        let default = match setting.default {
            "" | "0" => String::new(),
            default => format!(" [default: {default}]"),
        };
        let help = format!("{}{default} [env: {}]", setting.help, setting.variable());
        let flag = Arg::new(setting.name).long(setting.flag()?).help(help);
        Some(match setting.kind {
            Kind::Switch => flag.action(ArgAction::SetTrue),
            Kind::Number(..) => flag.value_name("NUMBER").allow_hyphen_values(true),
            Kind::Text(word) => flag.value_name(word),
            Kind::Secret => return None,
        })
    })
}

/// The first flag that stands on the command line.
pub(crate) fn given(flags: &ArgMatches) -> Option<String> {
    SETTINGS.iter().find(|setting| setting.is_given(flags))?.flag()
}
