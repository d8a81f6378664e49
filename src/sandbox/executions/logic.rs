//! How filters are combined: `1 AND (2 OR NOT 3)`, with the numbers or labels of the filters.

use crate::sandbox::http::error::{ApiError, shorten};

const MAX_DEPTH: usize = 50;

/// An expression over filters, by their indexes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Logic {
    Filter(usize),
    Not(Box<Logic>),
    All(Vec<Logic>),
    Any(Vec<Logic>),
}

impl Logic {
    /// # Errors
    /// 400 unless the text is an expression over filters that exist. `path` is that of the property.
    pub(super) fn parse(
        path: &str,
        text: Option<&str>,
        labels: &[Option<&str>],
    ) -> Result<Self, ApiError> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(Self::All((0..labels.len()).map(Self::Filter).collect()));
        };
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut parser = Parser { words: &words, labels, depth: 0 };
        match parser.any() {
            Some(logic) if parser.words.is_empty() => Ok(logic),
            _ => Err(ApiError::invalid(format!(
                "{path}: \"{}\" is not an expression such as \"1 AND (2 OR 3)\" over the numbers or labels of the \
                 {} filters.",
                shorten(text),
                labels.len()
            ))),
        }
    }

    /// Whether the expression holds, given which filters match.
    pub(super) fn holds(&self, matches: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::Filter(index) => matches(*index),
            Self::Not(logic) => !logic.holds(matches),
            Self::All(all) => all.iter().all(|logic| logic.holds(matches)),
            Self::Any(any) => any.iter().any(|logic| logic.holds(matches)),
        }
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    labels: &'a [Option<&'a str>],
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, expected: &str) -> bool {
        match self.words {
            [first, rest @ ..] if first.eq_ignore_ascii_case(expected) => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn any(&mut self) -> Option<Logic> {
        let mut any = vec![self.all()?];
        while self.take("OR") {
            any.push(self.all()?);
        }
        if any.len() == 1 { any.pop() } else { Some(Logic::Any(any)) }
    }

    fn all(&mut self) -> Option<Logic> {
        let mut all = vec![self.one()?];
        while self.take("AND") {
            all.push(self.one()?);
        }
        if all.len() == 1 { all.pop() } else { Some(Logic::All(all)) }
    }

    fn one(&mut self) -> Option<Logic> {
        self.depth += 1;
        // Otherwise a long text of parentheses would exhaust the stack.
        if self.depth > MAX_DEPTH {
            return None;
        }
        let logic = if self.take("NOT") {
            Logic::Not(Box::new(self.one()?))
        } else if self.take("(") {
            let inner = self.any()?;
            self.take(")").then_some(inner)?
        } else {
            let (word, rest) = self.words.split_first()?;
            self.words = rest;
            let labeled = self.labels.iter().position(|label| label.is_some_and(|l| l == *word));
            let numbered = || {
                word.parse()
                    .ok()
                    .and_then(|n: usize| n.checked_sub(1))
                    .filter(|n| *n < self.labels.len())
            };
            Logic::Filter(labeled.or_else(numbered)?)
        };
        self.depth -= 1;
        Some(logic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_with_the_usual_precedence() {
        let labels = [None, Some("B"), None];
        let holds = |text: &str, values: [bool; 3]| {
            let logic = Logic::parse("logic", Some(text), &labels).unwrap();
            logic.holds(&|index| values[index])
        };
        assert!(holds("1 OR 2 AND 3", [true, false, false]));
        assert!(!holds("(1 or B) and 3", [true, false, false]));
        assert!(holds("not 1 AND B", [false, true, false]));
        assert!(!holds("", [true, true, false]));
        let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        for text in ["4", "0", "1 AND", "1 2", "(1", "1)", "1 XOR 2", "C", deep.as_str()] {
            assert!(Logic::parse("logic", Some(text), &labels).is_err(), "{text:.20}");
        }
    }
}
