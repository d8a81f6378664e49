//! How often and when a request is retried, and what ends the retries.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use super::fixtures::{MODELS, error_response, get_arguments, model_response, success};
use crate::support::{
    ClosedPort, Fault, FaultyServer, Launch, MODEL, Session, Stub, UNKNOWN_HOST, UNKNOWN_ID,
    definition, job, job_path,
};

#[tokio::test]
async fn retry_after_is_honored_in_both_forms() {
    let in_3_seconds = SystemTime::now() + Duration::from_secs(3);
    let date: &'static str = Box::leak(
        format!("retry-after: {}\r\n", httpdate::fmt_http_date(in_3_seconds)).into_boxed_str(),
    );
    let cases = [
        ("seconds", "retry-after: 1\r\n", 1_000..3_000),
        ("a date", date, 900..5_000),
        ("a past date", "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 0..900),
        ("nonsense", "retry-after: soon\r\n", 0..900),
        ("a negative number", "retry-after: -5\r\n", 0..900),
    ];
    let checks = cases.map(|(label, header, expected)| async move {
        let busy = Fault::Response(429, header, json!({}));
        let api = FaultyServer::start(vec![busy, success()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let started = Instant::now();
        session.call("get_model", get_arguments()).await;
        let waited = started.elapsed().as_millis();
        // The upper limits are generous, for busy machines.
        assert!(waited >= expected.start && waited < expected.end + 3_000, "{label}: {waited} ms");
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_ends_the_call_immediately() {
    for (header, seconds) in [
        ("retry-after: 3600\r\n", json!(3600)),
        ("retry-after: 99999999999999999999999\r\n", json!(u64::MAX)),
    ] {
        for status in [429, 503] {
            let api = FaultyServer::start(vec![Fault::Response(status, header, json!({}))]).await;
            let mut session = Session::open(&Launch::against(&api.url)).await;
            let started = Instant::now();
            let error = session.call_err("get_model", get_arguments()).await;
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
            assert_eq!(error["http_status"], status, "{error}");
            assert_eq!(error["details"]["retry_after_seconds"], seconds, "{error}");
            assert_eq!(api.received().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_request_is_attempted_eight_times_three_of_them_within_seconds() {
    let api = FaultyServer::start(vec![error_response(503)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let started = Instant::now();
    session.start_call("get_model", get_arguments()).await;
    api.wait_for_requests(3).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let response = session.next().await;
    let error = session.expect_error(&response);
    assert_eq!(error["code"], "upstream_unavailable", "{error}");
    assert_eq!(error["details"]["attempts"], 8, "{error}");
    assert_eq!(api.received().len(), 8);
}

#[tokio::test]
async fn retries_stop_when_the_retry_budget_is_exhausted() {
    let stub = Stub::start().await;
    stub.on("GET", MODEL, ResponseTemplate::new(500)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let calls = 60;
    for _ in 0..calls {
        session.start_call("get_model", get_arguments()).await;
    }
    let mut not_retried = 0;
    for _ in 0..calls {
        let response = session.next().await;
        let error = session.expect_error(&response);
        if error["message"].as_str().unwrap().contains("too many calls are failing") {
            not_retried += 1;
            // A 500 is otherwise not retryable, but this one had too few attempts.
            assert_eq!(error["retryable"], true, "{error}");
        }
    }
    assert_eq!(stub.requests().await.len(), calls + 100, "500 tokens allow 100 retries");
    assert!(not_retried > 20, "{not_retried}");
}

#[tokio::test]
async fn the_limit_of_concurrent_requests_applies_to_retries() {
    for (limit, calls) in [("2", 12), ("64", 12)] {
        let api = FaultyServer::start(vec![error_response(503)]).await;
        let launch = Launch::against(&api.url).variable("POLYTOMIC_MAX_IN_FLIGHT", limit);
        let mut session = Session::open(&launch).await;
        for _ in 0..calls {
            session.start_call("get_model", get_arguments()).await;
        }
        for _ in 0..calls {
            session.next().await;
        }
        let concurrent = api.max_concurrent();
        assert_eq!(concurrent <= 2, limit == "2", "{limit}: {concurrent} concurrent requests");
    }
}

#[tokio::test]
async fn a_cancelled_call_drops_its_request_within_a_second_and_is_not_retried() {
    for tool in ["get_model", "create_model"] {
        let api = FaultyServer::start(vec![Fault::Hang]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let arguments = if tool == "get_model" { get_arguments() } else { definition() };
        let id = session.start_call(tool, arguments).await;
        api.wait_for_requests(1).await;
        let cancelled = Instant::now();
        session.cancel(id).await;
        api.wait_for_disconnects(1).await;
        assert!(cancelled.elapsed() < Duration::from_secs(8), "{tool}: {:?}", cancelled.elapsed());
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(api.received().len(), 1, "{tool}");
        session.expect_silence().await;
    }
    // The same between two attempts.
    let api =
        FaultyServer::start(vec![Fault::Response(503, "retry-after: 1\r\n", json!({}))]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let id = session.start_call("get_model", get_arguments()).await;
    api.wait_for_requests(1).await;
    session.cancel(id).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(api.received().len(), 1);
}

#[tokio::test]
async fn a_write_is_not_sent_with_too_little_time_for_its_response() {
    use polytomic_mcp::polytomic::*;

    let api = FaultyServer::start(vec![success()]).await;
    let url = BaseUrl::parse(&api.url, false).unwrap();
    let client = Client::new(ClientConfig::new(url, Credential::bearer("key").unwrap())).unwrap();
    let deadline = Some(tokio::time::Instant::now() + Duration::from_secs(2));
    let options = CallOptions { deadline, ..CallOptions::default() };
    let definition: NewModel = serde_json::from_value(definition()).unwrap();
    let error = client.create_model(&definition, &options).await.unwrap_err();
    assert!(error.was_not_sent() && error.is_retryable(), "{error}");
    assert_eq!(api.received().len(), 0);
    // A read may still succeed in time.
    client.get_model(ModelId(UNKNOWN_ID.parse().unwrap()), &options).await.unwrap();
}

#[tokio::test]
async fn polling_honors_retry_after() {
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, json!({"job": job("createmodel", "created", Value::Null)}))
        .await;
    let served = std::sync::atomic::AtomicUsize::new(0);
    let respond = move |_: &wiremock::Request| match served
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    {
        0 => ResponseTemplate::new(429).insert_header("retry-after", "2"),
        _ => ResponseTemplate::new(200).set_body_json(
            json!({"data": job("createmodel", "done", model_response()["data"].clone())}),
        ),
    };
    stub.respond("GET", &job_path("createmodel"), respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let started = Instant::now();
    session.call("create_model", definition()).await;
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_timeout_limits_all_attempts_together_and_the_error_names_them() {
    let busy = || error_response(503);
    let api = FaultyServer::start(vec![busy(), busy(), busy(), Fault::Hang]).await;
    let launch = Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "5");
    let mut session = Session::open(&launch).await;
    let error = session.call_err("get_model", get_arguments()).await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("timeout"), &json!(true)));
    let message = error["message"].as_str().unwrap();
    assert_eq!(message, format!("No response from {} after 5 s (4 attempts).", api.url), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_never_made_is_reported_as_such() {
    // Accepts connections and leaves their TLS handshakes without a response.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    for (tool, arguments, limit) in
        [("get_model", get_arguments(), "3"), ("create_model", definition(), "9")]
    {
        let launch = Launch::against(&url).variable("POLYTOMIC_TIMEOUT_SECONDS", limit);
        let mut session = Session::open(&launch).await;
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["code"], "upstream_unavailable", "{error}");
        assert_eq!(error["retryable"], true, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("Cannot connect to {url}")), "{error}");
    }
}

#[tokio::test]
async fn the_error_of_a_status_names_the_time_and_the_attempts() {
    // After the last attempt there is too little time for another one, and enough for its response on a busy machine.
    let wait = "retry-after: 2\r\n";
    let of_api = |status: u16| Fault::Response(status, wait, json!({"status": status}));
    let gateway = |status| Fault::Response(status, wait, json!({}));
    let create = "create_model";
    let cases = [
        ("get_model", of_api(503), " is unavailable (503) after "),
        ("get_model", of_api(500), " failed at get_model with HTTP status 500 after "),
        ("get_model", of_api(429), "Rate limit exceeded (429) after "),
        ("get_model", of_api(408), " did not finish get_model in time (408) after "),
        (create, gateway(503), " is unavailable (503) after "),
        (create, gateway(500), " failed at create_model with HTTP status 500 after "),
        (create, of_api(409), " still running (409) after "),
    ];
    let checks = cases.map(async |(tool, fault, part)| {
        let api = FaultyServer::start(vec![fault]).await;
        let launch = Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "8");
        let mut session = Session::open(&launch).await;
        let arguments = if tool == create { definition() } else { get_arguments() };
        let error = session.call_err(tool, arguments).await;
        let (message, attempts) =
            (error["message"].as_str().unwrap(), &error["details"]["attempts"]);
        assert!(attempts.as_u64().unwrap() > 1, "{error}");
        assert!(message.contains(part), "{error}");
        assert!(message.contains(&format!(" s ({attempts} attempts)")), "{error}");
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_is_reported_within_the_timeout() {
    let closed = ClosedPort::new();
    for url in [&closed.url(), &format!("http://{UNKNOWN_HOST}")] {
        let launch = Launch::against(url)
            .variable("POLYTOMIC_TIMEOUT_SECONDS", "1")
            .variable("POLYTOMIC_ALLOW_HTTP", "1");
        let mut session = Session::open(&launch).await;
        let error = session.call_err("get_model", get_arguments()).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(url), "{error}");
        // Without the limit there are eight attempts.
        let attempts = error["details"]["attempts"].as_u64().unwrap_or(1);
        assert!(attempts < 8, "{error}");
        if attempts > 1 {
            let (_, time) = message.rsplit_once(" after ").unwrap();
            let (seconds, count) = time.split_once(" s ").unwrap();
            assert!((0.1..=1.0).contains(&seconds.parse::<f64>().unwrap()), "{error}");
            assert_eq!(count, format!("({attempts} attempts)."), "{error}");
        }
        // A create that is not sent has no outcome.
        let error = session.call_err("create_model", definition()).await;
        assert_eq!(error["outcome"], "not_sent", "{error}");
    }
}
