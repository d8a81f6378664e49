//! What a column holds, by its name.
//!
//! The last words of a name decide: `billing_address` and `phoneNumber2` are personal, `phone_type` and
//! `address_id` are not; what only says which one it is, as in `phone_home` and `Email__c`, is skipped. A record is of use only with its values, so a name counts as personal or secret if it is one
//! without doubt: unlike in a configuration, `client_id` and `key` are not.

use super::level::Masking;
use crate::registry::secret_names::words;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    /// The same, but numbers under this name count something: `tokens`.
    SecretText,
    Email,
    /// Phone numbers, cards, dates of birth: the digits are masked.
    Digits,
    /// Numbers of accounts and documents: letters and digits are masked.
    Identity,
    /// Names of persons and postal addresses, word by word.
    Words,
}

/// Phrases, separated by commas, that end a name of each kind; written with or without separators.
const PHRASES: &[(Kind, &str)] = &[
    (
        Kind::Email,
        "email,emails,mail,mails,email address,email addresses,mail address,useremail,workemail",
    ),
    (
        Kind::Digits,
        "phone,phones,telephone,telefon,tel,mobile,cell,fax,msisdn,whatsapp,phone number,phone numbers,phone no,\
         telephone number,mobile phone,cell phone,home phone,work phone,mobile number,cell number,fax number,\
         telefonnummer,handynummer,card number,card no,card num,cc number,cc num,cc,credit card,debit card,pan,\
         cvv,cvc,security code,dob,birth date,birth day,date of birth,geburtsdatum",
    ),
    (
        Kind::Identity,
        "iban,ibans,bank account,bank account number,kontonummer,ssn,social security number,social security,\
         national id,national insurance number,passport,passport number,passport no,tax id,tin,\
         driver license,drivers license,driver license number,drivers license number,cpf,dni,curp,aadhaar",
    ),
    (
        Kind::Words,
        "address,addresses,addr,street,adresse,anschrift,address line,address lines,street address,street name,street number,\
         house number,hausnummer,strasse,straße,postal code,post code,postcode,zip,zip code,plz,first name,last name,given name,\
         family name,middle name,maiden name,full name,surname,forename,vorname,nachname,fname,lname,contact name,\
         customer name,guest name,passenger name,recipient name,buyer name,member name,student name,patient name,employee name,person name,cardholder,cardholder name,card holder,birth name",
    ),
];
/// Before `address`: not where somebody lives.
const TECHNICAL: &str =
    "ip ipv mac wallet contract network server web url memory host bitcoin btc eth dns remote bind";
/// At the end of a name, which of several it is, or in which form: `phone_home`, `email_primary`, `phone_e164`, `ssn_last4`.
const QUALIFIERS: &str = "alt alternate alternative business clean e formatted home last main mobile normalized office other \
    personal preferred primary private raw secondary value work";
/// The same in front of the last word and written as one with it: `mailingstreet`.
const PREFIXES: &[&str] = &[
    "billing", "business", "contact", "customer", "home", "mailing", "other", "person", "primary",
    "shipping", "user", "work",
];
/// At the end of the names of fields that customers have added in Salesforce and in similar services: `Email__c`.
const CUSTOM: &[&str] = &["_c", "__pc"];
/// Words for a secret, also as the end of a word.
const SECRETS: &[&str] = &[
    "password",
    "passwords",
    "passwort",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "credential",
    "credentials",
    "otp",
    "totp",
    "jwt",
    "apikey",
    "apikeys",
    "privatekey",
    "secretkey",
    "accesskey",
    "authorization",
    "cookie",
    "cookies",
];
/// Before `key`: what it opens.
const KEYS: &str = "api access private secret encryption decryption signing ssh pgp gpg auth master webhook license";
/// Before `code`: what it proves.
const CODES: &str = "auth authorization verification otp recovery backup mfa fa login";
/// After a secret, the secret in another form. Anything else describes it: `password_changed_at`, `token_type`.
const FORMS: &str = "answer hash hashed encrypted enc plain plaintext text value digest salt new old current confirmation data";
/// The last words of names of identifiers and quantities, in which long numbers are ordinary.
const IDENTIFIERS: &str = "amount at asin barcode checksum code count ean epoch etag gtin guid hash id ids invoice isbn key \
    md no nr number order price revenue serial sha sku slug timestamp total tracking upc uuid version";
