//! Words for yes, no and nothing in the text of a value.

fn is_no(text: &str) -> bool {
    ["0", "false", "off", "no"].iter().any(|no| no.eq_ignore_ascii_case(text))
}

/// What a word says about a switch.
pub(super) fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Some(true),
        text => is_no(text).then_some(false),
    }
}

/// Whether the text says that something is not to be used.
pub(super) fn is_none(text: &str) -> bool {
    is_no(text) || text.eq_ignore_ascii_case("none")
}
