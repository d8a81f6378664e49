//! The bound itself: where it comes from, the same on every face, exact to the byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use wiremock::{Request, ResponseTemplate};

use super::cases::cases;
use super::large::{
    DEFAULT, JOB, PLENTY, fields, hostile, is_cut, measured, model, models, told_max_bytes,
    too_wide, with_max_bytes,
};
use crate::support::{
    Launch, MODEL, Session, Stub, UNKNOWN_ID, job, over_call, over_rpc, stateless,
};

#[tokio::test]
async fn what_cannot_be_cut_is_an_error_with_the_number_that_is_enough() {
    let stub = Stub::start().await;
    let wide: Map<String, Value> =
        (0..5_000).map(|n| (format!("k{n}"), json!({"type": "string"}))).collect();
    stub.json("GET", MODEL, 200, json!({"data": too_wide()})).await;
    stub.json("GET", "/api/models", 200, json!({"data": [too_wide()]})).await;
    stub.json("GET", "/api/connection_types/x", 200, json!({"properties": wide})).await;
    let done = json!({"data": job("exportlogs", "done", json!(wide))});
    stub.json("GET", &format!("/api/jobs/exportlogs/{JOB}"), 200, done).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("get_model", json!({"model_id": UNKNOWN_ID})),
        ("list_models", json!({"detail": "full"})),
        ("get_connection_type_schema", json!({"connection_type": "x"})),
        ("get_job", json!({"type": "exportlogs", "job_id": JOB})),
    ] {
        for ask in [arguments.clone(), with_max_bytes(&arguments, 4_000)] {
            let error = session.call_err(tool, ask).await;
            assert_eq!(error["code"], "result_too_large", "{tool}: {error}");
            assert_eq!(error["retryable"], false, "{tool}: {error}");
            let enough = told_max_bytes(&error["hint"]);
            let ask = with_max_bytes(&arguments, enough);
            let (whole, bytes) = measured(&mut session, tool, &ask).await;
            assert!(bytes <= enough, "{tool}: {bytes} of {enough}");
            assert_eq!(whole.get("truncated"), None, "{tool}");
            assert!(whole.to_string().contains("4999"), "{tool}");
        }
    }
}

#[tokio::test]
async fn the_setting_moves_the_default_and_the_argument_wins_over_it() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model(fields(5_000))})).await;
    let ask = json!({"model_id": UNKNOWN_ID});
    for setting in [4_000, 5_000, 200_000, 33_554_432] {
        let variable =
            Launch::against(&stub.url()).variable("POLYTOMIC_MAX_BYTES", &setting.to_string());
        let flag = Launch::against(&stub.url()).flag("--max-bytes").flag(&setting.to_string());
        for launch in [variable, flag] {
            let mut session = Session::open(&launch).await;
            let (result, bytes) = measured(&mut session, "get_model", &ask).await;
            assert!(bytes <= setting, "{setting}: {bytes} bytes");
            assert_eq!(result.get("truncated").is_none(), setting > 1_000_000, "{setting}");
            assert!(setting > 1_000_000 || bytes > setting / 2, "{setting}: {bytes} bytes");
            let (_, bytes) =
                measured(&mut session, "get_model", &with_max_bytes(&ask, 30_000)).await;
            assert!((21_000..=30_000).contains(&bytes), "{setting}: {bytes} bytes");
        }
    }
}

#[tokio::test]
async fn a_wrong_bound_is_told() {
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, json!({"data": model(fields(5))})).await;
    let ask = json!({"model_id": UNKNOWN_ID});
    for wrong in ["3999", "0", "-1", "many", "48000.5", "33554433", "99999999999999999999"] {
        let launch = Launch::against(&stub.url()).variable("POLYTOMIC_MAX_BYTES", wrong);
        let mut session = Session::open(&launch).await;
        let error = session.call_err("get_model", ask.clone()).await;
        assert_eq!(error["code"], "not_configured", "{wrong}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("POLYTOMIC_MAX_BYTES") && message.contains("4000"),
            "{wrong}: {error}"
        );
        let launch = Launch::against(&stub.url()).flag(&format!("--max-bytes={wrong}"));
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{wrong}: {stderr}");
        assert!(stderr.contains("--max-bytes"), "{wrong}: {stderr}");
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for wrong in
        [json!(3_999), json!(0), json!(-1), json!(1.5), json!("many"), json!([48_000]), json!(1e30)]
    {
        let mut ask = ask.clone();
        ask["max_bytes"] = wrong.clone();
        let error = session.call_err("get_model", ask).await;
        assert_eq!(error["code"], "invalid_argument", "{wrong}: {error}");
        assert_eq!(error["details"]["argument"], "max_bytes", "{wrong}: {error}");
    }
    assert_eq!(stub.lines().await, [""; 0]);
    for right in [json!(4_000), json!("90000"), json!(null), json!(u32::MAX)] {
        let mut ask = ask.clone();
        ask["max_bytes"] = right;
        session.call("get_model", ask).await;
    }
}

