//! The values of numbers in JSON, whatever their spelling, and which of them a double holds.

use serde_json::Number;

/// Every integer up to this magnitude is a double of its own: 2^53 - 1.
pub(super) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Whether a double holds the value, whatever its spelling; integers only up to 2^53 - 1.
pub(super) fn is_exact(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok_and(|n| n.unsigned_abs() <= MAX_SAFE_INTEGER);
    }
    let value = decimal(number);
    value.is_some() && value == number.parse().ok().and_then(shortest)
}

/// The shortest decimal that is read as this double. Of two that are as near, the even one, as JavaScript and Python
/// write it (ECMA-262, Number::toString): 1000000000000000.2 and not .3, which `format!` of Rust writes.
pub(super) fn shortest(double: f64) -> Option<(bool, String, i64)> {
    decimal(&Number::from_f64(double)?.to_string())
}

/// A number as its sign, its digits without leading and trailing zeros, and the exponent of the last digit.
pub(super) fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{integer}{fraction}");
    let digits = all.trim_end_matches('0');
    let zeros = i64::try_from(all.len() - digits.len()).ok()?;
    let exponent = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(zeros)?;
    let exponent = if digits.is_empty() { 0 } else { exponent };
    Some((unsigned != number, digits.trim_start_matches('0').to_owned(), exponent))
}
