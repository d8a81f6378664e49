//! Finds phone numbers, numbers of cards, accounts and persons in a text, by their form and their checksums.
//!
//! Ordinary numbers are not: a long integer is a card only if its first digits are those of a brand and its checksum
//! holds, and a phone number has a `+`, or is written as such. Ids, timestamps, decimals and URLs are left alone.

use std::ops::Range;

/// The groups of a number that are looked at: no form has more.
const MAX_GROUPS: usize = 8;
/// The digits of a phone number with its country, at least and at most.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// Lengths of international account numbers by country.
///
/// Source: SWIFT, IBAN registry.
const IBAN_LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 \
    EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 \
    LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 \
    SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20";

/// The ranges of phone numbers, cards and numbers of persons. In an identifier only those count that are written as
/// such, or stand among words: every tenth number with the first digits of a brand has a valid checksum.
pub(super) fn find_numbers(text: &str, is_identifier: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let is_id_alone = is_identifier && !text.contains(char::is_alphabetic);
    let mut urls = urls(text).into_iter().peekable();
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        while urls.next_if(|url| url.end <= start).is_some() {}
        let is_in_url = urls.peek().is_some_and(|url| url.contains(&start));
        let groups = Groups::read(text, start);
        match groups.number(is_identifier, is_id_alone, is_in_url) {
            Some(end) => {
                found.push(start..end);
                at = end;
            }
            // A number may begin with the next group.
            None => at = groups.groups.first().map_or(start + 1, |group| group.end),
        }
    }
    found
}

/// The ranges of international account numbers whose checksum holds.
pub(super) fn find_ibans(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let is_start = at == 0 || !ends_with_word(text, at);
        match iban_length(bytes.get(at..).unwrap_or_default()).filter(|_| is_start) {
            Some(length) if !begins_with_word(text, at + length) => {
                found.push(at..at + length);
                at += length;
            }
            _ => at += 1,
        }
    }
    found
}

/// The length of the account number that a text begins with.
fn iban_length(text: &[u8]) -> Option<usize> {
    let [first, second, check, digit, ..] = text else { return None };
    let is_form = first.is_ascii_alphabetic()
        && second.is_ascii_alphabetic()
        && check.is_ascii_digit()
        && digit.is_ascii_digit();
    if !is_form {
        return None;
    }
    let country = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    let country = IBAN_LENGTHS.split(' ').find(|entry| entry.as_bytes().starts_with(&country))?;
    let length: usize = country.get(2..)?.parse().ok()?;
    let (mut characters, mut end) = (Vec::with_capacity(length), 0);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            byte if byte.is_ascii_alphanumeric() => characters.push(byte.to_ascii_uppercase()),
            // One between two groups.
            b' ' | b'-' if at == end && characters.len() >= 4 => continue,
            _ => return None,
        }
        end = at + 1;
        if characters.len() == length {
            break;
        }
    }
    let (country, account) = characters.split_at_checked(4)?;
    let remainder = account.iter().chain(country).fold(0_u32, |remainder, byte| {
        let (value, factor) = match byte {
            b'0'..=b'9' => (u32::from(byte - b'0'), 10),
            _ => (u32::from(byte - b'A') + 10, 100),
        };
        (remainder * factor + value) % 97
    });
    (characters.len() == length && remainder == 1).then_some(end)
}

/// Where the next number may begin: at a `+` or `(` before a digit, or at a digit that continues no word, decimal or id.
fn next_start(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|byte| byte.is_ascii_digit() || b"+(".contains(byte))?;
        let next_is_digit = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        match bytes.get(at)? {
            b'+' | b'(' if next_is_digit => return Some(at),
            b'+' | b'(' => at += 1,
            _ if !continues(text, at) => return Some(at),
            _ => at += bytes.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        }
    }
}

/// Whether the digit at a position is a part of what is before.
fn continues(text: &str, at: usize) -> bool {
    let mut before = text.get(..at).unwrap_or_default().chars().rev();
    match before.next() {
        Some('_') => true,
        Some('.' | ',') => before.next().is_some_and(char::is_numeric),
        Some('-') => before.next().is_some_and(|c| c.is_alphanumeric() || c == '_'),
        Some(c) => c.is_alphanumeric(),
        None => false,
    }
}

fn ends_with_word(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    before.is_none_or(|c| c.is_alphanumeric() || c == '_')
}

