//! The settings: `settings` declares each one once, `reader` reads them from the command line and the environment.

mod reader;
mod settings;

pub(crate) use reader::{Config, Mask, read};
pub use settings::{SETTINGS, Setting, SettingKind};
pub(crate) use settings::{arguments, first_flag, secret_variable, secrets_help};
