//! The API credential: a Bearer key, or an organization id and key as Basic.
//!
//! Source: contract section 1.1 and gap G1. Never both; `GET /api/me` identifies a key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use percent_encoding::percent_decode;
use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use serde_json::Value;

use super::configuration_error::ConfigurationError;
use super::invisible::is_invisible;
use super::json_text::has_escape;
use super::sha256::{Sha256, sha256};

/// Stands in place of the key in text from outside. No other text is like it, and what contains it must not be
/// written back.
pub(crate) const REDACTED: &str = "[redacted API key]";

/// A credential. Its Debug output shows the scheme only.
#[derive(Clone)]
pub struct Credential {
    key: String,
    organization_id: Option<String>,
    /// Where the user has to look for the key, as a noun.
    source: String,
    /// The same for the organization id.
    organization_source: String,
    /// The forms in which the secret can appear in text: some servers echo what they were sent.
    spellings: Vec<Spelling>,
}

/// One form of the secret, with a prepared searcher: every response is searched.
#[derive(Clone)]
struct Spelling {
    text: String,
    finder: memmem::Finder<'static>,
}

/// A mistake in copying an API key that the API rejects. Not an error by itself: no form of keys is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyDefect {
    /// It begins with `Bearer `, which the client adds itself.
    BearerPrefix,
    /// It stands in quotes.
    Quotes,
    /// It has an ellipsis or stars in it, as a key that is only shown in part.
    Shortened,
    /// It has a character that cannot be seen, such as a zero-width space.
    Invisible,
    /// It has a blank inside.
    Blank,
}

impl Credential {
    /// A key that acts as a user, a partner or a deployment: `Authorization: Bearer KEY`.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the key is empty or has characters that a header cannot hold.
    pub fn bearer(key: &str) -> Result<Self, ConfigurationError> {
        let key = key.trim().to_owned();
        if key.is_empty() || HeaderValue::try_from(format!("Bearer {key}")).is_err() {
            return Err(ConfigurationError::new(
                "The API key is empty or has characters that an HTTP header cannot hold.",
                "Copy the key again, without line breaks.",
            ));
        }
        let spellings = spellings(&key);
        let source = "POLYTOMIC_API_KEY".to_owned();
        let organization_source = "POLYTOMIC_ORGANIZATION_ID".to_owned();
        Ok(Self { key, organization_id: None, source, organization_source, spellings })
    }

    /// A key used inside one organization: `Authorization: Basic base64(ORGANIZATION_ID:KEY)`.
    ///
    /// # Errors
    /// As [`Credential::bearer`], and if the organization id is empty or contains a colon.
    pub fn basic(organization_id: &str, key: &str) -> Result<Self, ConfigurationError> {
        let organization_id = organization_id.trim();
        if organization_id.is_empty() || organization_id.contains(':') {
            return Err(ConfigurationError::new(
                "The organization id is empty or contains a colon.",
                "Set POLYTOMIC_ORGANIZATION_ID to the organization's UUID, or unset it to use the \
                 key as a Bearer key.",
            ));
        }
        let bearer = Self::bearer(key)?;
        let pair = STANDARD.encode(format!("{organization_id}:{}", bearer.key));
        let organization_id = Some(organization_id.to_owned());
        let spellings = bearer.spellings.iter().cloned().chain(spellings(&pair)).collect();
        Ok(Self { organization_id, spellings, ..bearer })
    }

