//! Decides by the name of a property whether its value is a secret.
//!
//! What follows the last secret word of a name decides: `api_key` and `password_hash` are secrets, `key_column` and
//! `token_endpoint` only say something about one. A word that is not known counts as a secret: masking one value
//! too many is better than one too few.
//!
//! Source: the flag `sensitive` of the configurations of all known connection types (contract); a test goes through
//! them.

use serde_json::Value;

use super::secret_words::{
    DESCRIBING_KEYS, DESCRIBING_NAMES, DESCRIBING_WORDS, KEYS, LAST_SECRET_WORDS, NEUTRAL_WORDS,
    PLAIN_ENDINGS, PLAIN_KINDS, PLAIN_NAMES, SECRET_ENDINGS, SECRET_NAMES, SECRET_PARTS,
    SECRET_WORDS,
};

/// Whether a property with this name holds a secret. Takes time proportional to the length of the name.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let joined = words.concat();
    let whole = without_digits(&joined);
    if is_in(SECRET_NAMES, whole) || is_in(PLAIN_NAMES, whole) || is_plain_compound(whole) {
        return is_in(SECRET_NAMES, whole);
    }
    if words.last().is_some_and(|word| is_in(LAST_SECRET_WORDS, without_digits(word))) {
        return true;
    }
    if words.iter().all(|word| split_secret(word).is_none()) {
        // Unusual capitals, as in `APIkey`, split a word in the wrong place.
        return words.len() > 1
            && split_secret(&joined).is_some_and(|(secret, rest)| !describes(rest, secret));
    }
    let (mut last_secret, mut is_secret, mut before) = (None, false, "");
    for word in &words {
        match split_secret(word) {
            Some((secret, _))
                if last_secret.is_none() && is_harmless(without_plural(before), secret) => {}
            Some((secret, rest)) => {
                last_secret = Some(secret);
                is_secret = !describes(rest, secret);
            }
            None if is_number(word) || is_in(NEUTRAL_WORDS, word) => {}
            None => is_secret = last_secret.is_some_and(|secret| !describes(word, secret)),
        }
        before = word;
    }
    is_secret
}

/// Whether a name says something about a secret and does not denote one, by its last word.
pub(super) fn is_description(name: &str) -> bool {
    let words = words(name);
    match words.as_slice() {
        [.., before, last] if last == "header" => is_key_word(before),
        [.., last] => is_in(DESCRIBING_WORDS, last),
        [] => false,
    }
}

/// Whether a text with this name is a user and password, or another credential: as an object its properties decide.
pub(super) fn is_credential_text(name: &str) -> bool {
    words(name).last().is_some_and(|word| is_in(&["auth", "bearer"], without_digits(word)))
}

/// Whether a value names fields although its name is that of a secret: a list of plain words in `keys`, and such a word
/// in `search_key`, which for a search service is a secret, and the like.
pub(super) fn names_field(name: &str, value: &Value) -> bool {
    const BEFORE_KEY: &[&str] =
        &["event", "external", "message", "search", "source", "target", "tracking"];
    let may_name = || {
        let words = words(name);
        let [rest @ .., before, last] = words.as_slice() else { return false };
        is_in(BEFORE_KEY, before)
            && is_in(&["key", "keys"], last)
            && rest.iter().all(|word| split_secret(word).is_none())
    };
    match value {
        Value::String(text) => is_field_name(text) && may_name(),
        Value::Array(list) => {
            let mut texts = list.iter().map(Value::as_str);
            texts.all(|text| text.is_some_and(is_field_name))
                && (name.eq_ignore_ascii_case("keys") || may_name())
        }
        _ => false,
    }
}

