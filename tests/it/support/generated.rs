//! Files of the repository, and the parts of them that are generated.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

const REPAIR: &str = "UPDATE_DOCS=1 cargo test --test it -- docs:: registry:: packaging:: setup::documents sandbox::contract_requests";

/// The folder of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a generated file with what it should be, or writes it if `UPDATE_DOCS` is set.
pub fn compare_or_update(path: &str, expected: &str) {
    compare_or_replace(path, |_| expected.to_owned());
}

/// The same for what is between the marks of a part.
pub fn compare_or_update_part(path: &str, part: &str, expected: &str) {
    let (begin, end) = (format!("<!-- {part}: generated -->\n"), format!("<!-- {part}: end -->"));
    compare_or_replace(path, |text| {
        let (before, rest) = text.split_once(&begin).expect("the mark before the part");
        let (_, after) = rest.split_once(&end).expect("the mark after the part");
        format!("{before}{begin}{expected}{end}{after}")
    });
}

/// The same for what a function makes of the file.
pub fn compare_or_replace(path: &str, expected: impl FnOnce(&str) -> String) {
    // Several tests write parts of the README.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let file = root().join(path);
    let text = fs::read_to_string(&file).unwrap_or_default();
    let expected = expected(&text);
    if text == expected {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
    let is_update = std::env::var_os("UPDATE_DOCS").is_some();
    if is_update {
        fs::write(&file, expected).unwrap();
        return;
    }
    let differs = text.lines().zip(expected.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| text.lines().count().min(expected.lines().count()));
    let new = expected.lines().nth(line).unwrap_or_default();
    panic!("{path} is outdated at line {}, which should be {new:?}; repair: {REPAIR}", line + 1);
}
