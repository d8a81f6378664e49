//! The settings that protect data. An invalid one never means that everything is allowed: from the settings file it makes
//! every call fail, from anywhere else it stops the start.

use super::reader::{Reader, SWITCH_VALUES};
use super::setting::Setting;
use super::settings::*;
use super::sources::{Layer, Sources, invalid_value};
use super::words::parse_switch;
use crate::registry::{Access, ConfirmPolicy, Masking, Selection, Words};

impl Reader<'_> {
    /// The tools to serve.
    pub(super) fn selection(&mut self) -> Result<Selection, String> {
        let access = self.choice::<Access>(&ACCESS)?;
        let is_read_only = self.protective_switch(&READ_ONLY)?;
        // The order of precedence decides; only in one place they contradict each other.
        let layer_of = |sources: &Sources<'_>, setting| {
            Layer::ALL.iter().position(|layer| sources.find_in(*layer, setting).is_some())
        };
        let (switch, word) =
            (layer_of(&self.sources, &READ_ONLY), layer_of(&self.sources, &ACCESS));
        let is_read_only_flag = is_read_only && (word.is_none() || switch <= word);
        if is_read_only
            && switch == word
            && let Some(access @ (Access::Write | Access::Full)) = access
        {
            let message =
                format!("read_only and access {access} contradict each other: set one of them.");
            self.reject(&ACCESS, message.clone())?;
            self.reject(&READ_ONLY, message)?;
        }
        Ok(Selection {
            access: if is_read_only_flag { Access::Read } else { access.unwrap_or_default() },
            is_read_only_flag,
            toolsets: self.list(&TOOLSETS)?,
            tools: self.list(&TOOLS)?,
            excluded: self.list(&EXCLUDE_TOOLS)?,
        })
    }

    /// Names separated by commas or blanks; hyphens in them count as underscores.
    fn list(&mut self, setting: &Setting) -> Result<Vec<String>, String> {
        let Some(text) = self.text(setting) else { return Ok(Vec::new()) };
        let names = text.split(|c: char| c == ',' || c.is_whitespace());
        let names: Vec<String> = names
            .filter(|name| !name.is_empty())
            .map(|name| name.to_ascii_lowercase().replace('-', "_"))
            .collect();
        if names.is_empty() {
            let message = invalid_value(&self.label(setting), "names separated by commas", &text);
            self.reject(setting, message)?;
        }
        Ok(names)
    }

    /// Handles an invalid setting that protects data: one in the settings file makes every call fail, any other stops
    /// the start.
    fn reject(&mut self, setting: &Setting, message: String) -> Result<(), String> {
        if self.is_from_file(&[setting]) {
            self.problem.get_or_insert(message);
            return Ok(());
        }
        Err(message)
    }

    pub(super) fn is_from_file(&self, settings: &[&Setting]) -> bool {
        let mut origins = settings.iter().filter_map(|setting| self.sources.find(setting));
        origins.any(|(_, origin)| origin.is_file())
    }

    /// Which calls the user has to confirm.
    pub(super) fn confirm(&mut self) -> Result<ConfirmPolicy, String> {
        let policy = self.choice::<ConfirmPolicy>(&CONFIRM)?;
        Ok(policy.unwrap_or_default())
    }

    /// Which values of records are masked.
    pub(super) fn masking(&mut self) -> Result<Masking, String> {
        let masking = self.choice::<Masking>(&MASK)?;
        Ok(masking.unwrap_or(Masking::Off))
    }

    /// A switch that protects data.
    pub(super) fn protective_switch(&mut self, setting: &Setting) -> Result<bool, String> {
        let Some(text) = self.text(setting) else { return Ok(false) };
        let is_on = parse_switch(&text);
        if is_on.is_none() {
            let message = invalid_value(&self.label(setting), SWITCH_VALUES, &text);
            self.reject(setting, message)?;
        }
        Ok(is_on.unwrap_or_default())
    }

    /// One of several words, whatever its case.
    pub(super) fn choice<T: Words>(&mut self, setting: &Setting) -> Result<Option<T>, String> {
        let Some(word) = self.text(setting) else { return Ok(None) };
        let choice = T::parse(&word);
        if choice.is_none() {
            let message = unknown_word(&self.label(setting), &T::words(), &word);
            self.reject(setting, message)?;
        }
        Ok(choice)
    }
}

/// A word that is none of a setting's.
fn unknown_word(label: &str, words: &[&str], text: &str) -> String {
    let message = invalid_value(label, &words.join(", "), text);
    let nearest = words.iter().map(|word| (strsim::damerau_levenshtein(word, text), word)).min();
    match nearest {
        Some((0..=2, word)) => format!("{message} Did you mean {word:?}?"),
        _ => message,
    }
}