/// Below a column with personal data, the names of what describes it.
const DESCRIPTIONS: &str =
    "at country currency enabled id ids is kind label primary status type uuid verified";

/// What the values of a column with this name are.
pub(super) fn kind_of(name: &str, masking: Masking) -> Option<Kind> {
    let words = name_words(name);
    let secret = secret_kind(&words);
    if secret.is_some() || !masking.is_personal() {
        return secret;
    }
    personal_kind(&words).or_else(|| {
        // A qualifier alone is no name.
        let qualifiers = words.iter().rev().take_while(|word| is_in(QUALIFIERS, word)).count();
        let unqualified = words.get(..words.len() - qualifiers).unwrap_or_default();
        personal_kind(unqualified).or_else(|| {
            let last = unqualified.last()?;
            let mut rests = PREFIXES.iter().filter_map(|prefix| last.strip_prefix(prefix));
            rests.find_map(|rest| personal_kind(&[rest.to_owned()]))
        })
    })
}

fn personal_kind(words: &[String]) -> Option<Kind> {
    let last = words.last()?;
    if (last == "address" || last == "addr" || last == "addresses")
        && let [.., before, _] = words
        && is_in(TECHNICAL, before)
    {
        return None;
    }
    let phrases = |(kind, list): &(Kind, &'static str)| {
        let kind = *kind;
        list.split(',').map(move |phrase| (kind, phrase))
    };
    let mut all = PHRASES.iter().flat_map(phrases);
    all.find(|(_, phrase)| ends_with(words, phrase)).map(|(kind, _)| kind)
}

/// Whether long numbers are ordinary in a column with this name.
pub(super) fn is_identifier(name: &str) -> bool {
    name_words(name).last().is_some_and(|word| is_in(IDENTIFIERS, word))
}

/// Whether a property with this name describes the personal data that it is a part of.
pub(super) fn describes(name: &str) -> bool {
    let words = name_words(name);
    let country_code = || ends_with(&words, "country code");
    words.last().is_some_and(|word| is_in(DESCRIPTIONS, word)) || country_code()
}

fn secret_kind(words: &[String]) -> Option<Kind> {
    let is_secret = |word: &String| SECRETS.iter().any(|secret| word.ends_with(secret));
    let forms = words.iter().rev().take_while(|word| is_in(FORMS, word)).count();
    let words = words.get(..words.len() - forms)?;
    match words {
        [.., last] if last == "tokens" => Some(Kind::SecretText),
        // Of a visit, it is a number.
        _ if ends_with(words, "session id") => Some(Kind::SecretText),
        [.., last] if is_in("csrf xsrf pin pincode", last) => Some(Kind::Secret),
        _ if ends_with(words, "pin code") || ends_with(words, "security answer") => {
            Some(Kind::Secret)
        }
        [only] if only == "auth" => Some(Kind::Secret),
        [.., before, last] if last == "auth" && is_in("api basic http proxy", before) => {
            Some(Kind::Secret)
        }
        [.., last] if is_secret(last) => Some(Kind::Secret),
        [.., before, last] if (last == "key" || last == "keys") && is_in(KEYS, before) => {
            Some(Kind::Secret)
        }
        [.., before, last] if (last == "code" || last == "codes") && is_in(CODES, before) => {
            Some(Kind::Secret)
        }
        _ => None,
    }
}

/// The words of a name without the digits that number it, and without the mark of a custom field: `address1`, `phone_2`,
/// `Email__c`.
fn name_words(name: &str) -> Vec<String> {
    let mut words = words(name);
    let is_custom = |end: &str| {
        let from = name.len().checked_sub(end.len()).and_then(|at| name.get(at..));
        from.is_some_and(|from| from.eq_ignore_ascii_case(end))
    };
    if words.len() > 1 && CUSTOM.iter().any(|end| is_custom(end)) {
        words.pop();
    }
    for word in &mut words {
        let kept = word.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        word.truncate(kept);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the last words are a phrase; its words may be one word.
fn ends_with(words: &[String], phrase: &str) -> bool {
    let is_joined = |word: &String| {
        word.len() < phrase.len() + 1 && phrase.split(' ').flat_map(str::chars).eq(word.chars())
    };
    let mut rest = words.iter().rev();
    words.last().is_some_and(is_joined)
        || phrase.rsplit(' ').all(|part| rest.next().is_some_and(|word| word == part))
}

fn is_in(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}
