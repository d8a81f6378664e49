//! Which records of a model are written: conditions on stored values, in the terms of the API.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use rusqlite::types::Value;
use serde_json::Value as Json;

use crate::sandbox::http::error::ApiError;

/// A condition on a value, before a negation.
#[derive(Debug)]
pub(super) struct Condition {
    function: Function,
    operands: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    OneOf,
    IsNull,
    True,
    False,
    Compare(&'static [Ordering]),
    Between,
    Contains,
    StartsWith,
    EndsWith,
    Like,
    Trimmed,
    ArrayContains,
}

const AT_LEAST: &[Ordering] = &[Ordering::Greater, Ordering::Equal];
const AT_MOST: &[Ordering] = &[Ordering::Less, Ordering::Equal];

/// The function, and whether the condition is that it does not hold.
fn function(name: &str) -> Option<(Function, bool)> {
    Some(match name {
        "Equality" | "StringOneOf" => (Function::OneOf, false),
        "Inequality" | "StringNotOneOf" => (Function::OneOf, true),
        "IsNull" => (Function::IsNull, false),
        "IsNotNull" => (Function::IsNull, true),
        "True" => (Function::True, false),
        "False" => (Function::False, false),
        "OnOrAfter" | "GreaterThanEqual" => (Function::Compare(AT_LEAST), false),
        "OnOrBefore" | "LessThanEqual" => (Function::Compare(AT_MOST), false),
        "GreaterThan" => (Function::Compare(&[Ordering::Greater]), false),
        "LessThan" => (Function::Compare(&[Ordering::Less]), false),
        "Between" => (Function::Between, false),
        "StringContains" => (Function::Contains, false),
        "StringDoesNotContain" => (Function::Contains, true),
        "StringStartsWith" => (Function::StartsWith, false),
        "StringDoesNotStartWith" => (Function::StartsWith, true),
        "StringEndsWith" => (Function::EndsWith, false),
        "StringDoesNotEndWith" => (Function::EndsWith, true),
        "StringLike" => (Function::Like, false),
        "StringNotLike" => (Function::Like, true),
        "StringMatchesTrimmed" => (Function::Trimmed, false),
        "ArrayContains" => (Function::ArrayContains, false),
        "ArrayDoesNotContain" => (Function::ArrayContains, true),
        _ => return None,
    })
}

/// A condition, and whether it is that it does not hold.
#[derive(Debug)]
pub(super) struct Filter {
    condition: Condition,
    is_negated: bool,
}

impl Filter {
    /// # Errors
    /// 400 for a function that the sandbox does not have, and for a value that does not suit it. `path` is that of the filter.
    pub(super) fn new(path: &str, name: &str, value: Option<&Json>) -> Result<Self, ApiError> {
        let (function, is_negated) = function(name).ok_or_else(|| {
            ApiError::invalid(format!("{path}.function: the sandbox does not evaluate {name}."))
        })?;
        let operands: Vec<Value> = match value {
            Some(Json::Array(values)) => values.iter().map(to_stored).collect(),
            Some(value) => vec![to_stored(value)],
            None => Vec::new(),
        };
        let expected = match function {
            Function::IsNull | Function::True | Function::False => None,
            Function::OneOf => operands.is_empty().then_some("a value or a list of values"),
            Function::Between => (operands.len() != 2).then_some("a list of two values"),
            _ => (operands.len() != 1).then_some("one value"),
        };
        if let Some(expected) = expected {
            return Err(ApiError::invalid(format!(
                "{path}.value: expected {expected} for {name}."
            )));
        }
        Ok(Self { condition: Condition { function, operands }, is_negated })
    }

    pub(super) fn matches(&self, value: &Value) -> bool {
        self.condition.holds(value) != self.is_negated
    }
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        if let Function::IsNull = self.function {
            return *value == Value::Null;
        }
        let text = || to_text(value);
        let operand = |index: usize| self.operands.get(index).unwrap_or(&Value::Null);
        let wanted = || to_text(operand(0));
        match self.function {
            Function::OneOf => self.operands.iter().any(|operand| is_equal(value, operand)),
            _ if *value == Value::Null => false,
            Function::True => matches!(text().as_str(), "1" | "true"),
            Function::False => matches!(text().as_str(), "0" | "false"),
            Function::Compare(orderings) => orderings.contains(&compare(value, operand(0))),
            Function::Between => {
                AT_LEAST.contains(&compare(value, operand(0)))
                    && AT_MOST.contains(&compare(value, operand(1)))
            }
            Function::Contains => text().contains(&wanted()),
            Function::StartsWith => text().starts_with(&wanted()),
            Function::EndsWith => text().ends_with(&wanted()),
            Function::Like => is_like(&text(), &wanted()),
            Function::Trimmed => text().trim() == wanted().trim(),
            Function::ArrayContains => {
                let items: Option<Vec<Json>> = serde_json::from_str(&text()).ok();
                items.is_some_and(|items| {
                    items.iter().any(|item| is_equal(&to_stored(item), operand(0)))
                })
            }
            Function::IsNull => false,
        }
    }
}

