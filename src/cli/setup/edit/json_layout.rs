//! How a JSON file is laid out, and how something new is written into it.

use std::ops::Range;

use serde_json::Value;

use super::splice::{Splices, indentation_at, newline_of};

/// The layout of a file.
pub(super) struct Layout<'a> {
    text: &'a str,
    pub(super) newline: &'static str,
    unit: String,
    /// Whether there is a blank after the colons and commas of a file in one line.
    pub(super) has_blanks: bool,
}

impl<'a> Layout<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let indented = text.lines().find_map(|line| {
            let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
            let is_member = line.trim_start().starts_with('"');
            (blanks > 0 && is_member).then(|| line.get(..blanks).unwrap_or_default().to_owned())
        });
        let unit = indented.filter(|unit| unit.len() <= 8).unwrap_or_else(|| "  ".to_owned());
        let has_blanks = !text.contains("\":") || text.contains("\": ");
        Self { text, newline: newline_of(text), unit, has_blanks }
    }

    pub(super) fn indentation_at(&self, offset: usize) -> &'a str {
        indentation_at(self.text, offset)
    }

    /// Whether a list is written in one line.
    pub(super) fn is_compact(&self, text: &str, list: Range<usize>) -> bool {
        let list = text.get(list).unwrap_or_default();
        match list.trim_matches(['{', '}', '[', ']', ' ', '\t']) {
            // An empty one opens, unless the whole file is in one line.
            "" => !text.trim().contains('\n') && text.trim().len() > list.len(),
            members => !members.contains('\n'),
        }
    }

    /// A value as text. Lists of plain values are in one line, as people write them.
    pub(super) fn written(&self, value: &Value, indentation: &str, is_compact: bool) -> String {
        let blank = if is_compact && !self.has_blanks { "" } else { " " };
        match value {
            Value::Object(members) if !members.is_empty() => {
                let inner = format!("{indentation}{}", self.unit);
                let members = members.iter().map(|(name, value)| {
                    let name = Value::from(name.as_str());
                    format!("{name}:{blank}{}", self.written(value, &inner, is_compact))
                });
                self.list('{', members.collect(), '}', indentation, is_compact)
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                let inner = format!("{indentation}{}", self.unit);
                let items = items.iter().map(|item| self.written(item, &inner, is_compact));
                self.list('[', items.collect(), ']', indentation, is_compact)
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                format!("[{}]", items.join(&format!(",{blank}")))
            }
            other => other.to_string(),
        }
    }

    fn list(
        &self,
        open: char,
        items: Vec<String>,
        close: char,
        indentation: &str,
        is_compact: bool,
    ) -> String {
        if is_compact {
            let blank = if self.has_blanks { " " } else { "" };
            return format!("{open}{blank}{}{blank}{close}", items.join(&format!(",{blank}")));
        }
        let separator = format!("{}{indentation}{}", self.newline, self.unit);
        let items = items.join(&format!(",{separator}"));
        format!("{open}{separator}{items}{}{indentation}{close}", self.newline)
    }

    /// Inserts an item at the end of a list with commas. `item` gets its indentation, and whether it is in one line.
    pub(super) fn insert_item(
        &self,
        text: &str,
        list: Range<usize>,
        last: Option<Range<usize>>,
        item: impl FnOnce(&str, bool) -> String,
        splices: &mut Splices,
    ) {
        let is_compact = self.is_compact(text, list.clone());
        let close = list.end - 1;
        let outer = self.indentation_at(list.start);
        let Some(last) = last else {
            let gap = gap_after(text, list.start + 1, close);
            let blank = if self.has_blanks && is_compact { " " } else { "" };
            let inner = format!("{outer}{}", self.unit);
            let item = item(&inner, is_compact);
            if is_compact {
                splices.insert(gap.comments_end, format!("{blank}{item}{blank}"));
                return;
            }
            let rest = text.get(gap.comments_end..close).unwrap_or_default();
            let end = match rest.contains('\n') {
                true => String::new(),
                false => format!("{}{outer}", self.newline),
            };
            splices.insert(gap.comments_end, format!("{}{inner}{item}{end}", self.newline));
            return;
        };
        let gap = gap_after(text, last.end, close);
        let line = self.indentation_at(last.start);
        let is_line_start =
            text.get(..last.start).is_some_and(|before| before.ends_with(&format!("\n{line}")));
        let inner = match is_line_start {
            true => line.to_owned(),
            false => format!("{outer}{}", self.unit),
        };
        let separator = match (is_compact, self.has_blanks) {
            (true, true) => " ".to_owned(),
            (true, false) => String::new(),
            (false, _) => format!("{}{inner}", self.newline),
        };
        let item = item(&inner, is_compact);
        match gap.comma {
            Some(_) => splices.insert(gap.line_end, format!("{separator}{item},")),
            None => {
                splices.insert(last.end, ",");
                splices.insert(gap.line_end, format!("{separator}{item}"));
            }
        }
    }
}

/// What is between two tokens: blanks, comments, at most one comma.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) comma: Option<usize>,
    /// The end of the last comment, or the start if there is none.
    pub(super) comments_end: usize,
    /// The end of what belongs to the token before: its comma, and comments in the same line.
    pub(super) line_end: usize,
    /// Whether the last comment ends with its line.
    pub(super) ends_in_line_comment: bool,
}

/// What is between `start` and `end`.
pub(super) fn gap_after(text: &str, start: usize, end: usize) -> Gap {
    let mut gap =
        Gap { comma: None, comments_end: start, line_end: start, ends_in_line_comment: false };
    let bytes = text.as_bytes();
    let mut is_same_line = true;
    let mut at = start;
    while at < end {
        let rest = text.get(at..end).unwrap_or_default();
        let length = if rest.starts_with("//") {
            rest.find(['\n', '\r']).unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |close| close + 2)
        } else {
            match bytes.get(at) {
                Some(b',') if gap.comma.is_none() => {
                    gap.comma = Some(at);
                    // A comma may stand in a line of its own.
                    is_same_line = true;
                    gap.line_end = at + 1;
                }
                Some(b'\n' | b'\r') => is_same_line = false,
                _ => {}
            }
            at += 1;
            continue;
        };
        at += length;
        gap.ends_in_line_comment = rest.starts_with("//");
        gap.comments_end = at;
        if is_same_line {
            gap.line_end = at;
        }
    }
    gap
}

/// The start of the blanks before a byte.
pub(super) fn whitespace_start(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.trim_end_matches([' ', '\t', '\r', '\n']).len()
}
