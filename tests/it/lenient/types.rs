//! Values of another type than documented: each costs its property, unless that is essential.

use serde_json::{Value, json};

use super::fixtures::call;
use crate::support::{CONNECTION, JOB_ID, MODEL, UNKNOWN_ID, job_path};

#[tokio::test]
async fn a_property_of_another_type_costs_that_property() {
    let models = json!([
        {"id": "a", "name": "A", "version": "one"},
        {"id": "b", "name": ["B"], "fields": "none"},
        {"id": 5, "name": "C", "fields": [{"name": "f", "label": 7}, "g"]},
        "D",
        {"id": "e", "name": "E"},
    ]);
    let body = json!({"data": models}).to_string();
    let result = call("/api/models", body, "list_models", json!({"detail": "full"})).await.unwrap();
    assert_eq!(
        result["models"],
        json!([
            {"id": "a", "name": "A"},
            {"id": "b"},
            {"name": "C", "fields": [{"name": "f"}]},
            {"id": "e", "name": "E"},
        ])
    );
    let notice = result["notice"].as_str().unwrap();
    assert_eq!(
        notice,
        "The API's response was repaired: 7 values of undocumented types were left out (at data[0].version, \
         data[1].name, data[1].fields and 4 more)."
    );

    let connections = "/api/connections".to_owned();
    let connection = format!("{connections}/{CONNECTION}");
    let of_model = json!({"model_id": UNKNOWN_ID});
    let of_connection = json!({"connection_id": CONNECTION, "detail": "full"});
    let model =
        |name: &str, value: Value| json!({"data": {"id": UNKNOWN_ID, "name": "U", name: value}});
    let full = json!({"model_id": UNKNOWN_ID, "detail": "full"});
    for (label, path, body, tool, arguments, place) in [
        (
            "a list for a map",
            MODEL,
            model("configuration", json!([])),
            "get_model",
            &of_model,
            "data.configuration",
        ),
        (
            "a text for a list",
            MODEL,
            model("policies", json!("all")),
            "get_model",
            &of_model,
            "data.policies",
        ),
        (
            "an id in a list",
            MODEL,
            model("policies", json!([5])),
            "get_model",
            &of_model,
            "data.policies",
        ),
        (
            "a text for an actor",
            MODEL,
            model("created_by", json!("me")),
            "get_model",
            &of_model,
            "data.created_by",
        ),
        (
            "a number for a date",
            MODEL,
            model("updated_at", json!(17)),
            "get_model",
            &of_model,
            "data.updated_at",
        ),
        (
            "in a nested object",
            MODEL,
            model("created_by", json!({"id": "x", "name": {}})),
            "get_model",
            &full,
            "data.created_by.name",
        ),
        (
            "in a nested list",
            MODEL,
            model("relations", json!([{"from": 1, "to": {"field": "f"}}])),
            "get_model",
            &full,
            "data.relations[0].from",
        ),
        (
            "a large version",
            MODEL,
            model("version", json!(1.5)),
            "get_model",
            &of_model,
            "data.version",
        ),
        (
            "a job",
            MODEL,
            json!({"data": {"id": UNKNOWN_ID}, "job": "none"}),
            "get_model",
            &of_model,
            "job",
        ),
        (
            "a connection",
            &connection,
            json!({"data": {"id": CONNECTION, "saved": "yes"}}),
            "get_connection",
            &of_connection,
            "data.saved",
        ),
        (
            "connections",
            &connections,
            json!({"data": [{"id": "a"}, {"id": "b", "type": "postgresql"}]}),
            "list_connections",
            &json!({}),
            "data[1].type",
        ),
        (
            "types",
            "/api/connection_types",
            json!({"data": [{"id": "a", "capabilities": {"source": true, "logging": 1}}]}),
            "list_connection_types",
            &json!({}),
            "data[0].capabilities.logging",
        ),
        (
            "syncs",
            "/api/syncs",
            json!({"data": [{"id": "a", "active": "yes"}]}),
            "list_model_syncs",
            &json!({}),
            "data[0].active",
        ),
        (
            "an identity",
            "/api/me",
            json!({"data": {"email": "a@b.c", "is_user": "yes"}}),
            "get_identity",
            &json!({}),
            "data.is_user",
        ),
        (
            "warnings",
            &format!("{MODEL}/sample"),
            json!({"data": {"records": [{"m": 1}], "warnings": [{}]}}),
            "sample_records",
            &of_model,
            "data.warnings",
        ),
    ] {
        let result = call(path, body.to_string(), tool, arguments.clone()).await;
        let result = result.unwrap_or_else(|error| panic!("{label}: {error}"));
        let notice = result["notice"].as_str().unwrap();
        assert!(notice.contains("1 value of an undocumented type"), "{label}: {notice}");
        assert!(notice.contains(&format!("(at {place})")), "{label}: {notice}");
    }
}

