//! Every setting once.

use clap::{Arg, ArgMatches};

use crate::polytomic::API_VERSION;
use crate::registry::{Access, ConfirmPolicy, Masking, Words};

use super::paths::file_path;
use super::ports::{Auth, KeysFrom};
use super::setting::Setting;
use super::setting::SettingKind::{Choice, List, Number, Path, Secret, Switch, Text};
use super::words::is_none;

/// URL of the hosted service.
pub(super) const HOSTED: &str = "https://app.polytomic.com";

pub(super) static API_KEY: Setting = Setting::new(
    "api_key",
    Secret,
    "",
    "Polytomic API key. Without it the server starts, and calls fail with `not_configured`",
);
pub(super) static API_KEY_FILE: Setting = Setting::new(
    "api_key_file",
    Path("FILE"),
    "",
    "File that contains the API key, as an absolute path",
);
pub(super) static API_KEY_COMMAND: Setting = Setting::new(
    "api_key_command",
    Text("COMMAND"),
    "",
    "Command that prints the API key, for password managers; run without a shell",
);
pub(super) static CONFIG: Setting = Setting::new(
    "config",
    Path("FILE"),
    "",
    "Settings file as an absolute path, or `off`; in the user's folder for settings by default",
)
.or_no_path()
.protecting();
pub(super) static PROFILE: Setting = Setting::new(
    "profile",
    Text("NAME"),
    "",
    "Profile of the settings file to use, for several accounts",
)
.protecting();
pub(super) static ORGANIZATION_ID: Setting = Setting::new(
    "organization_id",
    Text("ID"),
    "",
    "Organization to use the key in; sends Basic instead of Bearer authentication",
)
.protecting();
pub(super) static BASE_URL: Setting =
    Setting::new("base_url", Text("URL"), HOSTED, "Base URL of the Polytomic API").protecting();
pub(super) static ALLOW_HTTP: Setting = Setting::new(
    "allow_http",
    Switch,
    "0",
    "Allow plain http to other machines; the key is then sent unencrypted",
);
pub(super) static CA_FILE: Setting = Setting::new(
    "ca_file",
    Path("FILE"),
    "",
    "PEM file of certificates to trust beside the system's, such as that of a company's proxy",
);
pub(super) static VERSION: Setting =
    Setting::new("api_version", Text("DATE"), API_VERSION, "API version to request");
