//! The difference between two texts, as `diff -u` prints it.

use similar::TextDiff;

/// One line of context: more could show a secret of the server next to ours.
const CONTEXT_LINES: usize = 1;

/// The difference; empty if there is none.
pub(super) fn diff(name: &str, before: &str, after: &str) -> String {
    let text = TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(name, name)
        .to_string();
    text.replace('\r', "").trim_end().to_owned()
}
