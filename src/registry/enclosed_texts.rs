//! Where values in a text end: XML elements, quotations, braces, words. All in time proportional to the length of the text.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The XML elements of one name.
#[derive(Default)]
pub(super) struct Elements {
    /// Where the content of each begins and ends.
    ends: HashMap<usize, usize>,
    /// Where the CDATA section ends that was looked for last.
    cdata_end: usize,
    /// Where the last closing tag of any name begins.
    last_closing: Option<usize>,
}

impl Elements {
    /// Those whose name ends with `name`. They may be nested.
    pub(super) fn find(text: &str, underscored: &str, name: &str) -> Self {
        let (mut open, mut ends) = (HashMap::<&str, Vec<usize>>::new(), HashMap::new());
        if !text.contains('<') {
            return Self::default();
        }
        for (at, _) in underscored.match_indices(name) {
            let Some((before, rest)) = text.split_at_checked(at + name.len()) else { continue };
            let Some((before, tag)) = split_tag_name(before, rest) else { continue };
            if let Some(content) = after_tag(before, rest) {
                open.entry(tag).or_default().push(text.len() - content.len());
            } else if let Some(end) = before.strip_suffix('/')
                // JSON may escape the slash.
                && let Some(end) = end.strip_suffix('\\').unwrap_or(end).strip_suffix('<')
                && let Some(start) = open.get_mut(tag).and_then(Vec::pop)
            {
                ends.insert(start, end.len());
            }
        }
        Self { ends, cdata_end: 0, last_closing: text.rfind("</") }
    }

    /// The content that begins at `start`, if its element is closed or a CDATA section.
    pub(super) fn content(&mut self, text: &str, start: usize) -> Option<Range<usize>> {
        let end = self.ends.get(&start).copied().max(self.end_of_cdata(text, start))?;
        Some(start..end)
    }

    /// The end of the CDATA section that begins at `start`, perhaps after blanks: it may contain what looks like a tag.
    fn end_of_cdata(&mut self, text: &str, start: usize) -> Option<usize> {
        const CDATA: &str = "<![cdata[";
        const CDATA_END: &str = "]]>";
        let rest = text.get(start..)?.trim_start();
        let from = text.len() - rest.len();
        if !rest.starts_with(CDATA) {
            return None;
        }
        if self.cdata_end < from {
            let length = rest.find(CDATA_END).map(|length| length + CDATA_END.len());
            self.cdata_end = from + length.unwrap_or(rest.len());
        }
        Some(self.cdata_end)
    }

    /// The end of the content of an element without a closing tag: the next tag, or the first word. If that tag is nested,
    /// as in XML that was cut, all that follows may be the content.
    pub(super) fn open_end(&self, text: &str, start: usize) -> usize {
        let rest = text.get(start..).unwrap_or_default();
        let is_nested = rest.trim_start().starts_with('<')
            && (!rest.starts_with(' ')
                || self.last_closing.is_some_and(|closing| closing >= start));
        if is_nested {
            return text.len();
        }
        rest.find('<').map_or_else(|| value_at(text, start).end, |length| start + length)
    }
}

/// Splits the name of a tag from what precedes it, if it ends here. The bound keeps the time linear.
pub(super) fn split_tag_name<'a>(before: &'a str, rest: &str) -> Option<(&'a str, &'a str)> {
    const MAX_NAME: usize = 128;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:.".contains(byte);
    let length = before.bytes().rev().take(MAX_NAME).take_while(is_name).count();
    let ends = rest.starts_with(|c: char| c == '>' || c.is_whitespace());
    before.split_at_checked(before.len() - length).filter(|_| ends)
}

/// The text after the `>` of an opening tag, by what is before and after its name. A tag has one name, so that each is read
/// once.
pub(super) fn after_tag<'a>(before: &str, rest: &'a str) -> Option<&'a str> {
    if !before.ends_with('<') {
        return None;
    }
    let (attributes, content) = rest.split_at_checked(rest.find(['<', '>'])?)?;
    content.strip_prefix('>').filter(|_| !attributes.ends_with('/'))
}

/// Where the delimiters close that were looked for last, by the delimiter and how many backslashes escape it. Each is looked
/// for once, however many open before it.
#[derive(Default)]
pub(super) struct Closings(BTreeMap<(u8, usize), usize>);

impl Closings {
    /// The range inside the quotes or braces that open at `start`.
    pub(super) fn quoted(&mut self, text: &str, start: usize) -> Option<Range<usize>> {
        let (before, value) = text.split_at_checked(start)?;
        let opening = value.bytes().next().filter(|byte| b"\"'{".contains(byte))?;
        let inside = start + 1;
        if opening == b'{' {
            let end = || text.get(inside..)?.find('}').map(|length| inside + length);
            return Some(inside..self.closing((opening, 0), text, inside, end));
        }
        // In a text that is quoted itself, quotes are written twice; those of an empty value are not.
        let is_double =
            value.as_bytes().get(1) == Some(&opening) && !value_at(text, start + 2).is_empty();
        let inside = inside + usize::from(is_double);
        let escapes = backslashes_at_end(before);
        let end = || closing_quote(text, inside, opening, escapes);
        Some(inside..self.closing((opening, escapes), text, inside, end))
    }

    fn closing(
        &mut self,
        delimiter: (u8, usize),
        text: &str,
        from: usize,
        find: impl FnOnce() -> Option<usize>,
    ) -> usize {
        let end = self.0.entry(delimiter).or_default();
        if *end < from {
            *end = find().unwrap_or(text.len());
        }
        *end
    }
}

/// How many backslashes escape what follows a text: in JSON inside a text one escapes a quote, in JSON inside that three.
pub(super) fn backslashes_at_end(text: &str) -> usize {
    /// A closing quote is looked for once for each number.
    const MAX: usize = 15;
    text.bytes().rev().take(MAX).take_while(|byte| *byte == b'\\').count()
}

/// Where a quotation ends that begins at `from`, after a quote that so many backslashes escape. A quote that more of them
/// escape, or that is written twice, is a part of it.
pub(super) fn closing_quote(text: &str, from: usize, quote: u8, escapes: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut backslashes) = (from, 0);
    loop {
        let byte = *bytes.get(at)?;
        if byte == quote {
            // A backslash of the quotation is escaped by as many as a quote, so it is written as this many.
            let is_escaped = backslashes > escapes && backslashes % (2 * (escapes + 1)) != escapes;
            let is_double = escapes == 0 && !is_escaped && bytes.get(at + 1) == Some(&quote);
            if !is_escaped && !is_double {
                return Some(at - backslashes.min(escapes));
            }
            at += usize::from(is_double);
        }
        backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
        at += 1;
    }
}

/// The range from `start` to the end of the value.
pub(super) fn value_at(text: &str, start: usize) -> Range<usize> {
    let ends_value = |c: char| c.is_whitespace() || "&;,\"'})".contains(c);
    let rest = text.get(start..).unwrap_or_default();
    start..start + rest.find(ends_value).unwrap_or(rest.len())
}
