//! Whose key it is, in words.

use super::plain_text::plain_text;
use crate::polytomic::Identity;

/// The organization, the user and the role.
pub(super) fn in_words(identity: &Identity) -> String {
    let text = |text: &Option<String>| text.as_deref().map(plain_text);
    let organization = text(&identity.organization_name)
        .or_else(|| text(&identity.organization_id))
        .unwrap_or_else(|| "no organization".to_owned());
    let who = text(&identity.email).map_or_else(String::new, |who| format!(" as {who}"));
    let role = text(&identity.role).map_or_else(String::new, |role| format!(", role {role}"));
    format!("{organization}{who}{role}")
}
