//! Invariants over arbitrary bytes: for the targets of `fuzz/`, and for the test below, which runs them over their seeds.
//!
//! Each target has a file of its name. Compiled for fuzzers and tests only.

mod arguments;
mod cursors;
mod error_bodies;
mod framing;
mod messages;
mod numbers;
mod redaction;
mod responses;
mod retry_after;
mod truncation;

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use serde_json::{Map, Value};

pub use arguments::arguments;
pub use cursors::cursors;
pub use error_bodies::error_bodies;
pub use framing::framing;
pub use messages::messages;
pub use numbers::numbers;
pub use redaction::redaction;
pub use responses::responses;
pub use retry_after::retry_after;
pub use truncation::truncation;

/// What must not appear in masked text. Long enough for any kind of credential.
const SECRET: &str = "s3cr3t/0123456789+ABCDEF";

/// A number that depends on the data only, for what the data does not say.
fn choice(data: &[u8], label: &str, choices: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (data, label).hash(&mut hasher);
    usize::try_from(hasher.finish() % choices.max(1) as u64).unwrap_or_default()
}

fn object(data: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(data).ok()
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: &[Target] = &[
        ("arguments", |data| {
            arguments(data, |schema| {
                let validator = jsonschema::validator_for(schema).unwrap();
                move |value| validator.is_valid(value)
            });
        }),
        ("cursors", cursors),
        ("error_bodies", error_bodies),
        ("framing", framing),
        ("messages", messages),
        ("numbers", numbers),
        ("redaction", redaction),
        ("responses", responses),
        ("retry_after", retry_after),
        ("truncation", truncation),
    ];

    #[test]
    fn the_invariants_hold_over_the_seeds() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let names = |folder: &str| -> BTreeSet<String> {
            let entries = fs::read_dir(fuzz.join(folder)).unwrap();
            entries
                .map(|entry| {
                    entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()
                })
                .collect()
        };
        let targets: BTreeSet<String> =
            TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!((names("fuzz_targets"), names("seeds")), (targets.clone(), targets));
        for (target, holds) in TARGETS {
            for entry in fs::read_dir(fuzz.join("seeds").join(target)).unwrap() {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                holds(&fs::read(path).unwrap());
            }
        }
    }
}
