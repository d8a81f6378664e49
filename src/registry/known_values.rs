//! Values of arguments that are known from lists, which are kept for a short time. A list belongs to the caller whose key it
//! was read with.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// How long a list is used.
const TTL: Duration = Duration::from_secs(30);
/// How many lists are kept; a list has as many values as its result has bytes for.
const MAX_LISTS: usize = 64;
/// The same for one caller.
const MAX_LISTS_OF_CALLER: usize = 16;
/// How many values the protocol allows.
const MAX_VALUES: usize = 100;

/// Arguments by their names.
pub(super) type Arguments = Map<String, Value>;

/// Where the values of an argument come from.
pub struct ValueSource {
    /// The tool that lists them.
    pub tool: &'static str,
    /// The arguments of its call, from what was filled in so far: the first that it accepts. None if they are not known yet.
    pub arguments: fn(&Arguments) -> Vec<Arguments>,
    /// The values in its result.
    pub values: fn(&Value) -> Vec<KnownValue>,
    /// Whether the argument holds several values, separated by commas.
    pub is_list: bool,
}

/// A value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownValue {
    /// What is filled in.
    pub value: String,
    /// What people call it, if that is something else.
    pub name: Option<String>,
}

/// The values that fit what was typed.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    pub(crate) values: Vec<String>,
    /// Whether there are more than these.
    pub(crate) has_more: bool,
}

/// The lists that are kept, or are being read.
#[derive(Default)]
pub(super) struct KnownLists {
    lists: Mutex<HashMap<ListKey, Slot>>,
    /// Lists are read to their end, even if nobody waits any more: the next request needs them.
    reading: TaskTracker,
}

#[derive(PartialEq, Eq, Hash, Clone)]
pub(super) struct ListKey {
    pub(super) caller: Option<String>,
    pub(super) tool: &'static str,
    pub(super) arguments: String,
}

struct Slot {
    since: Instant,
    list: Reading,
}

/// A list that is there, or is being read. None inside if it could not be read.
type Reading = watch::Receiver<Option<Option<Arc<KnownList>>>>;

#[derive(Debug, Default, PartialEq)]
pub(super) struct KnownList {
    pub(super) values: Vec<KnownValue>,
    pub(super) is_complete: bool,
}

impl KnownLists {
    /// The list with this key, which `read` reads unless it is there or is being read.
    pub(super) async fn get(
        &self,
        key: ListKey,
        read: impl Future<Output = Option<KnownList>> + Send + 'static,
    ) -> Option<Arc<KnownList>> {
        let mut reading = self.reading_of(key, read);
        let list = reading.wait_for(Option::is_some).await.ok()?;
        list.as_ref().cloned().flatten()
    }

    /// Forgets the lists of a caller, who may have changed what is in them.
    pub(super) fn forget(&self, caller: Option<&str>) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|key, _| key.caller.as_deref() != caller);
    }

    fn reading_of(
        &self,
        key: ListKey,
        read: impl Future<Output = Option<KnownList>> + Send + 'static,
    ) -> Reading {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        // What failed is read again.
        lists.retain(|_, slot| slot.since.elapsed() < TTL && *slot.list.borrow() != Some(None));
        if let Some(slot) = lists.get(&key) {
            return slot.list.clone();
        }
        make_space(&mut lists, &key);
        let (sender, list) = watch::channel(None);
        lists.insert(key, Slot { since: Instant::now(), list: list.clone() });
        self.reading.spawn(async move {
            let list = read.await.map(Arc::new);
            // Nobody may wait any more.
            let _ = sender.send(Some(list));
        });
        list
    }
}

/// Drops the oldest list of a caller who has many, or of all if there are too many.
fn make_space(lists: &mut HashMap<ListKey, Slot>, key: &ListKey) {
    let of_caller = lists.keys().filter(|known| known.caller == key.caller).count();
    let has_many = of_caller >= MAX_LISTS_OF_CALLER;
    if !has_many && lists.len() < MAX_LISTS {
        return;
    }
    let may_go = lists.iter().filter(|(known, _)| !has_many || known.caller == key.caller);
    let oldest = may_go.min_by_key(|(_, slot)| slot.since).map(|(known, _)| known.clone());
    if let Some(oldest) = oldest {
        lists.remove(&oldest);
    }
}

impl KnownList {
    /// The values that begin with `typed`, before those whose value or name contains it.
    pub(super) fn matching(&self, typed: &str) -> Completion {
        let begins = |known: &&KnownValue| {
            known.value.to_lowercase().starts_with(typed)
                || known.name.as_ref().is_some_and(|name| name.to_lowercase().starts_with(typed))
        };
        let contains = |known: &&KnownValue| {
            let text = known.name.as_ref().unwrap_or(&known.value);
            text.to_lowercase().contains(typed)
        };
        let first = self.values.iter().filter(begins);
        let others = self.values.iter().filter(|known| !begins(known)).filter(contains);
        let mut matching = first.chain(others).map(|known| known.value.clone());
        let values: Vec<String> = matching.by_ref().take(MAX_VALUES).collect();
        let has_more = matching.next().is_some() || !self.is_complete;
        Completion { values, has_more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_beginning_and_by_a_part_of_their_name() {
        let known = |value: &str, name: Option<&str>| KnownValue {
            value: value.to_owned(),
            name: name.map(str::to_owned),
        };
        let values = vec![
            known("1a", Some("All users")),
            known("2b", Some("Users")),
            known("public.users", None),
        ];
        let list = KnownList { values, is_complete: true };
        for (typed, expected) in [
            ("", vec!["1a", "2b", "public.users"]),
            ("users", vec!["2b", "1a", "public.users"]),
            ("2", vec!["2b"]),
            ("b", vec!["public.users"]),
            ("nothing", vec![]),
        ] {
            assert_eq!(list.matching(typed).values, expected, "{typed}");
        }
        let many = (0..150).map(|n| known(&format!("v{n}"), None)).collect();
        let completion = KnownList { values: many, is_complete: true }.matching("v");
        assert_eq!((completion.values.len(), completion.has_more), (100, true));
    }
}