    /// The same with where the user has to look for the key, as a noun for errors. By default that is the variable
    /// `POLYTOMIC_API_KEY`.
    #[must_use]
    pub fn from_source(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// The same for the organization id.
    #[must_use]
    pub fn with_organization_from(self, source: impl Into<String>) -> Self {
        Self { organization_source: source.into(), ..self }
    }

    /// Where the user has to look for the key.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// What is wrong with the form of the key, if anything.
    pub(super) fn defect(&self) -> Option<KeyDefect> {
        const PREFIX: &str = "bearer";
        const QUOTES: &[char] = &['"', '\'', '`', '“', '”', '„', '‘', '’', '‚', '«', '»', '‹', '›'];
        const GAPS: [&str; 5] = ["...", "…", "***", "•", "●"];
        let (beginning, rest) = self.key.split_at_checked(PREFIX.len()).unwrap_or_default();
        let follows_prefix = rest.starts_with(|c: char| c.is_whitespace() || c == ':');
        if beginning.eq_ignore_ascii_case(PREFIX) && follows_prefix {
            Some(KeyDefect::BearerPrefix)
        } else if self.key.starts_with(QUOTES) && self.key.ends_with(QUOTES) {
            Some(KeyDefect::Quotes)
        } else if self.key.contains(is_invisible) {
            Some(KeyDefect::Invisible)
        } else if self.key.contains(char::is_whitespace) {
            Some(KeyDefect::Blank)
        } else {
            GAPS.iter().any(|gap| self.key.contains(gap)).then_some(KeyDefect::Shortened)
        }
    }

    /// Where the user has to look for the organization id; none if the key is sent without one.
    pub(super) fn organization_source(&self) -> Option<&str> {
        self.organization_id.as_ref().map(|_| self.organization_source.as_str())
    }

    /// The organization that the key is sent with.
    pub(super) fn organization_id(&self) -> Option<&str> {
        self.organization_id.as_deref()
    }

    /// The secret with its organization, to be hashed: two credentials never have the same.
    pub(super) fn secret(&self) -> String {
        format!("{}:{}", self.organization_id.as_deref().unwrap_or_default(), self.key)
    }

    /// Identifies the credential, wherever it is from: two have the same only if they are equal. The key cannot be read
    /// from it.
    pub(crate) fn digest(&self) -> Sha256 {
        sha256(format!("polytomic-mcp account\n{}", self.secret()).as_bytes())
    }

    /// Redacts the secret in text from outside.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for spelling in &self.spellings {
            if spelling.finder.find(text.as_bytes()).is_some() {
                text = text.replace(&spelling.text, REDACTED);
            }
        }
        // There are many ways to percent-encode it, so none of the text is kept.
        if self.is_percent_encoded_in(text.as_bytes()) { REDACTED.to_owned() } else { text }
    }

    /// Redacts the secret in every string of a JSON value, property names included.
    pub(super) fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(map) => {
                for (name, mut value) in std::mem::take(map) {
                    self.redact_value(&mut value);
                    map.insert(self.redact(&name), value);
                }
            }
            _ => {}
        }
    }

    /// Redacts the secret in a JSON string with its quotes; none if it does not contain it.
    ///
    /// # Errors
    /// If the string is not valid, e.g. because of a lone surrogate.
    pub(super) fn redact_string(&self, string: &str) -> serde_json::Result<Option<String>> {
        let text: String = serde_json::from_str(string)?;
        let redacted = self.redact(&text);
        Ok((redacted != text).then(|| Value::from(redacted).to_string()))
    }

    /// Whether a body may contain the secret in one of its forms. A `\u` escape of JSON can hide any
    /// character.
    pub(super) fn may_be_in(&self, body: &[u8]) -> bool {
        self.spellings.iter().any(|spelling| spelling.finder.find(body).is_some())
            || has_escape(body, b"\\u")
            || self.is_percent_encoded_in(body)
    }

    fn is_percent_encoded_in(&self, bytes: &[u8]) -> bool {
        if memchr::memchr(b'%', bytes).is_none() {
            return false;
        }
        let decoded: Vec<u8> = percent_decode(bytes).collect();
        self.spellings.iter().any(|spelling| spelling.finder.find(&decoded).is_some())
    }

    /// Adds the Authorization header; reqwest marks both schemes as sensitive and does not log them.
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.organization_id {
            Some(id) => request.basic_auth(id, Some(&self.key)),
            None => request.bearer_auth(&self.key),
        }
    }
}

/// The secret as it is, and as JSON serializers escape it. A secret of a few characters would also match
/// unrelated text, so it is not searched for.
fn spellings(secret: &str) -> Vec<Spelling> {
    const MIN_LENGTH: usize = 12;
    let escaped = Value::from(secret).to_string();
    let escaped = escaped.trim_matches('"').to_owned();
    let mut spellings = vec![secret.to_owned(), escaped, secret.replace('/', "\\/")];
    spellings.dedup();
    spellings.retain(|spelling| spelling.len() >= MIN_LENGTH);
    let with_finder = |text: String| {
        let finder = memmem::Finder::new(&text).into_owned();
        Spelling { text, finder }
    };
    spellings.into_iter().map(with_finder).collect()
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.organization_id.is_some() { "Basic(…)" } else { "Bearer(…)" })
    }
}
