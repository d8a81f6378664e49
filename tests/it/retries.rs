//! What is tried again, how often and when; and that nothing is done twice.

use std::time::{Duration, Instant, SystemTime};

use polytomic_mcp::sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, Fault, Faulty, Launch, MODEL, NOBODY, Seen, Session, Stub, job};

const MODELS: &str = "/api/models";

fn get() -> Value {
    json!({"model_id": NOBODY})
}

fn definition() -> Value {
    json!({"connection_id": CONNECTION, "name": "Users", "configuration": {"table": "public.users"}})
}

fn model() -> Value {
    json!({"data": {"id": NOBODY, "name": "Users", "version": 1, "connection_id": CONNECTION,
        "configuration": {"table": "public.users"}}})
}

fn answer(status: u16) -> Fault {
    Fault::Answer(status, "", json!({"message": "no"}))
}

fn done() -> Fault {
    Fault::Answer(200, "", model())
}

/// The keys of the requests, which must all be the same one.
#[track_caller]
fn one_key(seen: &[Seen]) -> String {
    let keys: Vec<_> =
        seen.iter().map(|seen| seen.key.clone().expect("a POST has a key")).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    keys[0].clone()
}

#[tokio::test]
async fn reads_and_updates_are_tried_again_at_statuses_that_pass() {
    // Status; whether a read, and whether an update is tried again.
    let cases = [
        (400, false, false),
        (401, false, false),
        (404, false, false),
        (408, true, true),
        (409, false, false),
        (422, false, false),
        (429, true, true),
        (500, true, false),
        (501, false, false),
        (502, true, true),
        (503, true, true),
        (504, true, true),
    ];
    let told = cases.map(|(status, read, update)| async move {
        let api = Faulty::start(vec![answer(status), done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        if read {
            assert_eq!(
                session.call("get_model", get()).await["model"]["name"],
                "Users",
                "{status}"
            );
        } else {
            session.call_err("get_model", get()).await;
        }
        assert_eq!(api.seen().len(), 1 + usize::from(read), "{status}: a read");

        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, model()).await;
        let turn = std::sync::atomic::AtomicUsize::new(0);
        let put = move |_: &wiremock::Request| match turn
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        {
            0 => ResponseTemplate::new(status),
            _ => ResponseTemplate::new(200).set_body_json(model()),
        };
        stub.respond("PUT", MODEL, put).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"model_id": NOBODY, "name": "People"});
        if update {
            session.call("update_model", arguments).await;
        } else {
            session.call_err("update_model", arguments).await;
        }
        let puts = stub.lines().await.iter().filter(|line| line.starts_with("PUT")).count();
        assert_eq!(puts, 1 + usize::from(update), "{status}: an update");
    });
    futures_util::future::join_all(told).await;
}