/// Whether a text has the form of a field's name, as `address.line_2`, which hardly any secret has.
fn is_field_name(text: &str) -> bool {
    const MAX_LENGTH: usize = 32;
    /// What is counted without `_` as well.
    const COUNTED: &[&str] =
        &["", "address", "column", "custom", "email", "field", "line", "name", "phone", "street"];
    // Of keys of known services.
    const PREFIXES: [&str; 3] = ["pk_", "rk_", "sk_"];
    let is_part = |part: &str| {
        let letters = without_digits(part);
        let is_counted = part.len() == letters.len() + 1 && is_in(COUNTED, letters);
        letters.bytes().all(|byte| byte.is_ascii_alphabetic()) && (part == letters || is_counted)
    };
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins
        && text.len() <= MAX_LENGTH
        && text.split(['_', '.']).all(is_part)
        && !PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

fn is_key_word(word: &str) -> bool {
    split_secret(word).is_some_and(|(secret, rest)| rest.is_empty() && is_key(secret))
}

/// A word that denotes a secret, and what follows inside the word: `tokenendpoint` is `token` and `endpoint`.
fn split_secret(word: &str) -> Option<(&str, &str)> {
    let counted = without_digits(word);
    let forms = [word, counted, without_plural(counted)];
    if let Some(known) = forms.into_iter().find(|form| is_in(SECRET_WORDS, form)) {
        return Some((known, ""));
    }
    // For words as short as these, preparing a search would take longer than comparing at each byte.
    let end = |part: &&str| {
        let mut places = word.as_bytes().windows(part.len());
        places.rposition(|bytes| bytes == part.as_bytes()).map(|at| at + part.len())
    };
    if let Some(end) = SECRET_PARTS.iter().filter_map(end).max() {
        return word.split_at_checked(end);
    }
    let compound = without_plural(counted);
    let is_secret = SECRET_ENDINGS.iter().any(|ending| compound.ends_with(ending))
        && !PLAIN_ENDINGS.iter().any(|ending| compound.ends_with(ending))
        && !is_plain_compound(compound);
    is_secret.then_some((compound, ""))
}

/// Whether a word is the name of a key that is no secret, as `sortkey`.
fn is_plain_compound(word: &str) -> bool {
    let word = without_plural(word);
    KEYS.iter().any(|key| {
        let kind = word.strip_suffix(key);
        kind.is_some_and(|kind| is_harmless(kind, key) || is_harmless(without_digits(kind), key))
    })
}

/// Whether a key or certificate is no secret because of the word before it.
fn is_harmless(before: &str, secret: &str) -> bool {
    match secret {
        "key" => is_in(PLAIN_KINDS, before),
        "cert" | "certificate" => before == "public",
        _ => false,
    }
}

fn is_in(words: &[&str], word: &str) -> bool {
    words.contains(&word)
}

fn is_key(secret: &str) -> bool {
    KEYS.iter().any(|kind| secret.ends_with(kind))
}

/// Whether a word after a secret one makes the name a description.
fn describes(word: &str, secret: &str) -> bool {
    let word = without_digits(word);
    is_in(DESCRIBING_WORDS, word)
        || is_in(DESCRIBING_NAMES, word)
        || (is_in(DESCRIBING_KEYS, word) && is_key(secret))
}

fn without_plural(word: &str) -> &str {
    word.strip_suffix('s').filter(|word| !word.ends_with('s')).unwrap_or(word)
}

/// A word without the digits that count it.
pub(super) fn without_digits(word: &str) -> &str {
    word.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// Whether a word only counts, as in `key_2` and `key_v2`.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('v').unwrap_or(word);
    !digits.is_empty() && without_digits(digits).is_empty()
}

/// The words of a name: `accessKeyId`, `access_key-id` and `AccessKEYId` are all access, key, id.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut letters = name.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(c) = letters.next() {
        let after_lower = || before.is_some_and(char::is_lowercase);
        let after_upper = || before.is_some_and(char::is_uppercase);
        let is_capital = c.is_uppercase()
            && (after_lower()
                || after_upper() && letters.peek().is_some_and(|next| next.is_lowercase()));
        let begins = is_capital || !before.is_some_and(char::is_alphanumeric);
        match words.last_mut().filter(|_| !begins) {
            _ if !c.is_alphanumeric() => {}
            Some(word) => word.extend(c.to_lowercase()),
            None => words.push(c.to_lowercase().collect()),
        }
        before = Some(c);
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The name in each spelling: snake, kebab, camel and Pascal case, and capitals.
    fn spellings(words: &[String]) -> [String; 5] {
        let pascal = |word: &String| word[..1].to_uppercase() + &word[1..];
        let camel = words[0].clone() + &words[1..].iter().map(pascal).collect::<String>();
        let capitals = words.join("_").to_uppercase();
        [words.join("_"), words.join("-"), camel, words.iter().map(pascal).collect(), capitals]
    }

    proptest! {
        #[test]
        fn a_password_is_a_secret_in_every_spelling_whatever_precedes(
            before in prop::collection::vec(
                prop_oneof!["[a-z]{2,9}", Just("key".to_owned()), Just("primary".to_owned())], 1..4),
            last in prop::sample::select(vec!["password", "secret", "token", "passphrase", "credentials"]),
            described in prop::option::of(prop::sample::select(vec!["field", "endpoint", "name"])),
        ) {
            let words = [before, vec![last.to_owned()], described.iter().map(|w| (*w).to_owned()).collect()].concat();
            for name in spellings(&words) {
                prop_assert_eq!(is_secret_name(&name), described.is_none(), "{}", name);
            }
        }
    }

    #[test]
    fn a_name_is_judged_in_linear_time() {
        // Quadratic work would take minutes for each of these.
        for part in ["key_", "token", "Key", "primary_key_", "_", "A", "é"] {
            let name = part.repeat(1_000_000 / part.len());
            assert_eq!(
                is_secret_name(&name),
                !["_", "A", "é", "primary_key_"].contains(&part),
                "{part}"
            );
        }
    }
}
