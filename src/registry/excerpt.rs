//! The part of a large result that can be shown, read from its JSON.
//!
//! Items of a list that cannot be within the size limit are counted and not kept, and long texts in lists are kept
//! truncated. So an excerpt takes memory in proportion to the limit, whatever the size of the result.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::polytomic::marked_number;

/// Longer texts are truncated.
const MAX_TEXT_CHARACTERS: usize = 2_000;
/// The list of a model's fields, and what may contain it.
const FIELDS: &str = "fields";
const WITH_FIELDS: [&str; 3] = ["model", "job", "result"];
/// The property of a field that may be shortened.
const EXAMPLE: &str = "example";
/// Bytes between and around values, in text and structured content; quotes are escaped in the text.
pub(super) const SEPARATOR: usize = 2;
pub(super) const BRACKETS: usize = 4;
const QUOTES: usize = 6;

/// A value of a result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// A value that is never truncated.
    Value(Value),
    Text(String),
    List {
        items: Vec<Self>,
        /// Further items, which are only counted.
        left_out: usize,
    },
    Object(Vec<(String, Self)>),
}

/// How many texts or examples a result has, and how many of them were truncated.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    pub(super) seen: usize,
    pub(super) truncated: usize,
}

/// A result without what cannot be shown.
#[derive(Debug)]
pub(crate) struct Excerpt {
    pub(crate) root: Part,
    pub(super) texts: Count,
    /// Those of the fields of a model, if they are shortened.
    pub(super) examples: Count,
}

impl Excerpt {
    /// Reads what can be shown in `budget` bytes, counted in text and structured content together. `max_example`: the most
    /// characters of the example of a field; 0 leaves it out.
    pub(super) fn read(
        json: &str,
        budget: usize,
        max_example: Option<usize>,
    ) -> serde_json::Result<Self> {
        let (texts, examples) = (Cell::default(), Cell::default());
        let counts = Counts { texts: &texts, examples: &examples };
        let seed = PartSeed { budget, max_example, counts, place: Place::Outside, is_shown: true };
        let root = seed.deserialize(&mut serde_json::Deserializer::from_str(json))?;
        Ok(Self { root, texts: texts.get(), examples: examples.get() })
    }

    /// Truncates the texts outside lists.
    pub(super) fn truncate_texts(&mut self) {
        self.root.truncate_texts(&mut self.texts);
    }
}

impl Part {
    /// Removes a property of an object.
    pub(super) fn remove(&mut self, property: &str) {
        if let Self::Object(properties) = self {
            properties.retain(|(name, _)| name != property);
        }
    }

    /// Sets a property of an object.
    pub(super) fn set(&mut self, property: &str, value: Value) {
        let Self::Object(properties) = self else { return };
        match properties.iter_mut().find(|(name, _)| name == property) {
            Some((_, part)) => *part = Self::Value(value),
            None => properties.push((property.to_owned(), Self::Value(value))),
        }
    }

    /// Bytes of a value without parts.
    pub(super) fn scalar_bytes(&self) -> usize {
        match self {
            Self::Value(Value::Null) => 2 * 4,
            Self::Value(Value::Bool(_)) => 2 * 5,
            Self::Value(value) => 2 * value.to_string().len(),
            Self::Text(text) => text_bytes(text),
            Self::List { .. } | Self::Object(_) => BRACKETS,
        }
    }

    /// The least that it can be truncated to: the first item of each list.
    fn min_bytes(&self) -> usize {
        let parts: usize = match self {
            Self::Value(_) | Self::Text(_) => 0,
            Self::List { items, .. } => {
                items.first().map_or(0, |item| SEPARATOR + item.min_bytes())
            }
            Self::Object(properties) => properties
                .iter()
                .map(|(name, value)| property_bytes(name) + value.min_bytes())
                .sum(),
        };
        self.scalar_bytes() + parts
    }

