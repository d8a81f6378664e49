//! The answers that the API's reference and SDKs print, read through the tools that get them: as printed,
//! and with each property null or absent in turn. [`Session::call`] holds each result against the output
//! schema that is advertised.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, Launch, Session, Stub};

/// The id of everything in the examples.
const ID: &str = CONNECTION;

/// What the API prints, the call that reads it, from where, and a part of the result.
struct Example {
    file: &'static str,
    tool: &'static str,
    arguments: Value,
    /// Verb and path of each request, `ID` for the id.
    asks: Vec<String>,
    shows: (&'static str, Value),
}

fn examples() -> Vec<Example> {
    let model = json!({"model_id": ID});
    let connection = json!({"connection_id": ID});
    let full = json!({"connection_id": ID, "detail": "full"});
    let source = json!({"connection_id": ID, "configuration": {"table": "customers"}});
    let definition =
        json!({"connection_id": ID, "name": "Contacts", "configuration": {"table": "contacts"}});
    let change = json!({"model_id": ID, "name": "People", "labels": ["crm"]});
    let job = json!({"type": "createmodel", "job_id": ID});
    let masked = json!("********");
    let tables = json!(["company.accounts", "company.customers", "company.teams"]);
    let sample = json!({"model_id": ID, "wait_seconds": 0});
    let no = json!({});
    let all = json!({"detail": "full"});
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
            &change,
            "GET /models/ID, PUT /models/ID",
            "/changed/0/after",
            json!("People"),
        ),
        ("get_model", "get_model", &model, "GET /models/ID", "/model/fields/0/example", json!(123)),
        ("list_models", "list_models", &no, "GET /models", "/models/0/field_count", json!(1)),
        (
            "list_models",
            "list_models",
            &all,
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
        ("get_identity", "get_identity", &no, "GET /me", "/identity/is_user", json!(true)),
        (
            "list_connections",
            "list_connections",
            &no,
            "GET /connections",
            "/connections/0/type/name",
            json!("PostgreSQL"),
        ),
        (
            "list_connections",
            "list_connections",
            &all,
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
            &no,
            "GET /connection_types",
            "/connection_types/0/capabilities",
            json!({"source": true, "destination": true}),
        ),
        (
            "list_connection_types",
            "list_connection_types",
            &all,
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
            &no,
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
    .map(|(file, tool, arguments, asks, pointer, value)| Example {
        file,
        tool,
        arguments: arguments.clone(),
        asks: asks.split(", ").map(str::to_owned).collect(),
        shows: (pointer, value),
    })
    .into()
}

/// Where null says something, or is none of ours: maps with names of customers' choosing, and properties
/// that only `detail` full passes on as they are.
const FREE: [&str; 11] = [
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

/// A session whose API answers each of the example's requests with what `body` holds.
struct Reader {
    _stub: Stub,
    session: Session,
    body: Arc<Mutex<Value>>,
}

impl Reader {
    async fn of(example: &Example) -> Self {
        let stub = Stub::start().await;
        let body = Arc::new(Mutex::new(Value::Null));
        for ask in &example.asks {
            let (verb, path) = ask.split_once(' ').unwrap();
            let path = format!("/api{}", path.replace("ID", ID));
            let body = Arc::clone(&body);
            let answer = move |_: &wiremock::Request| {
                ResponseTemplate::new(200).set_body_json(&*body.lock().unwrap())
            };
            stub.respond(verb, &path, answer).await;
        }
        let session = Session::open(&Launch::against(&stub.url())).await;
        Self { _stub: stub, session, body }
    }

    /// The result of the example's call where the API answers `body`.
    async fn read(&mut self, example: &Example, body: Value, label: &str) -> Value {
        *self.body.lock().unwrap() = body;
        let params = json!({"name": example.tool, "arguments": example.arguments});
        let answer = self.session.request("tools/call", params).await;
        let failed = &answer["result"]["isError"];
        assert_ne!(failed, true, "{}, {}, {label}: {answer}", example.file, example.tool);
        self.session.expect_result(example.tool, &answer)
    }
}

/// What the file holds; of a list, where the name ends so, its first item.
fn printed(name: &str) -> Value {
    let file = name.trim_end_matches(".first");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/examples");
    let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    if file == name { body } else { json!({"data": body["data"][0]}) }
}

/// The places of all members of objects, at every depth. Without `data` there is no answer.
fn members(value: &Value, at: &str, places: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if !at.is_empty() || name != "data" {
                    places.push((at.to_owned(), name.clone()));
                }
                members(value, &format!("{at}/{name}"), places);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                members(value, &format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_printed_answer_is_read_whole() {
    for example in examples() {
        let mut reader = Reader::of(&example).await;
        let result = reader.read(&example, printed(example.file), "as printed").await;
        let (pointer, value) = &example.shows;
        let label = format!("{}, {}: {result}", example.file, example.tool);
        assert_eq!(result.pointer(pointer), Some(value), "{label}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/examples");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let is_read = examples().iter().any(|example| name == format!("{}.json", example.file));
        assert!(is_read, "{name} is read by no tool");
    }
}

#[tokio::test]
async fn whatever_is_null_or_absent_in_an_answer_the_rest_is_read() {
    let mut count = 0;
    for example in examples() {
        let mut reader = Reader::of(&example).await;
        let printed = printed(example.file);
        let mut places = Vec::new();
        members(&printed, "", &mut places);
        for (above, name) in places {
            let label = format!("{above}/{name}");
            let mut body = printed.clone();
            let parent = body.pointer_mut(&above).and_then(Value::as_object_mut).unwrap();
            parent.insert(name.clone(), Value::Null);
            let with_null = body.clone();
            let parent = body.pointer_mut(&above).and_then(Value::as_object_mut).unwrap();
            parent.remove(&name);
            let null = reader.read(&example, with_null, &format!("{label} null")).await;
            let absent = reader.read(&example, body, &format!("{label} absent")).await;
            if !FREE.iter().any(|free| label.contains(free)) {
                assert_eq!(null, absent, "{}, {}, {label}", example.file, example.tool);
            }
            count += 2;
        }
    }
    assert!(count > 700, "{count}");
}
