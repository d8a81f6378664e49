//! Finds operations by plain words: Okapi BM25 over names, summaries, groups and descriptions.
//!
//! The crates that do this bring tokenizers and stemmers for many languages, or an unmaintained hash; 198 short texts in
//! English need neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::operation::Operation;

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

/// Words that say nothing about an operation.
const IGNORED: &str = "a all an and are as at be been by can could do does for from had has have how i if in into is it its me \
    my of on or our please show so that the their them there these this those to up us want was we were what will \
    with would you your polytomic api";

/// What people say, and what the contract says instead; each line has words for one thing.
const SYNONYMS: &[&str] = &[
    "delete remove drop erase revoke rid",
    "create add new make register invite issue connect setup",
    "update change edit modify rename replace adjust set",
    "list every browse which enumerate",
    "get fetch read",
    "start run trigger launch kick execute",
    "cancel stop abort halt kill",
    "activate enable disable pause resume turn switch off",
    "user member teammate colleague employee who",
    "organization company tenant workspace account customer",
    "execution run history attempt",
    "log output trace",
    "schema table object",
    "field column attribute",
    "record row sample",
    "connection database integration connector",
    "destination target warehouse",
    "notification email mail alert subscriber",
    "permission role policy authorization grant",
    "key token credential password secret",
    "event audit activity happen",
    "webhook callback hook url",
    "schedule cron timing frequency hour hourly daily nightly when",
    "query sql statement",
    "status state progress health still finished latest last when",
    "error failure problem fail failed wrong",
    "shared copy",
    "partner customer",
    "bulk replicate replication mirror",
    "proxy through upstream",
    "refresh reload rescan again",
    "identity whoami myself caller",
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
    /// What a query has to mention for the operation to be found early.
    special: Option<String>,
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
        let name_length = |position: usize| self.texts.get(position).map(|text| text.name.len());
        scored.sort_by(|(score, at), (other, other_at)| {
            other.total_cmp(score).then_with(|| name_length(*at).cmp(&name_length(*other_at)))
        });
        scored.into_iter().map(|(_, position)| position).collect()
    }

    fn score(&self, query: &Query, text: &Text) -> f64 {
        if query.name == text.name {
            return f64::MAX;
        }
        let score: f64 =
            query.words.iter().map(|(word, weight)| weight * self.score_of_word(word, text)).sum();
        let is_special = text.special.iter().any(|word| !query.means(word));
        let score = if is_special { score * SPECIAL_WEIGHT } else { score };
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
        let parameters = operation.parameters.iter().map(|parameter| parameter.name.as_str());
        let properties =
            operation.body.iter().filter_map(|body| body.schema.get("properties")?.as_object());
        let names: BTreeSet<&str> =
            parameters.chain(properties.flat_map(|map| map.keys().map(String::as_str))).collect();
        names.into_iter().for_each(|name| add(name, PROPERTY_WEIGHT));
        let length = words.values().sum();
        let special = ["harbor", "partner"].into_iter().find(|word| words.contains_key(*word));
        let special = special.map(str::to_owned);
        let name = operation.name.clone();
        // Nobody says that one.
        let name_words = stems(&name.replace("_current_", "_"));
        Self { name_words, name, words, length, special }
    }
}

/// The words that are searched for, with how much each counts.
struct Query {
    /// The whole text as a name of an operation.
    name: String,
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
        Self { name: text.trim().to_lowercase().replace(['-', ' '], "_"), words }
    }
}

impl Query {
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
    let text = text.to_lowercase().replace("set up", "setup");
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