    fn truncate_texts(&mut self, texts: &mut Count) {
        match self {
            Self::Text(text) => {
                if let Some(truncated) = truncated(text) {
                    *text = truncated;
                    texts.truncated += 1;
                }
            }
            Self::List { items, .. } => {
                items.iter_mut().for_each(|item| item.truncate_texts(texts));
            }
            Self::Object(properties) => {
                properties.iter_mut().for_each(|(_, value)| value.truncate_texts(texts));
            }
            Self::Value(_) => {}
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List { items, .. } => serializer.collect_seq(items),
            Self::Object(properties) => {
                serializer.collect_map(properties.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

/// The name of a property with its separators.
pub(super) fn property_bytes(name: &str) -> usize {
    text_bytes(name) + 2 * SEPARATOR
}

/// A text as JSON, and once more with every quote and backslash of that escaped again.
fn text_bytes(text: &str) -> usize {
    let byte_cost = |byte: u8| match byte {
        b'"' | b'\\' => 2 * 2 + 2,
        b'\n' | b'\r' | b'\t' | 8 | 12 => 2 * 2 + 1,
        0..0x20 => 2 * 6 + 1,
        _ => 2,
    };
    QUOTES + text.bytes().map(byte_cost).sum::<usize>()
}

/// The beginning of a text that is too long. A marked number is none.
fn truncated(text: &str) -> Option<String> {
    if text.len() <= MAX_TEXT_CHARACTERS || marked_number(text).is_some() {
        return None;
    }
    let length = text.chars().count();
    let note = format!("… (truncated: {length} characters in total)");
    let kept = MAX_TEXT_CHARACTERS - note.chars().count();
    (length > MAX_TEXT_CHARACTERS).then(|| text.chars().take(kept).chain(note.chars()).collect())
}

/// Where in a result a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside lists, where the fields of a model may be.
    Outside,
    /// Outside lists, elsewhere.
    Elsewhere,
    /// It is the list of a model's fields.
    Fields,
    /// It is a field of a model.
    Field,
    /// Inside another list, or a field.
    List,
    /// Inside the example of a field, which is shortened.
    Example,
}

#[derive(Clone, Copy)]
struct Counts<'a> {
    texts: &'a Cell<Count>,
    examples: &'a Cell<Count>,
}

/// Reads a value as a part, or only counts its texts.
#[derive(Clone, Copy)]
struct PartSeed<'a> {
    budget: usize,
    max_example: Option<usize>,
    counts: Counts<'a>,
    place: Place,
    is_shown: bool,
}

impl PartSeed<'_> {
    /// For a property of an object.
    fn property(self, name: &str) -> Self {
        let place = match self.place {
            Place::Outside if name == FIELDS => Place::Fields,
            Place::Outside if WITH_FIELDS.contains(&name) => Place::Outside,
            Place::Outside | Place::Elsewhere | Place::Fields => Place::Elsewhere,
            Place::Field if name == EXAMPLE && self.max_example.is_some() => Place::Example,
            Place::Field | Place::List => Place::List,
            Place::Example => Place::Example,
        };
        Self { place, ..self }
    }

    /// For an item of a list.
    fn item(self, is_shown: bool) -> Self {
        let place = match self.place {
            Place::Fields => Place::Field,
            Place::Example => Place::Example,
            Place::Outside | Place::Elsewhere | Place::Field | Place::List => Place::List,
        };
        Self { place, is_shown, ..self }
    }

    /// Shortens an example, and counts it; none if it is left out.
    fn shortened(self, mut example: Part) -> Option<Part> {
        let max = self.max_example?;
        let mut examples = self.counts.examples.get();
        examples.seen += 1;
        let mut is_shortened = max == 0;
        if let Part::Text(text) = &mut example
            && marked_number(text).is_none()
            && let Some((end, _)) = text.char_indices().nth(max)
        {
            text.truncate(end);
            text.push('…');
            is_shortened = true;
        }
        examples.truncated += usize::from(is_shortened);
        self.counts.examples.set(examples);
        (max > 0).then_some(example)
    }
}

impl<'de> DeserializeSeed<'de> for PartSeed<'_> {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PartSeed<'_> {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a result")
    }

    fn visit_unit<E>(self) -> Result<Part, E> {
        Ok(Part::Value(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Part, E> {
        Ok(Part::Value(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Part, E> {
        Ok(Part::Value(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Part, E> {
        Ok(Part::Value(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Part, E> {
        Ok(Part::Value(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Part, E> {
        let is_in_list = matches!(self.place, Place::Field | Place::List);
        let truncated = if is_in_list { truncated(text) } else { None };
        if self.place != Place::Example {
            let mut texts = self.counts.texts.get();
            texts.seen += usize::from(marked_number(text).is_none());
            texts.truncated += usize::from(truncated.is_some());
            self.counts.texts.set(texts);
        }
        if !self.is_shown {
            return Ok(Part::Value(Value::Null));
        }
        Ok(Part::Text(truncated.unwrap_or_else(|| text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Part, A::Error> {
        let (mut items, mut left_out, mut bytes) = (Vec::new(), 0, 0);
        loop {
            let is_shown = self.is_shown && bytes <= self.budget;
            match list.next_element_seed(self.item(is_shown))? {
                None => return Ok(Part::List { items, left_out }),
                Some(item) if is_shown => {
                    bytes += SEPARATOR + item.min_bytes();
                    items.push(item);
                }
                Some(_) => left_out += 1,
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
        let mut properties = Vec::new();
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let seed = self.property(&name);
            let value = map.next_value_seed(seed)?;
            let is_example = self.place == Place::Field && seed.place == Place::Example;
            let value = if is_example { self.shortened(value) } else { Some(value) };
            if let Some(value) = value.filter(|_| self.is_shown) {
                properties.push((name.into_owned(), value));
            }
        }
        Ok(Part::Object(properties))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_shown_is_counted() {
        let items: Vec<Value> = (0..1_000).map(|n| json!({"n": n, "text": "x"})).collect();
        let json = json!({"a": items, "b": [["y".repeat(3_000)], []], "c": "z".repeat(3_000)});
        let excerpt = Excerpt::read(&json.to_string(), 2_000, None).unwrap();
        let Part::Object(properties) = &excerpt.root else { panic!("{excerpt:?}") };
        let Part::List { items, left_out } = &properties[0].1 else { panic!("{excerpt:?}") };
        assert_eq!(items.len() + left_out, 1_000);
        assert!((20..100).contains(&items.len()), "{}", items.len());
        let shown = serde_json::to_value(&excerpt.root).unwrap();
        assert_eq!(shown["a"][3], json!({"n": 3, "text": "x"}));
        assert_eq!(shown["c"], json["c"]);
        let text = shown["b"][0][0].as_str().unwrap();
        assert_eq!((text.chars().count(), &text[..5]), (2_000, "yyyyy"));
        assert_eq!((excerpt.texts.seen, excerpt.texts.truncated), (1_002, 1));
    }

    #[test]
    fn a_small_result_is_its_own_excerpt() {
        let json = json!({"a": [1, -2.5, null, true, [], {}], "b": {"c": "\u{7f}1.50", "ü": "\""}});
        let excerpt = Excerpt::read(&json.to_string(), 1_000, None).unwrap();
        assert_eq!(serde_json::to_value(&excerpt.root).unwrap(), json);
    }
}
