//! The settings: `settings` declares each one once, `reader` reads them from the command line and the environment.

mod paths;
mod reader;
mod settings;

pub(crate) use reader::{Config, read};
pub use settings::{SETTINGS, Setting, SettingKind};
pub(crate) use settings::{
    arguments, first_flag, first_flag_beyond_selection, secret_variable, secrets_help,
    selection_arguments,
};
