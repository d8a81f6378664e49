//! Finds credentials in a text by their look: keys of known services, and JSON Web Tokens. Passwords in URLs and after
//! their name are found by `secret_texts`.

use std::ops::Range;

/// What keys of services begin with.
///
/// Source: the services' documentation of their key formats, and the rules of secret scanners (gitleaks, GitHub).
const PREFIXES: &[&str] = &[
    "AGE-SECRET-KEY-",
    "AIza",
    "ATATT3",
    "EAAC",
    "GOCSPX-",
    "NRAK-",
    "PMAK-",
    "SG.",
    "dapi",
    "dckr_pat_",
    "doo_v1_",
    "dop_v1_",
    "figd_",
    "gho_",
    "ghp_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "glrt-",
    "hf_",
    "hvb.",
    "hvs.",
    "key-",
    "lin_api_",
    "npm_",
    "pat-",
    "pypi-",
    "rk_live_",
    "rk_test_",
    "rubygems_",
    "sbp_",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "sq0atp-",
    "sq0csp-",
    "whsec_",
    "xapp-",
    "xoxa-",
    "xoxb-",
    "xoxe-",
    "xoxo-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "ya29.",
];
/// Characters of a key behind its prefix, at least.
const MIN_LENGTH: usize = 16;
/// The beginning of JSON in Base64, with which both parts of a token begin.
const JSON: &str = "eyJ";
/// The ids of access keys of AWS, which are secrets for those who count them as such: sixteen capitals and digits follow.
const AWS_PREFIXES: [&str; 2] = ["AKIA", "ASIA"];

/// The ranges of the credentials.
pub(super) fn find_credentials(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-';
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = rest.iter().take_while(|byte| !is_word(byte)).count();
        let start = at + skipped;
        let word = text.get(start..).unwrap_or_default();
        if let Some(length) = credential_length(word) {
            found.push(start..start + length);
            at = start + length;
        } else {
            let bytes = word.as_bytes();
            // At the end of a sequence that is no word, such as a character beyond ASCII.
            at = start + bytes.iter().take_while(|byte| is_word(byte)).count().max(1);
        }
    }
    found
}

/// The length of the credential that a text begins with.
fn credential_length(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix(JSON) {
        return token_length(rest).map(|length| JSON.len() + length);
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.=+/".contains(byte);
    if AWS_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
        const LENGTH: usize = 20;
        let id = text.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let is_end = !text.as_bytes().get(LENGTH).is_some_and(u8::is_ascii_alphanumeric);
        return (id.count() == LENGTH && is_end).then_some(LENGTH);
    }
    let prefix = PREFIXES.iter().find(|prefix| text.starts_with(**prefix))?;
    let rest = text.as_bytes().get(prefix.len()..)?;
    let run = |limit: usize| rest.iter().take(limit).take_while(|byte| is_part(byte)).count();
    // Names in programs are words. So much is looked at where there may be a prefix in each word of a long one.
    let beginning = rest.get(..run(4 * MIN_LENGTH))?;
    let has_digit = beginning.iter().take(2 * MIN_LENGTH).any(u8::is_ascii_digit);
    let parts = beginning.split(|byte| !byte.is_ascii_alphanumeric());
    let longest = parts.map(<[u8]>::len).max();
    if !has_digit || beginning.len() < MIN_LENGTH || longest < Some(MIN_LENGTH / 2) {
        return None;
    }
    let key = rest.get(..run(usize::MAX))?;
    // The full stop behind a sentence.
    let dots = key.iter().rev().take_while(|byte| **byte == b'.').count();
    Some(prefix.len() + key.len() - dots)
}

/// The length of the rest of a JSON Web Token: three parts, of which the last may be empty.
fn token_length(text: &str) -> Option<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let part =
        |from: usize| Some(text.as_bytes().get(from..)?.iter().take_while(|b| is_part(b)).count());
    let header = part(0)?;
    let payload_at = text.get(header..)?.starts_with('.').then_some(header + 1)?;
    let payload = part(payload_at)?;
    let signature_at = payload_at + payload + 1;
    let has_signature = text.as_bytes().get(signature_at - 1) == Some(&b'.');
    (header >= 8 && payload >= 8 && has_signature).then_some(signature_at + part(signature_at)?)
}
