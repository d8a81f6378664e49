//! Decides whether what follows the name of a secret in a value of a record is one: such a text may be prose.

/// The names of a password, whose value may be any words.
pub(super) const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "passwort",
    "kennwort",
    "contraseña",
    "mot de passe",
];
/// Names that also stand in sentences before a colon: `Boarding pass: gate 12`.
const WORDS: &[&str] = &["pass", "secret", "token"];
/// Names that more than credentials have: what follows must look like one.
const SIGNATURES: &[&str] = &["sig", "signature"];
/// What says that there is none, or what is wrong with it.
const STATES: &[&str] = &[
    "empty",
    "expired",
    "false",
    "invalid",
    "missing",
    "nil",
    "no",
    "none",
    "null",
    "required",
    "true",
    "undefined",
    "unknown",
    "yes",
];
/// Characters of a value that are looked at.
const MAX_LENGTH: usize = 64;

/// What is written around a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assignment<'a> {
    pub(super) name: &'a str,
    /// `=` or `:`.
    pub(super) separator: char,
    /// Behind the separator; it may begin with a quote.
    pub(super) value: &'a str,
    /// Whether the name is in quotes, as in JSON.
    pub(super) is_quoted: bool,
    /// Whether a blank follows the separator.
    pub(super) is_spaced: bool,
    /// Whether the name begins a line, header or property.
    pub(super) begins_property: bool,
}

impl Assignment<'_> {
    /// Whether a secret is assigned.
    pub(super) fn is_secret(&self) -> bool {
        if PASSWORDS.contains(&self.name) {
            return true;
        }
        let value = self.value.trim_start_matches(['"', '\'']);
        let word = first_word(value);
        if SIGNATURES.contains(&self.name) {
            return is_random(word);
        }
        let is_property = self.is_quoted && value.len() < self.value.len();
        if is_property || (self.separator == '=' && !self.is_spaced) {
            let is_count = self.name == "pass" && word.bytes().all(|byte| byte.is_ascii_digit());
            return !is_count && !value.starts_with(['=', '>']) && !STATES.contains(&word);
        }
        is_random(word) && (self.begins_property || !WORDS.contains(&self.name))
    }
}

/// Whether what follows a flag such as `--password ` is its value, and not the rest of a sentence about it.
pub(super) fn is_flag_value(value: &str) -> bool {
    const MIN_LENGTH: usize = 4;
    const SENTENCE: &[&str] = &[
        "argument",
        "cannot",
        "flag",
        "from",
        "instead",
        "must",
        "option",
        "parameter",
        "requires",
        "when",
        "which",
        "with",
    ];
    let word = first_word(value.trim_start_matches(['"', '\'']));
    !value.starts_with(['-', '<', '[', '{', ' '])
        && !value.is_empty()
        && !SENTENCE.contains(&word)
        && (value.starts_with(['"', '\''])
            || value.chars().take_while(|c| !c.is_whitespace()).take(MIN_LENGTH).count()
                == MIN_LENGTH
            || word.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Whether what follows `Bearer ` and is shorter than most tokens is one.
pub(super) fn is_short_token(value: &str) -> bool {
    const MIN_LENGTH: usize = 8;
    value.len() >= MIN_LENGTH && is_random(first_word(value))
}

/// The end of a password that may be several words: of the sentence, part of a list, or line.
pub(super) fn password_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let mut letters = rest.char_indices().peekable();
    let mut end = 0;
    while let Some((at, c)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let ends = match c {
            '\n' | '\r' | ',' | ';' | '"' | '}' | ')' => true,
            '.' | '!' | '?' => next.is_some_and(char::is_whitespace),
            '\'' => !next.is_some_and(char::is_alphanumeric),
            _ => false,
        };
        if ends {
            break;
        }
        if !c.is_whitespace() {
            end = at + c.len_utf8();
        }
    }
    start + end
}

/// Whether the value of a header consists of pairs, as that of `Cookie`.
pub(super) fn begins_with_pair(value: &str) -> bool {
    let word = value.trim_start_matches(['"', '\'']).bytes().take(MAX_LENGTH);
    let mut word = word.take_while(|byte| !byte.is_ascii_whitespace() && *byte != b';');
    word.any(|byte| byte == b'=')
}

/// The characters that a text begins with of which credentials consist.
fn first_word(text: &str) -> &str {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/=.~".contains(byte);
    let length = text.bytes().take(MAX_LENGTH).take_while(is_part).count();
    text.get(..length).unwrap_or_default()
}

/// Whether a word has letters and digits, as no word of a sentence.
fn is_random(word: &str) -> bool {
    const MIN_LENGTH: usize = 6;
    word.len() >= MIN_LENGTH
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}