fn begins_with_word(text: &str, at: usize) -> bool {
    text.get(at..).is_none_or(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The ranges of the words that are URLs.
fn urls(text: &str) -> Vec<Range<usize>> {
    if !text.contains("://") {
        return Vec::new();
    }
    let mut start = 0;
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        start += word.len();
        (word, start - word.len()..start)
    });
    words.filter(|(word, _)| word.contains("://")).map(|(_, range)| range).collect()
}

/// Digits from a position on, in groups with separators between them.
struct Groups<'a> {
    text: &'a str,
    /// `+` or `(`, if it begins with one.
    sign: Option<u8>,
    groups: Vec<Range<usize>>,
}

impl<'a> Groups<'a> {
    fn read(text: &'a str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let sign = bytes.get(start).copied().filter(|byte| b"+(".contains(byte));
        let (mut groups, mut at) = (Vec::new(), start + usize::from(sign.is_some()));
        while groups.len() < MAX_GROUPS {
            let rest = bytes.get(at..).unwrap_or_default();
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                break;
            }
            groups.push(at..at + digits);
            at += digits;
            if sign.is_none() && !may_begin_number(&groups) {
                break;
            }
            // As in `) ` and ` (`.
            let rest = bytes.get(at..).unwrap_or_default();
            let separators = rest.iter().take_while(|byte| b" -./()".contains(byte)).count();
            if separators == 0 || separators > 2 {
                break;
            }
            at += separators;
        }
        Self { text, sign, groups }
    }

    /// The end of the number that they begin with.
    fn number(&self, is_identifier: bool, is_id_alone: bool, is_in_url: bool) -> Option<usize> {
        if self.sign == Some(b'+') {
            return self.international();
        }
        if is_in_url {
            return None;
        }
        let card = self.card(is_id_alone);
        if let Some(end) = card.filter(|end| !self.is_continued(self.without_fraction(*end))) {
            return Some(end);
        }
        self.national().filter(|end| !is_identifier && !self.is_continued(*end))
    }

    /// `+` and the digits of a phone number.
    fn international(&self) -> Option<usize> {
        let mut digits: usize = self.groups.iter().map(Range::len).sum();
        let has_country = !self.digits_of(0).starts_with('0');
        let mut groups = self.groups.iter().rev();
        // Behind the number there may be others.
        while digits > *PHONE_DIGITS.end() {
            digits -= groups.next()?.len();
        }
        let end = groups.next()?.end;
        (has_country && PHONE_DIGITS.contains(&digits) && !begins_with_word(self.text, end))
            .then_some(end)
    }

    /// A card as one number, or in the groups that are printed on it.
    fn card(&self, is_id_alone: bool) -> Option<usize> {
        const FORMS: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
        if self.sign.is_some() {
            return None;
        }
        let alone = self.groups.first()?;
        if (alone.len() == 15 || alone.len() == 16) && !is_id_alone {
            return is_card(self.digits_of(0)).then_some(alone.end);
        }
        FORMS.iter().find_map(|form| {
            let separator = self.separator(0)?;
            let is_form = self.has_lengths(form)
                && [" ", "-"].contains(&separator)
                && (1..form.len() - 1).all(|i| self.separator(i) == Some(separator));
            let digits: String = (0..form.len()).map(|i| self.digits_of(i)).collect();
            let end = self.groups.get(form.len() - 1)?.end;
            (is_form && is_card(&digits)).then_some(end)
        })
    }

    /// A phone number as it is written within a country, or a social security number.
    fn national(&self) -> Option<usize> {
        let end = |count: usize| Some(self.groups.get(count.checked_sub(1)?)?.end);
        let lengths: Vec<usize> = self.groups.iter().map(Range::len).collect();
        let first = self.digits_of(0);
        let is_american = |at: usize| {
            let begins = |i: usize| self.digits_of(i).starts_with(|c: char| c > '1');
            let is_separated =
                |i: usize| matches!(self.separator(i), Some("-" | "." | ") " | ") -" | ")"));
            begins(at) && begins(at + 1) && is_separated(at) && is_separated(at + 1)
        };
        match (self.sign, lengths.as_slice()) {
            (Some(_), [3, 3, 4, ..]) => end(3),
            (Some(_), [2..=5, ..]) if first.starts_with('0') => self.with_trunk_prefix(),
            (Some(_), _) => None,
            (None, [3, 3, 4, ..]) if is_american(0) => end(3),
            (None, [1, 3, 3, 4, ..]) if first == "1" && is_american(1) => end(4),
            // Also a US number of a person.
            (None, [3, 2, 4, ..]) if self.has_separator("-", 2) => end(3),
            (None, [2, 2, 2, 2, 2, ..]) if first.starts_with('0') && first != "00" => {
                (self.has_separator(" ", 4) || self.has_separator(".", 4)).then(|| end(5))?
            }
            (None, [3..=5, ..]) if first.starts_with('0') && !first.starts_with("00") => {
                self.with_trunk_prefix()
            }
            (None, [4..=6, ..]) if first.starts_with("00") && !first.starts_with("000") => {
                self.with_digits(11..=17)
            }
            _ => None,
        }
    }

    /// `030 901820` and `0151/23456789`.
    fn with_trunk_prefix(&self) -> Option<usize> {
        let behind_first = self.separator(0)?;
        let others = (1..self.groups.len().saturating_sub(1)).map(|i| self.separator(i));
        let is_written = [" ", "-", "/", ") ", ")", " / ", "/ "].contains(&behind_first)
            && others.flatten().all(|separator| [" ", "-"].contains(&separator));
        if is_written { self.with_digits(9..=12) } else { None }
    }

    /// The end of all groups, if they are at least two with so many digits together.
    fn with_digits(&self, range: std::ops::RangeInclusive<usize>) -> Option<usize> {
        let digits: usize = self.groups.iter().map(Range::len).sum();
        let end = self.groups.last()?.end;
        (self.groups.len() >= 2 && range.contains(&digits)).then_some(end)
    }

    fn digits_of(&self, group: usize) -> &'a str {
        let range = self.groups.get(group).cloned();
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// What is between a group and the next.
    fn separator(&self, group: usize) -> Option<&'a str> {
        let (before, after) = (self.groups.get(group)?, self.groups.get(group + 1)?);
        self.text.get(before.end..after.start)
    }

    fn has_separator(&self, separator: &str, count: usize) -> bool {
        (0..count).all(|group| self.separator(group) == Some(separator))
    }

    fn has_lengths(&self, lengths: &[usize]) -> bool {
        let groups = self.groups.iter().map(Range::len).take(lengths.len());
        groups.eq(lengths.iter().copied())
    }

    /// The end of a number with the `.0` behind it, which an integer has that was read as a decimal.
    fn without_fraction(&self, end: usize) -> usize {
        let rest = self.text.get(end..).unwrap_or_default();
        let zeros = rest
            .strip_prefix('.')
            .map_or(0, |rest| rest.bytes().take_while(|byte| *byte == b'0').count());
        if zeros > 0 { end + 1 + zeros } else { end }
    }

    /// Whether what follows makes it a part of something else.
    fn is_continued(&self, end: usize) -> bool {
        let mut rest = self.text.get(end..).unwrap_or_default().chars();
        match rest.next() {
            Some('_') => true,
            Some('.' | ',' | ':' | '/') => rest.next().is_some_and(char::is_numeric),
            Some('-') => rest.next().is_some_and(char::is_alphanumeric),
            Some(c) => c.is_alphanumeric(),
            None => false,
        }
    }
}

