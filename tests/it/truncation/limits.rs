//! The size limit: the setting and the argument that set it, the same for every server, exact to the byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use wiremock::{Request, ResponseTemplate};

use super::cases::cases;
use super::fixtures::{
    AMPLE_MAX_BYTES, DEFAULT_MAX_BYTES, call_and_measure, fields, hostile_fields, model, models,
    suggested_max_bytes, wide_model, with_max_bytes,
};
use crate::support::{
    JOB_ID, Launch, MODEL, Session, Stub, UNKNOWN_ID, job, job_path, over_call, over_rpc, stateless,
};

#[tokio::test]
async fn a_result_that_cannot_be_truncated_is_an_error_with_a_sufficient_limit() {
    let stub = Stub::start().await;
    let wide: Map<String, Value> =
        (0..5_000).map(|n| (format!("k{n}"), json!({"type": "string"}))).collect();
    stub.json("GET", MODEL, 200, json!({"data": wide_model()})).await;
    stub.json("GET", "/api/models", 200, json!({"data": [wide_model()]})).await;
    stub.json("GET", "/api/connection_types/x", 200, json!({"properties": wide})).await;
    let done = json!({"data": job("exportlogs", "done", json!(wide))});
    stub.json("GET", &job_path("exportlogs"), 200, done).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("get_model", json!({"model_id": UNKNOWN_ID})),
        ("list_models", json!({"detail": "full"})),
        ("get_connection_type_schema", json!({"connection_type": "x"})),
        ("get_job", json!({"type": "exportlogs", "job_id": JOB_ID})),
    ] {
        for limited in [arguments.clone(), with_max_bytes(&arguments, 4_000)] {
            let error = session.call_err(tool, limited).await;
            assert_eq!(error["code"], "result_too_large", "{tool}: {error}");
            assert_eq!(error["retryable"], false, "{tool}: {error}");
            let sufficient = suggested_max_bytes(&error["hint"]);
            let arguments = with_max_bytes(&arguments, sufficient);
            let (complete, bytes) = call_and_measure(&mut session, tool, &arguments).await;
            assert!(bytes <= sufficient, "{tool}: {bytes} of {sufficient}");
            assert_eq!(complete.get("truncated"), None, "{tool}");
            assert!(complete.to_string().contains("4999"), "{tool}");
        }
    }
}

#[tokio::test]
async fn the_setting_changes_the_default_and_the_argument_overrides_it() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model(fields(5_000))})).await;
    let arguments = json!({"model_id": UNKNOWN_ID});
    for setting in [4_000, 5_000, 200_000, 33_554_432] {
        let variable =
            Launch::against(&stub.url()).variable("POLYTOMIC_MAX_BYTES", &setting.to_string());
        let flag = Launch::against(&stub.url()).flag("--max-bytes").flag(&setting.to_string());
        for launch in [variable, flag] {
            let mut session = Session::open(&launch).await;
            let (result, bytes) = call_and_measure(&mut session, "get_model", &arguments).await;
            assert!(bytes <= setting, "{setting}: {bytes} bytes");
            assert_eq!(result.get("truncated").is_none(), setting > 1_000_000, "{setting}");
            assert!(setting > 1_000_000 || bytes > setting / 2, "{setting}: {bytes} bytes");
            let (_, bytes) =
                call_and_measure(&mut session, "get_model", &with_max_bytes(&arguments, 30_000))
                    .await;
            assert!((21_000..=30_000).contains(&bytes), "{setting}: {bytes} bytes");
        }
    }
}

#[tokio::test]
async fn an_invalid_limit_is_rejected() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model(fields(5))})).await;
    let arguments = json!({"model_id": UNKNOWN_ID});
    for invalid in ["3999", "0", "-1", "many", "48000.5", "33554433", "99999999999999999999"] {
        let launch = Launch::against(&stub.url()).variable("POLYTOMIC_MAX_BYTES", invalid);
        let mut session = Session::open(&launch).await;
        let error = session.call_err("get_model", arguments.clone()).await;
        assert_eq!(error["code"], "not_configured", "{invalid}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("POLYTOMIC_MAX_BYTES") && message.contains("4000"),
            "{invalid}: {error}"
        );
        let launch = Launch::against(&stub.url()).flag(&format!("--max-bytes={invalid}"));
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{invalid}: {stderr}");
        assert!(stderr.contains("--max-bytes"), "{invalid}: {stderr}");
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for invalid in
        [json!(3_999), json!(0), json!(-1), json!(1.5), json!("many"), json!([48_000]), json!(1e30)]
    {
        let mut arguments = arguments.clone();
        arguments["max_bytes"] = invalid.clone();
        let error = session.call_err("get_model", arguments).await;
        assert_eq!(error["code"], "invalid_argument", "{invalid}: {error}");
        assert_eq!(error["details"]["argument"], "max_bytes", "{invalid}: {error}");
    }
    assert_eq!(stub.lines().await, [""; 0]);
    for valid in [json!(4_000), json!("90000"), json!(null), json!(u32::MAX)] {
        let mut arguments = arguments.clone();
        arguments["max_bytes"] = valid;
        session.call("get_model", arguments).await;
    }
}

