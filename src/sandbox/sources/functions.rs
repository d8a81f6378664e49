//! Functions that take the place of SQLite's own, where those need more than linear time: one call of a function is a single
//! step, which no interrupt reaches. Each does the same in linear time, or limits its arguments.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem::{self, Finder};
use rusqlite::functions::{Context, FunctionFlags, SubType};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Error, Result, ToSql, ffi, params_from_iter};

/// The longest value of a statement.
pub(super) const MAX_VALUE_BYTES: usize = 1024 * 1024;
/// SQLite looks up every property of the patch by going through those of the target.
const MAX_PATCH_BYTES: usize = 64 * 1024;
/// SQLite goes through the ignored characters for every character.
const MAX_IGNORED_BYTES: usize = 100;
/// Characters take at most this many bytes in UTF-8.
const MAX_CHARACTER_BYTES: usize = 4;
/// What SQLite calls JSON that is the result of a function.
const JSON_SUBTYPE: SubType = Some(b'J' as std::ffi::c_uint);

/// Replaces the functions of a connection.
pub(super) fn replace_slow_functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("instr", 2, flags, |context| {
        instr(context.get_raw(0), context.get_raw(1))
    })?;
    connection.create_scalar_function("replace", 3, flags, |context| {
        replace(context.get_raw(0), context.get_raw(1), context.get_raw(2))
    })?;
    for (name, ends) in [("trim", Ends::BOTH), ("ltrim", Ends::LEFT), ("rtrim", Ends::RIGHT)] {
        connection.create_scalar_function(name, 1, flags, move |context| {
            trim(context.get_raw(0), ValueRef::Text(b" "), ends)
        })?;
        connection.create_scalar_function(name, 2, flags, move |context| {
            trim(context.get_raw(0), context.get_raw(1), ends)
        })?;
    }
    connection.create_scalar_function("unhex", 2, flags, |context| {
        check_length(context, 1, "unhex", "ignored characters", MAX_IGNORED_BYTES)?;
        evaluate("SELECT unhex(?1, ?2)", &[context.get_raw(0), context.get_raw(1)])
    })?;
    let json_flags = flags | FunctionFlags::SQLITE_RESULT_SUBTYPE;
    connection.create_scalar_function("json_patch", 2, json_flags, |context| {
        Ok((patch(context, "json_patch", "SELECT json_patch(?1, ?2)")?, JSON_SUBTYPE))
    })?;
    connection.create_scalar_function("jsonb_patch", 2, flags, |context| {
        patch(context, "jsonb_patch", "SELECT jsonb_patch(?1, ?2)")
    })
}

/// What a function returns.
enum Output {
    Null,
    Integer(i64),
    /// Which, as in SQLite, may not be UTF-8.
    Text(Vec<u8>),
}

impl ToSql for Output {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(integer) => ToSqlOutput::Owned(Value::Integer(*integer)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text)),
        })
    }
}

/// Where `needle` begins in `haystack`: in bytes from 1 if both are blobs, else in characters; 0 if nowhere.
fn instr(haystack: ValueRef<'_>, needle: ValueRef<'_>) -> Result<Output> {
    let is_text = !matches!((haystack, needle), (ValueRef::Blob(_), ValueRef::Blob(_)));
    let (Some(haystack), Some(needle)) = (text(haystack)?, text(needle)?) else {
        return Ok(Output::Null);
    };
    let found = match needle.first() {
        // Text is searched from character to character, so this is found at its beginning only.
        Some(first) if is_text && is_continuation(*first) => {
            haystack.starts_with(&needle).then_some(0)
        }
        _ => memmem::find(&haystack, &needle),
    };
    let position = match found {
        None => 0,
        Some(offset) if !is_text => offset.saturating_add(1),
        Some(offset) => {
            let after_first = haystack.get(1..=offset).unwrap_or_default();
            after_first.iter().filter(|byte| !is_continuation(**byte)).count().saturating_add(1)
        }
    };
    Ok(Output::Integer(i64::try_from(position).unwrap_or(i64::MAX)))
}

/// `value` with `replacement` in place of every `pattern`.
fn replace(
    value: ValueRef<'_>,
    pattern: ValueRef<'_>,
    replacement: ValueRef<'_>,
) -> Result<Output> {
    let (Some(content), Some(pattern)) = (text(value)?, text(pattern)?) else {
        return Ok(Output::Null);
    };
    if matches!(pattern.first(), None | Some(0)) {
        return Ok(Output::Text(content.into_owned()));
    }
    let Some(replacement) = text(replacement)? else {
        return Ok(Output::Null);
    };
    let mut result = Vec::with_capacity(content.len());
    let mut rest_at = 0;
    for found in Finder::new(&*pattern).find_iter(&content) {
        result.extend_from_slice(content.get(rest_at..found).unwrap_or_default());
        result.extend_from_slice(&replacement);
        rest_at = found.saturating_add(pattern.len());
        if result.len() > MAX_VALUE_BYTES {
            let too_big = ffi::Error::new(ffi::SQLITE_TOOBIG);
            return Err(Error::SqliteFailure(too_big, Some("string or blob too big".to_owned())));
        }
    }
    result.extend_from_slice(content.get(rest_at..).unwrap_or_default());
    Ok(Output::Text(result))
}

