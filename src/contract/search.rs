//! Finds operations by plain words: Okapi BM25 over names, summaries, groups and descriptions.
//!
//! The crates that do this bring tokenizers and stemmers for many languages, or an unmaintained hash; 198 short texts in
//! English need neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use super::operation::{Kind, Operation, RequestBody};

/// How soon a repeated word counts no more, and how much the length of a text matters: the usual values of BM25.
const SATURATION: f64 = 1.2;
const LENGTH_WEIGHT: f64 = 0.75;

/// How often a word counts, by where it stands.
const NAME_WEIGHT: f64 = 3.0;
const SUMMARY_WEIGHT: f64 = 2.0;
const TEXT_WEIGHT: f64 = 1.0;
const PROPERTY_WEIGHT: f64 = 0.5;

/// How much another word for the same thing counts.
const SYNONYM_WEIGHT: f64 = 0.6;

/// Few accounts have Harbors, or organizations of a partner: their operations come later, unless they are mentioned.
const SPECIAL_WEIGHT: f64 = 0.6;

/// How much more an operation counts if all the words of its name are mentioned: the others are about something else as well.
const NAME_SHARE_WEIGHT: f64 = 2.0;

/// Nobody is shown first how to delete something, unless that is what they want.
const UNASKED_WEIGHT: f64 = 0.5;

/// Words that say nothing about an operation.
const IGNORED: &str = "a all an and are as at be been by can could do does for from had has have how i if in into is it its me \
    my of on or our please show so that the their them there these this those to up us want was we were what will \
    with would you your polytomic api";

/// What people say, and what the contract says instead; each line has words for one thing.
const SYNONYMS: &[&str] = &[
    "delete remove drop erase revoke rid discard archive disconnect",
    "create add new make register invite issue connect setup",
    "update change edit modify rename replace adjust set",
    "list every browse which enumerate",
    "get fetch read",
    "start run trigger launch kick execute",
    "cancel stop abort halt kill",
    "activate enable disable pause resume turn switch off",
    "user member teammate colleague employee people admin who",
    "organization company tenant workspace account customer",
    "execution run history attempt",
    "log output trace",
    "schema table object",
    "field column attribute",
    "record row sample",
    "connection database integration connector",
    "destination target warehouse",
    "notification email mail alert subscriber notify",
    "permission role policy authorization grant admin",
    "key token credential password secret",
    "event audit activity happen",
    "webhook callback hook url http",
    "schedule cron timing frequency hour hourly daily nightly when",
    "query sql statement",
    "status state progress health healthy failing still finished latest last when",
    "error failure problem fail failed wrong broken healthy",
    "shared copy",
    "partner customer",
    "bulk replicate replication mirror load copy",
    "proxy through upstream",
    "refresh reload rescan again newer",
    "identity whoami myself caller key",
];

/// What people say of single operations, in words that the contract does not have.
const SAYINGS: &[(&str, &str)] = &[
    ("activate_bulk_sync", "pause resume weekend"),
    ("activate_model_sync", "pause resume"),
    ("create_bulk_sync", "replicate copy load all tables whole database into warehouse"),
    ("create_bulk_sync_schedule", "run every hour day more often hourly daily"),
    ("create_connect_session", "let customer link own account"),
    ("create_current_organization_user", "invite new colleague"),
    ("create_webhook", "call our url notify http whenever something happens"),
    ("execute_connection_proxy", "call api request through connection upstream"),
    ("get_bulk_sync_source", "which tables can be synced of connection"),
    ("get_bulk_sync_status", "still running healthy last run"),
    ("get_connection_usage", "how many calls quota"),
    ("get_entity", "what is this uuid id"),
    ("get_identity", "who am i which key account"),
    ("get_model_sync_status", "last run when did it go healthy"),
    ("get_schema", "columns fields of table"),
    ("get_schema_records", "rows of table data preview"),
    ("list_bulk_sync_executions", "last runs history of bulk sync"),
    ("list_bulk_sync_schedules", "when does bulk sync run"),
    ("list_bulk_sync_statuses", "is anything failing failed broken healthy all bulk syncs"),
    ("list_current_organization_users", "who has access people team members"),
    ("list_events", "audit log who did what happened recently"),
    ("list_users", "users of customer organization"),
    ("list_webhook_deliveries", "did calls reach arrive at our server"),
    ("patch_bulk_sync_schemas", "mask hide obfuscate columns some tables on off"),
    ("refresh_schemas", "new column table does not show up missing look again"),
    ("run_query", "run sql statement on warehouse database"),
    ("update_bulk_sync_error_handling", "mail alert notify when bulk sync fails"),
    ("update_connection", "change password credentials rename"),
    ("update_current_organization_user", "make somebody admin give role promote"),
    ("update_organization", "sso saml single sign on"),
];

