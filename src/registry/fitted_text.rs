//! Fits descriptions to the tools that are served: advice to call a tool that is not there would end in an error.
//!
//! Descriptions are sentences, of which "Before:" and "After:" list tools. What names a missing tool is left out by the
//! smallest part that reads well: a parenthesis, an item of such a list, a sentence.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::id_text;

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

/// The same for a Markdown document of headings, paragraphs and tables: what is left out is a sentence, or the row of a table.
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
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| hidden.contains(word))
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
    if let Some(description) = id_text::without_list(sentence) {
        return Some(description);
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
        ] {
            assert_eq!(fit(text, &hidden), expected);
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
}
