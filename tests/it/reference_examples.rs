//! Response bodies from the API reference and the SDKs, read through the tools that request them: unchanged, and
//! with each property null or absent. Each result is validated against the advertised output schema.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, Launch, Session, Stub};

/// The id of all objects in the examples.
const ID: &str = CONNECTION;

/// A file with a response, the call that reads it, the requests it sends, and a part of its result.
struct Example {
    file: &'static str,
    tool: &'static str,
    arguments: Value,
    /// Method and path of each request, with `ID` for the id.
    requests: Vec<String>,
    /// Pointer and value.
    expected: (&'static str, Value),
}

fn examples() -> Vec<Example> {
    let model = json!({"model_id": ID});
    let connection = json!({"connection_id": ID});
    let full = json!({"connection_id": ID, "detail": "full"});
    let source = json!({"connection_id": ID, "configuration": {"table": "customers"}});
    let definition =
        json!({"connection_id": ID, "name": "Contacts", "configuration": {"table": "contacts"}});
    let update = json!({"model_id": ID, "name": "People", "labels": ["crm"]});
    let job = json!({"type": "createmodel", "job_id": ID});
    let masked = json!("********");
    let tables = json!(["company.accounts", "company.customers", "company.teams"]);
    let sample = json!({"model_id": ID, "wait_seconds": 0});
    let brief = json!({});
    let detailed = json!({"detail": "full"});
    [
        (
            "create_model",
            "create_model",
            &definition,
            "POST /models",
            "/model/name",
            json!("Contacts"),
        ),
        (
            "create_model",
            "preview_model",
            &definition,
            "POST /model-preview",
            "/model/type",
            json!("postgresql"),
        ),
        (
            "create_model",
            "get_model",
            &model,
            "GET /models/ID",
            "/model/enricher/fields/0/name",
            json!("phone_number"),
        ),
        (
            "create_model",
            "update_model",
            &update,
            "GET /models/ID, PUT /models/ID",
            "/changed/0/after",
            json!("People"),
        ),
        ("get_model", "get_model", &model, "GET /models/ID", "/model/fields/0/example", json!(123)),
        ("list_models", "list_models", &brief, "GET /models", "/models/0/field_count", json!(1)),
        (
            "list_models",
            "list_models",
            &detailed,
            "GET /models",
            "/models/0/relations/0/to/field",
            json!("user_id"),
        ),
        (
            "sample_model",
            "sample_records",
            &sample,
            "GET /models/ID/sample",
            "/records/0/model-uuid/name",
            json!("Jim"),
        ),
        ("get_job", "get_job", &job, "GET /jobs/createmodel/ID", "/next/tool", json!("get_job")),
        ("get_identity", "get_identity", &brief, "GET /me", "/identity/is_user", json!(true)),
        (
            "list_connections",
            "list_connections",
            &brief,
            "GET /connections",
            "/connections/0/type/name",
            json!("PostgreSQL"),
        ),
        (
            "list_connections",
            "list_connections",
            &detailed,
            "GET /connections",
            "/connections/0/configuration/port",
            json!(5432),
        ),
        (
            "get_connection",
            "get_connection",
            &connection,
            "GET /connections/ID",
            "/connection/status",
            json!("healthy"),
        ),
        (
            "get_connection",
            "get_connection",
            &full,
            "GET /connections/ID",
            "/connection/configuration/password",
            masked.clone(),
        ),
        (
            "get_connection",
            "test_connection",
            &connection,
            "GET /connections/ID, POST /connections/test",
            "/works",
            json!(true),
        ),
        (
            "create_connection.postgresql",
            "get_connection",
            &full,
            "GET /connections/ID",
            "/connection/configuration/password",
            masked,
        ),
        (
            "list_connection_types",
            "list_connection_types",
            &brief,
            "GET /connection_types",
            "/connection_types/0/capabilities",
            json!({"source": true, "destination": true}),
        ),
        (
            "list_connection_types",
            "list_connection_types",
            &detailed,
            "GET /connection_types",
            "/connection_types/0/use_oauth",
            json!(true),
        ),
        (
            "get_model_sync_source.database",
            "get_model_source",
            &connection,
            "GET /connections/ID/modelsync/source",
            "/requires_one_of/0",
            json!("database"),
        ),
        (
            "get_model_sync_source.mysql",
            "get_model_source",
            &connection,
            "GET /connections/ID/modelsync/source",
            "/items/table/items",
            tables.clone(),
        ),
        (
            "get_model_sync_source.mysql",
            "get_enrichment_source",
            &connection,
            "GET /connections/ID/modelsync/enrichment-source",
            "/items/table/items",
            tables,
        ),
        (
            "get_model_sync_source_fields",
            "get_model_source_fields",
            &source,
            "GET /connections/ID/modelsync/source/fields",
            "/fields/1/name",
            json!("full_name"),
        ),
        (
            "list_model_syncs",
            "list_model_syncs",
            &brief,
            "GET /syncs",
            "/syncs/0/target_object",
            json!("Users"),
        ),
        (
            "list_model_syncs.first",
            "get_model_sync",
            &json!({"sync_id": ID}),
            "GET /syncs/ID",
            "/sync/mode",
            json!("create"),
        ),
    ]
    .map(|(file, tool, arguments, requests, pointer, value)| Example {
        file,
        tool,
        arguments: arguments.clone(),
        requests: requests.split(", ").map(str::to_owned).collect(),
        expected: (pointer, value),
    })
    .into()
}

/// Paths where null is kept: maps whose names customers choose, and properties that only `detail` full returns,
/// unchanged.
const FREE_FORM: [&str; 11] = [
    "/configuration/",
    "/enricher/mappings/",
    "/items/",
    "/labels/",
    "/records/",
    "/schedule/",
    "/auth_",
    "/envConfig",
    "/healthcheck_interval",
    "/initialConfiguration",
    "/0/logo_url",
];

/// A session whose API responds to each request of the example with `body`.
struct Reader {
    _stub: Stub,
    session: Session,
    body: Arc<Mutex<Value>>,
}

impl Reader {
    async fn new(example: &Example) -> Self {
        let stub = Stub::start().await;
        let body = Arc::new(Mutex::new(Value::Null));
        for request in &example.requests {
            let (verb, path) = request.split_once(' ').unwrap();
            let path = format!("/api{}", path.replace("ID", ID));
            let body = Arc::clone(&body);
            let respond = move |_: &wiremock::Request| {
                ResponseTemplate::new(200).set_body_json(&*body.lock().unwrap())
            };
            stub.respond(verb, &path, respond).await;
        }
        let session = Session::open(&Launch::against(&stub.url())).await;
        Self { _stub: stub, session, body }
    }

