//! What a masked value looks like: a star in the place of each character that is masked, so that its type and length stay
//! visible. Secrets lose their length too.

use std::ops::Range;

/// Copies a text with other text in the place of some ranges, given in ascending order.
pub(super) fn replace(
    text: &str,
    ranges: &[Range<usize>],
    masked: impl Fn(&str) -> String,
) -> String {
    let (mut copy, mut from) = (String::with_capacity(text.len()), 0);
    for range in ranges {
        copy.push_str(text.get(from..range.start).unwrap_or_default());
        copy.push_str(&masked(text.get(range.clone()).unwrap_or_default()));
        from = range.end;
    }
    copy.push_str(text.get(from..).unwrap_or_default());
    copy
}

/// `+49 30 901820` as `+** ** ******`.
pub(super) fn mask_digits(text: &str) -> String {
    text.chars().map(|c| if c.is_numeric() { '*' } else { c }).collect()
}

/// `DE89 3704` as `DE** ****`: the letters of the country stay.
pub(super) fn mask_identity(text: &str) -> String {
    let country = |(at, c): (usize, char)| at < 2 && c.is_ascii_alphabetic();
    text.chars()
        .enumerate()
        .map(|(at, c)| if c.is_alphanumeric() && !country((at, c)) { '*' } else { c })
        .collect()
}

/// `742 Evergreen Terrace` as `*** E******** T******`: the first letter of each word of at least two stays.
pub(super) fn mask_words(text: &str) -> String {
    let is_part = |c: char| c == '*' || !(c.is_whitespace() || c.is_ascii_punctuation());
    let mut letters = text.chars().peekable();
    let (mut masked, mut is_first) = (String::with_capacity(text.len()), true);
    while let Some(c) = letters.next() {
        let continues = letters.peek().is_some_and(|next| is_part(*next));
        masked.push(match is_part(c) {
            true if is_first && c.is_alphabetic() && continues => c,
            true => '*',
            false => c,
        });
        is_first = !is_part(c);
    }
    masked
}

/// `jane@example.com` as `j***@e******.com`. A text without `@` in any form is masked by words.
pub(super) fn mask_email(text: &str) -> String {
    let signs = ["@", "＠", "%40", "%2540"];
    let sides = signs.iter().find_map(|sign| Some((text.rsplit_once(sign)?, sign)));
    let Some(((local, domain), sign)) = sides else { return mask_words(text) };
    let (domain, top) = match domain.rsplit_once('.') {
        Some((domain, top)) => (domain, Some(top)),
        None => (domain, None),
    };
    let labels: Vec<String> = domain.split('.').map(mask_after_first).collect();
    let local = match local.strip_prefix('"').and_then(|local| local.strip_suffix('"')) {
        Some(quoted) => format!("\"{}\"", mask_after_first(quoted)),
        None => mask_after_first(local),
    };
    let mut masked = format!("{local}{sign}{}", labels.join("."));
    if let Some(top) = top {
        masked.push('.');
        masked.push_str(top);
    }
    masked
}

/// The first of at least two characters stays.
fn mask_after_first(text: &str) -> String {
    let is_long = text.chars().nth(1).is_some();
    let masked = |(at, c)| if at == 0 && is_long { c } else { '*' };
    text.chars().enumerate().map(masked).collect()
}
