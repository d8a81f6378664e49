//! Masks a value of any type at any depth, also inside a text that is JSON.

use std::collections::HashMap;
use std::mem;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::columns::{Kind, describes, is_identifier, kind_of};
use super::forms::{mask_digits, mask_email, mask_identity, mask_words};
use super::level::Masking;
use super::report::Report;
use super::text::mask_text;
use crate::polytomic::{Reader, mark, marked_number, restore};
use crate::registry::secret_texts::MASK;

/// Names whose kinds are remembered: more than the columns of any model.
const MAX_REMEMBERED: usize = 10_000;
/// Digits of a phone number, at least; below a column of that kind, shorter ones are extensions and counts.
const MIN_PHONE_DIGITS: usize = 3;
/// In a pair such as `{"name": "email", "value": "…"}`, what has the name of the value, and what has the value.
const LABELS: [&str; 4] = ["name", "key", "label", "field"];
const LABELLED: [&str; 3] = ["value", "val", "content"];

/// Masks values, and counts them.
pub(super) struct Masker {
    masking: Masking,
    columns: HashMap<String, Column>,
    pub(super) report: Report,
}

/// What the name of a value says about it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Column {
    kind: Option<Kind>,
    is_identifier: bool,
}

impl Masker {
    pub(super) fn new(masking: Masking) -> Self {
        Self { masking, columns: HashMap::new(), report: Report::default() }
    }

    pub(super) fn masking(&self) -> Masking {
        self.masking
    }

    /// What a name says about its value.
    pub(super) fn column(&mut self, name: &str) -> Column {
        if let Some(column) = self.columns.get(name) {
            return *column;
        }
        let column =
            Column { kind: kind_of(name, self.masking), is_identifier: is_identifier(name) };
        if self.columns.len() < MAX_REMEMBERED {
            self.columns.insert(name.to_owned(), column);
        }
        column
    }

    /// Masks a value. `name`: of its column, for the report; none while that is below.
    pub(super) fn mask(&mut self, value: &mut Value, column: Column, name: Option<&str>) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.mask(item, column, name));
            }
            Value::Object(map) => self.mask_object(map, column, name),
            Value::Number(number) => {
                if let Some(masked) = self.masked_number(&number.to_string(), column) {
                    self.report.add(name, true);
                    *value = masked.into();
                }
            }
            Value::String(text) => match marked_number(text) {
                Some(number) => {
                    if let Some(masked) = self.masked_number(number, column) {
                        self.report.add(name, true);
                        *text = masked;
                    }
                }
                None => {
                    if self.mask_nested(text, column, name) {
                        return;
                    }
                    let masked = self.masked_text(text, column);
                    if masked != *text {
                        self.report.add(name, false);
                        *text = masked;
                    }
                }
            },
        }
    }

    /// Masks the values of an object, and its names where they are values themselves.
    fn mask_object(&mut self, map: &mut Map<String, Value>, parent: Column, name: Option<&str>) {
        let label = LABELS.iter().find_map(|label| map.get(*label)?.as_str().map(str::to_owned));
        let labelled = match label {
            Some(label) => self.column(&label),
            None => Column::default(),
        };
        for (key, mut value) in mem::take(map) {
            let mut column = self.column(&key);
            if column.kind.is_none() && labelled.kind.is_some() && LABELLED.contains(&&*key) {
                column = labelled;
            }
            let is_inherited = column.kind.is_none() || parent.kind == Some(Kind::Secret);
            if is_inherited && !describes(&key) {
                column.kind = parent.kind.or(column.kind);
            }
            let masked = mask_text(&key, self.masking, false);
            // Records are by the id of their model.
            let column_name =
                (name.is_none() && Uuid::try_parse(&key).is_err()).then_some(&*masked);
            self.mask(&mut value, column, name.or(column_name));
            if masked != key {
                self.report.add(name, false);
            }
            insert_at_free_name(map, masked, value);
        }
    }

    /// Masks a text that is itself JSON. Returns whether it is.
    fn mask_nested(&mut self, text: &mut String, column: Column, name: Option<&str>) -> bool {
        if !text.trim_start().starts_with(['{', '[', '"']) {
            return false;
        }
        let Ok(mut value) = serde_json::from_str::<Value>(&mark(text)) else { return false };
        let masked_before = self.report.values();
        self.mask(&mut value, column, name);
        if self.report.values() > masked_before {
            *text = restore(&value.to_string(), Reader::Api).into_owned();
        }
        true
    }

    fn masked_text(&self, text: &str, column: Column) -> String {
        match column.kind {
            _ if text.is_empty() => String::new(),
            Some(Kind::Secret | Kind::SecretText) if is_time(text) => text.to_owned(),
            Some(Kind::Secret | Kind::SecretText) => MASK.to_owned(),
            Some(Kind::Email) => mask_email(text),
            Some(Kind::Words) => mask_words(text),
            Some(Kind::Identity) => mask_identity(text),
            Some(Kind::Digits) => {
                let text = mask_text(text, self.masking, false);
                if digits(&text) < MIN_PHONE_DIGITS { text } else { mask_digits(&text) }
            }
            None => mask_text(text, self.masking, column.is_identifier),
        }
    }

    /// A number as masked text; none if it stays.
    fn masked_number(&self, number: &str, column: Column) -> Option<String> {
        match column.kind {
            Some(Kind::SecretText) => None,
            Some(Kind::Secret) => Some(MASK.to_owned()),
            Some(Kind::Digits) if digits(number) < MIN_PHONE_DIGITS => None,
            Some(_) => Some(self.masked_text(number, column)),
            None => {
                let masked = mask_text(number, self.masking, column.is_identifier);
                (masked != number).then_some(masked)
            }
        }
    }
}

