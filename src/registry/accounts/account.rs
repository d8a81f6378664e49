//! One credential, and everything that belongs to its caller alone.

use crate::polytomic::{Client, Credential, Service, Sha256, to_hex};
use crate::registry::capacity::AccountCapacity;
use crate::registry::created::CreatedIds;

/// What a call runs with: the client of one credential, and what it remembers.
pub struct Account {
    client: Client,
    created: CreatedIds,
    caller: Option<Caller>,
}

/// Who has sent the credential.
struct Caller {
    digest: Sha256,
    capacity: AccountCapacity,
}

impl Account {
    /// The account of the settings.
    pub(super) fn of_settings(client: Client) -> Self {
        Self { created: CreatedIds::of(&client), client, caller: None }
    }

    /// The account of a caller.
    pub(super) fn of_caller(service: &Service, credential: Credential) -> Self {
        let caller = Caller { digest: credential.digest(), capacity: AccountCapacity::new() };
        let client = service.client(credential);
        Self { created: CreatedIds::of(&client), client, caller: Some(caller) }
    }

    pub(in crate::registry) fn client(&self) -> &Client {
        &self.client
    }

    /// The models that this server has created with the account.
    pub(in crate::registry) fn created(&self) -> &CreatedIds {
        &self.created
    }

    /// How many calls of the account may run; none if only the limit of the server counts.
    pub(in crate::registry) fn capacity(&self) -> Option<&AccountCapacity> {
        self.caller.as_ref().map(|caller| &caller.capacity)
    }

    /// Identifies the caller without telling the key; none for the account of the settings, whose callers are all the same.
    /// What is handed out for one caller and comes back, such as a cursor, is bound to it.
    pub(crate) fn caller_id(&self) -> Option<String> {
        self.digits(16)
    }

    /// The same for people, who compare lines of a log.
    pub(in crate::registry) fn short_caller_id(&self) -> Option<String> {
        self.digits(8)
    }

    fn digits(&self, count: usize) -> Option<String> {
        let digest = self.caller.as_ref()?.digest;
        Some(to_hex(digest).chars().take(count).collect())
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("caller", &self.short_caller_id()).finish_non_exhaustive()
    }
}