#[tokio::test]
async fn a_create_is_sent_again_with_its_key_and_only_while_its_outcome_is_unknown() {
    let cases = [
        ("400", answer(400), false),
        ("429", answer(429), false),
        ("500", answer(500), false),
        ("503", answer(503), false),
        ("408", answer(408), true),
        ("409, the first is still running", answer(409), true),
        ("502", answer(502), true),
        ("504", answer(504), true),
        ("reset after it was read", Fault::ResetAfter, true),
        ("a body cut short", Fault::CutBody, true),
        ("a body of no length that ends early", Fault::OpenBody, true),
    ];
    let told = cases.map(|(label, fault, again)| async move {
        let api = Faulty::start(vec![fault, done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        if again {
            let created = session.call("create_model", definition()).await;
            assert_eq!(created["model"]["name"], "Users", "{label}");
        } else {
            let error = session.call_err("create_model", definition()).await;
            assert_eq!(error["outcome"], "refused", "{label}: {error}");
        }
        assert_eq!(api.seen().len(), 1 + usize::from(again), "{label}");
        let key = one_key(&api.seen());
        // A definite outcome ends the key: the next create is another one.
        session.call("create_model", definition()).await;
        assert_ne!(api.seen().last().unwrap().key.as_deref(), Some(key.as_str()), "{label}");
    });
    futures_util::future::join_all(told).await;
}

#[tokio::test]
async fn a_connection_that_was_reset_before_the_request_was_read_is_made_anew() {
    let api = Faulty::start(vec![Fault::ResetBefore, done()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let created = session.call("create_model", definition()).await;
    assert_eq!(created["model"]["name"], "Users");
    assert_eq!(api.seen().len(), 1);
    for fault in [Fault::ResetBefore, Fault::ResetAfter, Fault::CutBody, Fault::OpenBody] {
        let label = format!("{fault:?}");
        let api = Faulty::start(vec![fault, done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        assert_eq!(session.call("get_model", get()).await["model"]["name"], "Users", "{label}");
    }
}

#[tokio::test]
async fn a_busy_key_is_waited_for_and_then_leaves_the_outcome_open() {
    let script = vec![Fault::ResetAfter, answer(409), answer(409), done()];
    let api = Faulty::start(script).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    session.call("create_model", definition()).await;
    assert_eq!(api.seen().len(), 4);
    one_key(&api.seen());

    let api = Faulty::start(vec![Fault::ResetAfter, answer(409)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("unknown")));
    assert_eq!(error["details"]["tries"], 8, "{error}");
    assert!(error["hint"].as_str().unwrap().contains("same arguments"), "{error}");
    one_key(&api.seen());
}

#[tokio::test]
async fn a_delete_is_sent_again_only_when_the_connection_broke() {
    let delete = || json!({"model_id": NOBODY, "force": true});
    let nothing = || Fault::Answer(404, "", json!({"message": "no"}));
    // It was done, and the answer was lost.
    let api = Faulty::start(vec![Fault::ResetAfter, nothing()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let deleted = session.call("delete_model", delete()).await;
    assert_eq!(deleted, json!({"deleted": true, "model_id": NOBODY}));
    assert_eq!(api.seen().len(), 2);
    assert!(api.seen().iter().all(|seen| seen.key.is_none()), "a DELETE has a key");
    // It was never there.
    let api = Faulty::start(vec![nothing()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let error = session.call_err("delete_model", delete()).await;
    assert_eq!(error["code"], "not_found", "{error}");
    for status in [408, 429, 500, 502, 503, 504] {
        let api = Faulty::start(vec![answer(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        session.call_err("delete_model", delete()).await;
        assert_eq!(api.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured_in_both_forms() {
    let soon = SystemTime::now() + Duration::from_secs(3);
    let date: &'static str =
        Box::leak(format!("retry-after: {}\r\n", httpdate::fmt_http_date(soon)).into_boxed_str());
    let cases = [
        ("seconds", "retry-after: 1\r\n", 1_000..3_000),
        ("a date", date, 900..5_000),
        ("a date gone by", "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 0..900),
        ("nonsense", "retry-after: soon\r\n", 0..900),
        ("less than nothing", "retry-after: -5\r\n", 0..900),
    ];
    let told = cases.map(|(label, header, expected)| async move {
        let busy = Fault::Answer(429, header, json!({}));
        let api = Faulty::start(vec![busy, done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let started = Instant::now();
        session.call("get_model", get()).await;
        let waited = started.elapsed().as_millis();
        // The upper bounds are wide: machines may be busy.
        assert!(waited >= expected.start && waited < expected.end + 3_000, "{label}: {waited} ms");
    });
    futures_util::future::join_all(told).await;
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_ends_the_call_at_once() {
    for (header, seconds) in [
        ("retry-after: 3600\r\n", json!(3600)),
        ("retry-after: 99999999999999999999999\r\n", json!(u64::MAX)),
    ] {
        for status in [429, 503] {
            let api = Faulty::start(vec![Fault::Answer(status, header, json!({}))]).await;
            let mut session = Session::open(&Launch::against(&api.url)).await;
            let started = Instant::now();
            let error = session.call_err("get_model", get()).await;
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
            assert_eq!(error["http_status"], status, "{error}");
            assert_eq!(error["details"]["retry_after_seconds"], seconds, "{error}");
            assert_eq!(api.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_read_that_hangs_is_tried_again_within_the_deadline() {
    let api = Faulty::start(vec![Fault::Hang, done()]).await;
    let launch = Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "1");
    let mut session = Session::open(&launch).await;
    assert_eq!(session.call("get_model", get()).await["model"]["name"], "Users");
    let created = session.call("create_model", definition()).await;
    assert_eq!(created["model"]["name"], "Users");
    assert_eq!(api.seen().len(), 3);
}

#[tokio::test]
async fn eight_tries_are_the_most_and_three_come_soon() {
    let api = Faulty::start(vec![answer(503)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let started = Instant::now();
    session.begin("get_model", get()).await;
    api.asked(3).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let answer = session.next().await;
    let error = session.failed(&answer);
    assert_eq!(error["code"], "upstream_unavailable", "{error}");
    assert_eq!(error["details"]["tries"], 8, "{error}");
    assert_eq!(api.seen().len(), 8);
}

#[tokio::test]
async fn retries_stop_when_too_many_calls_fail() {
    let stub = Stub::start().await;
    stub.on("GET", MODEL, ResponseTemplate::new(500)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let calls = 60;
    for _ in 0..calls {
        session.begin("get_model", get()).await;
    }
    let mut held_back = 0;
    for _ in 0..calls {
        let answer = session.next().await;
        let error = session.failed(&answer);
        if error["message"].as_str().unwrap().contains("too many calls fail") {
            held_back += 1;
            // A 500 is not worth another try for its own sake, but was not tried enough here.
            assert_eq!(error["retryable"], true, "{error}");
        }
    }
    assert_eq!(stub.requests().await.len(), calls + 100, "500 tokens pay for 100 retries");
    assert!(held_back > 20, "{held_back}");
}

#[tokio::test]
async fn the_limit_of_requests_in_flight_holds_for_retries() {
    for (limit, calls) in [("2", 12), ("64", 12)] {
        let api = Faulty::start(vec![answer(503)]).await;
        let launch = Launch::against(&api.url).variable("POLYTOMIC_MAX_IN_FLIGHT", limit);
        let mut session = Session::open(&launch).await;
        for _ in 0..calls {
            session.begin("get_model", get()).await;
        }
        for _ in 0..calls {
            session.next().await;
        }
        let busiest = api.busiest();
        assert_eq!(busiest <= 2, limit == "2", "{limit}: {busiest} at once");
    }
}

/// Carries requests to `target` at once, and answers back only after `delay`.
async fn slow_way(target: String, delay: Duration) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let api = tokio::net::TcpStream::connect(&target).await.unwrap();
            let ((mut from_peer, mut to_peer), (mut from_api, mut to_api)) =
                (peer.into_split(), api.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from_peer, &mut to_api).await });
            tokio::spawn(async move {
                let mut chunk = vec![0; 65_536];
                while let Ok(n @ 1..) = from_api.read(&mut chunk).await {
                    tokio::time::sleep(delay).await;
                    if to_peer.write_all(&chunk[..n]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_create_that_was_cancelled_makes_one_model_with_the_next_try() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let target = sandbox.url().trim_start_matches("http://").to_owned();
    let url = slow_way(target, Duration::from_millis(400)).await;
    let launch = Launch::against(&url).variable("POLYTOMIC_API_KEY", sandbox.api_key());
    let mut session = Session::open(&launch).await;
    for _ in 0..2 {
        let id = session.begin("create_model", definition()).await;
        // The sandbox has saved it, and its answer is on the way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        session.send(cancel).await;
    }
    let created = session.call("create_model", definition()).await;
    let listed = session.call("list_models", json!({})).await;
    let ids: Vec<_> = listed["models"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(ids, [&created["model"]["id"]], "{listed}");
}

#[tokio::test]
async fn after_an_unknown_outcome_the_same_arguments_send_the_same_key() {
    let api = Faulty::start(vec![Fault::Hang, Fault::Hang, done()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let id = session.begin("create_model", definition()).await;
    api.asked(1).await;
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    session.send(cancel).await;
    api.given_up(1).await;
    // Other arguments are another model.
    let mut other = definition();
    other["name"] = json!("People");
    let id = session.begin("create_model", other.clone()).await;
    api.asked(2).await;
    session
        .send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
        .await;
    api.given_up(2).await;
    // The order of properties and how the call is made do not matter.
    let mut again = json!({"configuration": {"table": "public.users"}, "name": "Users", "connection_id": CONNECTION});
    again["async"] = json!(true);
    session.call("create_model", again).await;
    let seen = api.seen();
    assert_eq!(seen.len(), 3, "something was tried again after the cancel: {seen:?}");
    assert_eq!(seen[0].key, seen[2].key);
    assert_ne!(seen[0].key, seen[1].key);
}

#[tokio::test]
async fn a_cancelled_call_drops_its_request_within_a_second_and_tries_nothing_again() {
    for tool in ["get_model", "create_model"] {
        let api = Faulty::start(vec![Fault::Hang]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let arguments = if tool == "get_model" { get() } else { definition() };
        let id = session.begin(tool, arguments).await;
        api.asked(1).await;
        let cancelled = Instant::now();
        session
            .send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
            .await;
        api.given_up(1).await;
        assert!(cancelled.elapsed() < Duration::from_secs(1), "{tool}: {:?}", cancelled.elapsed());
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(api.seen().len(), 1, "{tool}");
        session.expect_silence().await;
    }
    // Also while it pauses between two tries.
    let api = Faulty::start(vec![Fault::Answer(503, "retry-after: 1\r\n", json!({}))]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let id = session.begin("get_model", get()).await;
    api.asked(1).await;
    session
        .send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
        .await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn a_key_of_the_caller_s_is_sent_and_belongs_to_one_set_of_arguments() {
    let api = Faulty::start(vec![done()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let mut arguments = definition();
    arguments["idempotency_key"] = json!("nightly-import_2026");
    session.call("create_model", arguments.clone()).await;
    session.call("create_model", arguments.clone()).await;
    assert_eq!(one_key(&api.seen()), "nightly-import_2026");
    arguments["name"] = json!("People");
    let error = session.call_err("create_model", arguments.clone()).await;
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!("invalid_argument"), &json!("not_sent"))
    );
    assert!(error["message"].as_str().unwrap().starts_with("idempotency_key: "), "{error}");
    assert_eq!(error["details"]["argument"], "idempotency_key");
    for odd in ["short", "with space in it", "with\nline break", "ümläuteverywhere"] {
        arguments["idempotency_key"] = json!(odd);
        let error = session.call_err("create_model", arguments.clone()).await;
        assert_eq!(error["code"], "invalid_argument", "{odd}: {error}");
    }
    assert_eq!(api.seen().len(), 2);
    // Only what is no read and not the same twice takes one.
    let error = session
        .call_err("get_model", json!({"model_id": NOBODY, "idempotency_key": "abcdefgh"}))
        .await;
    assert!(error["message"].as_str().unwrap().contains("idempotency_key"), "{error}");
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_told_as_unknown_whatever_comes_after() {
    // A PUT that was cut, then refused: the first may have been carried out.
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, model()).await;
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let put = move |_: &wiremock::Request| match turn
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    {
        0 => ResponseTemplate::new(504),
        _ => ResponseTemplate::new(403),
    };
    stub.respond("PUT", MODEL, put).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("update_model", json!({"model_id": NOBODY, "name": "b"})).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("forbidden"), &json!("unknown")));
    // A POST that was cut, then refused: its key speaks for both, unless something answered that stands before
    // the place where keys are known.
    for (status, outcome) in [(400, "refused"), (422, "refused"), (500, "refused")]
        .into_iter()
        .chain([401, 403, 429, 503].map(|status| (status, "unknown")))
    {
        let api = Faulty::start(vec![Fault::ResetAfter, answer(status), done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!(error["outcome"], outcome, "{status}: {error}");
        let key = one_key(&api.seen());
        let told = error["details"]["idempotency_key"].as_str();
        assert_eq!(told, (outcome == "unknown").then_some(key.as_str()), "{status}: {error}");
        session.call("create_model", definition()).await;
        let next = api.seen().pop().unwrap().key.unwrap();
        assert_eq!(next == key, outcome == "unknown", "{status}");
    }
}

#[tokio::test]
async fn words_about_a_change_agree_with_its_outcome() {
    for status in [503, 504] {
        let api = Faulty::start(vec![answer(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let error = session.call_err("create_model", definition()).await;
        let unknown = error["outcome"] == "unknown";
        assert_eq!(unknown, status == 504, "{error}");
        assert_eq!(
            error["message"].as_str().unwrap().contains("may have been made"),
            unknown,
            "{error}"
        );
        assert_eq!(
            error["hint"].as_str().unwrap().contains("same idempotency key"),
            unknown,
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_job_that_was_not_waited_for_is_found_again_by_the_next_try() {
    let start = json!({"job": job("createmodel", "created", Value::Null)});
    let at = "/api/jobs/createmodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
    let running = json!({"data": job("createmodel", "running", Value::Null)});
    let finished = json!({"data": job("createmodel", "done", model()["data"].clone())});
    let keys = async |stub: &Stub| -> Vec<String> {
        let requests = stub.requests().await;
        let posts = requests.iter().filter(|request| request.method == "POST");
        posts.map(|post| post.headers["idempotency-key"].to_str().unwrap().to_owned()).collect()
    };
    // Cancelled while it polls.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, start.clone()).await;
    stub.sequence("GET", at, vec![running.clone(), running.clone(), finished.clone()]).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let id = session.begin("create_model", definition()).await;
    stub.asked(2).await;
    session
        .send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
        .await;
    session.call("create_model", definition()).await;
    session.call("create_model", definition()).await;
    let sent = keys(&stub).await;
    assert_eq!(sent[0], sent[1], "the second try made another model");
    assert_ne!(sent[1], sent[2], "a job that has ended still holds its key");
    // Polling fails: the outcome is unknown.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, start.clone()).await;
    stub.json("GET", at, 403, json!({})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["outcome"], "unknown", "{error}");
    session.call_err("create_model", definition()).await;
    let sent = keys(&stub).await;
    assert_eq!(sent[0], sent[1]);
    // The handle was told: the next call is another one.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, start).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut arguments = definition();
    arguments["wait_seconds"] = json!(0);
    session.call("create_model", arguments.clone()).await;
    session.call("create_model", arguments).await;
    let sent = keys(&stub).await;
    assert_ne!(sent[0], sent[1]);
}

#[tokio::test]
async fn a_timeout_that_the_api_has_kept_for_a_key_is_not_waited_for_again() {
    let mut session = Session::sandbox().await;
    let slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 60000000)
        SELECT count(*) AS n FROM c";
    let mut definition =
        json!({"connection_id": CONNECTION, "name": "Slow", "configuration": {"query": slow}});
    let error = session.call_err("create_model", definition.clone()).await;
    assert_eq!((&error["code"], &error["details"]["tries"]), (&json!("timeout"), &json!(2)));
    // What the hint says works: the kept outcome is that of the old key.
    assert!(error["hint"].as_str().unwrap().contains("`async` true"), "{error}");
    definition["async"] = json!(true);
    definition["wait_seconds"] = json!(0);
    let started = session.call("create_model", definition).await;
    assert_eq!(started["next"]["tool"], "get_job", "{started}");
}

#[tokio::test]
async fn a_change_is_not_sent_with_too_little_time_for_its_answer() {
    use polytomic_mcp::polytomic::*;

    let api = Faulty::start(vec![done()]).await;
    let url = BaseUrl::parse(&api.url, false).unwrap();
    let client = Client::new(ClientConfig::new(url, Credential::bearer("key").unwrap())).unwrap();
    let deadline = Some(tokio::time::Instant::now() + Duration::from_secs(2));
    let options = CallOptions { deadline, ..CallOptions::default() };
    let definition: NewModel = serde_json::from_value(definition()).unwrap();
    let error = client.create_model(&definition, &options).await.unwrap_err();
    assert!(error.was_not_sent() && error.is_retryable(), "{error}");
    assert_eq!(api.seen().len(), 0);
    // What only reads may still come in time.
    client.get_model(ModelId(NOBODY.parse().unwrap()), &options).await.unwrap();
}

#[tokio::test]
async fn what_only_reads_is_asked_with_a_new_key_each_time() {
    let api = Faulty::start(vec![answer(504)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    session.call_err("preview_model", definition()).await;
    let first = api.seen().len();
    session.call_err("preview_model", definition()).await;
    let seen = api.seen();
    assert_ne!(seen[0].key, seen[first].key);
}

#[tokio::test]
async fn what_fails_before_a_change_is_sent_has_changed_nothing() {
    for status in [403, 502] {
        let api = Faulty::start(vec![answer(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        for (tool, arguments) in [
            ("update_model", json!({"model_id": NOBODY, "name": "b"})),
            ("delete_model", json!({"model_id": NOBODY, "expected_name": "b"})),
        ] {
            let error = session.call_err(tool, arguments).await;
            assert_eq!(error["outcome"], "not_sent", "{tool} {status}: {error}");
        }
    }
}

#[tokio::test]
async fn a_sample_that_takes_too_long_goes_on_as_a_job_once() {
    let at = format!("{MODEL}/sample");
    let slow = |text: &str| json!({"message": text});
    for (label, status, body, falls_back) in [
        ("408", 408, json!({}), true),
        ("504", 504, json!({}), true),
        ("500 that speaks of time", 500, slow("query timed out"), true),
        ("400 that speaks of async", 400, slow("Use async=true for this model."), true),
        ("400 that does not", 400, slow("there is no column timestamp"), false),
        ("403", 403, slow("timeout"), false),
    ] {
        let stub = Stub::start().await;
        let answer = move |request: &wiremock::Request| match request.url.query() {
            Some("async=true") => ResponseTemplate::new(200)
                .set_body_json(json!({"job": job("samplemodel", "created", Value::Null)})),
            _ => ResponseTemplate::new(status).set_body_json(&body),
        };
        stub.respond("GET", &at, answer).await;
        let result = json!({"records": [{NOBODY: {"a": 1}}], "warnings": []});
        let poll = "/api/jobs/samplemodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
        stub.json("GET", poll, 200, json!({"data": job("samplemodel", "done", result)})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let path = format!("GET {at}");
        if falls_back {
            let sample = session.call("sample_records", get()).await;
            assert_eq!(sample["records"][0][NOBODY]["a"], 1, "{label}: {sample}");
            let lines = stub.lines().await;
            assert_eq!(lines[..2], [path.clone(), format!("{path}?async=true")], "{label}");
        } else {
            session.call_err("sample_records", get()).await;
            assert_eq!(stub.lines().await, [path], "{label}");
        }
    }
    // Once: a job that is refused as well is told.
    let stub = Stub::start().await;
    stub.json("GET", &at, 400, json!({"message": "took too much time"})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("sample_records", get()).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert_eq!(stub.requests().await.len(), 2);
}

#[tokio::test]
async fn polling_a_job_waits_as_the_api_asks() {
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, json!({"job": job("createmodel", "created", Value::Null)}))
        .await;
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let poll = move |_: &wiremock::Request| match turn
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    {
        0 => ResponseTemplate::new(429).insert_header("retry-after", "2"),
        _ => ResponseTemplate::new(200)
            .set_body_json(json!({"data": job("createmodel", "done", model()["data"].clone())})),
    };
    stub.respond("GET", "/api/jobs/createmodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22", poll).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let started = Instant::now();
    session.call("create_model", definition()).await;
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
}
