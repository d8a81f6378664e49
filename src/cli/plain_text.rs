//! Text from outside, without what could control a terminal.

use crate::polytomic::is_invisible;

/// One line: every character that controls a terminal or cannot be seen becomes a blank.
pub(in crate::cli) fn plain_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect()
}

/// The same for text of several lines.
pub(super) fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain_text).collect::<Vec<_>>().join("\n")
}
