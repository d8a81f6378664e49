//! The tree of a YAML text, with the place of each node.

use std::borrow::Cow;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};

use super::problem::Problem;

/// A node and its bytes. Those of a list or mapping in block style end with its last child.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar { text: String, is_plain: bool },
    List(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
    Alias(usize),
}

/// Nodes that are open.
enum Open {
    List(usize, Vec<Node>),
    Mapping(usize, Vec<(Node, Node)>, Option<Node>),
}

/// The root; none for a text without one.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Problem> {
    // The parser counts characters.
    let offsets: Vec<usize> =
        text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect();
    let offset = |index: usize| offsets.get(index).copied().unwrap_or(text.len());
    let bytes = |span: Span| offset(span.start.index())..offset(span.end.index());
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            Problem::at(text, offset(error.marker().index()), format!("not YAML: {}", error.info()))
        })?;
        let range = bytes(span);
        let node = match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    let message = "expected one document, and this is another one";
                    return Err(Problem::at(text, range.start, message));
                }
                continue;
            }
            Event::Scalar(value, style, ..) => {
                let is_plain = style == ScalarStyle::Plain;
                let kind = Kind::Scalar { text: Cow::into_owned(value), is_plain };
                Node { range, kind }
            }
            Event::Alias(id) => Node { range, kind: Kind::Alias(id) },
            Event::SequenceStart(..) => {
                open.push(Open::List(range.start, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(range.start, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => closed.node(text, range.end),
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Mapping(_, members, key)) => match key.take() {
                None => *key = Some(node),
                Some(name) => members.push((name, node)),
            },
        }
    }
    Ok(root)
}

impl Open {
    fn node(self, text: &str, end: usize) -> Node {
        let (start, last, kind) = match self {
            Self::List(start, items) => {
                (start, items.last().map(|item| item.range.end), Kind::List(items))
            }
            Self::Mapping(start, members, _) => {
                let last = members.last().map(|(key, value)| value.range.end.max(key.range.end));
                (start, last, Kind::Mapping(members))
            }
        };
        let is_flow = text.get(start..).is_some_and(|rest| rest.starts_with(['{', '[']));
        let end = if is_flow { end } else { last.unwrap_or(start) };
        Node { range: start..end, kind }
    }
}

impl Node {
    /// Whether it is written with brackets.
    pub(super) fn is_flow(&self, text: &str) -> bool {
        text.get(self.range.clone()).is_some_and(|text| text.starts_with(['{', '[']))
    }

    /// The members of a mapping; none for another node.
    pub(super) fn members(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Mapping(members) => Some(members),
            _ => None,
        }
    }

    /// A member of a mapping, and its place in it.
    pub(super) fn member(&self, name: &str) -> Option<(usize, &(Node, Node))> {
        self.members()?.iter().enumerate().rfind(|(_, (key, _))| key.text() == Some(name))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is nothing: an empty plain text, a null, or an empty mapping.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Scalar { .. } => self.value().is_null(),
            Kind::Mapping(members) => members.is_empty(),
            _ => false,
        }
    }

    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar { text, is_plain: false } => text.as_str().into(),
            Kind::Scalar { text, .. } => match text.as_str() {
                "" | "~" | "null" => Value::Null,
                "true" => true.into(),
                "false" => false.into(),
                text => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
            },
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Alias(id) => {
                Value::Object([("*".to_owned(), (*id).into())].into_iter().collect())
            }
            Kind::Mapping(members) => {
                let mut object = Map::new();
                for (key, value) in members {
                    let name = key.text().map_or_else(|| key.value().to_string(), str::to_owned);
                    object.insert(name, value.value());
                }
                Value::Object(object)
            }
        }
    }
}
