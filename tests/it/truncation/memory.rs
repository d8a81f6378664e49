//! A large response takes at most four times its size in memory.

use serde_json::json;
use wiremock::ResponseTemplate;

use super::fixtures::fields;
use crate::support::{JOB_ID, Launch, MODEL, Session, Stub, UNKNOWN_ID, job_path};

/// Bytes of the responses: so many that what a first call takes once does not matter.
const BODY_BYTES: usize = 6_000_000;

/// A list of equal items that has `BODY_BYTES`.
fn list(item: &str) -> String {
    vec![item; BODY_BYTES / (item.len() + 1)].join(",")
}

#[tokio::test]
async fn a_large_response_takes_at_most_four_times_its_size() {
    let record = format!(
        r#"{{"{UNKNOWN_ID}":{{"id":12345,"email":"somebody@example.com","name":"Jim \"J\"","score":1.25}}}}"#
    );
    let precise = r#"{"m":{"id":9007199254740993,"amount":1234.50,"rate":0.1234567890123456789}}"#;
    let field = fields(1)[0].to_string();
    let sample = |record: &str| format!(r#"{{"data":{{"records":[{}]}}}}"#, list(record));
    let done = |kind: &str, result: &str| {
        format!(
            r#"{{"data":{{"job_id":"{JOB_ID}","type":"{kind}","status":"done","result":{result}}}}}"#
        )
    };
    let model = |field: &str| {
        format!(r#"{{"id":"{UNKNOWN_ID}","name":"Users","fields":[{}]}}"#, list(field))
    };
    let envelope = |data: &str| format!(r#"{{"data":{data}}}"#);
    let of_model = json!({"model_id": UNKNOWN_ID});
    let all_records = json!({"model_id": UNKNOWN_ID, "limit": 1_000});
    let of_job = |kind: &str| json!({"type": kind, "job_id": JOB_ID});
    let sample_path = format!("{MODEL}/sample");
    for (label, path, body, tool, arguments) in [
        ("sample", &sample_path, sample(&record), "sample_records", &all_records),
        ("precise sample", &sample_path, sample(precise), "sample_records", &all_records),
        (
            "escaped sample",
            &sample_path,
            sample(r#"{"m":{"text":"100 % \u003cb\u003e"}}"#),
            "sample_records",
            &all_records,
        ),
        (
            "sample with a bad character in each record",
            &sample_path,
            sample(r#"{"m":{"text":"100 % \ud83d of some text","rate":1234.50}}"#),
            "sample_records",
            &all_records,
        ),
        (
            "model with a bad type in each field",
            &MODEL.to_owned(),
            envelope(&model(r#"{"name":"a","label":5,"type":"string","description":"some text"}"#)),
            "get_model",
            &of_model,
        ),
        (
            "sample of a job",
            &job_path("samplemodel"),
            done("samplemodel", &format!(r#"{{"records":[{}]}}"#, list(&record))),
            "get_job",
            &of_job("samplemodel"),
        ),
        ("model", &MODEL.to_owned(), envelope(&model(&field)), "get_model", &of_model),
        (
            "small fields",
            &MODEL.to_owned(),
            envelope(&model(r#"{"name":"a"}"#)),
            "get_model",
            &of_model,
        ),
        (
            "model of a job",
            &job_path("createmodel"),
            done("createmodel", &model(&field)),
            "get_job",
            &of_job("createmodel"),
        ),
    ] {
        let stub = Stub::start().await;
        let bytes = body.len();
        let template = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        stub.on("GET", path, template).await;
        stub.json("GET", "/api/me", 200, json!({"data": {"email": "a@b.c"}})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        // The client, its certificates and the schemas are there after the first call.
        session.call("get_identity", json!({})).await;
        let before = session.peak_memory_kib();
        let result = session.call(tool, arguments.clone()).await;
        assert!(result["truncated"]["total"].as_u64() >= Some(1_000), "{label}: {result}");
        let taken = (session.peak_memory_kib() - before) * 1024;
        let share = taken as f64 / bytes as f64;
        assert!(share <= 4.0, "{label}: {share:.1} times the body");
    }
}
