//! Where the value of a setting comes from: its flag, its variable, the chosen profile, the settings file, or its default.

use std::cmp::Reverse;
use std::fmt;
use std::path::Path;

use clap::ArgMatches;

use super::file::{self, SettingsFile};
use super::paths::absolute_path;
use super::setting::{Setting, SettingKind};
use super::settings::*;
use super::words::is_none;

/// Where a value comes from, in the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag on the command line.
    Flag,
    /// An environment variable.
    Variable,
    /// The chosen profile: its name, and the line in the settings file.
    Profile(String, usize),
    /// The settings file, outside its profiles: the line.
    File(usize),
    /// Nobody has set it.
    Default,
}

impl Origin {
    /// Whether nobody has set the value.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Default
    }

    /// Whether the value stands in the settings file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::Profile(..) | Self::File(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => formatter.write_str("flag"),
            Self::Variable => formatter.write_str("variable"),
            Self::Profile(name, line) => write!(formatter, "profile {name}, line {line}"),
            Self::File(line) => write!(formatter, "file, line {line}"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// Places of the same precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    Flags,
    Variables,
    Profile,
    File,
}

impl Layer {
    /// From the highest precedence to the lowest.
    pub(super) const ALL: [Self; 4] = [Self::Flags, Self::Variables, Self::Profile, Self::File];
}

/// All places that have values.
pub(super) struct Sources<'a> {
    flags: &'a [&'a ArgMatches],
    variables: Vec<(String, String)>,
    file: SettingsFile,
    profile: Option<String>,
    /// Why the chosen profile has no settings, if so.
    pub(super) unknown_profile: Option<String>,
    /// Warnings about variables.
    pub(super) warnings: Vec<String>,
}

