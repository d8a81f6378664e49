//! How large an answer may be, and what is cut where it would be larger: one mechanism for all tools.
//!
//! What is counted is what the MCP face writes, text and structure together; every face cuts at the same
//! place. First long texts in lists are cut, then lists, whole rows at a time and fairly: each list of the
//! answer gets the same number of bytes, so that short ones stay whole. Long texts outside lists (the query
//! of a model) are cut last of all. What cannot be cut is an error that says what to ask for.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The least that can be asked for: what is left after what is said of the cut must hold something.
pub(super) const LEAST_BYTES: u64 = 4_000;
/// The most: as large as an answer of the API's may be.
pub(super) const MOST_BYTES: usize = 32 << 20;

/// What the MCP face writes around text and structure.
const FRAME: usize = 400;
/// What is left for saying what was cut.
const SAID: usize = 1_200;
/// A text with more characters than this is cut where the answer is too large.
const CELL_CHARACTERS: usize = 2_000;
/// A list of less than this is never cut.
const SMALL_LIST: usize = 1_000;
/// What stands between and around values, in text and structure: the quotes of the text are escaped there.
const SEPARATOR: usize = 2;
const BRACKETS: usize = 4;
const QUOTES: usize = 6;

/// A list that was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cut {
    /// Where it stands, e.g. `model.fields`; `cells` for long texts.
    pub(super) list: String,
    /// How many rows are shown, or how many texts are whole.
    pub(super) shown: usize,
    /// How many there are.
    pub(super) total: usize,
}

/// Whether a result of this compact JSON is within a limit.
pub(super) fn fits(json: &str, limit: usize) -> bool {
    // Where it were if each byte was escaped, nothing needs to be counted: 3 % of a call.
    3 * json.len() + FRAME <= limit || written(json) <= limit
}

/// How many bytes the MCP face writes for a result of this compact JSON.
pub(super) fn written(json: &str) -> usize {
    let escaped = memchr::memchr2_iter(b'"', b'\\', json.as_bytes()).count();
    2 * json.len() + escaped + FRAME
}

/// Cuts `result` until it takes at most `limit` bytes; says what was cut, the list that lost most first.
/// None where it cannot be cut that far.
pub(super) fn cut(result: &mut Value, limit: usize) -> Option<Vec<Cut>> {
    let room = limit.saturating_sub(FRAME + SAID);
    let mut in_lists = Cells::default();
    cut_cells(result, false, &mut in_lists);
    let mut cuts = cut_lists(result, room);
    let mut everywhere = Cells::default();
    if cuts.is_none() {
        cut_cells(result, true, &mut everywhere);
        cuts = cut_lists(result, room);
    }
    let mut cuts = cuts?;
    cuts.sort_by_key(|cut| std::cmp::Reverse(cut.total - cut.shown));
    let cut = in_lists.cut + everywhere.cut;
    if cut > 0 {
        let (shown, total) = (in_lists.seen - cut, in_lists.seen);
        cuts.push(Cut { list: "cells".to_owned(), shown, total });
    }
    Some(cuts)
}

/// Takes properties off the things in a result, the largest first, until it takes at most `limit` bytes: for
/// results that have to be told although they cannot be cut.
pub(super) fn cut_properties(result: &mut Value, limit: usize) -> Option<Vec<Cut>> {
    let mut cuts: Vec<Cut> = Vec::new();
    while let Some((thing, of)) = heaviest(result) {
        match cuts.iter_mut().find(|cut| cut.list == thing) {
            Some(cut) => cut.shown -= 1,
            None => cuts.push(Cut { list: thing, shown: of - 1, total: of }),
        }
        if let Some(further) = cut(result, limit) {
            cuts.extend(further);
            return Some(cuts);
        }
    }
    None
}

/// Takes off the largest property of the objects in a result; its name, and how many properties it had.
fn heaviest(result: &mut Value) -> Option<(String, usize)> {
    let things = result.as_object_mut()?.iter_mut();
    let things = things.filter_map(|(name, thing)| Some((name, thing.as_object_mut()?)));
    let cost = |value: &Value| Sizes::of(value).within(usize::MAX);
    let heavy = things.filter_map(|(name, thing)| {
        let (property, cost) = thing
            .iter()
            .map(|(property, value)| (property.clone(), cost(value)))
            .max_by_key(|p| p.1)?;
        Some((cost, name, property, thing))
    });
    let (_, name, property, thing) = heavy.max_by_key(|(cost, ..)| *cost)?;
    let of = thing.len();
    thing.shift_remove(&property);
    Some((name.clone(), of))
}

