//! What the documents claim: tests, pages, variables, flags, codes and texts that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use polytomic_mcp::config::SETTINGS;
use polytomic_mcp::registry::ErrorCode;

use crate::support::root;

#[test]
fn each_threat_of_the_security_page_has_tests() {
    let page = read("docs/security.md");
    let (_, table) = page.split_once("| threat |").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let mut sources = String::new();
    for folder in ["tests", "src"] {
        collect(&root().join(folder), &mut sources);
    }
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let (_, tests) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            let (function, of_runtime) = (format!("fn {test}("), format!("async fn {test}("));
            let mut pairs = sources.lines().zip(sources.lines().skip(1));
            let is_test = pairs.any(|(attribute, line)| {
                (attribute == "#[test]" && line.starts_with(&function))
                    || (attribute.starts_with("#[tokio::test") && line.starts_with(&of_runtime))
            });
            assert!(is_test, "there is no test {test}");
        }
    }
}

/// Adds the text of all Rust files in a folder, without indentation.
fn collect(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for line in fs::read_to_string(path).unwrap().lines() {
                *sources += line.trim_start();
                *sources += "\n";
            }
        }
    }
}

/// The pages of `docs/` and the README: path and text.
fn pages() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    names.chain(["README.md".to_owned()]).map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The flags in a line of code or of text.
fn flags(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|flag| flag.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[test]
fn pages_name_only_variables_and_flags_that_exist() {
    let variables: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
    let mut program = polytomic_mcp::cli::command();
    program.build();
    let mut known = BTreeSet::new();
    let mut commands = vec![&program];
    while let Some(command) = commands.pop() {
        known.extend(command.get_arguments().filter_map(|argument| argument.get_long()));
        commands.extend(command.get_subcommands());
    }
    assert!(known.contains("yes") && known.contains("read-only"), "{known:?}");
    // Cargo's, and one of a value that is masked.
    known.extend(["no-default-features", "token"]);
    let (mut seen_variables, mut seen_flags) = (BTreeSet::new(), BTreeSet::new());
    for (path, text) in pages() {
        let is_of_name = |c: char| c.is_ascii_uppercase() || c == '_';
        for rest in text.split("POLYTOMIC_").skip(1) {
            let name = rest.split(|c| !is_of_name(c)).next().unwrap();
            let name = format!("POLYTOMIC_{name}");
            assert!(variables.contains(&name), "{path}: {name} is no variable");
            seen_variables.insert(name);
        }
        // Code within a line. Blocks have commands of other programs.
        let prose: Vec<&str> = text.split("\n```").step_by(2).collect();
        for code in prose.iter().flat_map(|prose| prose.split('`').skip(1).step_by(2)) {
            if !(code.starts_with("--") || code.starts_with("polytomic-mcp")) {
                continue;
            }
            for flag in flags(code) {
                assert!(known.contains(flag), "{path}: --{flag} is no flag: `{code}`");
                seen_flags.insert(flag.to_owned());
            }
        }
    }
    assert_eq!(seen_variables, variables, "a variable is on no page");
    assert!(seen_flags.len() > 30, "{seen_flags:?}");
}

#[test]
fn symptoms_are_codes_and_properties_of_errors() {
    let page = read("docs/troubleshooting.md");
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut named = 0;
    for heading in page.lines().filter(|line| line.starts_with("## ")) {
        for code in heading.split('`').skip(1).step_by(2) {
            let is_of_outcome = ["outcome", "unknown"].contains(&code);
            assert!(is_of_outcome || codes.contains(&code), "{heading}: {code} is no code");
            named += 1;
        }
    }
    assert!(named >= 5, "{named}");
}

#[test]
fn the_index_for_agents_names_each_page_and_every_link_leads_somewhere() {
    let docs = root().join("docs");
    let index = fs::read_to_string(docs.join("llms.txt")).unwrap();
    let mut pages = vec![docs.join("llms.txt"), root().join("README.md")];
    for entry in fs::read_dir(&docs).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".md") {
            assert!(index.contains(&format!("]({name})")), "docs/llms.txt does not name {name}");
            pages.push(path);
        }
    }
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains(':') {
                continue;
            }
            let target = page.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
        }
    }
}

#[test]
fn the_texts_that_troubleshooting_quotes_of_doctor_are_those_of_the_code() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let mut sources = String::new();
    for folder in ["src/cli/doctor", "src/registry", "src/config"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            sources += &fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        }
    }
    let paragraphs: Vec<&str> =
        page.split("\n\n").filter(|paragraph| paragraph.starts_with("`doctor`:")).collect();
    assert!(paragraphs.len() >= 8, "{paragraphs:?}");
    for paragraph in paragraphs {
        for quoted in paragraph.split('`').skip(3).step_by(2) {
            assert!(sources.contains(quoted), "doctor does not say {quoted:?}");
        }
    }
}
