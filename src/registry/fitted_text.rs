//! Fits descriptions to the tools that are served: advice to call a tool that is not there would end in an error.
//!
//! Descriptions are sentences, of which "Before:" and "After:" list tools. What names a missing tool is left out by the
//! smallest part that reads well: a parenthesis, an item of such a list, a sentence.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Names of the tools that are not served.
pub(super) type Hidden = BTreeSet<&'static str>;

/// A description without what names hidden tools. If nothing is left, it stays as it is, since every property needs
/// a description.
pub(super) fn fit<'a>(text: &'a str, hidden: &Hidden) -> Cow<'a, str> {
    if !names_any(text, hidden) {
        return Cow::Borrowed(text);
    }
    let text_without = without_parentheses(text, hidden);
    let kept: Vec<String> =
        sentences(&text_without).filter_map(|sentence| fit_sentence(sentence, hidden)).collect();
    let fitted = kept.join(" ");
    if fitted.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(fitted) }
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
        let hidden = Hidden::from(["create_model", "get_job"]);
        for (text, expected) in [
            ("Get a model. Before: `list_models`.", "Get a model. Before: `list_models`."),
            ("Preview. After: `create_model` with a name.", "Preview."),
            ("Do. After: `sample_records`, or `get_job` later.", "Do. After: `sample_records`."),
            ("Do. After: `get_job`, or `sample_records`.", "Do. After: `sample_records`."),
            ("Do (`get_job` waits) it. Stay.", "Do it. Stay."),
            ("Do (well) it (`get_job`).", "Do (well) it."),
            ("A name, e.g. `Users`. See `create_model`.", "A name, e.g. `Users`."),
            ("Only `create_model`.", "Only `create_model`."),
            ("Use get_jobs and recreate_model.", "Use get_jobs and recreate_model."),
        ] {
            assert_eq!(fit(text, &hidden), expected);
        }
    }
}
