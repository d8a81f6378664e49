//! The operations of the API's contract, whether the sandbox implements them or not.

use std::sync::LazyLock;

use axum::http::Method;

/// An operation of the API.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) method: Method,
    /// The path, with parameters such as `{id}`.
    pub(super) path: &'static str,
    /// Whether it changes anything; a preview is a POST that does not.
    pub(super) is_write: bool,
}

/// What the contract has for a method and a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Operation(&'static Operation),
    /// The path has other methods only.
    OtherMethods(Vec<&'static Method>),
    Nothing,
}

static OPERATIONS: LazyLock<Vec<Operation>> =
    LazyLock::new(|| include_str!("contract/operations.txt").lines().filter_map(parse).collect());

fn parse(line: &'static str) -> Option<Operation> {
    let mut words = line.split(' ');
    let (id, method, path) = (words.next()?, words.next()?, words.next()?);
    let method = method.parse().ok()?;
    Some(Operation { id, method, path, is_write: words.next()? == "writes" })
}

/// The ids of all operations.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|operation| operation.id)
}

/// The operation with this id.
pub(super) fn operation(id: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.id == id)
}

/// Finds the operation of a request. A path without parameters precedes one with them.
pub(super) fn find(method: &Method, path: &str) -> Found {
    // A GET without the body of its response.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut candidates: Vec<(usize, &Operation)> = OPERATIONS
        .iter()
        .filter_map(|operation| Some((parameters(operation.path, path)?, operation)))
        .collect();
    let Some(fewest) = candidates.iter().map(|(parameters, _)| *parameters).min() else {
        return Found::Nothing;
    };
    candidates.retain(|(parameters, _)| *parameters == fewest);
    match candidates.iter().find(|(_, operation)| operation.method == *method) {
        Some((_, operation)) => Found::Operation(operation),
        None => {
            Found::OtherMethods(candidates.iter().map(|(_, operation)| &operation.method).collect())
        }
    }
}

/// How many parameters `path` fills in `template`; `None` if it does not match.
fn parameters(template: &str, path: &str) -> Option<usize> {
    let mut segments = path.split('/');
    let mut count = 0;
    for expected in template.split('/') {
        let segment = segments.next()?;
        if expected.starts_with('{') {
            count += 1;
            if segment.is_empty() {
                return None;
            }
        } else if segment != expected {
            return None;
        }
    }
    segments.next().is_none().then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_operation() {
        assert_eq!(OPERATIONS.len(), include_str!("contract/operations.txt").lines().count());
    }

    #[test]
    fn the_most_exact_path_is_found() {
        for (method, path, expected) in [
            (Method::GET, "/api/bulk/syncs/status", Some("list_bulk_sync_statuses")),
            (Method::GET, "/api/bulk/syncs/x", Some("get_bulk_sync")),
            (Method::PUT, "/api/bulk/syncs/status", None),
            (Method::GET, "/api/models/", None),
            (Method::GET, "/api/models/a/b", None),
            (Method::POST, "/api/connections/connect/", Some("create_connect_session")),
        ] {
            let found = match find(&method, path) {
                Found::Operation(operation) => Some(operation.id),
                _ => None,
            };
            assert_eq!(found, expected, "{method} {path}");
        }
        let other = Found::OtherMethods(vec![&Method::GET]);
        assert_eq!(find(&Method::PUT, "/api/bulk/syncs/status"), other);
        assert_eq!(find(&Method::GET, "/api/nothing"), Found::Nothing);
    }
}
