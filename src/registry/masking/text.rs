//! Masks a text by its look: whatever its column, what is a credential or personal in it.

use super::addresses::find_addresses;
use super::credentials::find_credentials;
use super::emails::find_emails;
use super::forms::{mask_digits, mask_email, mask_identity, mask_words, replace};
use super::level::Masking;
use super::numbers::{find_ibans, find_numbers};
use crate::registry::secret_texts::{MASK, mask_record_text};

/// The text with what it holds masked. In an identifier, long numbers are ordinary.
///
/// One kind after the other: each only puts stars in the place of letters and digits, so that none finds more in what
/// another has masked.
pub(super) fn mask_text(text: &str, masking: Masking, is_identifier: bool) -> String {
    let text = mask_record_text(text);
    let text = replace(&text, &find_credentials(&text), |_| MASK.to_owned());
    if !masking.is_personal() {
        return text;
    }
    let text = replace(&text, &find_emails(&text), mask_email);
    let text = replace(&text, &find_ibans(&text), mask_identity);
    let text = replace(&text, &find_numbers(&text, is_identifier), mask_digits);
    replace(&text, &find_addresses(&text), mask_words)
}