/// How many texts there are, and how many of them were cut.
#[derive(Default)]
struct Cells {
    seen: usize,
    cut: usize,
}

/// Cuts the texts that are too long, those outside lists only where `everywhere` is set.
fn cut_cells(value: &mut Value, everywhere: bool, cells: &mut Cells) {
    match value {
        Value::String(text) => {
            cells.seen += 1;
            let length = text.chars().count();
            if everywhere && length > CELL_CHARACTERS {
                let mark = format!("… (cut: {length} characters in all)");
                let kept = CELL_CHARACTERS - mark.chars().count();
                *text = text.chars().take(kept).chain(mark.chars()).collect();
                cells.cut += 1;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|row| cut_cells(row, true, cells)),
        Value::Object(map) => {
            map.values_mut().for_each(|value| cut_cells(value, everywhere, cells));
        }
        _ => {}
    }
}

/// Cuts the lists until all takes at most `room` bytes; changes nothing where that is not enough.
fn cut_lists(value: &mut Value, room: usize) -> Option<Vec<Cut>> {
    let sizes = Sizes::of(value);
    if sizes.within(usize::MAX) <= room {
        return Some(Vec::new());
    }
    if sizes.within(SMALL_LIST) > room {
        return None;
    }
    // The most bytes that each list may have.
    let (mut enough, mut too_much) = (SMALL_LIST, room + 1);
    while too_much - enough > 1 {
        let budget = enough.midpoint(too_much);
        if sizes.within(budget) <= room { enough = budget } else { too_much = budget }
    }
    let mut cuts = Vec::new();
    trim(value, &sizes, enough, &mut String::new(), &mut cuts);
    Some(cuts)
}

/// The bytes of a value in text and structure together, known for each part of it.
enum Sizes {
    One(usize),
    List(Vec<Self>),
    /// Names and what stands between, and the values.
    Map(usize, Vec<Self>),
}

impl Sizes {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::One(2 * 4),
            Value::Bool(_) => Self::One(2 * 5),
            Value::Number(number) => Self::One(2 * number.to_string().len()),
            Value::String(text) => Self::One(text_cost(text)),
            Value::Array(list) => Self::List(list.iter().map(Self::of).collect()),
            Value::Object(map) => {
                let names = map.keys().map(|name| text_cost(name) + 2 * SEPARATOR);
                Self::Map(names.sum::<usize>() + BRACKETS, map.values().map(Self::of).collect())
            }
        }
    }

    /// The bytes that are left where each list has the rows that fit `budget`.
    fn within(&self, budget: usize) -> usize {
        match self {
            Self::One(bytes) => *bytes,
            Self::List(rows) => BRACKETS + fitting(rows, budget).sum::<usize>(),
            Self::Map(own, values) => {
                own + values.iter().map(|value| value.within(budget)).sum::<usize>()
            }
        }
    }
}

/// The bytes of the rows of a list that fit `budget`, at least of one.
fn fitting(rows: &[Sizes], budget: usize) -> impl Iterator<Item = usize> {
    let mut bytes = 0_usize;
    let sizes = rows.iter().map(move |row| SEPARATOR + row.within(budget));
    sizes.enumerate().map_while(move |(index, row)| {
        bytes = bytes.saturating_add(row);
        (index == 0 || bytes <= budget).then_some(row)
    })
}

