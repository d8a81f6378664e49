//! The accounts of callers by their credentials, at most 256 beside those that are in use.
//!
//! Keys are digests: no credential is in the cache but inside its client. An account whose call is running stays, since a
//! second one for the same caller would know neither its idempotency keys nor its calls in flight. Then those go first that
//! nothing depends on, the least recently used one before the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::account::Account;
use crate::polytomic::{Credential, Service, Sha256};

/// Maximum number of accounts that are kept without a call.
const MAX_ACCOUNTS: usize = 256;

/// The accounts of one service.
#[derive(Default)]
pub(in crate::registry) struct Accounts(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    entries: HashMap<Sha256, Entry>,
    /// How often accounts were requested.
    uses: u64,
}

struct Entry {
    account: Arc<Account>,
    /// The number of its last use.
    last_use: u64,
}

impl Accounts {
    /// The account of a credential. It is built once, however many calls request it at the same time: that takes no time
    /// that would be worth a wait beside the lock.
    pub(super) fn get(&self, service: &Service, credential: Credential) -> Arc<Account> {
        let digest = credential.digest();
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.uses += 1;
        let last_use = cache.uses;
        if let Some(entry) = cache.entries.get_mut(&digest) {
            entry.last_use = last_use;
            return Arc::clone(&entry.account);
        }
        cache.evict();
        let account = Arc::new(Account::of_caller(service, credential));
        cache.entries.insert(digest, Entry { account: Arc::clone(&account), last_use });
        account
    }
}

impl Cache {
    /// Drops accounts until one more fits, unless all are in use.
    fn evict(&mut self) {
        while self.entries.len() >= MAX_ACCOUNTS {
            let idle = self.entries.iter().filter(|(_, entry)| entry.is_idle());
            let oldest = idle
                .min_by_key(|(_, entry)| (entry.account.client().has_open_keys(), entry.last_use));
            let Some(digest) = oldest.map(|(digest, _)| *digest) else { return };
            self.entries.remove(&digest);
        }
    }
}

impl Entry {
    /// Whether nobody else has the account. Only this cache gives it away, under its lock.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.account) == 1
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::polytomic::{BaseUrl, ClientConfig};

    fn service() -> Service {
        let url = BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
        Service::new(ClientConfig::new(url, ())).unwrap()
    }

    fn credential(number: usize) -> Credential {
        Credential::bearer(&format!("key-{number}")).unwrap()
    }

    fn digest(number: usize) -> Sha256 {
        credential(number).digest()
    }

    fn has(accounts: &Accounts, number: usize) -> bool {
        accounts.0.lock().unwrap().entries.contains_key(&digest(number))
    }

    #[test]
    fn the_least_recently_used_account_is_dropped_first() {
        let (service, accounts) = (service(), Accounts::default());
        let get = |number| accounts.get(&service, credential(number));
        for number in 0..MAX_ACCOUNTS {
            get(number);
        }
        let in_use = get(1);
        get(0);
        for number in 0..MAX_ACCOUNTS - 2 {
            get(1_000 + number);
        }
        assert!(has(&accounts, 0) && has(&accounts, 1) && !has(&accounts, 2));
        get(2_000);
        assert!(!has(&accounts, 0) && has(&accounts, 1), "an account in use is dropped");
        assert!(Arc::ptr_eq(&in_use, &get(1)));
        assert_eq!(accounts.0.lock().unwrap().entries.len(), MAX_ACCOUNTS);
    }

    #[test]
    fn accounts_in_use_exceed_the_limit_until_they_are_idle() {
        let (service, accounts) = (service(), Accounts::default());
        let get = |number| accounts.get(&service, credential(number));
        let in_use: Vec<_> = (0..MAX_ACCOUNTS + 20).map(get).collect();
        let count = || accounts.0.lock().unwrap().entries.len();
        assert_eq!(count(), MAX_ACCOUNTS + 20);
        drop(in_use);
        get(1_000);
        assert_eq!(count(), MAX_ACCOUNTS);
    }

    #[tokio::test]
    async fn concurrent_requests_for_one_credential_get_one_account() {
        let (service, accounts) = (service(), Accounts::default());
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| accounts.get(&service, credential(1)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|account| Arc::ptr_eq(account, &all[0])));
    }

    static SERVICE: LazyLock<Service> = LazyLock::new(service);

    proptest! {
        /// Two credentials share an account only if they are equal, whatever is in their parts.
        #[test]
        fn credentials_share_an_account_only_if_they_are_equal(
            parts in proptest::array::uniform2((
                proptest::option::of("[a-c]{1,2}"), "[a-c:]{1,3}",
            ))
        ) {
            let accounts = Accounts::default();
            let credential = |(organization, key): &(Option<String>, String)| match organization {
                Some(id) => Credential::basic(id, key).unwrap(),
                None => Credential::bearer(key).unwrap(),
            };
            let [first, second] = &parts;
            let one = accounts.get(&SERVICE, credential(first));
            let other = accounts.get(&SERVICE, credential(second));
            prop_assert_eq!(Arc::ptr_eq(&one, &other), first == second);
            prop_assert_eq!(one.caller_id() == other.caller_id(), first == second);
        }
    }
}
