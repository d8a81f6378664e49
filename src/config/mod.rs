//! The settings: `settings` declares each one once, `sources` finds their values in flags, variables and the settings
//! `file`, `keys` reads the API key of the `service`, and `reader` makes the `configuration` of a process (`protective`: of the settings that protect data). `report` lists
//! the settings for people.

mod configuration;
mod file;
mod key_command;
mod keys;
mod paths;
mod profiles;
mod protective;
mod reader;
mod report;
mod service;
mod settings;
mod sources;
mod user_file;

pub(crate) use configuration::Config;
pub(crate) use key_command::stop as stop_key_command;
pub(crate) use keys::{StoredKeys, trimmed as trimmed_key};
pub(crate) use profiles::{add_to_settings, heir, with_profile};
pub(crate) use reader::read;
pub(crate) use report::ReportedSetting;
pub use settings::{SETTINGS, Setting, SettingKind};
pub(crate) use settings::{
    arguments, command_line, first_flag, first_flag_beyond_selection, secret_variable,
    secrets_help, selection_arguments,
};
pub(crate) use sources::Origin;
