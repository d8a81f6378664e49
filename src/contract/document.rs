//! Reads the embedded document.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

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

    /// The operation that gets the object whose path `operation` begins with, e.g. `get_bulk_sync` for `start_bulk_sync`.
    #[must_use]
    pub fn getter(&self, operation: &Operation) -> Option<&Operation> {
        let mut path = operation.path.as_str();
        loop {
            let is_getter =
                |known: &&Operation| known.method == Method::GET && is_same_path(&known.path, path);
            if path.ends_with('}') {
                return self.operations.iter().find(is_getter);
            }
            path = path.rsplit_once('/')?.0;
        }
    }

    fn read(compressed: &[u8]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut json = String::new();
        GzDecoder::new(compressed).read_to_string(&mut json)?;
        let Document { paths, components } = serde_json::from_str(&json)?;
        let schemas = Schemas(components.schemas);
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
    schemas: HashMap<String, Value>,
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
        schemas: &Schemas,
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
            if !description.is_empty() {
                schema.insert("description".to_owned(), description.into());
            }
            Some(Parameter { name, location, is_required: required, schema })
        });
        let parameters = parameters.collect();
        let body = self.request_body.and_then(|body| {
            let schema = &body.content.get("application/json")?.schema;
            let schema = schemas.without_references(schema);
            Some(RequestBody { is_required: body.required, schema })
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
    fn an_operation_has_one_that_gets_its_object() {
        let contract = Contract::embedded();
        for (name, expected) in [
            ("delete_webhook", Some("get_webhook")),
            ("update_role", Some("get_role")),
            ("start_bulk_sync", Some("get_bulk_sync")),
            ("run_query", Some("get_connection")),
            ("create_webhook", None),
            ("cancel_bulk_sync_schema", Some("get_bulk_sync_schema")),
        ] {
            let getter = contract.getter(contract.operation(name).unwrap());
            assert_eq!(getter.map(|getter| getter.name.as_str()), expected, "{name}");
        }
    }
}
