//! Truncates a result that exceeds its size limit: one mechanism for all tools and servers.
//!
//! Sizes are counted as the MCP server writes a result, once as text and once as structured content; every
//! server truncates at the same point. Long texts inside lists are truncated first, then lists, by whole items:
//! each list gets the same number of bytes, so that short lists stay complete. Long texts outside lists (the
//! query of a model) are truncated last. If all fields of a model fit with shorter examples, only these are
//! shortened.

use std::fmt::Write;

use memchr::memmem;
use serde::Serialize;

use super::excerpt::{BRACKETS, Count, Excerpt, Part, SEPARATOR, property_bytes};

/// Smallest limit a call can set: what remains beside the note on the truncation must hold something.
pub(crate) const MIN_RESULT_BYTES: u64 = 4_000;
/// Largest limit: the maximum size of a response of the API.
pub(crate) const MAX_RESULT_BYTES: usize = 32 << 20;

/// Bytes that the MCP server writes around text and structured content.
const ENVELOPE_BYTES: usize = 400;
/// Bytes reserved for the note on what was truncated.
pub(crate) const NOTE_BYTES: usize = 1_200;
/// What stands in place of the path of a list for shortened examples and texts.
const EXAMPLES: &str = "examples";
const CELLS: &str = "cells";
/// Smaller lists are never truncated.
const SMALL_LIST_BYTES: usize = 1_000;

/// A truncated list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TruncatedList {
    /// Path of the list, e.g. `model.fields`; `examples` for those of fields, `cells` for long texts.
    pub list: String,
    /// Items shown, or examples and texts left complete.
    pub shown: usize,
    /// Items in total.
    pub total: usize,
}

/// Whether a result with this compact JSON is within `limit` bytes.
pub(crate) fn fits(json: &str, limit: usize) -> bool {
    // Counting takes 3 % of a call, and is not needed if the result fits with every byte escaped.
    3 * json.len() + ENVELOPE_BYTES <= limit || written_bytes(json) <= limit
}

/// Bytes that the MCP server writes for a result with this compact JSON.
pub(crate) fn written_bytes(json: &str) -> usize {
    let escaped = memchr::memchr2_iter(b'"', b'\\', json.as_bytes()).count();
    2 * json.len() + escaped + ENVELOPE_BYTES
}

/// Reads what can be shown of a result in `limit` bytes.
pub(crate) fn excerpt(json: &str, limit: usize) -> serde_json::Result<Excerpt> {
    Excerpt::read(json, budget(limit), None)
}

/// Truncates a result to at most `limit` bytes by shortening the examples of a model's fields. None if that does not
/// suffice to show all items of all lists, or `lists`, what is truncated otherwise, names no list.
pub(crate) fn shorten_examples(
    json: &str,
    limit: usize,
    lists: Option<&[TruncatedList]>,
) -> serde_json::Result<Option<(Excerpt, Vec<TruncatedList>)>> {
    /// So much of an example still says something.
    const LENGTHS: [usize; 3] = [100, 40, 16];
    let shorten = |max_example: usize| -> serde_json::Result<_> {
        let mut excerpt = Excerpt::read(json, budget(limit), Some(max_example))?;
        let lists = truncate(&mut excerpt, limit).filter(|lists| !loses_items(lists));
        Ok(lists.map(|lists| (excerpt, lists)))
    };
    // Not read again for nothing.
    let may_have_examples = || memmem::find(json.as_bytes(), b"\"example\"").is_some();
    if lists.is_some_and(|lists| !loses_items(lists)) || !may_have_examples() {
        return Ok(None);
    }
    // Most results are larger without any example as well.
    let Some(without) = shorten(0)?.filter(|(excerpt, _)| excerpt.examples.seen > 0) else {
        return Ok(None);
    };
    for max_example in LENGTHS {
        if let Some(shortened) = shorten(max_example)? {
            return Ok(Some(shortened));
        }
    }
    Ok(Some(without))
}

/// Whether items are left out, and not only texts shortened.
fn loses_items(lists: &[TruncatedList]) -> bool {
    lists.iter().any(|list| ![EXAMPLES, CELLS].contains(&list.list.as_str()))
}

/// Bytes for the result itself.
fn budget(limit: usize) -> usize {
    limit.saturating_sub(ENVELOPE_BYTES + NOTE_BYTES)
}

