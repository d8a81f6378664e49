//! The settings: `settings` declares each `setting` once, `sources` finds their values in flags, variables and the settings
//! `file`, `keys` reads the API key of the `service`, and `reader` makes the `configuration` of a process (`protective`: of the settings that protect data). `report` lists
//! the settings for people.

mod configuration;
mod file;
mod inheritance;
mod keys;
mod paths;
mod port_reader;
mod ports; // settings of servers that listen
mod profiles;
mod program;
mod protective;
mod reader;
mod report;
mod service;
mod setting;
mod settings;
mod sources;
mod user_file;
mod words;

pub(crate) use configuration::Config;
pub(crate) use inheritance::heir;
pub(crate) use keys::{StoredKeys, trimmed as trimmed_key};
pub(crate) use ports::{Auth, KeysFrom, PortSettings};
pub(crate) use profiles::{add_to_settings, with_profile};
pub(crate) use program::{run as run_program, stop as stop_program};
pub(crate) use reader::{problem_of_file, read};
pub(crate) use report::ReportedSetting;
pub use setting::{Setting, SettingKind};
pub use settings::SETTINGS;
pub(crate) use settings::{
    arguments, command_line, first_flag, first_flag_beyond_selection, first_port_flag,
    port_arguments, secret_variable, secrets_help, selection_arguments,
};
pub(crate) use sources::Origin;
pub(crate) use user_file::{FileMode, MARK, replace as replace_file, target as link_target};
