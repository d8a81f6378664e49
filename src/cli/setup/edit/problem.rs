//! Why a file is not edited, and where.

use std::fmt;

/// A place in a text, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::setup) struct Problem {
    pub(in crate::cli::setup) line: usize,
    pub(in crate::cli::setup) column: usize,
    pub(in crate::cli::setup) message: String,
}

impl Problem {
    /// At a byte of a text.
    pub(super) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line, column, message: message.into() }
    }

    /// What is edited would not be all that changes.
    pub(super) fn unsafe_edit() -> Self {
        let message = "this file is written in a form that cannot be edited without other changes";
        Self { line: 1, column: 1, message: message.to_owned() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}
