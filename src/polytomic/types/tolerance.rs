//! Reading objects although properties have another type than documented: such a property costs itself, not the
//! response.
//!
//! Responses are read strictly first. Where that fails, they are read once more with tolerance, a mode of the thread,
//! since Deserialize has no place for one: each property is taken as text, then read as its type, and left out if
//! that fails.

use std::cell::{Cell, RefCell};

use serde::de::{Error, MapAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Places that are remembered; further ones are only counted.
const MAX_PLACES: usize = 64;

/// What was left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeftOut {
    /// How many values.
    pub(crate) count: usize,
    /// Addresses of the first ones in the text that was read, in ascending order.
    pub(crate) addresses: Vec<usize>,
}

thread_local! {
    static IS_TOLERANT: Cell<bool> = const { Cell::new(false) };
    static LEFT_OUT: RefCell<LeftOut> = RefCell::default();
}

/// Reads JSON text with tolerance; returns what was left out as well.
pub(crate) fn read_tolerantly<'a, T: Deserialize<'a>>(
    json: &'a str,
) -> serde_json::Result<(T, LeftOut)> {
    /// Ends the mode, even if reading panics.
    struct Mode;
    impl Drop for Mode {
        fn drop(&mut self) {
            IS_TOLERANT.set(false);
        }
    }
    IS_TOLERANT.set(true);
    let mode = Mode;
    LEFT_OUT.take();
    let value = serde_json::from_str(json);
    drop(mode);
    Ok((value?, LEFT_OUT.take()))
}

/// Whether the thread is reading with tolerance.
pub(in crate::polytomic) fn is_on() -> bool {
    IS_TOLERANT.get()
}

/// Reads a value; none, if it has another type. Returns whether it is complete as well.
pub(super) fn read<'de, T: Deserialize<'de>>(raw: &'de RawValue) -> Option<(T, bool)> {
    let count = || LEFT_OUT.with_borrow(|left_out| left_out.count);
    let (before, places) = LEFT_OUT.with_borrow(|all| (all.count, all.addresses.len()));
    if let Ok(value) = serde_json::from_str(raw.get()) {
        return Some((value, count() == before));
    }
    // What it holds is left out with it.
    LEFT_OUT.with_borrow_mut(|left_out| {
        left_out.count = before;
        left_out.addresses.truncate(places);
    });
    leave_out(raw);
    None
}

fn leave_out(raw: &RawValue) {
    LEFT_OUT.with_borrow_mut(|left_out| {
        left_out.count += 1;
        if left_out.addresses.len() < MAX_PLACES {
            left_out.addresses.push(raw.get().as_ptr().addr());
        }
    });
}

/// Reads a value that may be null or, with tolerance, of another type.
pub(in crate::polytomic) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    if !is_on() {
        return Option::deserialize(deserializer);
    }
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(read::<Option<T>>(raw).and_then(|(value, _)| value))
}

/// The same for the value of a property.
pub(super) fn next_value<'de, A, T>(map: &mut A) -> Result<Option<T>, A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    if !is_on() {
        return map.next_value();
    }
    let raw = map.next_value::<&RawValue>()?;
    Ok(read::<Option<T>>(raw).and_then(|(value, _)| value))
}

/// A list of objects. With tolerance, an item of another type is left out, and `{}` is an empty list: some languages do not
/// distinguish the two.
pub(in crate::polytomic) struct Items<T>(pub(in crate::polytomic) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !is_on() {
            return Vec::deserialize(deserializer).map(Self);
        }
        let raw = <&RawValue>::deserialize(deserializer)?;
        let content = raw.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if content.is_some_and(|content| content.trim().is_empty()) {
            leave_out(raw);
            return Ok(Self(Vec::new()));
        }
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self(items.into_iter().filter_map(|raw| read(raw).map(|(item, _)| item)).collect()))
    }
}
