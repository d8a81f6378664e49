//! A list of a response that may have any number of items, and a value kept as it came.
//!
//! A type of many optional properties takes a multiple of its JSON. So a list reads only its first items at once,
//! and keeps the others as text until they are asked for.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::tolerance;

/// The capacity of a list that has an item: items are large, and a list that grows copies them.
const MIN_CAPACITY: usize = 16;

/// An item of a [`LongList`].
pub trait ListItem: DeserializeOwned + Serialize + Clone {
    /// How many items of a list are read at once.
    const PARSED_ITEMS: usize;
}

/// A list whose items after the first ones are kept as JSON text.
#[derive(Debug, Clone, PartialEq)]
pub struct LongList<T> {
    parsed: Vec<T>,
    /// The other items, a line break behind each.
    text: String,
    texts: usize,
}

impl<T> Default for LongList<T> {
    fn default() -> Self {
        Self { parsed: Vec::new(), text: String::new(), texts: 0 }
    }
}

impl<T: ListItem> LongList<T> {
    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parsed.len() + self.texts
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items in order; those kept as text are read now.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, T>> {
        let texts = serde_json::Deserializer::from_str(&self.text).into_iter::<T>();
        // They have been read before, so none fails.
        let texts = texts.filter_map(Result::ok).map(Cow::Owned);
        self.parsed.iter().map(Cow::Borrowed).chain(texts)
    }

    /// Changes each item.
    pub fn change_each(&mut self, change: impl Fn(&mut T)) {
        self.parsed.iter_mut().for_each(&change);
        self.texts = 0;
        let text = std::mem::take(&mut self.text);
        for item in serde_json::Deserializer::from_str(&text).into_iter::<T>() {
            // They have been read before, so none fails.
            let Ok(mut item) = item else { continue };
            change(&mut item);
            let Ok(text) = serde_json::to_string(&item) else { continue };
            self.push_text(&text);
        }
    }

    /// Keeps the first `len` items.
    pub fn truncate(&mut self, len: usize) {
        let texts = len.saturating_sub(self.parsed.len()).min(self.texts);
        let mut items = serde_json::Deserializer::from_str(&self.text).into_iter::<IgnoredAny>();
        items.by_ref().take(texts).for_each(drop);
        let end = if texts == 0 { 0 } else { items.byte_offset() };
        self.text.truncate(end);
        self.texts = texts;
        self.parsed.truncate(len);
    }
}

impl<T> LongList<T> {
    fn push_text(&mut self, item: &str) {
        self.text.push_str(item);
        self.text.push('\n');
        self.texts += 1;
    }
}

impl<T: ListItem> LongList<T> {
    /// Adds an item as far as it can be read.
    fn push<E: Error>(&mut self, raw: &RawValue) -> Result<(), E> {
        match tolerance::read::<T>(raw) {
            None => {}
            Some((item, _)) if self.parsed.len() < T::PARSED_ITEMS => self.parsed.push(item),
            Some((_, true)) => self.push_text(raw.get()),
            // Without what was left out, it can be read strictly from now on.
            Some((item, false)) => {
                self.push_text(&serde_json::to_string(&item).map_err(E::custom)?);
            }
        }
        Ok(())
    }
}

impl<'a, T: ListItem> IntoIterator for &'a LongList<T> {
    type Item = Cow<'a, T>;
    type IntoIter = Box<dyn Iterator<Item = Cow<'a, T>> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<T: ListItem + Serialize> Serialize for LongList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, T: ListItem> Deserialize<'de> for LongList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: ListItem> Visitor<'de> for ListVisitor<T> {
    type Value = LongList<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = LongList::default();
        if tolerance::is_on() {
            while let Some(raw) = items.next_element::<&RawValue>()? {
                list.push(raw)?;
            }
            return Ok(list);
        }
        while list.parsed.len() < T::PARSED_ITEMS {
            match items.next_element()? {
                Some(item) => {
                    if list.parsed.is_empty() {
                        list.parsed.reserve(MIN_CAPACITY.min(T::PARSED_ITEMS));
                    }
                    list.parsed.push(item);
                }
                None => return Ok(list),
            }
        }
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            serde_json::from_str::<T>(item.get()).map_err(|error| in_item(&error))?;
            list.push_text(item.get());
        }
        Ok(list)
    }
}

/// Begins the message of an error in an item that is kept as text.
pub(in crate::polytomic) const IN_ITEM: &str = "in an item of a list: ";

/// An error in an item. Its position is one in the item, which would be taken for one in the whole text.
fn in_item<E: Error>(error: &serde_json::Error) -> E {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&position).unwrap_or(&message);
    E::custom(format!("{IN_ITEM}{message}"))
}

/// A value of any type as JSON text, until the type to read it as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawJson(String);

impl RawJson {
    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }

    /// Reads it as a type.
    ///
    /// # Errors
    /// If the value has another type.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Box::<str>::from(raw).into_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Item {
        n: u32,
    }

    impl ListItem for Item {
        const PARSED_ITEMS: usize = 3;
    }

    #[test]
    fn a_list_is_the_same_read_from_text_and_from_a_value() {
        for len in 0..8 {
            let items: Vec<Item> = (0..len).map(|n| Item { n }).collect();
            let value = serde_json::to_value(&items).unwrap();
            let list: LongList<Item> = serde_json::from_str(&value.to_string()).unwrap();
            assert_eq!(list, serde_json::from_value(value.clone()).unwrap());
            assert_eq!(list.len(), items.len());
            assert_eq!(serde_json::to_value(&list).unwrap(), value);
            for end in 0..10 {
                let mut list = list.clone();
                list.truncate(end);
                let shown: Vec<Item> = list.iter().map(Cow::into_owned).collect();
                assert_eq!(shown, items[..end.min(items.len())]);
                assert_eq!(list.len(), shown.len());
            }
        }
    }

    #[test]
    fn an_item_of_another_type_is_an_error_wherever_it_is() {
        for len in 0..6 {
            let mut json = vec!["{\"n\":1}"; len];
            json.push("{\"n\":\"x\"}");
            let list = serde_json::from_str::<LongList<Item>>(&format!("[{}]", json.join(",")));
            assert!(list.unwrap_err().to_string().contains("invalid type"), "{len}");
        }
    }
}
