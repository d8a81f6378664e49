//! Where a value is in JSON text, as a path such as `data.records[1].name`.
//!
//! Paths are shown to agents, and names of properties come from outside: one that is not a plain word is replaced by
//! its position, so that no sentence gets into a path.

use std::fmt::Write;
use std::ops::Range;

use super::json_text::end_of_string;

/// serde_json reads no deeper text, so that a longer path is of no use.
const MAX_DEPTH: usize = 128;
const MAX_NAME_CHARACTERS: usize = 64;
const MAX_PATH_CHARACTERS: usize = 160;

/// The lists and objects around a place.
#[derive(Debug, Default)]
pub(super) struct JsonPath(Vec<Level>);

#[derive(Debug)]
enum Level {
    /// Index of the item.
    List(usize),
    /// Index of the property, and its name in the text with its quotes; none while the name comes next.
    Object(usize, Option<Range<usize>>),
}

impl JsonPath {
    /// Follows a byte outside strings; none if the text is nested too deeply.
    pub(super) fn follow(&mut self, byte: u8) -> Option<()> {
        match byte {
            b'{' | b'[' if self.0.len() >= MAX_DEPTH => return None,
            b'{' => self.0.push(Level::Object(0, None)),
            b'[' => self.0.push(Level::List(0)),
            b'}' | b']' => drop(self.0.pop()),
            b',' => match self.0.last_mut() {
                Some(Level::List(index)) => *index += 1,
                Some(Level::Object(index, name)) => (*index, *name) = (*index + 1, None),
                None => {}
            },
            _ => {}
        }
        Some(())
    }

    /// Follows a string, which is the name of a property if one comes next.
    pub(super) fn follow_string(&mut self, string: Range<usize>) {
        if let Some(Level::Object(_, name @ None)) = self.0.last_mut() {
            *name = Some(string);
        }
    }

    /// Whether the next string is the name of a property.
    pub(super) fn expects_name(&self) -> bool {
        matches!(self.0.last(), Some(Level::Object(_, None)))
    }

    /// The path as text; `json` is what was followed.
    pub(super) fn text(&self, json: &str) -> String {
        let mut path = String::new();
        for level in &self.0 {
            let (index, name) = match level {
                Level::List(index) => {
                    let _ = write!(path, "[{index}]");
                    continue;
                }
                Level::Object(_, None) => break,
                Level::Object(index, Some(name)) => (index, name.clone()),
            };
            path.push_str(if path.is_empty() { "" } else { "." });
            let name = json.get(name).and_then(|name| serde_json::from_str::<String>(name).ok());
            match name.filter(|name| is_plain(name)) {
                Some(name) => path.push_str(&name),
                None => drop(write!(path, "(property {})", index + 1)),
            }
        }
        match path.char_indices().nth(MAX_PATH_CHARACTERS) {
            Some((end, _)) => format!("{}…", path.get(..end).unwrap_or_default()),
            None => path,
        }
    }
}

fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.chars().count() <= MAX_NAME_CHARACTERS && name.chars().all(is_plain)
}

/// The paths of the values that begin at these positions, given in ascending order.
pub(super) fn paths_of(json: &str, positions: &[usize]) -> Vec<String> {
    let bytes = json.as_bytes();
    let (mut path, mut paths, mut at) = (JsonPath::default(), Vec::new(), 0);
    for position in positions {
        while at < *position {
            let Some(byte) = bytes.get(at) else { return paths };
            if *byte == b'"' {
                let Some(end) = end_of_string(bytes, at + 1) else { return paths };
                path.follow_string(at..end);
                at = end;
            } else {
                if path.follow(*byte).is_none() {
                    return paths;
                }
                at += 1;
            }
        }
        paths.push(path.text(json));
    }
    paths
}

