//! The credential in the headers of a request. Errors do not quote it.

use reqwest::header::{HeaderMap, HeaderValue};

use crate::polytomic::Credential;
use crate::registry::error::{ErrorCode, Outcome, ToolError};

/// The header of the API key.
pub const API_KEY_HEADER: &str = "x-polytomic-api-key";
/// The header of the organization to use the key in.
pub const ORGANIZATION_ID_HEADER: &str = "x-polytomic-organization-id";

/// The same as people write them.
const API_KEY: &str = "X-Polytomic-Api-Key";
const ORGANIZATION_ID: &str = "X-Polytomic-Organization-Id";

/// Far longer than any key: it is searched for in every response.
const MAX_LENGTH: usize = 4_096;

/// The credential in the headers of a request; none if there is neither a key nor an organization.
///
/// # Errors
/// `not_configured` for headers that come twice or hold no usable value, and for an organization without a key.
pub fn credential_from_headers(headers: &HeaderMap) -> Result<Option<Credential>, ToolError> {
    let key = value(headers, API_KEY_HEADER, API_KEY)?;
    let organization = value(headers, ORGANIZATION_ID_HEADER, ORGANIZATION_ID)?;
    let credential = match (key, organization) {
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            return Err(unusable(
                &format!("The request has the header {ORGANIZATION_ID} without {API_KEY}."),
                &format!("Send the API key as {API_KEY}."),
            ));
        }
        (Some(key), None) => Credential::bearer(key),
        (Some(_), Some(organization)) if organization.contains(':') => {
            return Err(unusable(
                &format!("The header {ORGANIZATION_ID} contains a colon."),
                &format!(
                    "Set {ORGANIZATION_ID} to the organization's UUID, or leave it out to use the key as a Bearer key."
                ),
            ));
        }
        (Some(key), Some(organization)) => Credential::basic(organization, key),
    };
    let credential = credential.map_err(|error| unusable(&error.message, &error.hint))?;
    Ok(Some(
        credential
            .from_source(format!("the header {API_KEY}"))
            .with_organization_from(format!("the header {ORGANIZATION_ID}")),
    ))
}

/// The error of a call without a key.
pub(super) fn no_key() -> ToolError {
    unusable(
        "This server has no API key of its own: each request brings one, and this request does not.",
        &format!(
            "Send the API key as {API_KEY} (and the organization's UUID as {ORGANIZATION_ID} for a key that is used in \
             one organization)."
        ),
    )
}

/// The value of a header that comes once.
fn value<'a>(
    headers: &'a HeaderMap,
    header: &str,
    name: &str,
) -> Result<Option<&'a str>, ToolError> {
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        // A proxy may have checked another one.
        let message = format!("The request has the header {name} more than once.");
        return Err(unusable(&message, "Send it once."));
    }
    let text = HeaderValue::to_str(value).map_err(|_| {
        let message = format!("The header {name} has characters beyond visible ASCII.");
        unusable(&message, "Copy the value again, without what does not belong to it.")
    })?;
    let text = text.trim();
    if text.is_empty() {
        let message = format!("The header {name} is empty.");
        let hint = match header {
            API_KEY_HEADER => {
                "Set it to the API key; is the variable that your client fills it from set?"
            }
            _ => {
                "Set it to the organization's UUID, or leave it out to use the key as a Bearer key."
            }
        };
        return Err(unusable(&message, hint));
    }
    if text.len() > MAX_LENGTH {
        let (length, message) = (text.len(), format!("The header {name} is too long"));
        let message = format!("{message}: expected at most {MAX_LENGTH} bytes, got {length}.");
        return Err(unusable(
            &message,
            "Copy the value again, without what does not belong to it.",
        ));
    }
    Ok(Some(text))
}

fn unusable(message: &str, hint: &str) -> ToolError {
    ToolError::new(ErrorCode::NotConfigured, message, hint).with_outcome(Outcome::NotSent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &[u8])]) -> Result<Option<Credential>, ToolError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        credential_from_headers(&map)
    }

    #[test]
    fn a_key_with_or_without_an_organization_is_a_credential() {
        for (headers, expected) in [
            (vec![], None),
            (vec![("x-polytomic-api-key", " key-4711 ".as_bytes())], Some("Bearer(…)")),
            (
                vec![
                    ("x-polytomic-api-key", b"key-4711".as_slice()),
                    ("x-polytomic-organization-id", b"248df4b7-aa70-47b8-a036-33ac447e668d"),
                ],
                Some("Basic(…)"),
            ),
        ] {
            let credential = read(&headers).unwrap();
            let text = credential.map(|credential| format!("{credential:?}"));
            assert_eq!(text.as_deref(), expected);
        }
    }

    #[test]
    fn errors_do_not_quote_the_headers() {
        let long = vec![b'7'; MAX_LENGTH + 1];
        const KEY: &str = "x-polytomic-api-key";
        const ORGANIZATION: &str = "x-polytomic-organization-id";
        for (headers, expected) in [
            (vec![(KEY, b"".as_slice())], "The header X-Polytomic-Api-Key is empty."),
            (vec![(KEY, b"  ")], "The header X-Polytomic-Api-Key is empty."),
            (
                vec![(KEY, "4711-schlüssel".as_bytes())],
                "The header X-Polytomic-Api-Key has characters beyond visible ASCII.",
            ),
            (
                vec![(KEY, long.as_slice())],
                "The header X-Polytomic-Api-Key is too long: expected at most 4096 bytes, got 4097.",
            ),
            (
                vec![(KEY, b"4711"), (KEY, b"4712")],
                "The request has the header X-Polytomic-Api-Key more than once.",
            ),
            (
                vec![(ORGANIZATION, b"4711")],
                "The request has the header X-Polytomic-Organization-Id without X-Polytomic-Api-Key.",
            ),
            (
                vec![(KEY, b"4711"), (ORGANIZATION, b"")],
                "The header X-Polytomic-Organization-Id is empty.",
            ),
            (
                vec![(KEY, b"4711"), (ORGANIZATION, b"47:11")],
                "The header X-Polytomic-Organization-Id contains a colon.",
            ),
        ] {
            let error = read(&headers).unwrap_err();
            assert_eq!((error.code, error.outcome), (ErrorCode::NotConfigured, Outcome::NotSent));
            assert_eq!(error.message, expected);
            let text = format!("{}{}", error.hint, error.message.replace("4711.", ""));
            assert!(!text.contains("4711") && !text.contains("POLYTOMIC_"), "{text}");
        }
    }
}
