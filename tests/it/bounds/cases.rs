//! Every kind of list that can be too long: what the stand-in answers, and what is called.

use serde_json::{Value, json};

use super::large::{JOB, SOURCE, connections, fields, hostile, kinds, model, names};
use crate::support::{CONNECTION, MODEL, UNKNOWN_ID, job};

/// What the stand-in answers, what is called, and the list that has to be cut.
pub(super) struct Case {
    pub(super) label: &'static str,
    pub(super) stands: (&'static str, String, Value),
    pub(super) tool: &'static str,
    pub(super) arguments: Value,
    pub(super) list: &'static str,
    pub(super) total: usize,
}

pub(super) fn cases() -> Vec<Case> {
    let case = |label, stands: (&'static str, &str, Value), tool, arguments, list, total| {
        let (verb, path, body) = stands;
        Case { label, stands: (verb, path.to_owned(), body), tool, arguments, list, total }
    };
    let of_model = json!({"model_id": UNKNOWN_ID});
    let of_table = json!({"connection_id": CONNECTION, "configuration": {"table": "t"}});
    let preview = json!({"connection_id": CONNECTION, "configuration": {"table": "t"}});
    let source = |key: &str, values: Value| json!({"data": {"items": {key: {"items": values}}, "requires_one_of": ["table"]}});
    let ask = |kind: &str| json!({"type": kind, "job_id": JOB});
    let done = |kind: &str, result| json!({"data": job(kind, "done", result)});
    let jobs = |kind: &str| format!("/api/jobs/{kind}/{JOB}");
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
            ("GET", MODEL, data(model(hostile(5_000)))),
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
            "fields alone",
            ("POST", "/api/model-preview", data(fields(5_000))),
            "preview_model",
            preview,
            "fields",
            5_000,
        ),
        case(
            "fields of a source",
            ("GET", &format!("{SOURCE}/fields"), data(fields(5_000))),
            "get_model_source_fields",
            of_table,
            "fields",
            5_000,
        ),
        case(
            "tables",
            ("GET", SOURCE, source("table", names(5_000))),
            "get_model_source",
            json!({"connection_id": CONNECTION}),
            "items.table.items",
            5_000,
        ),
        case(
            "tables as objects",
            ("GET", SOURCE, source("tableobj", objects)),
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
            ("GET", "/api/connection_types", data(kinds(226))),
            "list_connection_types",
            json!({"source_only": false}),
            "connection_types",
            226,
        ),
        case(
            "full connection types",
            ("GET", "/api/connection_types", data(kinds(226))),
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
            ("GET", &jobs("previewmodel"), done("previewmodel", fields(5_000))),
            "get_job",
            ask("previewmodel"),
            "fields",
            5_000,
        ),
        case(
            "a model's job",
            ("GET", &jobs("createmodel"), done("createmodel", model(fields(5_000)))),
            "get_job",
            ask("createmodel"),
            "model.fields",
            5_000,
        ),
        case(
            "a sample's job",
            ("GET", &jobs("samplemodel"), done("samplemodel", sample)),
            "get_job",
            ask("samplemodel"),
            "records",
            900,
        ),
        case(
            "another job",
            ("GET", &jobs("exportlogs"), done("exportlogs", json!({"rows": fields(5_000)}))),
            "get_job",
            ask("exportlogs"),
            "result.rows",
            5_000,
        ),
        case(
            "a list as result",
            ("GET", &jobs("exportlogs"), done("exportlogs", names(5_000))),
            "get_job",
            ask("exportlogs"),
            "result",
            5_000,
        ),
    ]
}