/// The path of the value that has another type, given the line and column of serde_json's error; empty if it is the whole text,
/// or unknown.
///
/// The column counts the bytes that were read: a text or number is read before it is rejected, a list or object is not.
pub(super) fn path_of_error(json: &str, line: usize, column: usize) -> String {
    let Some(lines_before) = line.checked_sub(1) else { return String::new() };
    let line_start: usize = json.split_inclusive('\n').take(lines_before).map(str::len).sum();
    paths_of(json, &[line_start + column]).pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn a_path_names_plain_properties_and_counts_the_others() {
        let json = r#"{"data":{"a,b]":[1],"records":[{},{"m\u0031":{"é":X0,"Ignore all. Call":[2,[X1]]}}]},"t":X2}"#;
        let positions: Vec<usize> = json.match_indices('X').map(|(at, _)| at).collect();
        let paths = paths_of(json, &positions);
        assert_eq!(paths, ["data.records[1].m1.é", "data.records[1].m1.(property 2)[1][0]", "t"]);
    }

    #[test]
    fn a_long_path_is_cut_and_a_deep_one_is_none() {
        let name = "n".repeat(60);
        let json = format!("{{\"{name}\":{{\"{name}\":{{\"{name}\":{{\"{name}\":0}}}}}}}}");
        let paths = paths_of(&json, &[json.find('0').unwrap()]);
        assert_eq!(paths[0].chars().count(), MAX_PATH_CHARACTERS + 1);
        assert_eq!(paths_of(&"[".repeat(200), &[150]), [""; 0]);
    }

    #[test]
    fn an_error_of_serde_json_has_a_path() {
        #[derive(Debug, Deserialize)]
        #[allow(dead_code, reason = "only read")]
        struct Inner {
            name: Option<String>,
            count: Option<i64>,
        }
        #[derive(Debug, Deserialize)]
        #[allow(dead_code, reason = "only read")]
        struct Outer {
            one: Option<Inner>,
            many: Option<Vec<Inner>>,
            text: Option<String>,
            texts: Option<Vec<String>>,
        }
        for (json, path) in [
            (r#"{"one":{"name":5}}"#, "one.name"),
            (r#"{"one":{"name":12345,"count":1}}"#, "one.name"),
            (r#"{"one":{"count":"a \"b\", [c]"}}"#, "one.count"),
            (r#"{"one":{"count":123456789012345678901234567890}}"#, "one.count"),
            (r#"{"many":[{},{"name":null},{"name":true}]}"#, "many[2].name"),
            (r#"{"many":[{"name":"a"},{"name":["b"]}]}"#, "many[1].name"),
            (r#"{"many":[{"name":"a"},"b"]}"#, "many[1]"),
            (r#"{"many":[{},{"name":{"a":[1]}}]}"#, "many[1].name"),
            (r#"{"many":{"a":1}}"#, "many"),
            (r#"{"many":[{},[1]]}"#, "many[1][0]"),
            (r#"{"texts":[[1]]}"#, "texts[0]"),
            (r#"{"texts":["a",{"b":1}]}"#, "texts[1]"),
            (r#"{"texts":[{"b":1}]}"#, "texts[0]"),
            (r#"{"texts":["a", "b" , null]}"#, "texts[2]"),
            (r#"{"one":7}"#, "one"),
            ("{\n  \"text\": \"ü\",\n  \"many\": [\n    {\"name\": false}\n  ]\n}", "many[0].name"),
            ("[]", ""),
            ("7", ""),
        ] {
            let error = serde_json::from_str::<Outer>(json).unwrap_err();
            assert_eq!(path_of_error(json, error.line(), error.column()), path, "{json}: {error}");
        }
    }

    #[test]
    fn an_error_at_the_end_of_a_value_is_about_that_value() {
        let json = r#"{"a":[{"b":1}]}"#;
        let paths = (0..=json.len()).map(|column| path_of_error(json, 1, column));
        let paths: Vec<String> = paths.collect();
        assert_eq!(
            (paths[12].as_str(), paths[13].as_str(), paths[14].as_str()),
            ("a[0].b", "a[0]", "a")
        );
        assert_eq!(path_of_error(json, 0, 0), "");
        assert_eq!(path_of_error(json, 9, 9), "");
    }
}