/// The words of the operations.
#[derive(Debug, Default)]
pub(super) struct Index {
    texts: Vec<Text>,
    mean_length: f64,
    /// In how many texts a word is.
    frequencies: BTreeMap<String, f64>,
}

/// The words of one operation, with how often they count.
#[derive(Debug)]
struct Text {
    name: String,
    name_words: Vec<String>,
    words: BTreeMap<String, f64>,
    length: f64,
    kind: Kind,
    method: String,
    path: String,
    /// What a query has to mention for the operation to be found early.
    special: Option<&'static str>,
}

impl Index {
    pub(super) fn of(operations: &[Operation]) -> Self {
        let texts: Vec<Text> = operations.iter().map(Text::of).collect();
        let mut frequencies = BTreeMap::new();
        for word in texts.iter().flat_map(|text| text.words.keys()) {
            *frequencies.entry(word.clone()).or_default() += 1.0;
        }
        let total: f64 = texts.iter().map(|text| text.length).sum();
        let mean_length = total / as_f64(texts.len()).max(1.0);
        Self { texts, mean_length, frequencies }
    }

    /// The positions of the operations that match, the best first.
    pub(super) fn search(&self, words: &str) -> Vec<usize> {
        let query = Query::of(words);
        let mut scored: Vec<(f64, usize)> = self
            .texts
            .iter()
            .enumerate()
            .map(|(position, text)| (self.score(&query, text), position))
            .filter(|(score, _)| *score > 0.0)
            .collect();
        // Of several with the same path, the one that reads.
        let rank = |position: usize| {
            self.texts.get(position).map(|text| (text.kind != Kind::Read, text.name.len()))
        };
        scored.sort_by(|(score, at), (other, other_at)| {
            other.total_cmp(score).then_with(|| rank(*at).cmp(&rank(*other_at)))
        });
        scored.into_iter().map(|(_, position)| position).collect()
    }

    fn score(&self, query: &Query, text: &Text) -> f64 {
        if query.names(text) {
            return f64::MAX;
        }
        let score: f64 =
            query.words.iter().map(|(word, weight)| weight * self.score_of_word(word, text)).sum();
        let is_special = text.special.iter().any(|word| !query.means(word));
        let score = if is_special { score * SPECIAL_WEIGHT } else { score };
        let is_unasked = text.kind == Kind::Delete && !query.means(stem("delete"));
        let score = if is_unasked { score * UNASKED_WEIGHT } else { score };
        score * (1.0 + NAME_SHARE_WEIGHT * query.share_of(&text.name_words))
    }

    fn score_of_word(&self, word: &str, text: &Text) -> f64 {
        let Some(count) = text.words.get(word) else { return 0.0 };
        let known = self.frequencies.get(word).copied().unwrap_or_default();
        let rarity = (1.0 + (as_f64(self.texts.len()) - known + 0.5) / (known + 0.5)).ln();
        let length = 1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * text.length / self.mean_length.max(1.0);
        rarity * count * (SATURATION + 1.0) / (count + SATURATION * length)
    }
}

