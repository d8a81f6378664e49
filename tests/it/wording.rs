//! The words that the project does not use, over everything that people and agents read: code, docs, help, schemas.
//!
//! A name such as `is_told` counts as the words it is made of. The lists are short on purpose: each word has a usual one
//! in its place, and the style of CONTRIBUTING.md says which.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// A word in any text, and what to write instead.
const WORDS: &[(&str, &str)] = &[
    ("anew", "again"),
    ("answer", "response, or result"),
    ("answered", "responded, or returned"),
    ("answers", "responses, or results"),
    ("face", "server, or transport"),
    ("faces", "servers"),
    ("manner", "options"),
    ("meant", "what was expected"),
    ("mend", "coerce, or fix"),
    ("mended", "coerced, or fixed"),
    ("mends", "coerces, or fixes"),
    ("replied", "responded"),
    ("reply", "response"),
    ("room", "module"),
    ("rooms", "modules"),
    ("said", "the name of what it holds"),
    ("settle", "resolve"),
    ("settled", "resolved"),
    ("tell", "report"),
    ("tells", "reports, or shows"),
    ("told", "reported, or the name of what it holds"),
    ("whoever", "the caller, or the user"),
];

/// A whole identifier in code, and what to write instead.
const IDENTIFIERS: &[(&str, &str)] = &[
    ("asked", "the name of what it holds"),
    ("given", "the name of what it holds"),
    ("heard", "the name of what it holds"),
    ("own", "the name of what it holds"),
    ("tries", "attempts"),
    ("turn", "permit"),
    ("turns", "permits"),
    ("EVERY", "an INTERVAL"),
    ("LAST_WORD", "quantity and unit"),
    ("SAID", "quantity and unit"),
];

/// Words that a file may use all the same, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/sandbox/seed/words.rs", "given", "given and family names"),
    ("src/sandbox/seed/database.rs", "given", "given and family names"),
    ("src/registry/masking/columns.rs", "answer", "the name of a column"),
    ("tests/it/masking/cases.rs", "answer", "the name of a column"),
    ("src/registry/masking/columns.rs", "given", "the name of a column"),
    ("src/registry/secret_texts.rs", "reply", "the name of a header"),
    ("tests/it/services.rs", "given", "the name of a function of wiremock"),
    ("tests/it/support/issuer.rs", "given", "the name of a function of wiremock"),
    ("tests/it/support/stub.rs", "given", "the name of a function of wiremock"),
];

#[test]
fn only_the_usual_words_are_used() {
    let mut breaches = String::new();
    for file in files() {
        let path = file.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        for (word, instead, line) in breaches_in(&path, &text) {
            let _ = writeln!(breaches, "{path}:{line}: {word}; write {instead}");
        }
    }
    assert!(breaches.is_empty(), "words that the project does not use:\n{breaches}");
}

#[test]
fn a_word_is_found_in_prose_and_inside_names() {
    let found = |path: &str, text: &str| -> Vec<&str> {
        breaches_in(path, text).into_iter().map(|(word, ..)| word).collect()
    };
    assert_eq!(found("a.md", "What came back is Told to the caller."), ["told"]);
    assert_eq!(found("a.rs", "let is_told = AnswerKind::One;"), ["told", "answer"]);
    assert_eq!(found("a.rs", "fn f(given: u8) {}\n// a given value"), ["given"]);
    assert_eq!(
        found("a.md", "For a given value it is your turn; surface, broom, repository."),
        [""; 0]
    );
    assert_eq!(found("src/sandbox/seed/words.rs", "given: &str"), [""; 0]);
}

/// The words of a text that the project does not use, each with its replacement and line.
fn breaches_in(path: &str, text: &str) -> Vec<(&'static str, &'static str, usize)> {
    let mut breaches = Vec::new();
    let is_code = Path::new(path).extension().is_some_and(|e| e == "rs");
    let is_excepted = |word: &str| EXCEPTIONS.iter().any(|(p, w, _)| *p == path && *w == word);
    for (index, line) in text.lines().enumerate() {
        let identifiers = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for identifier in identifiers.filter(|identifier| !identifier.is_empty()) {
            for word in words_of(identifier) {
                let known = WORDS.iter().find(|(banned, _)| *banned == word);
                breaches.extend(known.map(|(word, instead)| (*word, *instead, index + 1)));
            }
            // A comment is prose, where these words have their usual sense.
            if is_code && !line.trim_start().starts_with("//") && !line.contains('"') {
                let known = IDENTIFIERS.iter().find(|(banned, _)| *banned == identifier);
                breaches.extend(known.map(|(word, instead)| (*word, *instead, index + 1)));
            }
        }
    }
    breaches.retain(|(word, ..)| !is_excepted(word));
    breaches
}

/// `is_told` as is, told; `AnswerKind` as answer, kind.
fn words_of(identifier: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in identifier.split('_') {
        let mut word = String::new();
        let mut previous_is_lower = false;
        for c in part.chars() {
            if c.is_uppercase() && previous_is_lower {
                words.push(std::mem::take(&mut word));
            }
            previous_is_lower = c.is_lowercase();
            word.extend(c.to_lowercase());
        }
        words.push(word);
    }
    words
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Cargo.toml"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    for folder in ["src", "docs", "tool-schemas", "benches", "examples", "tests", "packaging"] {
        collect(&root().join(folder), &mut files);
    }
    // This list of words, and the names of others in the contract.
    files.retain(|file| !file.ends_with("tests/it/wording.rs") && !is_contract(file));
    files
}

fn is_contract(file: &Path) -> bool {
    let folder = file.parent();
    folder.is_some_and(|folder| {
        folder.ends_with("tests/contract") || folder.ends_with("sandbox/contract")
    })
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if path.is_dir() {
            collect(&path, files);
        } else if ["rs", "md", "json", "toml", "snap", "py", "sql"].contains(&extension) {
            files.push(path);
        }
    }
}