pub(super) static CONFIRM: Setting = Setting::new(
    "confirm",
    Choice("WHEN", ConfirmPolicy::words),
    "destructive",
    "Which calls the user has to confirm: never, destructive (deletes and clearing updates) or writes",
)
.protecting();
pub(super) static TIMEOUT_SECONDS: Setting = Setting::new(
    "timeout_seconds",
    Number(1, 600),
    "30",
    "Timeout for one API operation, including retries, in seconds",
);
pub(super) static MAX_IN_FLIGHT: Setting = Setting::new(
    "max_in_flight",
    Number(1, 1_024),
    "8",
    "Maximum number of concurrent API requests",
);
pub(super) static MAX_BYTES: Setting = Setting::new(
    "max_bytes",
    Number(4_000, 32 << 20),
    "48000",
    "Maximum size of a result in bytes; longer lists are truncated",
);
pub(super) static MASK: Setting = Setting::new(
    "mask",
    Choice("KIND", Masking::words),
    "off",
    "Mask values in records: off, secrets, or personal (secrets and personal data)",
)
.protecting();
pub(super) static ACCESS: Setting = Setting::new(
    "access",
    Choice("MODE", Access::words),
    "full",
    "What tools may do: read, write (no deletes) or full",
)
.protecting();
pub(super) static READ_ONLY: Setting = Setting::new(
    "read_only",
    Switch,
    "0",
    "Serve only tools that change nothing; as --access read",
)
.protecting();
pub(super) static TOOLSETS: Setting = Setting::new(
    "toolsets",
    List("NAMES"),
    "",
    "Toolsets to serve, comma-separated: models, jobs, connections, syncs, account, api, models_extra or all; default all but the tools on request",
)
.protecting();
pub(super) static TOOLS: Setting = Setting::new(
    "tools",
    List("NAMES"),
    "",
    "Tools to serve, comma-separated; in addition to --toolsets if both are set",
)
.protecting();
pub(super) static EXCLUDE_TOOLS: Setting = Setting::new(
    "exclude_tools",
    List("NAMES"),
    "",
    "Tools not to serve, comma-separated, whatever else selects them",
)
.protecting();
pub(super) static SANDBOX: Setting = Setting::new(
    "sandbox",
    Switch,
    "0",
    "Use the built-in sandbox instead of Polytomic; needs no account",
)
.protecting();
pub(super) static SANDBOX_DATA: Setting = Setting::new(
    "sandbox_data",
    Path("FILE"),
    "",
    "SQLite file for the sandbox's models, syncs and jobs; in memory by default",
);
pub(super) static STATE: Setting = Setting::new(
    "state",
    Path("PLACE"),
    "",
    "Directory or Redis URL for keys of interrupted creates and ids of created models, or `off`; in the user's state by default",
)
.or_no_path();
pub(super) static STATE_REQUIRED: Setting = Setting::new(
    "state_required",
    Switch,
    "0",
    "Fail writes while the state cannot be reached, instead of keeping it in memory",
)
.protecting();
pub(super) static OWN_ONLY: Setting = Setting::new(
    "own_only",
    Switch,
    "0",
    "Update and delete only models that were created through this server",
)
.protecting();
pub(super) static ALLOW_SECRET_OPERATIONS: Setting = Setting::new(
    "allow_secret_operations",
    Switch,
    "0",
    "Let the tools of toolset `api` call operations that return or take secrets",
)
.protecting();
pub(super) static AUDIT_LOG: Setting = Setting::new(
    "audit_log",
    Path("FILE"),
    "",
    "File to append a line to for each write; see `polytomic-mcp audit`",
)
.protecting();
pub(super) static MAX_LINE_BYTES: Setting = Setting::new(
    "max_line_bytes",
    Number(1_024, 1 << 30),
    "33554432",
    "Maximum length of a message on stdin or over HTTP, in bytes",
);
pub(super) static DRAIN_SECONDS: Setting = Setting::new(
    "drain_seconds",
    Number(0, 600),
    "30",
    "Grace period for running calls after stdin closes or SIGTERM, in seconds",
);
pub(super) static HTTP_TOKEN: Setting = Setting::new(
    "http_token",
    Secret,
    "",
    "Bearer token that `http` and `rpc --listen` require; mandatory beyond loopback addresses",
)
.protecting();
pub(super) static RPC_TOKEN: Setting = Setting::new(
    "rpc_token",
    Secret,
    "",
    "The same for `rpc --listen` only; has precedence over POLYTOMIC_HTTP_TOKEN",
)
.protecting();
pub(super) static AUTH: Setting = Setting::new(
    "auth",
    Choice("KIND", Auth::words),
    "",
    "Who may call: token, oauth, or none (anybody); by what is configured if unset",
)
.protecting()
.for_ports();
pub(super) static OAUTH_ISSUER: Setting = Setting::new(
    "oauth_issuer",
    Text("URL"),
    "",
    "OAuth issuer whose access tokens are accepted, e.g. https://login.example.com",
)
.protecting()
.for_ports();
pub(super) static OAUTH_AUDIENCE: Setting = Setting::new(
    "oauth_audience",
    Text("TEXT"),
    "",
    "Audience of those tokens; the public URL by default",
)
.protecting()
.for_ports();
pub(super) static PUBLIC_URL: Setting = Setting::new(
    "public_url",
    Text("URL"),
    "",
    "URL that callers use, if a proxy is in front, e.g. https://mcp.example.com/mcp",
)
.protecting()
.for_ports();
pub(super) static ALLOW_ORIGIN: Setting = Setting::new(
    "allow_origin",
    List("ORIGINS"),
    "",
    "Origins of web pages that may call, comma-separated, e.g. https://app.example.com",
)
.protecting()
.for_ports();
pub(super) static KEYS_FROM: Setting = Setting::new(
    "keys_from",
    Choice("SOURCE", KeysFrom::words),
    "settings",
    "API key of calls: settings, or request (each caller sends X-Polytomic-Api-Key)",
)
.protecting()
.for_ports();
pub(super) static TLS_CERT: Setting = Setting::new(
    "tls_cert",
    Path("FILE"),
    "",
    "PEM file of the server's certificate chain; serves https instead of http",
)
.protecting()
.for_ports();
pub(super) static TLS_KEY: Setting =
    Setting::new("tls_key", Path("FILE"), "", "PEM file of the certificate's private key")
        .protecting()
        .for_ports();
pub(super) static LOG: Setting = Setting::new(
    "log",
    Choice("LEVEL", || vec!["off", "error", "warn", "info", "debug", "trace"]),
    "warn",
    "Log level on stderr: off, error, warn, info, debug or trace",
);