/// Which ends of a text are trimmed.
#[derive(Debug, Clone, Copy)]
struct Ends {
    left: bool,
    right: bool,
}

impl Ends {
    const BOTH: Self = Self { left: true, right: true };
    const LEFT: Self = Self { left: true, right: false };
    const RIGHT: Self = Self { left: false, right: true };
}

/// `value` without the characters at its ends that are in `characters`.
fn trim(value: ValueRef<'_>, characters: ValueRef<'_>, ends: Ends) -> Result<Output> {
    let (Some(value), Some(characters)) = (text(value)?, text(characters)?) else {
        return Ok(Output::Null);
    };
    // As in SQLite, they end at a NUL.
    let characters = characters.split(|byte| *byte == 0).next().unwrap_or_default();
    // Most are a single byte, which needs no hash.
    let mut bytes: [Option<usize>; 256] = [None; 256];
    let mut longer: HashMap<&[u8], usize> = HashMap::new();
    for (position, character) in split_characters(characters).enumerate() {
        match character {
            [byte] => {
                if let Some(first) = bytes.get_mut(usize::from(*byte)) {
                    first.get_or_insert(position);
                }
            }
            _ => {
                longer.entry(character).or_insert(position);
            }
        }
    }
    let position_of = |end: &[u8]| match end {
        [byte] => bytes.get(usize::from(*byte)).copied().flatten(),
        _ => longer.get(end).copied(),
    };
    let longest = if longer.is_empty() { 1 } else { MAX_CHARACTER_BYTES };
    // One may be the beginning of another if they are not UTF-8: the first one counts.
    let find = |end: &dyn Fn(usize) -> Option<Range<usize>>, rest: &[u8]| {
        let ranges = (1..=longest).filter_map(end);
        let found = ranges.filter_map(|range| {
            let length = range.len();
            Some((position_of(rest.get(range)?)?, length))
        });
        found.min().map(|(_, length)| length)
    };
    let mut rest = &*value;
    while ends.left
        && let Some(length) = find(&|length| Some(0..length), rest)
    {
        rest = rest.get(length..).unwrap_or_default();
    }
    let from_end = |rest: &[u8], length| rest.len().checked_sub(length).map(|at| at..rest.len());
    while ends.right
        && let Some(length) = find(&|length| from_end(rest, length), rest)
    {
        rest = rest.get(..rest.len().saturating_sub(length)).unwrap_or_default();
    }
    Ok(Output::Text(rest.to_owned()))
}

/// Splits text that may not be UTF-8 where SQLite does.
fn split_characters(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (first, others) = text.split_first()?;
        let continued = match *first {
            0xc0.. => others.iter().take_while(|byte| is_continuation(**byte)).count(),
            _ => 0,
        };
        let (character, rest) = text.split_at_checked(continued.saturating_add(1))?;
        text = rest;
        Some(character)
    })
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn patch(context: &Context<'_>, name: &str, sql: &str) -> Result<Value> {
    check_length(context, 0, name, "target", MAX_PATCH_BYTES)?;
    check_length(context, 1, name, "patch", MAX_PATCH_BYTES)?;
    evaluate(sql, &[context.get_raw(0), context.get_raw(1)])
}

fn check_length(
    context: &Context<'_>,
    index: usize,
    name: &str,
    argument: &str,
    limit: usize,
) -> Result<()> {
    match context.get_raw(index) {
        ValueRef::Text(content) | ValueRef::Blob(content) if content.len() > limit => {
            let message = format!(
                "{name}: the {argument} have {} bytes; the sandbox allows at most {limit}",
                content.len()
            );
            Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(message)))
        }
        _ => Ok(()),
    }
}

/// A value as text; `None` for NULL.
fn text(value: ValueRef<'_>) -> Result<Option<Cow<'_, [u8]>>> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Text(content) | ValueRef::Blob(content) => Some(Cow::Borrowed(content)),
        ValueRef::Integer(integer) => Some(Cow::Owned(integer.to_string().into_bytes())),
        ValueRef::Real(_) => match evaluate("SELECT CAST(?1 AS TEXT)", &[value])? {
            Value::Text(text) => Some(Cow::Owned(text.into_bytes())),
            // Not a number.
            _ => None,
        },
    })
}

