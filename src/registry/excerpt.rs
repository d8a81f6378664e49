//! The part of a large result that can be shown, read from its JSON.
//!
//! Items of a list that cannot be within the size limit are counted and not kept, and long texts in lists are kept
//! truncated. So an excerpt takes memory in proportion to the limit, whatever the size of the result. The examples of a
//! model's fields are left out if all fields can be shown then.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::polytomic::marked_number;

/// Longer texts are truncated.
const MAX_TEXT_CHARACTERS: usize = 2_000;
/// The list of a model's fields, and the property of a field that is shortened before fields are left out.
const FIELDS: &str = "fields";
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

/// How many texts, or examples of fields, a result has, and how many of them were truncated.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TextCount {
    pub(super) seen: usize,
    pub(super) truncated: usize,
}

/// A result without what cannot be shown.
#[derive(Debug)]
pub(crate) struct Excerpt {
    pub(crate) root: Part,
    pub(super) texts: TextCount,
    pub(super) examples: TextCount,
}

impl Excerpt {
    /// Reads what can be shown in `budget` bytes, counted in text and structured content together.
    pub(super) fn read(json: &str, budget: usize) -> serde_json::Result<Self> {
        let (texts, examples) = (Cell::default(), Cell::default());
        let seed = PartSeed {
            budget,
            texts: &texts,
            examples: &examples,
            place: Place::Outside,
            is_shown: true,
        };
        let root = seed.deserialize(&mut serde_json::Deserializer::from_str(json))?;
        let examples = TextCount { seen: examples.get(), truncated: 0 };
        Ok(Self { root, texts: texts.get(), examples })
    }

    /// Visits the examples of fields, which can be left out.
    pub(super) fn for_each_example(&mut self, visit: &mut impl FnMut(&str, &Part)) {
        self.root.for_each_field(&mut |field| {
            let examples = field.iter().filter(|(name, _)| name == EXAMPLE);
            examples.for_each(|(name, value)| visit(name, value));
        });
    }

    /// Shortens the examples of fields to so many characters; 0 leaves them out.
    pub(super) fn shorten_examples(&mut self, max_characters: usize) {
        let mut changed = 0;
        self.root.for_each_field(&mut |field| {
            if max_characters == 0 {
                let count = field.len();
                field.retain(|(name, _)| name != EXAMPLE);
                changed += count - field.len();
                return;
            }
            for (_, value) in field.iter_mut().filter(|(name, _)| name == EXAMPLE) {
                if let Part::Text(text) = value
                    && marked_number(text).is_none()
                    && let Some((end, _)) = text.char_indices().nth(max_characters)
                {
                    text.truncate(end);
                    text.push('…');
                    changed += 1;
                }
            }
        });
        self.examples.truncated = changed;
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
            Self::Object(properties) => properties.iter().map(Self::min_property_bytes).sum(),
        };
        self.scalar_bytes() + parts
    }

    fn min_property_bytes((name, value): &(String, Self)) -> usize {
        property_bytes(name) + value.min_bytes()
    }

    /// The part of them that the example of a field takes.
    fn min_example_bytes(&self) -> usize {
        let Self::Object(properties) = self else { return 0 };
        let examples = properties.iter().filter(|(name, _)| name == EXAMPLE);
        examples.map(Self::min_property_bytes).sum()
    }

    /// Visits the fields of a model; not what looks like them in a list, such as records.
    fn for_each_field(&mut self, visit: &mut impl FnMut(&mut Vec<(String, Self)>)) {
        let Self::Object(properties) = self else { return };
        for (name, value) in properties {
            match value {
                Self::List { items, .. } if name == FIELDS => {
                    for item in items {
                        if let Self::Object(field) = item {
                            visit(field);
                        }
                    }
                }
                value => value.for_each_field(visit),
            }
        }
    }

    fn truncate_texts(&mut self, texts: &mut TextCount) {
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
    /// Outside lists.
    Outside,
    /// It is the list of a model's fields.
    Fields,
    /// It is a field of a model.
    Field,
    /// Inside another list, or a field.
    List,
}

/// Reads a value as a part, or only counts its texts.
#[derive(Clone, Copy)]
struct PartSeed<'a> {
    budget: usize,
    texts: &'a Cell<TextCount>,
    examples: &'a Cell<usize>,
    place: Place,
    is_shown: bool,
}

impl PartSeed<'_> {
    /// For a property of the object.
    fn property(self, name: &str) -> Self {
        let place = match self.place {
            Place::Outside if name == FIELDS => Place::Fields,
            Place::Outside | Place::Fields => Place::Outside,
            Place::Field | Place::List => Place::List,
        };
        if self.place == Place::Field && name == EXAMPLE {
            self.examples.set(self.examples.get() + 1);
        }
        Self { place, ..self }
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
        let mut texts = self.texts.get();
        texts.seen += usize::from(marked_number(text).is_none());
        texts.truncated += usize::from(truncated.is_some());
        self.texts.set(texts);
        if !self.is_shown {
            return Ok(Part::Value(Value::Null));
        }
        Ok(Part::Text(truncated.unwrap_or_else(|| text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Part, A::Error> {
        let (mut items, mut left_out, mut bytes) = (Vec::new(), 0, 0);
        loop {
            let is_shown = self.is_shown && bytes <= self.budget;
            let place = if self.place == Place::Fields { Place::Field } else { Place::List };
            let seed = Self { place, is_shown, ..self };
            match list.next_element_seed(seed)? {
                None => return Ok(Part::List { items, left_out }),
                Some(item) if is_shown => {
                    let has_example = place == Place::Field;
                    bytes += SEPARATOR + item.min_bytes();
                    bytes -= if has_example { item.min_example_bytes() } else { 0 };
                    items.push(item);
                }
                Some(_) => left_out += 1,
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
        let mut properties = Vec::new();
        if self.is_shown {
            while let Some(name) = map.next_key::<String>()? {
                let value = map.next_value_seed(self.property(&name))?;
                properties.push((name, value));
            }
        } else {
            while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                map.next_value_seed(self.property(&name))?;
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
        let excerpt = Excerpt::read(&json.to_string(), 2_000).unwrap();
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
        let excerpt = Excerpt::read(&json.to_string(), 1_000).unwrap();
        assert_eq!(serde_json::to_value(&excerpt.root).unwrap(), json);
    }
}
