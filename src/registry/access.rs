//! Which tools a registry serves: limited by access, and selected by toolset and by name.
//!
//! Access beats exclusion, and exclusion beats selection. A tool that is not served is not listed, and a call of it fails
//! with `access_denied`. The selection never changes while the process runs.

use std::fmt;

use super::catalog::Catalog;
use super::entry::Entry;
use super::error::{ErrorCode, Outcome, ToolError};
use super::operation::Effect;
use super::problems;
use super::words::Words;

/// The toolset that stands for all of them.
pub(crate) const ALL_TOOLSETS: &str = "all";

/// What calls may do to stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Nothing is created, changed or deleted.
    Read,
    /// Everything but deleting.
    Write,
    /// Everything.
    #[default]
    Full,
}

impl Words for Access {
    const WORDS: &[(&str, Self)] =
        &[("read", Self::Read), ("write", Self::Write), ("full", Self::Full)];
}

impl Access {
    fn allows(self, effect: Effect) -> bool {
        match self {
            Self::Read => effect.is_read_only(),
            Self::Write => effect != Effect::Destructive,
            Self::Full => true,
        }
    }

    /// What agents have to know of it; none if everything is possible.
    pub(crate) fn notice(self) -> Option<&'static str> {
        match self {
            Self::Read => Some(
                "This server is read-only: nothing can be created, changed or deleted through it.",
            ),
            Self::Write => Some("Nothing can be deleted through this server."),
            Self::Full => None,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// The tools that a person wants to be served.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// What calls may do.
    pub access: Access,
    /// Whether access was limited by `--read-only`, so that errors name that setting.
    pub is_read_only_flag: bool,
    /// Names of toolsets; with no toolset and no tool, all tools are served but those on request.
    pub toolsets: Vec<String>,
    /// Names of further tools.
    pub tools: Vec<String>,
    /// Names of tools that are not served in any case.
    pub excluded: Vec<String>,
}

impl Selection {
    /// The same with the tools on request, unless names select others: for a person who names a tool.
    #[must_use]
    pub(crate) fn on_request(mut self) -> Self {
        if self.toolsets.is_empty() && self.tools.is_empty() {
            self.toolsets.push(ALL_TOOLSETS.to_owned());
        }
        self
    }

    /// Validates the names against a catalog, so that a misspelled one never leaves more tools than expected.
    ///
    /// # Errors
    /// A message for the first unknown name, with the nearest known one.
    pub fn check(&self, catalog: Catalog) -> Result<(), String> {
        let toolsets = || catalog.toolsets.iter().map(|toolset| toolset.name);
        let tools = || catalog.entries().map(|entry| entry.name);
        let known_toolsets: Vec<&str> = toolsets().chain([ALL_TOOLSETS]).collect();
        let known_tools: Vec<&str> = tools().collect();
        for (setting, kind, names, known) in [
            ("--toolsets", "toolset", &self.toolsets, &known_toolsets),
            ("--tools", "tool", &self.tools, &known_tools),
            ("--exclude-tools", "tool", &self.excluded, &known_tools),
        ] {
            let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) else {
                continue;
            };
            let quoted = problems::shorten(unknown);
            let advice = match problems::nearest(unknown, known.iter().copied()) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => format!("expected some of {}.", known.join(", ")),
            };
            return Err(format!("{setting}: unknown {kind} {quoted:?}; {advice}"));
        }
        Ok(())
    }

    /// Warnings about tools that are named and not served all the same.
    #[must_use]
    pub fn warnings(&self, catalog: Catalog) -> Vec<String> {
        let named =
            catalog.entries().filter(|entry| self.tools.iter().any(|tool| tool == entry.name));
        let mut warnings: Vec<String> = named
            .filter_map(|entry| {
                let reason = self.hidden_by(entry, catalog)?;
                Some(format!("--tools names {}, which is disabled by {reason}", entry.name))
            })
            .collect();
        if catalog.entries().all(|entry| self.hidden_by(entry, catalog).is_some()) {
            warnings.push("the settings for access and tools leave no tool".to_owned());
        }
        warnings
    }

    /// The setting that hides a tool, as an error names it; none if the tool is served.
    pub(super) fn hidden_by(&self, entry: &Entry, catalog: Catalog) -> Option<&'static str> {
        let names = |names: &[String], name: &str| names.iter().any(|known| known == name);
        if !self.access.allows(entry.effect) {
            return Some(match self.access {
                _ if self.is_read_only_flag => "--read-only (POLYTOMIC_READ_ONLY)",
                Access::Read => "--access read (POLYTOMIC_ACCESS)",
                Access::Write | Access::Full => "--access write (POLYTOMIC_ACCESS)",
            });
        }
        if names(&self.excluded, entry.name) {
            return Some("--exclude-tools (POLYTOMIC_EXCLUDE_TOOLS)");
        }
        let toolset = catalog.toolset_of(entry.name);
        let is_on_request = toolset.is_some_and(|toolset| toolset.is_on_request(entry.name));
        let has_no_names = self.toolsets.is_empty() && self.tools.is_empty();
        let is_selected = (has_no_names && !is_on_request)
            || names(&self.tools, entry.name)
            || names(&self.toolsets, ALL_TOOLSETS)
            || toolset.is_some_and(|toolset| names(&self.toolsets, toolset.name));
        match (is_selected, self.toolsets.is_empty()) {
            (true, _) => None,
            (false, true) if has_no_names => Some(
                "default: --toolsets (POLYTOMIC_TOOLSETS) with its toolset, or all, enables it",
            ),
            (false, true) => Some("--tools (POLYTOMIC_TOOLS), which does not name it"),
            (false, false) => Some("--toolsets (POLYTOMIC_TOOLSETS), which do not contain it"),
        }
    }
}

/// The error of a call of a tool that is not served.
pub(super) fn denied(tool: &str, setting: &str) -> ToolError {
    ToolError::new(
        ErrorCode::AccessDenied,
        format!("{tool} is disabled by {setting}."),
        "Do without it, or ask the user, who can change the setting where the server is configured, and then has to \
         restart it.",
    )
    .with_outcome(Outcome::NotSent)
}