/// All settings, in the order in which help and README list them.
pub static SETTINGS: &[&Setting] = &[
    &API_KEY,
    &API_KEY_FILE,
    &API_KEY_COMMAND,
    &CONFIG,
    &PROFILE,
    &ORGANIZATION_ID,
    &BASE_URL,
    &ALLOW_HTTP,
    &CA_FILE,
    &VERSION,
    &CONFIRM,
    &TIMEOUT_SECONDS,
    &MAX_IN_FLIGHT,
    &MAX_BYTES,
    &MASK,
    &ACCESS,
    &READ_ONLY,
    &TOOLSETS,
    &TOOLS,
    &EXCLUDE_TOOLS,
    #[cfg(feature = "sandbox")]
    &SANDBOX,
    #[cfg(feature = "sandbox")]
    &SANDBOX_DATA,
    &STATE,
    &STATE_REQUIRED,
    &OWN_ONLY,
    &ALLOW_SECRET_OPERATIONS,
    &AUDIT_LOG,
    &MAX_LINE_BYTES,
    &DRAIN_SECONDS,
    &HTTP_TOKEN,
    &RPC_TOKEN,
    &AUTH,
    &OAUTH_ISSUER,
    &OAUTH_AUDIENCE,
    &PUBLIC_URL,
    &ALLOW_ORIGIN,
    &KEYS_FROM,
    &TLS_CERT,
    &TLS_KEY,
    &LOG,
];

/// The settings that select tools.
pub(super) static SELECTION: &[&Setting] =
    &[&ACCESS, &READ_ONLY, &TOOLSETS, &TOOLS, &EXCLUDE_TOOLS];

/// The settings that have an effect on the list of tools: those that select, and those that say where settings are.
fn of_list() -> impl Iterator<Item = &'static Setting> {
    SELECTION.iter().copied().chain([&CONFIG, &PROFILE])
}

/// The settings that say where the key is, of which one place has one at most.
pub(super) static KEY_SETTINGS: &[&Setting] = &[&API_KEY, &API_KEY_FILE, &API_KEY_COMMAND];

/// The help text of the settings that have no flag.
pub(crate) fn secrets_help() -> String {
    let secrets = SETTINGS.iter().filter(|setting| setting.is_secret());
    secrets.map(|setting| format!("  {:<20} {}\n", setting.variable(), setting.help)).collect()
}

/// The variable of a setting that has no flag, by the name that the flag would have.
pub(crate) fn secret_variable(flag: &str) -> Option<String> {
    let name = flag.replace('-', "_");
    let secret = SETTINGS.iter().find(|setting| setting.is_secret() && setting.name == name)?;
    Some(secret.variable())
}

/// The flags of all settings that have one, but for those about ports.
pub(crate) fn arguments() -> impl Iterator<Item = Arg> {
    SETTINGS.iter().filter(|setting| !setting.for_ports).filter_map(|setting| setting.argument())
}

/// The flags of the settings about servers that listen on a port.
pub(crate) fn port_arguments() -> impl Iterator<Item = Arg> {
    SETTINGS.iter().filter(|setting| setting.for_ports).filter_map(|setting| setting.argument())
}

/// The flags of the settings that have an effect on the list of tools.
pub(crate) fn selection_arguments() -> impl Iterator<Item = Arg> {
    of_list().filter_map(Setting::argument)
}

/// The settings on the command line as arguments of another process, which may start in another folder.
pub(crate) fn command_line(flags: &[&ArgMatches]) -> Vec<String> {
    let mut words = Vec::new();
    for setting in SETTINGS {
        let matches = flags.iter().find(|matches| setting.is_on_command_line(matches));
        let Some((matches, flag)) = matches.zip(setting.flag()) else { continue };
        words.push(format!("--{flag}"));
        let values = matches.get_raw(setting.name).into_iter().flatten();
        let mut values = values.map(|value| value.to_string_lossy().into_owned());
        match setting.kind {
            Switch => {}
            List(_) => words.push(values.collect::<Vec<_>>().join(",")),
            Path(_) => {
                let path = values.next_back().unwrap_or_default();
                let is_no_path = setting.can_be_no_path && (is_none(&path) || path.contains("://"));
                words.push(match path.starts_with('~') || is_no_path {
                    true => path,
                    false => file_path(&path).to_string_lossy().into_owned(),
                });
            }
            _ => words.extend(values.next_back()),
        }
    }
    words
}

/// The first flag on the command line.
pub(crate) fn first_flag(matches: &ArgMatches) -> Option<String> {
    SETTINGS.iter().find(|setting| setting.is_on_command_line(matches))?.flag()
}

/// The first flag on the command line about servers that listen on a port.
pub(crate) fn first_port_flag(matches: &ArgMatches) -> Option<String> {
    let mut settings = SETTINGS.iter().filter(|setting| setting.for_ports);
    settings.find(|setting| setting.is_on_command_line(matches))?.flag()
}

/// The first flag on the command line that has no effect on the list of tools.
pub(crate) fn first_flag_beyond_selection(matches: &ArgMatches) -> Option<String> {
    let has_effect = |name| of_list().any(|setting| setting.name == name);
    let mut others = SETTINGS.iter().filter(|setting| !has_effect(setting.name));
    others.find(|setting| setting.is_on_command_line(matches))?.flag()
}
