//! Fits descriptions and advice to the tools that are served: a call of a tool that is not there would end in an error.
//!
//! Texts are sentences, of which "Before:" and "After:" list tools. What names a missing tool is left out by the
//! smallest part that reads well: a parenthesis, one of two alternatives, an item of such a list, a sentence. So a warning
//! is a sentence that names no tool, and what depends on the result of a call is in the sentence of that call.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::id_text;

/// What takes the place of advice to call a tool that is not served.
const WITHOUT_TOOL: &str = "Ask the user: the tool that would help is disabled on this server.";

/// Names of the tools that are not served.
pub(super) type Hidden = BTreeSet<&'static str>;

/// A text without what names hidden tools; perhaps nothing.
pub(super) fn fit<'a>(text: &'a str, hidden: &Hidden) -> Cow<'a, str> {
    if !names_any(text, hidden) {
        return Cow::Borrowed(text);
    }
    let text_without = without_parentheses(text, hidden);
    let kept: Vec<String> =
        sentences(&text_without).filter_map(|sentence| fit_sentence(sentence, hidden)).collect();
    Cow::Owned(kept.join(" "))
}

/// The same for a text that must not be empty.
pub(super) fn fit_or<'a>(text: &'a str, hidden: &Hidden, otherwise: &'a str) -> Cow<'a, str> {
    let fitted = fit(text, hidden);
    if fitted.is_empty() { Cow::Borrowed(otherwise) } else { fitted }
}

/// The same for advice: the first instruction to call a hidden tool becomes one to ask the user.
pub(super) fn fit_hint<'a>(text: &'a str, hidden: &Hidden) -> Cow<'a, str> {
    if !names_any(text, hidden) {
        return Cow::Borrowed(text);
    }
    let text_without = without_parentheses(text, hidden);
    let mut instead = Some(WITHOUT_TOOL);
    let kept: Vec<String> = sentences(&text_without)
        .filter_map(|sentence| {
            let is_instruction = sentence.starts_with("Call ");
            fit_sentence(sentence, hidden)
                .or_else(|| instead.take_if(|_| is_instruction).map(str::to_owned))
        })
        .collect();
    if kept.is_empty() { Cow::Borrowed(WITHOUT_TOOL) } else { Cow::Owned(kept.join(" ")) }
}

/// A message with the names of hidden tools as plain words: it says what failed, and advises nothing. What is quoted is
/// from the arguments, and stays.
pub(super) fn fit_message<'a>(text: &'a str, hidden: &Hidden) -> Cow<'a, str> {
    if !names_any(text, hidden) {
        return Cow::Borrowed(text);
    }
    let parts = text.split_inclusive(|c: char| !is_in_word(c)).scan(None, |before, part| {
        let word = part.trim_end_matches(|c: char| !is_in_word(c));
        let is_named = hidden.contains(word) && *before != Some('"');
        *before = part.chars().next_back().or(*before);
        Some(if is_named { part.replace('_', " ") } else { part.to_owned() })
    });
    Cow::Owned(parts.collect())
}

/// As [`fit`] for a Markdown document of headings, paragraphs and tables: what is left out is a sentence, or the row of a table.
pub(super) fn fit_document<'a>(text: &'a str, hidden: &Hidden) -> Cow<'a, str> {
    if !names_any(text, hidden) {
        return Cow::Borrowed(text);
    }
    let blocks = text.split("\n\n").map(|block| match block {
        _ if !names_any(block, hidden) => block.to_owned(),
        table if table.starts_with('|') => {
            let rows = table.lines().map(|row| without_parentheses(row, hidden));
            rows.filter(|row| !names_any(row, hidden)).collect::<Vec<_>>().join("\n")
        }
        paragraph => {
            let ending = if paragraph.ends_with('\n') { "\n" } else { "" };
            let lines: Vec<&str> = paragraph.lines().collect();
            let fitted = fit(&lines.join(" "), hidden).into_owned();
            if fitted.is_empty() { fitted } else { fitted + ending }
        }
    });
    let blocks: Vec<String> = blocks.filter(|block| !block.is_empty()).collect();
    Cow::Owned(blocks.join("\n\n"))
}

