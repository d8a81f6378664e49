//! Finds postal addresses in a text: a street with its house number, as written in some languages, and what follows up to
//! the postal code.

use std::ops::Range;

/// After a number and a name, a street.
const STREETS: &str =
    "street avenue ave road rd lane ln boulevard blvd terrace parkway pkwy highway hwy";
/// The same, but also other things: only before a comma.
const OFTEN_STREETS: &str = "drive court place way square circle close crescent";
/// The same, but also other things: only before a comma or at the end.
const SHORT_STREETS: &str = "st dr ct pl sq";
/// After a number, a quantity.
const UNITS: &str = "cm day days gb gram hour hours inch kg km lb lbs liter litre mb meter mg min minute minutes ml mm month \
    months night nights oz pack pair pcs piece pieces ply star stars step steps tb ton v volt w watt week weeks wheel x year years";
/// After a number, a street with its name behind.
const STREETS_BEFORE_NAMES: &str = "rue avenue boulevard chemin impasse quai allée";
/// Before the name and number of a street.
const STREETS_BEFORE_NUMBERS: &str = "Calle Avenida Avda Paseo Via Viale Piazza Plaza Rua";
/// The end of the name of a street whose number follows.
const STREET_ENDINGS: [&str; 6] = ["straße", "strasse", "str.", "allee", "gasse", "weg"];
/// The same as words of their own.
const STREET_WORDS: [&str; 3] = ["straße", "strasse", "str."];
/// Words between a house number and the word for a street, or behind it, that are looked at.
const MAX_NAME_WORDS: usize = 4;
/// Words between a street and the postal code.
const MAX_CITY_WORDS: usize = 5;

/// The ranges of the addresses.
pub(super) fn find_addresses(text: &str) -> Vec<Range<usize>> {
    // No address is one word, or without a number.
    if !text.contains(' ') || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let words = Word::all(text);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < words.len() {
        let rest = words.get(at..).unwrap_or_default();
        match address_words(rest) {
            Some(count) => {
                let count = count + postal_code_words(rest.get(count..).unwrap_or_default());
                let of = rest.first().zip(rest.get(count - 1));
                found.extend(of.map(|(first, last)| first.start..last.start + last.core().len()));
                at += count;
            }
            None => at += 1,
        }
    }
    found
}

/// How many words the street is with which they begin.
fn address_words(words: &[Word<'_>]) -> Option<usize> {
    let first = words.first()?;
    if first.is_house_number() {
        return street_behind_number(words);
    }
    let second = words.get(1)?;
    if !first.is_capitalized() && !first.text.starts_with('p') {
        return None;
    }
    let lower = first.text.to_lowercase();
    let has_ending = |ending: &&str| lower.ends_with(*ending) && lower.len() > ending.len();
    if first.is_capitalized() {
        if STREET_ENDINGS.iter().any(has_ending) && second.is_house_number() {
            return Some(2);
        }
        let is_street = STREET_WORDS.contains(&second.text.to_lowercase().as_str());
        if is_street && words.get(2).is_some_and(Word::is_house_number) {
            return Some(3);
        }
        if is_in(STREETS_BEFORE_NUMBERS, first.core()) {
            let names = words.iter().skip(1).take(MAX_NAME_WORDS);
            let names = names.take_while(|word| word.is_capitalized()).count();
            let number = words.get(1 + names)?;
            let ends = words.len() == 2 + names || number.has_comma();
            return (names > 0 && ends && number.is_house_number()).then_some(2 + names);
        }
    }
    let is_box = match lower.as_str() {
        "p.o." | "po" | "post" => second.core().eq_ignore_ascii_case("box"),
        _ => false,
    };
    if is_box && words.get(2).is_some_and(Word::is_house_number) {
        return Some(3);
    }
    (lower == "postfach" && second.is_house_number()).then_some(2)
}

/// `742 Evergreen Terrace`, `12 rue de la Paix`.
fn street_behind_number(words: &[Word<'_>]) -> Option<usize> {
    let (number, next) = (words.first()?, words.get(1)?);
    if !next.text.starts_with(char::is_alphabetic) && !next.is_part_of_name() {
        return None;
    }
    let lower = next.core().to_lowercase();
    if is_in(UNITS, &lower) {
        return None;
    }
    if is_in(STREETS_BEFORE_NAMES, &lower) {
        let name = words.iter().skip(2).take(MAX_NAME_WORDS);
        let until_comma = name.clone().take_while(|word| !word.has_comma()).count();
        let count = (until_comma + 1).min(name.count());
        return (count > 0).then_some(2 + count);
    }
    if number.has_comma() {
        return None;
    }
    for (at, word) in words.iter().enumerate().skip(1).take(MAX_NAME_WORDS + 1) {
        if at >= 2 && word.is_street(words.len() == at + 1) {
            return Some(at + 1);
        }
        if !word.is_part_of_name() || word.has_comma() {
            return None;
        }
    }
    None
}

/// How many words follow up to a postal code.
fn postal_code_words(words: &[Word<'_>]) -> usize {
    let is_code = |word: &Word<'_>| {
        let digits = word.core().split('-').next().unwrap_or_default();
        digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    words.iter().take(MAX_CITY_WORDS).position(is_code).map_or(0, |at| at + 1)
}

#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Word<'a> {
    fn all(text: &'a str) -> Vec<Self> {
        let mut end = 0;
        let words = text.split_inclusive(char::is_whitespace).map(|word| {
            end += word.len();
            Self { text: word.trim_end(), start: end - word.len() }
        });
        words.filter(|word| !word.text.is_empty()).collect()
    }

    /// Without what ends a clause.
    fn core(self) -> &'a str {
        self.text.trim_end_matches([',', ';', '.', ')', ':', '!', '?'])
    }

    fn has_comma(&self) -> bool {
        self.text.ends_with([',', ';'])
    }

    fn is_capitalized(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    /// `Evergreen`, `5th`.
    fn is_part_of_name(&self) -> bool {
        let is_ordinal = || {
            self.text.starts_with(|c: char| c.is_ascii_digit())
                && self.text.ends_with(|c: char| c.is_ascii_lowercase())
        };
        self.is_capitalized() || is_ordinal()
    }

    /// Whether it is the word for a street.
    fn is_street(&self, is_last: bool) -> bool {
        const LONGEST: usize = "boulevard,.".len();
        if self.text.len() > LONGEST || !self.text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return false;
        }
        let lower = self.core().to_ascii_lowercase();
        is_in(STREETS, &lower)
            || (self.has_comma() && is_in(OFTEN_STREETS, &lower))
            || ((self.has_comma() || is_last) && is_in(SHORT_STREETS, &lower))
    }

    /// `12`, `12a`, `12-14`.
    fn is_house_number(&self) -> bool {
        const MAX_DIGITS: usize = 5;
        let core = self.core();
        let digits = core.bytes().take_while(u8::is_ascii_digit).count();
        let rest = core.get(digits..).unwrap_or_default();
        let is_letter = rest.len() <= 1 && rest.chars().all(char::is_alphabetic);
        let is_range = || {
            rest.strip_prefix('-').is_some_and(|end| {
                (1..=MAX_DIGITS).contains(&end.len())
                    && end.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        (1..=MAX_DIGITS).contains(&digits) && (is_letter || is_range())
    }
}

fn is_in(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}