impl Text {
    fn of(operation: &Operation) -> Self {
        let mut words: BTreeMap<String, f64> = BTreeMap::new();
        let mut add = |text: &str, weight: f64| {
            for word in stems(text) {
                for thing in things(&word) {
                    *words.entry(thing).or_default() += weight;
                }
                *words.entry(word).or_default() += weight;
            }
        };
        add(&operation.name, NAME_WEIGHT);
        add(&operation.summary, SUMMARY_WEIGHT);
        operation.tags.iter().for_each(|tag| add(tag, TEXT_WEIGHT));
        add(&operation.description, TEXT_WEIGHT);
        let sayings = SAYINGS.iter().filter(|(name, _)| *name == operation.name);
        sayings.for_each(|(_, words)| add(words, SUMMARY_WEIGHT));
        let parameters = operation.parameters.iter().map(|parameter| parameter.name.as_str());
        let body = operation.body.as_ref().map(RequestBody::schema).unwrap_or_default();
        let properties = body.get("properties").and_then(Value::as_object).into_iter().flatten();
        let names: BTreeSet<&str> =
            parameters.chain(properties.map(|(name, _)| name.as_str())).collect();
        names.into_iter().for_each(|name| add(name, PROPERTY_WEIGHT));
        let length = words.values().sum();
        let special = ["harbor", "partner"].into_iter().find(|word| words.contains_key(*word));
        let name = operation.name.clone();
        // Nobody says that one.
        let name_words = stems(&name.replace("_current_", "_"));
        let (kind, method) = (operation.kind, operation.method.to_string());
        Self {
            name_words,
            name,
            words,
            length,
            kind,
            method,
            path: operation.path.clone(),
            special,
        }
    }
}

/// The words that are searched for, with how much each counts.
struct Query {
    /// The whole text as a name of an operation.
    name: String,
    /// The same as its method, and as its path.
    method: Option<String>,
    path: String,
    words: BTreeMap<String, f64>,
}

impl Query {
    fn of(text: &str) -> Self {
        let mut words = BTreeMap::new();
        for word in stems(text) {
            for thing in things(&word) {
                words.insert(thing, SYNONYM_WEIGHT);
            }
            words.insert(word, 1.0);
        }
        let text = text.trim();
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) if path.starts_with('/') => (Some(method.to_uppercase()), path),
            _ => (None, text),
        };
        let (name, path) = (text.to_lowercase().replace(['-', ' '], "_"), path.to_owned());
        Self { name, method, path, words }
    }

    /// Whether it is the name of an operation, or its path, with its method if that is there.
    fn names(&self, text: &Text) -> bool {
        let is_method = self.method.as_ref().is_none_or(|method| *method == text.method);
        self.name == text.name || self.path == text.path && is_method
    }

    /// Whether a word, or another one for the same thing, is searched for.
    fn means(&self, word: &str) -> bool {
        self.words.contains_key(word) || things(word).any(|thing| self.words.contains_key(&thing))
    }

    /// Which part of some words is mentioned, from 0 to 1.
    fn share_of(&self, words: &[String]) -> f64 {
        let mentioned = words.iter().filter(|word| self.means(word)).count();
        as_f64(mentioned) / as_f64(words.len()).max(1.0)
    }
}

/// The things that a word stands for, as words that no text has.
fn things(word: &str) -> impl Iterator<Item = String> {
    static SETS: LazyLock<Vec<Vec<String>>> =
        LazyLock::new(|| SYNONYMS.iter().map(|set| stems(set)).collect());
    let sets = SETS.iter().enumerate().filter(move |(_, set)| set.iter().any(|w| w == word));
    sets.map(|(number, _)| format!("={number}"))
}

/// The words of a text in lower case, without their endings and without those that say nothing.
fn stems(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace("set up", "setup").replace("who am i", "whoami");
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words = words.filter(|word| !IGNORED.split_whitespace().any(|ignored| ignored == *word));
    words.map(|word| stem(word).to_owned()).collect()
}

/// A word without the ending of its plural, tense or form.
fn stem(word: &str) -> &str {
    const MIN_STEM: usize = 3;
    for ending in ["ations", "ation", "ings", "ing", "ies", "ied", "es", "ed", "s", "e", "y"] {
        if let Some(rest) = word.strip_suffix(ending).filter(|rest| rest.len() >= MIN_STEM) {
            return rest;
        }
    }
    word
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;

    #[test]
    fn sayings_are_of_operations() {
        for (name, _) in SAYINGS {
            assert!(Contract::embedded().operation(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_name_or_a_path_is_the_first_result() {
        for (query, expected) in [
            ("list_webhooks", "list_webhooks"),
            ("List webhooks", "list_webhooks"),
            ("/api/webhooks", "list_webhooks"),
            ("post /api/webhooks", "create_webhook"),
            ("/api/webhooks/{id}", "get_webhook"),
            ("DELETE /api/webhooks/{id}", "delete_webhook"),
        ] {
            let found = Contract::embedded().search(query);
            assert_eq!(found[0].name, expected, "{query}");
        }
        assert!(Contract::embedded().search("the").is_empty());
    }
}
