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

#[cfg(test)]
mod tests {
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
}