/// A value with what it holds masked.
#[cfg(any(fuzzing, test))]
pub(crate) fn masked(mut value: Value, masking: Masking) -> Value {
    Masker::new(masking).mask(&mut value, Column::default(), None);
    value
}

fn digits(text: &str) -> usize {
    text.chars().filter(|c| c.is_numeric()).count()
}

/// Whether a text is a date or time, which no secret is: `2026-01-31`, `2026-01-31T08:00:00Z`.
fn is_time(text: &str) -> bool {
    const LONGEST: usize = "2026-01-31T08:00:00.000000000+00:00".len();
    let date = text.as_bytes().get(..10).unwrap_or_default();
    let is_date = date.len() == 10
        && date.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let is_part = |byte: u8| byte.is_ascii_digit() || b"-:.+TZ ".contains(&byte);
    is_date && text.len() <= LONGEST && text.bytes().all(is_part)
}

/// Adds a property; its masked name may be that of another one.
fn insert_at_free_name(map: &mut Map<String, Value>, name: String, value: Value) {
    let mut free = name.clone();
    let mut count = map.len();
    while map.contains_key(&free) {
        count += 1;
        free = format!("{name} ({count})");
    }
    map.insert(free, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let texts = [
            "jane@example.com",
            "4111111111111111",
            "x",
            "",
            "{\"email\": \"jane\"}",
            "[\"\\\"+49 30 901820\\\"\"]",
            "2026-01-31",
            "12 Main Street",
            "\u{7f}1.50",
            "[1, 1.50]",
        ];
        let names = [
            "email",
            "password",
            "phone",
            "address",
            "type",
            "tokens",
            "a",
            "name",
            "value",
            "jane@a.com",
            "*@*.com",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            Just(json!(4_111_111_111_111_111_u64)),
            prop::sample::select(texts.to_vec()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            let names = prop::sample::select(names.to_vec()).prop_map(str::to_owned);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names, inner.clone()), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
                inner.prop_map(|value| value.to_string().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_masked_value_keeps_its_shape_and_stays_as_it_is(value in values()) {
            for masking in [Masking::Secrets, Masking::Personal] {
                let once = masked(value.clone(), masking);
                prop_assert_eq!(&masked(once.clone(), masking), &once);
                let shape = |value: &Value| (value.as_array().map(Vec::len), value.as_object().map(Map::len));
                prop_assert_eq!(shape(&once), shape(&value));
            }
        }
    }

    #[test]
    fn names_that_are_masked_alike_stay_apart() {
        let value = json!({"votes": {"jane@a.com": 1, "jack@a.com": 2, "j***@*.com": 3}});
        let expected =
            json!({"votes": {"j***@*.com": 1, "j***@*.com (2)": 2, "j***@*.com (3)": 3}});
        assert_eq!(masked(value, Masking::Personal).to_string(), expected.to_string());
    }

    #[test]
    fn what_is_below_a_name_and_beside_a_label_is_masked() {
        for (value, expected) in [
            (
                json!({"address": {"street": "Main", "zip": 12, "country": "DE", "verified": true}}),
                json!({"address": {"street": "M***", "zip": "**", "country": "DE", "verified": true}}),
            ),
            (
                json!({"credentials": {"user": "u", "pin": 1}}),
                json!({"credentials": {"user": MASK, "pin": MASK}}),
            ),
            (
                json!({"list": [{"name": "Email", "value": "Jane"}]}),
                json!({"list": [{"name": "Email", "value": "J***"}]}),
            ),
            (
                json!({"a": "\"{\\\"phone\\\": 12345}\""}),
                json!({"a": "\"{\\\"phone\\\":\\\"*****\\\"}\""}),
            ),
        ] {
            assert_eq!(masked(value.clone(), Masking::Personal), expected, "{value}");
        }
    }
}
