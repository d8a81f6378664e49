//! The settings: `settings` has every one once, `values` reads them from flags and variables.

mod settings;
mod values;

pub use settings::{Kind, SETTINGS, Setting};
pub(crate) use settings::{flags, given, secrets};
pub(crate) use values::{Config, read};