/// Whether any form begins with groups of these lengths: most numbers are none, and it takes time to look at what follows.
fn may_begin_number(groups: &[Range<usize>]) -> bool {
    match groups {
        [first] => matches!(first.len(), 1..=6 | 15 | 16),
        [first, second] => match first.len() {
            1 => second.len() == 3,
            2 => second.len() == 2,
            _ => true,
        },
        _ => true,
    }
}

/// Whether digits are the number of a card: the first ones are those of a brand, and the checksum (Luhn) holds.
fn is_card(digits: &str) -> bool {
    let prefix = |length: usize| digits.get(..length).and_then(|digits| digits.parse().ok());
    let (two, four): (Option<u32>, Option<u32>) = (prefix(2), prefix(4));
    let (Some(two), Some(four)) = (two, four) else { return false };
    let is_brand = match digits.len() {
        14 => matches!(two, 36 | 38 | 39) || matches!(four, 3000..=3059),
        15 => matches!(two, 34 | 37),
        16 | 19 => {
            matches!(two, 40..=49 | 51..=55 | 62 | 64 | 65)
                || matches!(four, 2221..=2720 | 3528..=3589 | 6011)
        }
        _ => false,
    };
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0');
            match at % 2 {
                0 => digit,
                _ if digit > 4 => 2 * digit - 9,
                _ => 2 * digit,
            }
        })
        .sum();
    is_brand && sum.is_multiple_of(10)
}