/// Cuts each list to the rows that fit `budget` bytes.
fn trim(value: &mut Value, sizes: &Sizes, budget: usize, at: &mut String, cuts: &mut Vec<Cut>) {
    let place = at.len();
    match (value, sizes) {
        (Value::Array(list), Sizes::List(sizes)) => {
            let shown = fitting(sizes, budget).count();
            if shown < list.len() {
                cuts.push(Cut { list: at.clone(), shown, total: list.len() });
                list.truncate(shown);
            }
            for (index, (row, sizes)) in list.iter_mut().zip(sizes).enumerate() {
                let _ = write!(at, "[{index}]");
                trim(row, sizes, budget, at, cuts);
                at.truncate(place);
            }
        }
        (Value::Object(map), Sizes::Map(_, sizes)) => {
            for ((name, value), sizes) in map.iter_mut().zip(sizes) {
                at.push_str(if place == 0 { "" } else { "." });
                at.push_str(name);
                trim(value, sizes, budget, at, cuts);
                at.truncate(place);
            }
        }
        _ => {}
    }
}

/// A text once as JSON, and once more with each quote and backslash of that escaped again.
fn text_cost(text: &str) -> usize {
    let of = |byte: u8| match byte {
        b'"' | b'\\' => 2 * 2 + 2,
        b'\n' | b'\r' | b'\t' | 8 | 12 => 2 * 2 + 1,
        0..0x20 => 2 * 6 + 1,
        _ => 2,
    };
    QUOTES + text.bytes().map(of).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn rows(count: usize) -> Value {
        (0..count).map(|n| json!({"name": format!("field \"{n}\"")})).collect()
    }

    #[test]
    fn the_cost_is_what_is_written() {
        let value = json!({"a": [1, -2.5, null, true, "x\"y\\z\n\u{1}ü"], "b": {}, "c": "€"});
        let text = value.to_string();
        let escaped = json!(text).to_string();
        let exact = text.len() + escaped.len() - 2;
        assert_eq!(written(&text), exact + FRAME);
        // Commas are counted behind the last element too.
        assert!(
            (exact..exact + 30).contains(&Sizes::of(&value).within(usize::MAX)),
            "{exact} {}",
            Sizes::of(&value).within(usize::MAX)
        );
    }

    #[test]
    fn what_is_left_fits_and_is_counted() {
        let texts = |n: usize| -> Vec<String> { (0..n).map(|n| format!("public.t{n}")).collect() };
        for (label, mut value, list, total) in [
            ("fields", json!({"model": {"fields": rows(5_000), "id": "x"}}), "model.fields", 5_000),
            (
                "texts",
                json!({"items": {"table": {"items": texts(5_000)}}}),
                "items.table.items",
                5_000,
            ),
            ("long texts", json!({"records": [{"a": "x".repeat(1_000_000)}]}), "cells", 1),
            ("beside a short list", json!({"a": rows(3), "b": rows(900)}), "b", 900),
            (
                "in a row",
                json!({"changed": [{"before": rows(2_000)}, {"before": 1}]}),
                "changed[0].before",
                2_000,
            ),
        ] {
            let cuts = cut(&mut value, 20_000).unwrap();
            let size = written(&value.to_string());
            assert!(size <= 20_000 - SAID, "{label}: {size}");
            assert!(label == "long texts" || size > 17_000, "{label}: {size} is little");
            assert_eq!((cuts[0].list.as_str(), cuts[0].total), (list, total), "{label}");
            assert!(cuts[0].shown < total, "{label}");
            assert!(
                value.to_string().contains("cut: 1000000") == (label == "long texts"),
                "{label}"
            );
        }
    }

    #[test]
    fn a_query_outside_lists_is_cut_last() {
        let query = "q".repeat(5_000);
        let mut value = json!({"configuration": {"query": query}, "fields": rows(2_000)});
        let cuts = cut(&mut value, 30_000).unwrap();
        assert_eq!(value["configuration"]["query"], query);
        assert_eq!(cuts.len(), 1, "{cuts:?}");
        let mut value = json!({"configuration": {"query": "q".repeat(50_000)}, "fields": rows(20)});
        let cuts = cut(&mut value, 30_000).unwrap();
        assert_eq!((cuts[0].list.as_str(), cuts[0].shown), ("cells", 20));
        assert_eq!(value["fields"], rows(20));
    }

    #[test]
    fn what_cannot_be_cut_is_told() {
        let wide: Map<String, Value> =
            (0..5_000).map(|n| (format!("column_{n}"), json!(n))).collect();
        assert_eq!(cut(&mut json!({"configuration": wide}), 48_000), None);
    }
}