#[tokio::test]
async fn a_long_list_keeps_its_items() {
    // More than are read at once.
    let fields: Vec<Value> = (0..200)
        .map(|n| json!({"name": format!("f{n}"), "type": "string", "label": if n % 50 == 49 { json!(n) } else { json!("L") }}))
        .collect();
    let body = json!({"data": {"id": UNKNOWN_ID, "fields": fields}});
    let arguments = json!({"model_id": UNKNOWN_ID, "detail": "full"});
    let result = call(MODEL, body.to_string(), "get_model", arguments).await.unwrap();
    let shown = result["model"]["fields"].as_array().unwrap();
    assert_eq!(shown.len(), 200);
    for (n, field) in shown.iter().enumerate() {
        assert_eq!(field["name"], format!("f{n}"));
        assert_eq!(field.get("label").is_some(), n % 50 != 49, "{field}");
    }
    assert!(
        result["notice"].as_str().unwrap().contains("data.fields[149].label and 1 more"),
        "{result}"
    );
}

#[tokio::test]
async fn what_is_essential_is_not_left_out() {
    let of_model = json!({"model_id": UNKNOWN_ID});
    let of_source = json!({"connection_id": CONNECTION});
    let source = format!("/api/connections/{CONNECTION}/modelsync/source");
    for (label, path, body, tool, arguments) in [
        (
            "the id of a model",
            MODEL,
            json!({"data": {"id": 5, "name": "U"}}),
            "get_model",
            &of_model,
        ),
        (
            "the records",
            &format!("{MODEL}/sample"),
            json!({"data": {"records": "none"}}),
            "sample_records",
            &of_model,
        ),
        (
            "the items of a source",
            &source,
            json!({"data": {"items": "none"}}),
            "get_model_source",
            &of_source,
        ),
        ("the list", "/api/models", json!({"data": "none"}), "list_models", &json!({})),
        (
            "the next page",
            "/api/models",
            json!({"data": [], "pagination": {"next_page_token": {"a": 1}}}),
            "list_models",
            &json!({}),
        ),
        ("everything", MODEL, json!({"data": {"name": 5}}), "get_model", &of_model),
    ] {
        let error = call(path, body.to_string(), tool, arguments.clone()).await.unwrap_err();
        assert_eq!(error["code"], "upstream_error", "{label}: {error}");
    }
}

#[tokio::test]
async fn the_result_of_a_job_is_read_leniently() {
    let body = format!(
        r#"{{"data":{{"job_id":"{JOB_ID}","type":"createmodel","status":"done","result":{{"data":{{"id":"{UNKNOWN_ID}","name":"a\ud83d","version":"x"}}}}}}}}"#
    );
    let arguments = json!({"type": "createmodel", "job_id": JOB_ID});
    let result = call(&job_path("createmodel"), body, "get_job", arguments).await.unwrap();
    assert_eq!(result["model"], json!({"id": UNKNOWN_ID, "name": "a\u{fffd}"}));
    let notice = result["notice"].as_str().unwrap();
    assert!(notice.contains("U+FFFD (at data.result.data.name)"), "{notice}");
    assert!(notice.contains("left out (at version)"), "{notice}");
}