fn names_any(text: &str, hidden: &Hidden) -> bool {
    !hidden.is_empty() && text.split(|c| !is_in_word(c)).any(|word| hidden.contains(word))
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A sentence without the hidden one of two tools that it names as alternatives, in words alone.
fn without_alternative(sentence: &str, hidden: &Hidden) -> Option<String> {
    let (before, after) = sentence.split_once(" or ")?;
    let (first, second) = (before.rsplit(' ').next()?, after.split(' ').next()?);
    let is_name = |word: &str| word.contains('_') && word.chars().all(is_in_word);
    if !is_name(first) || !is_name(second) {
        return None;
    }
    let rest = if hidden.contains(first) {
        format!("{}{after}", before.strip_suffix(first)?)
    } else {
        format!("{before}{}", after.strip_prefix(second)?)
    };
    (!names_any(&rest, hidden)).then_some(rest)
}

fn without_parentheses(text: &str, hidden: &Hidden) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, inside, after)) = rest.split_once('(').and_then(|(before, rest)| {
        rest.split_once(')').map(|(inside, after)| (before, inside, after))
    }) {
        if names_any(inside, hidden) {
            kept.push_str(before.trim_end());
        } else {
            kept.extend([before, "(", inside, ")"]);
        }
        rest = after;
    }
    kept + rest
}

/// The sentences of a text, without the blanks between them.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .match_indices(". ")
            .map(|(at, _)| at)
            .find(|at| {
                let is_abbreviation = ["e.g", "i.e"]
                    .iter()
                    .any(|word| rest.get(..*at).is_some_and(|t| t.ends_with(word)));
                !is_abbreviation
            })
            .map_or(rest.len(), |at| at + 1);
        let (sentence, next) = rest.split_at(end);
        rest = next.trim_start();
        Some(sentence)
    })
}