/// A value of a request as SQLite stores it.
pub(super) fn to_stored(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Integer(i64::from(*value)),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Real(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => Value::Text(value.to_string()),
    }
}

pub(super) fn to_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => real.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn is_equal(value: &Value, operand: &Value) -> bool {
    match (value, operand) {
        (Value::Null, other) | (other, Value::Null) => *other == Value::Null,
        (Value::Blob(one), Value::Blob(other)) => one == other,
        _ => compare(value, operand) == Ordering::Equal,
    }
}

/// Compares as numbers or times if both are such, otherwise as text.
fn compare(value: &Value, operand: &Value) -> Ordering {
    if let (Value::Integer(value), Value::Integer(operand)) = (value, operand) {
        return value.cmp(operand);
    }
    let is_text = |value: &Value| matches!(value, Value::Text(_));
    if !(is_text(value) && is_text(operand))
        && let (Some(value), Some(operand)) = (to_number(value), to_number(operand))
    {
        return value.total_cmp(&operand);
    }
    let (value, operand) = (to_text(value), to_text(operand));
    match (to_time(&value), to_time(&operand)) {
        (Some(value), Some(operand)) => value.cmp(&operand),
        _ => value.cmp(&operand),
    }
}

fn to_number(value: &Value) -> Option<f64> {
    match value {
        #[allow(clippy::cast_precision_loss, reason = "compared with a real number")]
        Value::Integer(integer) => Some(*integer as f64),
        Value::Real(real) => Some(*real),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Microseconds since 1970; a time without a zone is in UTC.
fn to_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let with_time = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let time = with_time
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    time.map(|time| time.and_utc().timestamp_micros())
}

/// LIKE of SQL: `%` stands for any text and `_` for a character, without case in ASCII.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (
        text.to_ascii_lowercase().chars().collect(),
        pattern.to_ascii_lowercase().chars().collect(),
    );
    // Which prefixes of the pattern match the text so far.
    let mut matches = vec![true];
    for c in &pattern {
        matches.push(*c == '%' && matches.last() == Some(&true));
    }
    for c in &text {
        let mut next = vec![false];
        for (index, wanted) in pattern.iter().enumerate() {
            let at = |matches: &[bool], index: usize| matches.get(index).copied().unwrap_or(false);
            next.push(match wanted {
                '%' => at(&matches, index + 1) || at(&next, index),
                '_' => at(&matches, index),
                wanted => wanted == c && at(&matches, index),
            });
        }
        matches = next;
    }
    matches.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_match_by_the_functions_of_the_api() {
        let text = |text: &str| Value::Text(text.to_owned());
        let cases = [
            ("Equality", json!(7), Value::Integer(7), true),
            ("Equality", json!("7"), Value::Integer(7), true),
            ("Equality", json!([7, 8]), Value::Integer(8), true),
            ("Equality", json!(null), Value::Null, true),
            ("Equality", json!("a"), Value::Null, false),
            ("Inequality", json!("a"), Value::Null, true),
            ("GreaterThan", json!(9), Value::Real(9.5), true),
            ("GreaterThan", json!("9"), Value::Integer(10), true),
            ("LessThan", json!(10), Value::Null, false),
            ("Between", json!([1, 3]), Value::Integer(3), true),
            ("OnOrAfter", json!("2024-01-01"), text("2024-01-01T00:00:00Z"), true),
            ("OnOrBefore", json!("2024-01-01T01:00:00+01:00"), text("2024-01-01 00:00:01"), false),
            ("StringLike", json!("a%_d"), text("Abcd"), true),
            ("StringLike", json!("a_"), text("abc"), false),
            ("StringNotLike", json!("%"), text(""), false),
            ("StringMatchesTrimmed", json!(" x"), text("x "), true),
            ("StringStartsWith", json!("us"), text("user"), true),
            ("StringDoesNotContain", json!("se"), text("user"), false),
            ("ArrayContains", json!("b"), text("[\"a\", \"b\"]"), true),
            ("ArrayDoesNotContain", json!("b"), text("no array"), true),
            ("True", Json::Null, Value::Integer(1), true),
            ("False", Json::Null, Value::Null, false),
            ("IsNotNull", Json::Null, text(""), true),
        ];
        for (function, operand, value, expected) in cases {
            let filter = Filter::new("filters[0]", function, Some(&operand)).unwrap();
            assert_eq!(filter.matches(&value), expected, "{function} {operand} {value:?}");
        }
        for (function, operand) in
            [("InTheLast", json!(1)), ("Between", json!(1)), ("StringLike", json!([]))]
        {
            let error = Filter::new("filters[0]", function, Some(&operand)).unwrap_err();
            assert!(error.message().starts_with("filters[0]."), "{}", error.message());
        }
    }
}