    /// The result of the example's call if the API responds with `body`.
    async fn read(&mut self, example: &Example, body: Value, label: &str) -> Value {
        *self.body.lock().unwrap() = body;
        let params = json!({"name": example.tool, "arguments": example.arguments});
        let response = self.session.request("tools/call", params).await;
        let is_error = &response["result"]["isError"];
        assert_ne!(is_error, true, "{}, {}, {label}: {response}", example.file, example.tool);
        self.session.expect_result(example.tool, &response)
    }
}

/// The response in a file; for a name with `.first`, the first item of its list.
fn example_body(name: &str) -> Value {
    let file = name.trim_end_matches(".first");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/examples");
    let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    if file == name { body } else { json!({"data": body["data"][0]}) }
}

/// The parent path and name of all properties, at every depth. A response without `data` would be an error.
fn properties(value: &Value, parent: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if !parent.is_empty() || name != "data" {
                    found.push((parent.to_owned(), name.clone()));
                }
                properties(value, &format!("{parent}/{name}"), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                properties(value, &format!("{parent}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_response_of_the_reference_is_accepted() {
    for example in examples() {
        let mut reader = Reader::new(&example).await;
        let result = reader.read(&example, example_body(example.file), "unchanged").await;
        let (pointer, value) = &example.expected;
        let label = format!("{}, {}: {result}", example.file, example.tool);
        assert_eq!(result.pointer(pointer), Some(value), "{label}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/examples");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let is_read = examples().iter().any(|example| name == format!("{}.json", example.file));
        assert!(is_read, "no tool reads {name}");
    }
}

#[tokio::test]
async fn each_property_of_a_response_may_be_null_or_absent() {
    let mut count = 0;
    for example in examples() {
        let mut reader = Reader::new(&example).await;
        let original = example_body(example.file);
        let mut found = Vec::new();
        properties(&original, "", &mut found);
        for (parent_path, name) in found {
            let label = format!("{parent_path}/{name}");
            // Without its id, a model is not one that was written.
            if label == "/data/id" && ["create_model", "update_model"].contains(&example.tool) {
                continue;
            }
            let mut body = original.clone();
            let parent = body.pointer_mut(&parent_path).and_then(Value::as_object_mut).unwrap();
            parent.insert(name.clone(), Value::Null);
            let with_null = body.clone();
            let parent = body.pointer_mut(&parent_path).and_then(Value::as_object_mut).unwrap();
            parent.remove(&name);
            let null = reader.read(&example, with_null, &format!("{label} null")).await;
            let absent = reader.read(&example, body, &format!("{label} absent")).await;
            if !FREE_FORM.iter().any(|path| label.contains(path)) {
                assert_eq!(null, absent, "{}, {}, {label}", example.file, example.tool);
            }
            count += 2;
        }
    }
    assert!(count > 700, "{count}");
}