#[tokio::test]
async fn every_face_cuts_at_the_same_place() {
    let wide = Stub::start().await;
    for case in cases() {
        let (verb, path, body) = case.stands;
        wide.json(verb, &path, 200, body).await;
    }
    wide.json("GET", "/api/models", 200, json!({"data": models(60, 30)})).await;
    wide.json(
        "GET",
        "/api/models/11111111-1111-4111-8111-111111111111",
        200,
        json!({"data": too_wide()}),
    )
    .await;
    let launch = Launch::against(&wide.url());
    let mut mcp = Session::open(&launch).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    let mut calls: Vec<(&str, Value)> =
        cases().into_iter().map(|case| (case.tool, case.arguments)).collect();
    calls.push(("list_models", json!({"detail": "full"})));
    calls.push(("get_model", json!({"model_id": UNKNOWN_ID, "max_bytes": 5_000})));
    for (tool, arguments) in calls {
        let expected = mcp.call(tool, arguments.clone()).await;
        assert!(expected["truncated"].is_object(), "{tool} is not cut");
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

/// A model with as many fields, and as many characters in its name, as were set last.
async fn adjustable(text: &'static str) -> (Stub, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (rows, padding) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (of_rows, of_padding) = (Arc::clone(&rows), Arc::clone(&padding));
    let answer = move |_: &Request| {
        let mut model = model(hostile(of_rows.load(Ordering::Relaxed)));
        model["name"] = json!(text.repeat(of_padding.load(Ordering::Relaxed)));
        ResponseTemplate::new(200).set_body_json(json!({"data": model}))
    };
    let stub = Stub::start().await;
    stub.respond("GET", MODEL, answer).await;
    (stub, rows, padding)
}

/// The greatest number under `high` whose answer is not cut.
async fn greatest_whole(session: &mut Session, number: &AtomicUsize, high: usize) -> usize {
    let ask = json!({"model_id": UNKNOWN_ID});
    let (mut low, mut high) = (0, high);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        number.store(middle, Ordering::Relaxed);
        let (result, bytes) = measured(session, "get_model", &ask).await;
        assert!(bytes <= DEFAULT, "{middle}: {bytes} bytes");
        if result.get("truncated").is_none() { low = middle } else { high = middle }
    }
    low
}

#[tokio::test]
async fn nothing_is_cut_just_below_the_bound_and_nothing_passes_just_above() {
    for text in ["x", "\"", "\u{1}", "€"] {
        let (stub, rows, padding) = adjustable(text).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let most = greatest_whole(&mut session, &rows, 5_000).await;
        rows.store(most + 1, Ordering::Relaxed);
        let ask = json!({"model_id": UNKNOWN_ID});
        let (cut, bytes) = measured(&mut session, "get_model", &ask).await;
        assert!(bytes <= DEFAULT, "{text:?}: {bytes} bytes");
        assert_eq!(cut["truncated"]["total"], most + 1, "{text:?}");
        let (whole, bytes) =
            measured(&mut session, "get_model", &with_max_bytes(&ask, PLENTY)).await;
        assert!(bytes > DEFAULT - 500, "{text:?}: {bytes} bytes were cut");
        is_cut(text, &cut, &whole, "model.fields");

        // To the character: fewer rows, and a name that fills what is left.
        rows.store(most - 2, Ordering::Relaxed);
        let most = greatest_whole(&mut session, &padding, 1_500).await;
        padding.store(most, Ordering::Relaxed);
        let (_, bytes) = measured(&mut session, "get_model", &ask).await;
        assert!((DEFAULT - 500..=DEFAULT).contains(&bytes), "{text:?}: {bytes} bytes");
        // The era without initialize writes more around it.
        let params = stateless(json!({"name": "get_model", "arguments": ask}));
        let answer = session.request("tools/call", params).await;
        assert_eq!(session.expect_result("get_model", &answer).get("truncated"), None, "{text:?}");
        assert!(session.last_bytes() <= DEFAULT, "{text:?}: {} bytes", session.last_bytes());
        padding.store(most + 1, Ordering::Relaxed);
        let params = stateless(json!({"name": "get_model", "arguments": ask}));
        let answer = session.request("tools/call", params).await;
        assert!(session.expect_result("get_model", &answer)["truncated"].is_object(), "{text:?}");
        assert!(session.last_bytes() <= DEFAULT, "{text:?}: {} bytes", session.last_bytes());
    }
}