impl<'a> Sources<'a> {
    /// The flags and variables alone.
    pub(super) fn new(flags: &'a [&'a ArgMatches], variables: Vec<(String, String)>) -> Self {
        let file = SettingsFile::default();
        Self { flags, variables, file, profile: None, unknown_profile: None, warnings: Vec::new() }
    }

    /// Adds the settings file and the chosen profile.
    ///
    /// # Errors
    /// A message about the file.
    pub(super) fn add_file(&mut self) -> Result<(), String> {
        let added = self.read_file();
        self.choose_profile();
        added
    }

    fn read_file(&mut self) -> Result<(), String> {
        let named = self.find(&CONFIG);
        let path = match &named {
            Some((text, _)) if is_none(text) => return Ok(()),
            Some((text, origin)) => Some(absolute_path(text).ok_or_else(|| {
                invalid_value(&self.label(&CONFIG, origin), "an absolute path, or off", text)
            })?),
            None => file::default_path(),
        };
        let Some(path) = path else { return Ok(()) };
        self.file.path.clone_from(&path);
        match SettingsFile::read(&path)? {
            Some(file) => self.file = file,
            None if named.is_some() => {
                return Err(format!("The settings file {} does not exist.", path.display()));
            }
            None => {}
        }
        Ok(())
    }

    fn choose_profile(&mut self) {
        let Some((name, origin)) = self.find(&PROFILE) else { return };
        self.profile = Some(name.clone());
        if self.file.profile(&name).is_some() {
            return;
        }
        let names: Vec<&str> =
            self.file.profiles.iter().map(|profile| profile.name.as_str()).collect();
        let file = match self.path() {
            Some(path) => path.display().to_string(),
            None => "the settings file".to_owned(),
        };
        let known = match names.as_slice() {
            [] => format!("{file} has none"),
            names => format!("{file} has {}", names.join(", ")),
        };
        let label = self.label(&PROFILE, &origin);
        self.unknown_profile = Some(format!(
            "{label}: there is no profile {name:?}; {known}. `polytomic-mcp login --profile NAME` creates one."
        ));
    }

    /// The settings file, whether it exists or not; none if there is no place for one.
    pub(super) fn path(&self) -> Option<&Path> {
        Some(self.file.path.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// Name of the chosen profile.
    pub(super) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The value of a setting as text, and its origin.
    pub(super) fn find(&self, setting: &Setting) -> Option<(String, Origin)> {
        Layer::ALL.into_iter().find_map(|layer| self.find_in(layer, setting))
    }

    /// The value in one layer.
    pub(super) fn find_in(&self, layer: Layer, setting: &Setting) -> Option<(String, Origin)> {
        match layer {
            Layer::Flags => Some((self.flag(setting)?, Origin::Flag)),
            Layer::Variables => Some((self.variable(setting)?, Origin::Variable)),
            Layer::Profile => self.profile_value(setting),
            Layer::File => self.file_value(setting),
        }
    }

    fn profile_value(&self, setting: &Setting) -> Option<(String, Origin)> {
        let profile = self.file.profile(self.profile.as_deref()?)?;
        let value = profile.values.iter().find(|value| value.setting == setting.name)?;
        Some((value.text.clone(), Origin::Profile(profile.name.clone(), value.line)))
    }

    fn file_value(&self, setting: &Setting) -> Option<(String, Origin)> {
        let value = self.file.values.iter().find(|value| value.setting == setting.name)?;
        Some((value.text.clone(), Origin::File(value.line)))
    }

    /// How errors name a setting that has its value from an origin.
    pub(super) fn label(&self, setting: &Setting, origin: &Origin) -> String {
        let file = self.file.path.display();
        let name = setting.name;
        match origin {
            Origin::Flag => format!("--{}", setting.flag().unwrap_or_default()),
            Origin::Variable | Origin::Default => setting.variable(),
            Origin::Profile(profile, line) => {
                format!("{file}, line {line}: profile {profile:?}: {name}")
            }
            Origin::File(line) => format!("{file}, line {line}: {name}"),
        }
    }

    pub(super) fn has_flag(&self, setting: &Setting) -> bool {
        self.flags.iter().any(|flags| setting.is_on_command_line(flags))
    }

    /// The flag's value, as clap has validated it.
    fn flag(&self, setting: &Setting) -> Option<String> {
        let flags = self.flags.iter().find(|flags| setting.is_on_command_line(flags))?;
        let values = flags.get_raw(setting.name)?;
        let mut values = values.map(|value| value.to_string_lossy().into_owned());
        let text = match setting.kind {
            SettingKind::List(_) => Some(values.collect::<Vec<_>>().join(",")),
            _ => values.next_back(),
        };
        if setting.is_switch() { Some("1".to_owned()) } else { text }
    }

    /// The variable's value. Editors pass `${…}` for values that nobody filled in, and empty text.
    fn variable(&self, setting: &Setting) -> Option<String> {
        let value = self.raw_variable(setting)?.trim();
        (!is_unfilled(value)).then(|| value.to_owned())
    }

    fn raw_variable(&self, setting: &Setting) -> Option<&str> {
        let name = setting.variable();
        let (_, value) = self.variables.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    /// Which of some settings have a variable with a value.
    #[cfg(feature = "sandbox")]
    pub(super) fn set_variables(&self, settings: &[&Setting]) -> Vec<String> {
        let set = settings.iter().filter(|setting| self.variable(setting).is_some());
        set.map(|setting| setting.variable()).collect()
    }

    /// A level for the log in the variable that Rust programs are expected to honour.
    pub(super) fn rust_log(&self) -> Option<&str> {
        let (_, level) = self.variables.iter().find(|(name, _)| name == "RUST_LOG")?;
        Some(level)
    }

    /// A variable that is no setting, or has no value, has no effect and goes unnoticed, so each is reported.
    ///
    /// # Errors
    /// A message if it is likely to be one of a setting that protects.
    pub(super) fn check_variables(&mut self) -> Result<(), String> {
        // A build without the sandbox knows its settings, too.
        let known = || SETTINGS.iter().copied().chain([&SANDBOX, &SANDBOX_DATA]);
        for (name, _) in &self.variables {
            if name == "RUST_LOG" || known().any(|setting| setting.variable() == *name) {
                continue;
            }
            let upper = name.to_uppercase();
            let nearest = known().map(|setting| {
                let distance = strsim::damerau_levenshtein(&setting.variable(), &upper);
                // Of those that are equally near, one that protects counts, and a letter is missing rather than wrong.
                (distance, !setting.protects, Reverse(setting.name.len()), setting.variable())
            });
            let nearest = nearest.min().filter(|(distance, ..)| *distance <= 2);
            let message = match &nearest {
                Some((.., nearest)) => {
                    format!("{name} is not a setting; did you mean {nearest}?")
                }
                None => format!("{name} is not a setting, and has no effect."),
            };
            let is_harmless = match nearest {
                Some((_, is_harmless, ..)) => is_harmless,
                None => !sounds_protective(&upper),
            };
            if !is_harmless {
                return Err(format!(
                    "{message} A setting that limits the server, or says where it works, must not be missed."
                ));
            }
            self.warnings.push(message);
        }
        let is_unfilled = |setting: &&Setting| {
            self.raw_variable(setting).is_some_and(|value| is_unfilled(value.trim()))
        };
        let unfilled: Vec<_> = SETTINGS.iter().copied().filter(is_unfilled).collect();
        self.warnings.extend(unfilled.iter().map(|setting| {
            let name = setting.variable();
            format!("{name} is empty or an unfilled placeholder and counts as unset")
        }));
        Ok(())
    }
}

/// Whether a name has a word that somebody would choose for a setting that limits what the server does, or where.
fn sounds_protective(name: &str) -> bool {
    const BEGINNINGS: [&str; 18] = [
        "ACCESS",
        "ALLOWED",
        "APPROV",
        "AUDIT",
        "CONFIRM",
        "DENY",
        "DISABLE",
        "EXCLUDE",
        "MASK",
        "MODE",
        "OWN",
        "PERMISSION",
        "PRIVACY",
        "READ",
        "REDACT",
        "SAFE",
        "SANDBOX",
        "TOOL",
    ];
    name.split('_').any(|word| BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)))
}

/// Maximum characters of a value that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 80;

pub(super) fn invalid_value(name: &str, expected: &str, text: &str) -> String {
    let quoted: String = text.chars().take(MAX_QUOTED_CHARACTERS).collect();
    format!("{name}: expected {expected}, got {quoted:?}.")
}

/// Whether nobody filled in a value.
fn is_unfilled(value: &str) -> bool {
    value.is_empty() || (value.starts_with("${") && value.ends_with('}'))
}
