//! Masks a text by its look: whatever its column, what is a credential or personal in it.

use super::addresses::find_addresses;
use super::credentials::find_credentials;
use super::emails::find_emails;
use super::forms::{mask_digits, mask_email, mask_identity, mask_words, replace};
use super::level::Masking;
use super::numbers::{find_ibans, find_numbers};
use super::widths::find_in;
use crate::registry::secret_texts::{MASK, mask_record_text};

/// What is masked may make what is beside it look like a value, as in `bearer password=x`. Few texts take a third pass.
const MAX_PASSES: usize = 8;

/// The text with what it holds masked. In an identifier, long numbers are ordinary.
pub(super) fn mask_text(text: &str, masking: Masking, is_identifier: bool) -> String {
    let mut masked = mask_once(text, masking, is_identifier);
    if masked == text {
        return masked;
    }
    for _ in 1..MAX_PASSES {
        let again = mask_once(&masked, masking, is_identifier);
        if again == masked {
            break;
        }
        masked = again;
    }
    masked
}

fn mask_once(text: &str, masking: Masking, is_identifier: bool) -> String {
    let text = mask_record_text(text);
    let text = replace(&text, &find_credentials(&text), |_| MASK.to_owned());
    if !masking.is_personal() {
        return text;
    }
    let text = replace(&text, &find_in(&text, find_emails), mask_email);
    let text = replace(&text, &find_in(&text, find_ibans), mask_identity);
    let numbers = find_in(&text, |text| find_numbers(text, is_identifier));
    let text = replace(&text, &numbers, mask_digits);
    replace(&text, &find_addresses(&text), mask_words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parts of what is masked, and what joins or separates them.
    const PIECES: &[&str] = &[
        "4111111111111111",
        "4111 1111 1111 1111",
        "+49",
        "+49 30 901820",
        "0151",
        "23456789",
        "555-010-9999",
        "(212)",
        "jane",
        "@",
        "jane@example.com",
        ".com",
        "a@",
        "DE89370400440532013000",
        "742",
        "Evergreen Street",
        "Weg 5",
        "Calle Mayor 5",
        "12 rue de",
        "10115",
        "P.O. Box 7",
        "password=",
        "token: ",
        "://",
        "u:p@",
        "eyJhbGciOiJI",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "sk-",
        "AKIA",
        "key=",
        "bearer ",
        "Bearer abcdef123456",
        "password: ",
        "pass: ",
        "--password ",
        "cookie: ",
        "hunter2",
        "%40",
        "＠",
        "１",
        "git@",
        ".0",
        "*",
        "********",
        "-",
        " ",
        ",",
        ".",
        "/",
        ":",
        "(",
        ")",
        "+",
        "0",
        "7",
        "a",
        "Ä",
        "é",
        "\n",
        "_",
        "{",
        "\"",
        "٣",
        "St",
        "1",
    ];

    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => prop::sample::select(PIECES).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

        #[test]
        fn masking_what_is_masked_changes_nothing(text in texts(), is_identifier: bool) {
            for masking in [Masking::Secrets, Masking::Personal] {
                let masked = mask_text(&text, masking, is_identifier);
                prop_assert!(masked.len() <= 9 * text.len(), "{masked}");
                prop_assert_eq!(&mask_text(&masked, masking, is_identifier), &masked, "{}", text);
            }
        }
    }

    #[test]
    fn masking_takes_linear_time_for_any_text() {
        for text in [
            "@",
            "a@",
            "a@b.",
            "a.",
            "1",
            "1 ",
            "1-",
            "+1",
            "(1",
            "0151 ",
            "4111 ",
            "4111-",
            "41111111111111111111 ",
            "://1 ",
            "DE89",
            "DE89 ",
            "DE893704 0044 ",
            "7 A ",
            "7 A B C D ",
            "12 rue ",
            "Calle A ",
            "eyJ",
            "eyJaaaaaaaaa.",
            "sk-",
            "sk-/",
            "sk-a1/",
            "ghp_a1",
            "AKIA",
            "é@",
            "a%40",
            "＠",
            "a＠",
            "１",
            "\"@",
            "\"a\"@a.bc",
            "git@a.bc:",
            "--password ",
            "--password-",
            "password: ",
            "password: a ",
            "pass:",
            "cookie: a=",
            "token=,",
            "bearer a1",
            "é1",
            "a:b@",
            "{",
            "[\"",
            "\"",
            "A1-",
        ] {
            let long = text.repeat(100_000 / text.len());
            let masked = mask_text(&long, Masking::Personal, false);
            assert!(masked.len() <= 9 * long.len(), "{text}");
        }
    }
}
