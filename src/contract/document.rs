//! Reads the embedded document.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::{Arc, LazyLock};

use flate2::read::GzDecoder;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::operation::{Kind, Location, Operation, Parameter, RequestBody};
use super::schemas::Schemas;
use super::search::Index;

static COMPRESSED: &[u8] = include_bytes!("openapi.json.gz");

static EMBEDDED: LazyLock<Contract> = LazyLock::new(|| {
    Contract::read(COMPRESSED).unwrap_or_else(|error| {
        tracing::error!(%error, "the embedded contract cannot be read");
        Contract::default()
    })
});

/// The operations of the API.
#[derive(Debug, Default)]
pub struct Contract {
    operations: Vec<Operation>,
    index: Index,
}

impl Contract {
    /// The embedded contract; the first call reads it.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// All operations, in the order of their paths.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation with this name, e.g. `list_webhooks`.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// The operations that plain words describe, the best first.
    #[must_use]
    pub fn search(&self, words: &str) -> Vec<&Operation> {
        let ranked = self.index.search(words);
        ranked.into_iter().filter_map(|position| self.operations.get(position)).collect()
    }

    /// The operations that get the object of an operation, the nearest first: what is at its path, and what that belongs to. For
    /// `start_bulk_sync` that is `get_bulk_sync`.
    pub fn getters(&self, operation: &Operation) -> impl Iterator<Item = &Operation> {
        let mut next = Some(operation.path.as_str()).filter(|_| operation.method != Method::GET);
        let paths = std::iter::from_fn(move || {
            let path = next?;
            let parent = path.rsplit_once('/').map(|(parent, _)| parent);
            // Above its own parameter is a list of others.
            next = parent.filter(|_| !path.ends_with('}'));
            Some(path)
        });
        paths.filter_map(|path| {
            let is_list = |known: &Operation| known.name.starts_with("list_");
            let is_getter = |known: &&Operation| {
                known.method == Method::GET && is_same_path(&known.path, path) && !is_list(known)
            };
            self.operations.iter().find(is_getter)
        })
    }

    fn read(compressed: &[u8]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut json = String::new();
        GzDecoder::new(compressed).read_to_string(&mut json)?;
        let Document { paths, components } = serde_json::from_str(&json)?;
        let schemas = Arc::new(Schemas(components.schemas));
        let mut operations = Vec::new();
        for (path, methods) in paths {
            for (method, described) in methods {
                operations.push(described.into_operation(&method, &path, &schemas)?);
            }
        }
        let index = Index::of(&operations);
        Ok(Self { operations, index })
    }
}

/// Whether two paths differ in nothing but the names of their parameters.
fn is_same_path(one: &str, other: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('{');
    let (one, other) = (one.split('/'), other.split('/'));
    one.clone().count() == other.clone().count()
        && one.zip(other).all(|(a, b)| a == b || is_parameter(a) && is_parameter(b))
}

#[derive(Deserialize)]
struct Document {
    paths: BTreeMap<String, BTreeMap<String, DescribedOperation>>,
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    schemas: HashMap<String, Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedOperation {
    operation_id: String,
    tags: Vec<String>,
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(rename = "x-read-only")]
    is_read_only: bool,
    #[serde(rename = "x-destructive")]
    is_destructive: bool,
    #[serde(rename = "x-documented-errors")]
    documented_errors: Vec<u16>,
    parameters: Vec<DescribedParameter>,
    request_body: Option<DescribedBody>,
    /// Only which there are: what a response holds is shown as it comes.
    responses: BTreeMap<String, serde::de::IgnoredAny>,
}

/// References are to headers, which the client sends.
#[derive(Deserialize)]
#[serde(untagged)]
enum DescribedParameter {
    Inline {
        name: String,
        #[serde(rename = "in")]
        place: String,
        #[serde(default)]
        required: bool,
        #[serde(default)]
        description: String,
        schema: Value,
        style: Option<String>,
    },
    Other {},
}

#[derive(Deserialize)]
struct DescribedBody {
    #[serde(default)]
    required: bool,
    content: HashMap<String, DescribedContent>,
}

#[derive(Deserialize)]
struct DescribedContent {
    schema: Value,
}

impl DescribedOperation {
    fn into_operation(
        self,
        method: &str,
        path: &str,
        schemas: &Arc<Schemas>,
    ) -> Result<Operation, Box<dyn std::error::Error>> {
        let method: Method = method.to_uppercase().parse()?;
        let parameters = self.parameters.into_iter().filter_map(|parameter| {
            let DescribedParameter::Inline { name, place, required, description, schema, style } =
                parameter
            else {
                return None;
            };
            let location = match place.as_str() {
                "path" => Location::Path,
                "query" if style.as_deref() == Some("deepObject") => Location::DeepQuery,
                "query" => Location::Query,
                _ => return None,
            };
            let mut schema = schemas.without_references(&schema);
            if location == Location::Path {
                schema.entry("format").or_insert("path-segment".into());
            }
            if !description.is_empty() {
                schema.insert("description".to_owned(), description.into());
            }
            Some(Parameter { name, location, is_required: required, schema })
        });
        let parameters = parameters.collect();
        let body = self.request_body.and_then(|mut body| {
            let schema = body.content.remove("application/json")?.schema;
            Some(RequestBody { is_required: body.required, schema, schemas: Arc::clone(schemas) })
        });
        let kind = match method {
            Method::DELETE => Kind::Delete,
            _ if self.is_read_only => Kind::Read,
            _ => Kind::Write,
        };
        Ok(Operation {
            name: self.operation_id,
            kind,
            is_destructive: self.is_destructive,
            // On any POST a 409 may also be about the idempotency key; these document it as their own.
            has_conflicts: self.documented_errors.contains(&409),
            redirects: self.responses.contains_key("302"),
            method,
            path: path.to_owned(),
            tags: self.tags,
            summary: self.summary,
            description: self.description,
            parameters,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_contract_is_the_tested_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/openapi.json");
        let mut embedded = String::new();
        GzDecoder::new(COMPRESSED).read_to_string(&mut embedded).unwrap();
        let is_same = embedded == std::fs::read_to_string(path).unwrap();
        assert!(
            is_same,
            "run: gzip -9 -n -c tests/contract/openapi.json > src/contract/openapi.json.gz"
        );
        let contract = Contract::read(COMPRESSED).unwrap();
        assert_eq!(contract.operations().len(), 198);
    }

    #[test]
    fn an_operation_has_those_that_get_its_object() {
        let contract = Contract::embedded();
        for (name, expected) in [
            ("delete_webhook", vec!["get_webhook"]),
            ("update_role", vec!["get_role"]),
            ("start_bulk_sync", vec!["get_bulk_sync"]),
            ("run_query", vec!["get_connection"]),
            ("create_webhook", vec![]),
            ("cancel_bulk_sync_schema", vec!["get_bulk_sync_schema"]),
            ("update_record_logging", vec!["get_record_logging", "get_current_organization"]),
            (
                "update_bulk_sync_error_handling",
                vec!["get_bulk_sync_error_handling", "get_bulk_sync"],
            ),
        ] {
            let getters = contract.getters(contract.operation(name).unwrap());
            let names: Vec<&str> = getters.map(|getter| getter.name.as_str()).collect();
            assert_eq!(names, expected, "{name}");
        }
    }
}
