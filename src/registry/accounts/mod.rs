//! Whose API key a call uses: that of the settings, or that of the request.
//!
//! A server with keys from requests has an [`Account`] for each credential. Accounts share the connections to the API, and
//! nothing else: not their idempotency keys, created models, retries or limits, and a cursor of one is an error of another.

mod account;
mod cache; // the accounts of a server, up to a limit
mod headers; // credentials in the headers of requests
mod keys;
mod request_account;

pub use account::Account;
pub use headers::{API_KEY_HEADER, ORGANIZATION_ID_HEADER, credential_from_headers};
pub(super) use keys::Keys;
pub(crate) use request_account::RequestAccount;