/// Evaluates an expression with SQLite's own functions.
fn evaluate(sql: &str, arguments: &[ValueRef<'_>]) -> Result<Value> {
    thread_local! {
        static PLAIN: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    PLAIN.with_borrow_mut(|plain| {
        let connection = match plain {
            Some(connection) => connection,
            None => plain.insert(Connection::open_in_memory()?),
        };
        let arguments = arguments.iter().map(|argument| ToSqlOutput::Borrowed(*argument));
        connection.prepare_cached(sql)?.query_row(params_from_iter(arguments), |row| row.get(0))
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn replaced() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        replace_slow_functions(&connection).unwrap();
        connection
    }

    /// The type and the bytes of a value, or the error.
    fn result(connection: &Connection, expression: &str) -> String {
        let sql = format!("SELECT typeof(x) || ':' || hex(x) FROM (SELECT {expression} AS x)");
        let result: Result<String> = connection.query_row(&sql, [], |row| row.get(0));
        result.unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_replaced_function_returns_what_that_of_sqlite_returns() {
        let (replaced, plain) = (replaced(), Connection::open_in_memory().unwrap());
        let values = [
            "NULL",
            "''",
            "'a'",
            "'aa'",
            "'banana'",
            "'  ba na '",
            "'äöüä'",
            "'日本語日'",
            "'x😀y😀'",
            "x''",
            "x'00'",
            "x'6100'",
            "'a' || char(0) || 'b'",
            "x'ff41ff'",
            "x'c3a4'",
            "x'a4'",
            "x'80'",
            "x'e697a5e6'",
            "1",
            "-12",
            "1.0",
            "1e300",
            "0.1",
            "9e999",
            "1234567890.123456789",
            "x'616e'",
            "'an'",
            "'ana'",
            "' '",
        ];
        let mut compared = 0;
        for x in values {
            for name in ["trim", "ltrim", "rtrim"] {
                let call = format!("{name}({x})");
                assert_eq!(result(&replaced, &call), result(&plain, &call), "{call}");
            }
            for y in values {
                for name in ["instr", "trim", "ltrim", "rtrim", "unhex", "json_patch"] {
                    let call = format!("{name}({x}, {y})");
                    assert_eq!(result(&replaced, &call), result(&plain, &call), "{call}");
                    compared += 1;
                }
                for z in values {
                    let call = format!("replace({x}, {y}, {z})");
                    assert_eq!(result(&replaced, &call), result(&plain, &call), "{call}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 25_000, "{compared}");
        for call in [
            r#"json_array(json_patch('{"a":1}', '{"b":[2]}'))"#,
            r#"hex(jsonb_patch('{"a":1}', '{"a":null}'))"#,
            "json_patch('{', '{}')",
        ] {
            assert_eq!(result(&replaced, call), result(&plain, call), "{call}");
        }
    }

    #[test]
    fn no_allowed_function_takes_long_for_the_longest_values() {
        let connection = replaced();
        let (limit, long) = (MAX_VALUE_BYTES, "printf('%.1000000c', 'a')");
        connection
            .set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, i32::try_from(limit).unwrap())
            .unwrap();
        let half = "printf('%.500000c', 'a')";
        for call in [
            format!("instr({long}, {half} || 'b')"),
            format!("instr({long}, 'b' || {half})"),
            format!("replace({long}, {half} || 'b', 'c')"),
            format!("length(replace({long}, 'a', 'bb'))"),
            format!("length(replace({long}, 'a', {long}))"),
            format!("length(trim({long}, {half}))"),
            "length(trim(printf('%.1000000c', 'ä'), 'bcdefghijklmnopqrstuvwxyzöü' || char(228)))".to_owned(),
            format!("{long} LIKE '%' || printf('%.240c', 'a') || 'b'"),
            format!("{long} GLOB '*' || printf('%.240c', 'a') || 'b'"),
            format!("length(unhex({long}, {long}))"),
            format!("length(unhex({long}, 'bcdefghijklmnopqrstuvwxyz'))"),
            "json_patch((SELECT json_group_object(value, 1) FROM generated), (SELECT json_group_object('x' || value, 1)
             FROM generated))".to_owned(),
        ] {
            let sql = format!(
                "WITH RECURSIVE generated(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM generated LIMIT 50000)
                 SELECT {call}"
            );
            // The functions of SQLite need minutes, also on a machine that is not busy.
            let started = Instant::now();
            let result = connection.query_row(&sql, [], |row| row.get::<_, Value>(0));
            let elapsed = started.elapsed();
            assert!(elapsed < Duration::from_secs(20), "{call}: {elapsed:?}, {:.60}", format!("{result:?}"));
        }
    }
}