/// Truncates the excerpt of a result to at most `limit` bytes. Returns the truncated lists, the one that lost most
/// first; none if it cannot be truncated that far.
pub(crate) fn truncate(excerpt: &mut Excerpt, limit: usize) -> Option<Vec<TruncatedList>> {
    let budget = budget(limit);
    let mut lists = truncate_lists(&mut excerpt.root, budget);
    if lists.is_none() {
        excerpt.truncate_texts();
        lists = truncate_lists(&mut excerpt.root, budget);
    }
    let mut lists = lists?;
    lists.sort_by_key(|list| std::cmp::Reverse(list.total - list.shown));
    for (list, count) in [(EXAMPLES, excerpt.examples), (CELLS, excerpt.texts)] {
        let Count { seen: total, truncated } = count;
        if truncated > 0 {
            let shown = total.saturating_sub(truncated);
            lists.push(TruncatedList { list: list.to_owned(), shown, total });
        }
    }
    Some(lists)
}

/// Removes properties of the objects in a result, the largest first, until it takes at most `limit` bytes: for
/// results that must be returned although truncating is not enough.
pub(crate) fn remove_properties(excerpt: &mut Excerpt, limit: usize) -> Option<Vec<TruncatedList>> {
    let mut removed: Vec<TruncatedList> = Vec::new();
    while let Some((name, total)) = remove_largest_property(&mut excerpt.root) {
        match removed.iter_mut().find(|object| object.list == name) {
            Some(object) => object.shown -= 1,
            None => removed.push(TruncatedList { list: name, shown: total - 1, total }),
        }
        if let Some(lists) = truncate(excerpt, limit) {
            removed.extend(lists);
            return Some(removed);
        }
    }
    None
}

/// Removes the largest property of the objects in a result. Returns the object's name and how many properties it
/// had.
fn remove_largest_property(result: &mut Part) -> Option<(String, usize)> {
    let Part::Object(objects) = result else { return None };
    let objects = objects.iter_mut().filter_map(|(name, object)| match object {
        Part::Object(properties) => Some((name, properties)),
        _ => None,
    });
    let bytes = |value: &Part| Sizes::of(value).within(usize::MAX);
    let largest = objects.filter_map(|(name, object)| {
        let sizes = object.iter().map(|(_, value)| bytes(value)).enumerate();
        let (index, bytes) = sizes.max_by_key(|(_, bytes)| *bytes)?;
        Some((bytes, name, index, object))
    });
    let (_, name, index, object) = largest.max_by_key(|(bytes, ..)| *bytes)?;
    let total = object.len();
    object.remove(index);
    Some((name.clone(), total))
}

/// Truncates the lists until the value takes at most `budget` bytes; changes nothing if that is not enough.
fn truncate_lists(value: &mut Part, budget: usize) -> Option<Vec<TruncatedList>> {
    let sizes = Sizes::of(value);
    if sizes.within(usize::MAX) <= budget {
        return Some(Vec::new());
    }
    if sizes.within(SMALL_LIST_BYTES) > budget {
        return None;
    }
    // Binary search for the largest number of bytes that every list may have.
    let (mut fits, mut too_large) = (SMALL_LIST_BYTES, budget + 1);
    while too_large - fits > 1 {
        let list_bytes = fits.midpoint(too_large);
        if sizes.within(list_bytes) <= budget { fits = list_bytes } else { too_large = list_bytes }
    }
    let mut lists = Vec::new();
    truncate_to(value, &sizes, fits, &mut String::new(), &mut lists);
    Some(lists)
}

/// The size of a value in text and structured content together, known for each of its parts.
enum Sizes {
    Scalar(usize),
    List(Vec<Self>),
    /// Names and separators, and the values.
    Object(usize, Vec<Self>),
}

impl Sizes {
    fn of(value: &Part) -> Self {
        match value {
            Part::Value(_) | Part::Text(_) => Self::Scalar(value.scalar_bytes()),
            Part::List { items, .. } => Self::List(items.iter().map(Self::of).collect()),
            Part::Object(properties) => {
                let names: usize = properties.iter().map(|(name, _)| property_bytes(name)).sum();
                let values = properties.iter().map(|(_, value)| Self::of(value)).collect();
                Self::Object(names + BRACKETS, values)
            }
        }
    }

