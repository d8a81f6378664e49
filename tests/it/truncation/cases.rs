//! Every kind of list that can be too long: the response of the API, and the call that returns it.

use serde_json::{Value, json};

use super::fixtures::{
    SOURCE_PATH, connection_types, connections, fields, hostile_fields, model, names,
};
use crate::support::{CONNECTION, JOB_ID, MODEL, UNKNOWN_ID, job, job_path};

/// A response of the API, the call that returns it, and the list that has to be truncated.
pub(super) struct Case {
    pub(super) label: &'static str,
    /// Method, path and body.
    pub(super) response: (&'static str, String, Value),
    pub(super) tool: &'static str,
    pub(super) arguments: Value,
    pub(super) list: &'static str,
    pub(super) total: usize,
}

pub(super) fn cases() -> Vec<Case> {
    let case = |label, response: (&'static str, &str, Value), tool, arguments, list, total| {
        let (verb, path, body) = response;
        Case { label, response: (verb, path.to_owned(), body), tool, arguments, list, total }
    };
    let of_model = json!({"model_id": UNKNOWN_ID});
    let of_table = json!({"connection_id": CONNECTION, "configuration": {"table": "t"}});
    let preview = json!({"connection_id": CONNECTION, "configuration": {"table": "t"}});
    let source = |key: &str, values: Value| json!({"data": {"items": {key: {"items": values}}, "requires_one_of": ["table"]}});
    let get_job = |kind: &str| json!({"type": kind, "job_id": JOB_ID});
    let done = |kind: &str, result| json!({"data": job(kind, "done", result)});
    let records: Value = (0..900)
        .map(|n| json!({UNKNOWN_ID: {"id": n, "name": "Jim \"J\"", "age": null}}))
        .collect();
    let sample = json!({"records": records, "warnings": ["w"]});
    let objects: Value = (0..5_000).map(|n| json!({"id": n, "name": format!("t{n}")})).collect();
    let data = |value: Value| json!({"data": value});
    vec![
        case(
            "fields",
            ("GET", MODEL, data(model(fields(5_000)))),
            "get_model",
            of_model.clone(),
            "model.fields",
            5_000,
        ),
        case(
            "hostile fields",
            ("GET", MODEL, data(model(hostile_fields(5_000)))),
            "get_model",
            of_model.clone(),
            "model.fields",
            5_000,
        ),
        case(
            "fields of a preview",
            ("POST", "/api/model-preview", data(model(fields(5_000)))),
            "preview_model",
            preview.clone(),
            "model.fields",
            5_000,
        ),
        case(
            "fields without a model",
            ("POST", "/api/model-preview", data(fields(5_000))),
            "preview_model",
            preview,
            "fields",
            5_000,
        ),
        case(
            "fields of a source",
            ("GET", &format!("{SOURCE_PATH}/fields"), data(fields(5_000))),
            "get_model_source_fields",
            of_table,
            "fields",
            5_000,
        ),
        case(
            "tables",
            ("GET", SOURCE_PATH, source("table", names(5_000))),
            "get_model_source",
            json!({"connection_id": CONNECTION}),
            "items.table.items",
            5_000,
        ),
        case(
            "tables as objects",
            ("GET", SOURCE_PATH, source("tableobj", objects)),
            "get_model_source",
            json!({"connection_id": CONNECTION}),
            "items.tableobj.items",
            5_000,
        ),
        case(
            "connections",
            ("GET", "/api/connections", data(connections(200))),
            "list_connections",
            json!({}),
            "connections",
            200,
        ),
        case(
            "full connections",
            ("GET", "/api/connections", data(connections(200))),
            "list_connections",
            json!({"detail": "full"}),
            "connections",
            200,
        ),
        case(
            "connection types",
            ("GET", "/api/connection_types", data(connection_types(226))),
            "list_connection_types",
            json!({"source_only": false}),
            "connection_types",
            226,
        ),
        case(
            "full connection types",
            ("GET", "/api/connection_types", data(connection_types(226))),
            "list_connection_types",
            json!({"detail": "full"}),
            "connection_types",
            226,
        ),
        case(
            "records",
            ("GET", &format!("{MODEL}/sample"), data(sample.clone())),
            "sample_records",
            json!({"model_id": UNKNOWN_ID, "limit": 1_000}),
            "records",
            900,
        ),
        case(
            "a preview's job",
            ("GET", &job_path("previewmodel"), done("previewmodel", fields(5_000))),
            "get_job",
            get_job("previewmodel"),
            "fields",
            5_000,
        ),
        case(
            "a model's job",
            ("GET", &job_path("createmodel"), done("createmodel", model(fields(5_000)))),
            "get_job",
            get_job("createmodel"),
            "model.fields",
            5_000,
        ),
        case(
            "a sample's job",
            ("GET", &job_path("samplemodel"), done("samplemodel", sample)),
            "get_job",
            get_job("samplemodel"),
            "records",
            900,
        ),
        case(
            "another job",
            ("GET", &job_path("exportlogs"), done("exportlogs", json!({"rows": fields(5_000)}))),
            "get_job",
            get_job("exportlogs"),
            "result.rows",
            5_000,
        ),
        case(
            "a list as result",
            ("GET", &job_path("exportlogs"), done("exportlogs", names(5_000))),
            "get_job",
            get_job("exportlogs"),
            "result",
            5_000,
        ),
    ]
}