#[tokio::test]
async fn every_server_truncates_at_the_same_point() {
    let stub = Stub::start().await;
    for case in cases() {
        let (verb, path, body) = case.response;
        stub.json(verb, &path, 200, body).await;
    }
    stub.json("GET", "/api/models", 200, json!({"data": models(60, 30)})).await;
    stub.json(
        "GET",
        "/api/models/11111111-1111-4111-8111-111111111111",
        200,
        json!({"data": wide_model()}),
    )
    .await;
    let launch = Launch::against(&stub.url());
    let mut mcp = Session::open(&launch).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    let mut calls: Vec<(&str, Value)> =
        cases().into_iter().map(|case| (case.tool, case.arguments)).collect();
    calls.push(("list_models", json!({"detail": "full"})));
    calls.push(("get_model", json!({"model_id": UNKNOWN_ID, "max_bytes": 5_000})));
    for (tool, arguments) in calls {
        let expected = mcp.call(tool, arguments.clone()).await;
        assert!(expected["truncated"].is_object(), "{tool} is not truncated");
        let over_rpc = over_rpc(&mut rpc, tool, &arguments).await;
        assert!(over_rpc.as_ref() == Ok(&expected), "{tool} {arguments}: rpc differs");
        let over_call = over_call(launch.clone(), tool, &arguments).await;
        assert!(over_call.as_ref() == Ok(&expected), "{tool} {arguments}: call differs");
    }
    let arguments = json!({"model_id": "11111111-1111-4111-8111-111111111111"});
    let expected = Err(mcp.call_err("get_model", arguments.clone()).await);
    assert_eq!(over_rpc(&mut rpc, "get_model", &arguments).await, expected);
    assert_eq!(over_call(launch, "get_model", &arguments).await, expected);
}

/// A stub with a model; the numbers set its field count, and the length of its name in copies of `text`.
async fn adjustable_stub(text: &'static str) -> (Stub, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (field_count, name_length) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (shared_count, shared_length) = (Arc::clone(&field_count), Arc::clone(&name_length));
    let respond = move |_: &Request| {
        let mut model = model(hostile_fields(shared_count.load(Ordering::Relaxed)));
        model["name"] = json!(text.repeat(shared_length.load(Ordering::Relaxed)));
        ResponseTemplate::new(200).set_body_json(json!({"data": model}))
    };
    let stub = Stub::start().await;
    stub.respond("GET", MODEL, respond).await;
    (stub, field_count, name_length)
}

/// The largest value below `high` with which the result is not truncated.
async fn max_complete(session: &mut Session, number: &AtomicUsize, high: usize) -> usize {
    let arguments = json!({"model_id": UNKNOWN_ID});
    let (mut low, mut high) = (0, high);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        number.store(middle, Ordering::Relaxed);
        let (result, bytes) = call_and_measure(session, "get_model", &arguments).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{middle}: {bytes} bytes");
        if result.get("truncated").is_none() { low = middle } else { high = middle }
    }
    low
}

#[tokio::test]
async fn results_are_truncated_only_above_the_limit_and_never_exceed_it() {
    for text in ["x", "\"", "\u{1}", "€"] {
        let (stub, field_count, name_length) = adjustable_stub(text).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let max = max_complete(&mut session, &field_count, 5_000).await;
        field_count.store(max + 1, Ordering::Relaxed);
        let arguments = json!({"model_id": UNKNOWN_ID});
        let (partial, bytes) = call_and_measure(&mut session, "get_model", &arguments).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{text:?}: {bytes} bytes");
        assert_eq!(partial["truncated"]["total"], max + 1, "{text:?}");
        let (complete, bytes) = call_and_measure(
            &mut session,
            "get_model",
            &with_max_bytes(&arguments, AMPLE_MAX_BYTES),
        )
        .await;
        assert!(bytes > DEFAULT_MAX_BYTES - 500, "{text:?}: {bytes} bytes were truncated");
        let names = |result: &Value| -> Vec<Value> {
            let fields = result["model"]["fields"].as_array().unwrap();
            fields.iter().map(|field| field["name"].clone()).collect()
        };
        assert_eq!(names(&partial), names(&complete), "{text:?}");
        let note = &partial["truncated"];
        assert_eq!((&note["list"], &note["shown"]), (&json!("examples"), &json!(0)), "{text:?}");

        // To the character: fewer fields, and a name that fills the remaining bytes.
        field_count.store(max - 2, Ordering::Relaxed);
        let max = max_complete(&mut session, &name_length, 1_500).await;
        name_length.store(max, Ordering::Relaxed);
        let (_, bytes) = call_and_measure(&mut session, "get_model", &arguments).await;
        assert!(
            (DEFAULT_MAX_BYTES - 500..=DEFAULT_MAX_BYTES).contains(&bytes),
            "{text:?}: {bytes} bytes"
        );
        // The stateless protocol revision adds more to the message.
        let params = stateless(json!({"name": "get_model", "arguments": arguments}));
        let response = session.request("tools/call", params).await;
        assert_eq!(
            session.expect_result("get_model", &response).get("truncated"),
            None,
            "{text:?}"
        );
        assert!(
            session.last_bytes() <= DEFAULT_MAX_BYTES,
            "{text:?}: {} bytes",
            session.last_bytes()
        );
        name_length.store(max + 1, Ordering::Relaxed);
        let params = stateless(json!({"name": "get_model", "arguments": arguments}));
        let response = session.request("tools/call", params).await;
        assert!(session.expect_result("get_model", &response)["truncated"].is_object(), "{text:?}");
        assert!(
            session.last_bytes() <= DEFAULT_MAX_BYTES,
            "{text:?}: {} bytes",
            session.last_bytes()
        );
    }
}