    /// The size if every list is truncated to `list_bytes`.
    fn within(&self, list_bytes: usize) -> usize {
        match self {
            Self::Scalar(bytes) => *bytes,
            Self::List(items) => BRACKETS + fitting(items, list_bytes).sum::<usize>(),
            Self::Object(names, values) => {
                names + values.iter().map(|value| value.within(list_bytes)).sum::<usize>()
            }
        }
    }
}

/// Sizes of the items of a list that fit into `list_bytes`; at least of the first.
fn fitting(items: &[Sizes], list_bytes: usize) -> impl Iterator<Item = usize> {
    let mut total = 0_usize;
    let sizes = items.iter().map(move |item| SEPARATOR + item.within(list_bytes));
    sizes.enumerate().map_while(move |(index, bytes)| {
        total = total.saturating_add(bytes);
        (index == 0 || total <= list_bytes).then_some(bytes)
    })
}

/// Truncates each list to the items that fit into `list_bytes`.
fn truncate_to(
    value: &mut Part,
    sizes: &Sizes,
    list_bytes: usize,
    path: &mut String,
    truncated: &mut Vec<TruncatedList>,
) {
    let parent = path.len();
    match (value, sizes) {
        (Part::List { items, left_out }, Sizes::List(sizes)) => {
            let (shown, total) = (fitting(sizes, list_bytes).count(), items.len() + *left_out);
            if shown < total {
                truncated.push(TruncatedList { list: path.clone(), shown, total });
                items.truncate(shown);
                *left_out = 0;
            }
            for (index, (item, sizes)) in items.iter_mut().zip(sizes).enumerate() {
                let _ = write!(path, "[{index}]");
                truncate_to(item, sizes, list_bytes, path, truncated);
                path.truncate(parent);
            }
        }
        (Part::Object(properties), Sizes::Object(_, sizes)) => {
            for ((name, value), sizes) in properties.iter_mut().zip(sizes) {
                path.push_str(if parent == 0 { "" } else { "." });
                path.push_str(name);
                truncate_to(value, sizes, list_bytes, path, truncated);
                path.truncate(parent);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    /// Truncates a value; returns it with its lists.
    fn truncated(value: &Value, limit: usize) -> Option<(Value, Vec<TruncatedList>)> {
        let json = value.to_string();
        let mut excerpt = excerpt(&json, limit).unwrap();
        let lists = truncate(&mut excerpt, limit);
        let shortened = shorten_examples(&json, limit, lists.as_deref()).unwrap();
        let (excerpt, lists) = shortened.or(lists.map(|lists| (excerpt, lists)))?;
        Some((json!(excerpt.root), lists))
    }

    fn items(count: usize) -> Value {
        (0..count).map(|n| json!({"name": format!("field \"{n}\"")})).collect()
    }

    #[test]
    fn the_counted_size_is_what_is_written() {
        let value = json!({"a": [1, -2.5, null, true, "x\"y\\z\n\u{1}ü"], "b": {}, "c": "€"});
        let text = value.to_string();
        let escaped = json!(text).to_string();
        let exact = text.len() + escaped.len() - 2;
        assert_eq!(written_bytes(&text), exact + ENVELOPE_BYTES);
        let counted = Sizes::of(&excerpt(&text, 10_000).unwrap().root).within(usize::MAX);
        // Commas are counted behind the last element too.
        assert!((exact..exact + 30).contains(&counted), "{exact} {counted}");
    }

    #[test]
    fn a_truncated_value_fits_and_is_counted() {
        let texts = |n: usize| -> Vec<String> { (0..n).map(|n| format!("public.t{n}")).collect() };
        for (label, value, list, total) in [
            (
                "fields",
                json!({"model": {"fields": items(5_000), "id": "x"}}),
                "model.fields",
                5_000,
            ),
            (
                "texts",
                json!({"items": {"table": {"items": texts(5_000)}}}),
                "items.table.items",
                5_000,
            ),
            ("long texts", json!({"records": [{"a": "x".repeat(1_000_000)}]}), "cells", 1),
            ("beside a short list", json!({"a": items(3), "b": items(900)}), "b", 900),
            (
                "inside an item",
                json!({"changed": [{"before": items(2_000)}, {"before": 1}]}),
                "changed[0].before",
                2_000,
            ),
        ] {
            let (value, lists) = truncated(&value, 20_000).unwrap();
            let size = written_bytes(&value.to_string());
            assert!(size <= 20_000 - NOTE_BYTES, "{label}: {size}");
            assert!(label == "long texts" || size > 17_000, "{label}: only {size} bytes");
            assert_eq!((lists[0].list.as_str(), lists[0].total), (list, total), "{label}");
            assert!(lists[0].shown < total, "{label}");
            assert!(
                value.to_string().contains("truncated: 1000000") == (label == "long texts"),
                "{label}"
            );
        }
    }

    #[test]
    fn a_query_outside_lists_is_truncated_last() {
        let query = "q".repeat(5_000);
        let value = json!({"configuration": {"query": query}, "fields": items(2_000)});
        let (value, lists) = truncated(&value, 30_000).unwrap();
        assert_eq!(value["configuration"]["query"], query);
        assert_eq!(lists.len(), 1, "{lists:?}");
        let value = json!({"configuration": {"query": "q".repeat(50_000)}, "fields": items(20)});
        let (value, lists) = truncated(&value, 30_000).unwrap();
        assert_eq!((lists[0].list.as_str(), lists[0].shown), ("cells", 20));
        assert_eq!(value["fields"], items(20));
    }

    #[test]
    fn examples_are_shortened_if_all_fields_fit_then() {
        let field = |n: u64, example: &Value| json!({"name": format!("column_{n}"), "type": "string", "example": example});
        let fields = |count: u64, example: &Value| -> Value {
            (0..count).map(|n| field(n, example)).collect()
        };
        let whole = json!("x".repeat(40));
        let wide: Map<String, Value> = (0..2_500).map(|n| (format!("p{n}"), json!(n))).collect();
        // Fields; their example; what is shown of it; the truncated lists.
        for (count, example, shown, lists) in [
            (100, whole.clone(), whole.clone(), vec![]),
            (
                100,
                json!("é".repeat(3_000)),
                json!("é".repeat(40) + "…"),
                vec![("examples", 0, 100)],
            ),
            (400, json!("user@example.com"), Value::Null, vec![("examples", 0, 400)]),
            (150, json!({"a": vec![1; 100]}), Value::Null, vec![("examples", 0, 150)]),
            (2, json!(wide), Value::Null, vec![("examples", 0, 2)]),
            // Even without examples there are too many fields.
            (5_000, json!("x"), json!("x"), vec![("model.fields", 402, 5_000)]),
        ] {
            let query = "q".repeat(3_000);
            let model = json!({"model": {"configuration": {"query": query}, "fields": fields(count, &example)}});
            let (value, truncated) = truncated(&model, 55_000).unwrap();
            let truncated: Vec<_> =
                truncated.iter().map(|l| (l.list.as_str(), l.shown, l.total)).collect();
            assert_eq!(truncated, lists, "{count} {example:.20}");
            assert_eq!(value["model"]["configuration"]["query"], query);
            let shown_fields = value["model"]["fields"].as_array().unwrap();
            assert!(shown_fields.iter().all(|f| f["example"] == shown), "{count} {example:.20}");
        }
        // What only looks like the fields of a model.
        let long = fields(2, &json!("x".repeat(200)));
        for look_alike in [
            json!({"records": [{"fields": long}]}),
            json!({"configuration": {"fields": long}}),
            json!({"model": {"configuration": {"fields": long}}}),
            json!({"fields": {"fields": long}}),
        ] {
            let mut value = look_alike.clone();
            value["more"] = items(2_000);
            let (value, lists) = truncated(&value, 30_000).unwrap();
            assert_eq!((lists.len(), lists[0].list.as_str()), (1, "more"), "{look_alike}");
            let name = look_alike.as_object().unwrap().keys().next().unwrap();
            assert_eq!(value[name], look_alike[name]);
        }
    }

    #[test]
    fn a_wide_object_cannot_be_truncated() {
        let wide: Map<String, Value> =
            (0..5_000).map(|n| (format!("column_{n}"), json!(n))).collect();
        assert_eq!(truncated(&json!({"configuration": wide}), 48_000), None);
    }
}
