//! Reads characters of full width and digits of other scripts as those of ASCII, so that all forms are found in them too.

use std::ops::Range;

/// The ranges that `find` finds in the text as it is read.
pub(super) fn find_in(text: &str, find: impl Fn(&str) -> Vec<Range<usize>>) -> Vec<Range<usize>> {
    match Read::new(text) {
        None => find(text),
        Some(read) => {
            let ranges = find(&read.text).into_iter();
            let at = |end: usize| read.positions.get(end).copied().unwrap_or(text.len());
            ranges.map(|range| at(range.start)..at(range.end)).collect()
        }
    }
}

/// A text with characters of ASCII in the place of others.
struct Read {
    text: String,
    /// For each byte, where its character begins in the original.
    positions: Vec<usize>,
}

impl Read {
    /// None if nothing is to be replaced.
    fn new(text: &str) -> Option<Self> {
        if text.is_ascii() || !text.chars().any(|c| ascii(c).is_some()) {
            return None;
        }
        let mut read = Self {
            text: String::with_capacity(text.len()),
            positions: Vec::with_capacity(text.len()),
        };
        for (at, c) in text.char_indices() {
            read.text.push(ascii(c).unwrap_or(c));
            read.positions.resize(read.text.len(), at);
        }
        Some(read)
    }
}

/// The character of ASCII that another one stands for.
fn ascii(c: char) -> Option<char> {
    let (first, of) = match c {
        '\u{ff01}'..='\u{ff5e}' => ('\u{ff01}', '!'),
        '\u{660}'..='\u{669}' => ('\u{660}', '0'),
        '\u{6f0}'..='\u{6f9}' => ('\u{6f0}', '0'),
        _ => return None,
    };
    char::from_u32(u32::from(c) - u32::from(first) + u32::from(of))
}
