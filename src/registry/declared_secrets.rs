//! What the JSON Schema of a configuration says of its properties: which of them are secrets.
//!
//! Conditions and patterns of names are not evaluated: what may apply can only make a value a secret.
//!
//! Source: contract, the schema of a connection type (draft 2020-12); keywords of earlier drafts are read as well.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Keywords with schemas that apply to the same value.
const ALWAYS: &[&str] = &["allOf"];
/// Keywords with schemas that may apply to the same value.
const MAYBE: &[&str] = &["anyOf", "oneOf", "if", "then", "else"];
/// The same, with one for each name.
const MAYBE_BY_NAME: &[&str] = &["dependentSchemas", "dependencies"];
/// Keywords with schemas of the items of a list: one, or a list.
const ITEMS: &[&str] = &["items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"];
/// Keywords with the schema of properties that have none of their own.
const OTHER_PROPERTIES: &[&str] = &["additionalProperties", "unevaluatedProperties"];
/// So many schemas are looked at for one value; with more of them, it counts as a secret.
const MAX_SCHEMAS: usize = 500;

/// The schemas that may apply to a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Schemas<'a> {
    /// What references refer to.
    document: Option<Rc<Document<'a>>>,
    schemas: Vec<Applied<'a>>,
    /// Those in the list: a schema may refer to itself, and to others many times.
    known: HashSet<(*const Map<String, Value>, bool)>,
}

#[derive(Debug)]
struct Document<'a> {
    root: &'a Map<String, Value>,
    /// Schemas by the names of their anchors.
    anchors: HashMap<&'a str, &'a Map<String, Value>>,
}

#[derive(Debug, Clone, Copy)]
struct Applied<'a> {
    schema: &'a Map<String, Value>,
    /// Whether it applies whatever the configuration is.
    is_certain: bool,
}

impl<'a> Schemas<'a> {
    /// The schemas of what `root` describes.
    pub(super) fn of(root: &'a Map<String, Value>) -> Self {
        let document = Some(Rc::new(Document::of(root)));
        let mut all = Self { document, ..Self::default() };
        all.add(root, true);
        all.complete()
    }

    /// The schemas of a property.
    pub(super) fn property(&self, name: &str) -> Self {
        let mut below = Self { document: self.document.clone(), ..Self::default() };
        for Applied { schema, is_certain } in &self.schemas {
            match schema.get("properties").and_then(|properties| properties.get(name)) {
                Some(property) => below.add_all(property, *is_certain),
                None => below.add_keywords(schema, OTHER_PROPERTIES, false),
            }
            below.add_by_name(schema, &["patternProperties"]);
        }
        below.complete()
    }

    /// The schemas of the items of a list.
    pub(super) fn items(&self) -> Self {
        let mut below = Self { document: self.document.clone(), ..Self::default() };
        for Applied { schema, is_certain } in &self.schemas {
            let is_of_all = schema.get("items").is_some_and(Value::is_object)
                && !schema.contains_key("prefixItems");
            below.add_keywords(schema, ITEMS, *is_certain && is_of_all);
        }
        below.complete()
    }

    /// Whether the value is a secret, if a schema says so. It is one if any schema that may apply says that, and none only
    /// if one that does apply says that.
    pub(super) fn declared_secret(&self) -> Option<bool> {
        if self.schemas.len() == MAX_SCHEMAS {
            return Some(true);
        }
        let declared = |Applied { schema, is_certain }: &Applied<'_>| {
            declared_secret(schema).filter(|is_secret| *is_secret || *is_certain)
        };
        self.schemas.iter().filter_map(declared).reduce(|one, other| one || other)
    }

    /// Adds the schemas to which those in the list lead.
    fn complete(mut self) -> Self {
        let mut next = 0;
        while let Some(&Applied { schema, is_certain }) = self.schemas.get(next) {
            next += 1;
            for reference in ["$ref", "$dynamicRef"] {
                let reference = schema.get(reference).and_then(Value::as_str);
                let referred = reference.and_then(|name| self.document.as_ref()?.resolve(name));
                referred.into_iter().for_each(|referred| self.add(referred, is_certain));
            }
            self.add_keywords(schema, ALWAYS, is_certain);
            self.add_keywords(schema, MAYBE, false);
            self.add_by_name(schema, MAYBE_BY_NAME);
        }
        self
    }

    fn add(&mut self, schema: &'a Map<String, Value>, is_certain: bool) {
        if self.schemas.len() < MAX_SCHEMAS && self.known.insert((schema, is_certain)) {
            self.schemas.push(Applied { schema, is_certain });
        }
    }

    fn add_keywords(
        &mut self,
        schema: &'a Map<String, Value>,
        keywords: &[&str],
        is_certain: bool,
    ) {
        let schemas = keywords.iter().filter_map(|keyword| schema.get(*keyword));
        schemas.for_each(|schemas| self.add_all(schemas, is_certain));
    }

    /// Adds schemas of which there is one for each name.
    fn add_by_name(&mut self, schema: &'a Map<String, Value>, keywords: &[&str]) {
        let by_name = keywords.iter().filter_map(|keyword| schema.get(*keyword)?.as_object());
        by_name.flat_map(Map::values).for_each(|schema| self.add_all(schema, false));
    }

    /// Adds a schema or a list of them.
    fn add_all(&mut self, schemas: &'a Value, is_certain: bool) {
        match schemas {
            Value::Object(schema) => self.add(schema, is_certain),
            Value::Array(list) => {
                list.iter().filter_map(Value::as_object).for_each(|s| self.add(s, is_certain));
            }
            _ => {}
        }
    }
}

/// What a schema says itself about its value.
pub(super) fn declared_secret(schema: &Map<String, Value>) -> Option<bool> {
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool);
    let is_password = schema.get("format").is_some_and(|format| format == "password");
    let is_secret =
        is_password || flag("password") == Some(true) || flag("writeOnly") == Some(true);
    if is_secret { Some(true) } else { flag("sensitive") }
}

impl<'a> Document<'a> {
    fn of(root: &'a Map<String, Value>) -> Self {
        let definitions = ["$defs", "definitions"].into_iter().filter_map(|name| root.get(name));
        let schemas = definitions.filter_map(Value::as_object).flat_map(Map::values);
        let schemas = schemas.filter_map(Value::as_object);
        let anchors = schemas.flat_map(|schema| {
            let names = ["$anchor", "$dynamicAnchor"].into_iter();
            names.filter_map(move |name| Some((schema.get(name)?.as_str()?, schema)))
        });
        Self { root, anchors: anchors.collect() }
    }

    /// The schema that a reference within the document refers to: a JSON Pointer (RFC 6901) or the name of an anchor.
    fn resolve(&self, reference: &str) -> Option<&'a Map<String, Value>> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if !document.is_empty() && self.root.get("$id").is_none_or(|id| id != document) {
            return None;
        }
        let fragment = percent_decode_str(fragment).decode_utf8().ok()?;
        if fragment.is_empty() {
            return Some(self.root);
        }
        let Some(pointer) = fragment.strip_prefix('/') else {
            return self.anchors.get(&*fragment).copied();
        };
        let (first, rest) = pointer.split_once('/').map_or((pointer, None), |(a, b)| (a, Some(b)));
        let first = self.root.get(&first.replace("~1", "/").replace("~0", "~"))?;
        match rest {
            Some(rest) => first.pointer(&format!("/{rest}"))?.as_object(),
            None => first.as_object(),
        }
    }
}
