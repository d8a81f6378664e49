//! Every setting with its value and where that is from, as `config` prints it.

use std::path::PathBuf;

use super::setting::{Setting, SettingKind};
use super::settings::{SETTINGS, STATE};
use super::sources::{Origin, Sources};
use super::words::parse_switch;
use crate::state::masked;

/// What `config` prints.
#[derive(Clone)]
pub(crate) struct Report {
    /// The settings file, whether it exists or not.
    pub(crate) path: Option<PathBuf>,
    /// All settings.
    pub(crate) settings: Vec<ReportedSetting>,
}

/// One setting.
#[derive(Clone)]
pub(crate) struct ReportedSetting {
    pub(crate) setting: &'static Setting,
    /// None for a secret, whether it is set or not; a valid switch is 1 or 0, however it was written.
    pub(crate) value: Option<String>,
    pub(crate) origin: Origin,
}

impl Report {
    pub(super) fn of(sources: &Sources<'_>) -> Self {
        let settings = SETTINGS.iter().map(|setting| {
            let (value, origin) = sources
                .find(setting)
                .unwrap_or_else(|| (setting.default.to_owned(), Origin::Default));
            let value = match setting.kind {
                SettingKind::Secret => None,
                SettingKind::Switch => Some(one_form(value)),
                // It may be a URL with a password.
                _ if setting.name == STATE.name => Some(masked(&value)),
                _ => Some(value),
            };
            ReportedSetting { setting, value, origin }
        });
        Self { settings: settings.collect(), path: sources.path().map(PathBuf::from) }
    }
}

fn one_form(switch: String) -> String {
    match parse_switch(&switch) {
        Some(true) => "1".to_owned(),
        Some(false) => "0".to_owned(),
        None => switch,
    }
}