fn fit_sentence(sentence: &str, hidden: &Hidden) -> Option<String> {
    if !names_any(sentence, hidden) {
        return Some(sentence.to_owned());
    }
    let without = id_text::without_list(sentence);
    if let Some(sentence) = without.or_else(|| without_alternative(sentence, hidden)) {
        return Some(sentence);
    }
    let (label, list) = ["Before: ", "After: "]
        .iter()
        .find_map(|label| Some((*label, sentence.strip_prefix(label)?.strip_suffix('.')?)))?;
    let items = list.split(", ").filter(|item| !names_any(item, hidden));
    let items: Vec<&str> = items.collect();
    let first = items.first()?;
    let first = ["or ", "and "].iter().find_map(|word| first.strip_prefix(word)).unwrap_or(first);
    let items: Vec<&str> = [first].into_iter().chain(items.iter().skip(1).copied()).collect();
    Some(format!("{label}{}.", items.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn what_names_a_hidden_tool_is_left_out() {
        let hidden = Hidden::from(["create_model", "get_job", "list_models"]);
        for (text, expected) in [
            ("Get a model. Before: `list_syncs`.", "Get a model. Before: `list_syncs`."),
            ("Preview. After: `create_model` with a name.", "Preview."),
            ("Do. After: `sample_records`, or `get_job` later.", "Do. After: `sample_records`."),
            ("Do. After: `get_job`, or `sample_records`.", "Do. After: `sample_records`."),
            ("Do (`get_job` waits) it. Stay.", "Do it. Stay."),
            ("Do (well) it (`get_job`).", "Do (well) it."),
            ("A name, e.g. `Users`. See `create_model`.", "A name, e.g. `Users`."),
            ("Only `create_model`.", ""),
            ("Do. A UUID from `list_models`.", "Do. The UUID of a model."),
            ("Use get_jobs and recreate_model.", "Use get_jobs and recreate_model."),
            ("Call list_models or get_model to see it.", "Call get_model to see it."),
            ("Call get_model or list_models to see it.", "Call get_model to see it."),
            ("Call get_job or list_models to see it.", ""),
            ("Wait or call get_job.", ""),
        ] {
            assert_eq!(fit(text, &hidden), expected);
        }
    }

    #[test]
    fn advice_to_call_a_hidden_tool_becomes_one_to_ask_the_user() {
        let hidden = Hidden::from(["get_job", "list_models"]);
        let with = |before: &str, after: &str| format!("{before}{WITHOUT_TOOL}{after}");
        for (text, expected) in [
            ("Call get_job.", with("", "")),
            ("It is list_models.", with("", "")),
            ("Read this. Call get_job; if it fails, wait. Stay.", with("Read this. ", " Stay.")),
            ("Call get_job. Call list_models. Stay.", with("", " Stay.")),
            ("Stay. list_models shows it.", "Stay.".to_owned()),
            ("Call get_model.", "Call get_model.".to_owned()),
        ] {
            assert_eq!(fit_hint(text, &hidden), expected, "{text}");
        }
    }

    #[test]
    fn a_message_says_what_failed_without_names() {
        let hidden = Hidden::from(["get_job"]);
        for (text, expected) in [
            ("The key lacks get_job (403).", "The key lacks get job (403)."),
            ("get_job", "get job"),
            ("No response to get_job.", "No response to get job."),
            ("Got \"get_job\", get_jobs.", "Got \"get_job\", get_jobs."),
        ] {
            assert_eq!(fit_message(text, &hidden), expected);
        }
    }

    #[test]
    fn a_document_loses_sentences_and_rows() {
        let hidden = Hidden::from(["get_job"]);
        let text = "# Title\n\nA job. Call `get_job`\nfor it. Stay.\n\n| a |\n|---|\n| b (see `get_job`) |\n\
            | get_job |\n\nCall `get_job`.\n\nEnd. Use\nget_job.\n";
        let expected = "# Title\n\nA job. Stay.\n\n| a |\n|---|\n| b |\n\nEnd.\n";
        assert_eq!(fit_document(text, &hidden), expected);
        assert_eq!(fit_or("Call `get_job`.", &hidden, "Wait."), "Wait.");
    }

    /// The files below a folder of the repository.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    /// The string literals of a Rust source before its tests.
    fn literals(source: &str) -> Vec<String> {
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        let source = if source.contains("#![cfg(test)]") { "" } else { source };
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n").replace("'\"'", "");
        let mut characters = code.chars().peekable();
        let mut literals = Vec::new();
        while characters.find(|c| *c == '"').is_some() {
            let mut literal = String::new();
            while let Some(c) = characters.next_if(|c| *c != '"') {
                match (c, characters.peek()) {
                    ('\\', Some('\n')) => {
                        while characters.next_if(|c| c.is_whitespace()).is_some() {}
                    }
                    ('\\', _) => literal.extend(characters.next()),
                    _ => literal.push(c),
                }
            }
            characters.next();
            literals.push(literal);
        }
        literals
    }

    /// Every text of the code that names a tool, without each of the tools that it names.
    #[test]
    fn no_text_loses_a_warning_or_keeps_half_an_instruction() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let verbs = [
            "list_",
            "get_",
            "create_",
            "update_",
            "delete_",
            "preview_",
            "sample_",
            "test_",
            "start_",
            "cancel_",
            "find_",
            "call_",
            "describe_",
        ];
        let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let tools: BTreeSet<String> = files(&source.join("tools")).iter().map(name).collect();
        let tools =
            tools.into_iter().filter(|tool| verbs.iter().any(|verb| tool.starts_with(verb)));
        let tools: Hidden = tools.map(|tool| &*tool.leak()).collect();
        let folders = ["registry", "tools", "polytomic", "mcp", "jsonrpc"];
        let files = folders.iter().flat_map(|folder| files(&source.join(folder)));
        // Prompts are documents.
        let files = files.filter(|file| !file.ends_with("tools/prompts.rs"));
        let texts = files.flat_map(|file| literals(&std::fs::read_to_string(file).unwrap()));
        const WARNINGS: [&str; 6] =
            ["do not", "Do not", "might", "mask", "before you call", "confirmed"];
        let is_text = |text: &String| text.contains(' ') && names_any(text, &tools);
        let texts: BTreeSet<String> = texts.filter(is_text).collect();
        let mut table = String::new();
        for text in &texts {
            let is_description =
                ["After: ", "Before: ", "polytomic://"].iter().any(|s| text.contains(s));
            if !is_description {
                writeln!(table, "{text}").unwrap();
            }
            for tool in tools.iter().filter(|tool| names_any(text, &Hidden::from([**tool]))) {
                let hidden = Hidden::from([*tool]);
                let fitted = if is_description {
                    let fitted = fit(text, &hidden);
                    let begins =
                        |first: &str| fitted.starts_with(first.split('(').next().unwrap().trim());
                    assert!(sentences(text).next().is_some_and(begins), "{tool}: {fitted}");
                    fitted
                } else {
                    let fitted = fit_hint(text, &hidden);
                    writeln!(table, "  - {tool}: {fitted}").unwrap();
                    fitted
                };
                assert!(!names_any(&fitted, &hidden), "{tool}: {fitted}");
                let mut follows_one_that_is_gone = false;
                for sentence in sentences(text) {
                    if names_any(sentence, &hidden) {
                        let warns = WARNINGS.iter().any(|warning| sentence.contains(warning));
                        assert!(!warns || is_description, "a warning of its own: {sentence}");
                        follows_one_that_is_gone = true;
                        continue;
                    }
                    assert!(fitted.contains(sentence), "{tool}: {fitted}");
                    let depends = ["If it is", "If not", "Then", "It ", "This "];
                    let depends = depends.iter().any(|word| sentence.starts_with(word));
                    assert!(!(depends && follows_one_that_is_gone), "half of it: {fitted}");
                    follows_one_that_is_gone = false;
                }
            }
        }
        assert!(texts.len() > 40, "{}", texts.len());
        insta::with_settings!({snapshot_path => "../../tests/it/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("texts_without_a_tool", table);
        });
    }
}
