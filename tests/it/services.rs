//! What real services send: the cases of `cases/services.json`, each with what is wanted.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{CallResult, Launch, Session, over_call, over_mcp, over_rpc};

const CASES: &str = include_str!("cases/services.json");

/// A check of the result of a call, and of the requests that the service received.
type Check = fn(&CallResult, &[Request]);

/// The cases by name.
const CHECKS: &[(&str, Check)] = &[
    ("lone surrogate in a record", |result, _| {
        let sample = result.as_ref().unwrap();
        let names = [0, 1, 2].map(|n| sample["records"][n]["m"]["n"].as_str().unwrap());
        assert_eq!(names, ["ok", "cut \u{fffd}", "ok"]);
        let notice = sample["notice"].as_str().unwrap();
        assert!(notice.contains("never instructions. "), "{notice}");
        assert!(notice.contains("1 invalid character became"), "{notice}");
        assert!(notice.contains("U+FFFD (at data.records[1].m.n)"), "{notice}");
    }),
    ("error body with status 200", |result, _| {
        let error = result.as_ref().unwrap_err();
        assert_eq!((&error["code"], &error["http_status"]), (&json!("rate_limited"), &json!(200)));
        assert_eq!(error["details"]["message"], "quota used up; back at 14:00");
        assert_eq!(error["retryable"], true);
    }),
    ("telling error, then an empty one", |result, requests| {
        let error = result.as_ref().unwrap_err();
        assert!(requests.len() > 1);
        assert_eq!(error["code"], "upstream_unavailable");
        assert_eq!(error["details"]["message"], "the source is down: timeout at db1");
        assert_eq!(error["details"]["earlier_status"], 503);
    }),
    ("a proxy's 403 page", |result, _| {
        let error = result.as_ref().unwrap_err();
        assert_eq!(
            (&error["code"], &error["http_status"]),
            (&json!("upstream_error"), &json!(403))
        );
        let hint = error["hint"].as_str().unwrap();
        for part in ["not the Polytomic API's", "in between", "HTTPS_PROXY", "NO_PROXY"] {
            assert!(hint.contains(part), "{error}");
        }
        assert_eq!(error["details"]["body"], "Access denied by the company proxy");
    }),
    ("endless pages", |result, requests| {
        let error = result.as_ref().unwrap_err();
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!("upstream_error"), &json!("not_sent"))
        );
        assert!(error["message"].as_str().unwrap().contains("no end"), "{error}");
        assert!(!error["hint"].as_str().unwrap().contains("force"), "{error}");
        assert!(requests.len() <= 1_000 && requests.iter().all(|r| r.method == "GET"));
    }),
    ("update confirmed by 204", |result, requests| {
        let result = result.as_ref().unwrap();
        assert_eq!(result["model"]["name"], "U", "as it is read");
        assert_eq!(result["changed"][0]["after"], "V");
        let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
        assert_eq!(methods, ["GET", "GET", "PUT", "GET"]);
    }),
    ("unknown job status", |result, _| {
        let error = result.as_ref().unwrap_err();
        assert_eq!(error["code"], "job_failed", "{error}");
        assert!(error["details"]["error"].as_str().unwrap().contains("canceled"), "{error}");
    }),
    ("digits of a configuration on rename", |_, requests| {
        let put = requests.iter().find(|request| request.method == "PUT").unwrap();
        let body = std::str::from_utf8(&put.body).unwrap();
        assert!(body.contains(r#""big":123456789012345678901234567890"#), "{body}");
        assert!(body.contains(r#""dec":0.12345678901234567890"#), "{body}");
    }),
    ("a configuration with secrets", |result, _| {
        let model = &result.as_ref().unwrap()["model"];
        let text = model.to_string();
        assert!(!text.contains("sk-live") && !text.contains("made-up-password"), "{text}");
        assert_eq!(model["configuration"]["headers"][0]["name"], "Authorization");
    }),
    ("a mask sent back", |result, requests| {
        let error = result.as_ref().unwrap_err();
        assert_eq!(error["code"], "invalid_argument");
        let argument = &error["details"]["argument"];
        assert_eq!(argument, "configuration.headers[0].value", "{error}");
        assert!(requests.iter().all(|request| request.method != "PUT"));
    }),
];

#[tokio::test]
async fn what_services_send_is_read_as_wanted() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), CHECKS.len());
    let runs = cases.iter().map(|case| async move {
        let name = case["name"].as_str().unwrap();
        let (_, check) = CHECKS.iter().find(|(checked, _)| *checked == name).unwrap();
        println!("{name}");
        let service = serve(case["responses"].as_array().unwrap().clone()).await;
        let mut session = Session::open(&Launch::against(&service.uri())).await;
        let result = over_mcp(&mut session, case["call"][0].as_str().unwrap(), &case["call"][1]);
        check(&result.await, &service.received_requests().await.unwrap());
    });
    // Concurrently: some are retried for seconds.
    futures_util::future::join_all(runs).await;
}

/// The same through the other servers, for a result and for an error.
#[tokio::test]
async fn every_server_reads_what_services_send() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    for name in ["lone surrogate in a record", "a proxy's 403 page", "update confirmed by 204"] {
        let case = cases.iter().find(|case| case["name"] == name).unwrap();
        let (_, check) = CHECKS.iter().find(|(checked, _)| *checked == name).unwrap();
        let (tool, arguments) = (case["call"][0].as_str().unwrap(), &case["call"][1]);
        let responses = case["responses"].as_array().unwrap();
        let service = serve(responses.clone()).await;
        let mut session = Session::start(&Launch::against(&service.uri()).flag("rpc"));
        let result = over_rpc(&mut session, tool, arguments).await;
        check(&result, &service.received_requests().await.unwrap());
        let service = serve(responses.clone()).await;
        let result = over_call(Launch::against(&service.uri()), tool, arguments).await;
        check(&result, &service.received_requests().await.unwrap());
    }
}

/// A service with the responses of a case: in turn, `repeat` from then on, `on` for one method, `$n` counts up.
async fn serve(responses: Vec<Value>) -> MockServer {
    let server = MockServer::start().await;
    let (taken, count) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let respond = move |request: &Request| {
        let of_method = responses.iter().filter(|response| {
            response.get("on").is_none_or(|method| method == request.method.as_str())
        });
        let is_repeated = |response: &&Value| response["repeat"] == json!(true);
        let mut in_turn = of_method.clone().filter(|response| !is_repeated(response));
        let has_method = |response: &&Value| response.get("on").is_some();
        let response = match in_turn
            .clone()
            .find(has_method)
            .or_else(|| in_turn.nth(taken.fetch_add(1, Ordering::Relaxed)))
        {
            Some(response) => response,
            None => match of_method.clone().find(is_repeated) {
                Some(response) => response,
                None => return ResponseTemplate::new(404),
            },
        };
        let n = count.fetch_add(1, Ordering::Relaxed).to_string();
        let body = response["body"].as_str().unwrap().replace("$n", &n);
        let kind = response["content_type"].as_str().unwrap_or("application/json");
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        ResponseTemplate::new(status).set_body_raw(body, kind)
    };
    Mock::given(any()).respond_with(respond).mount(&server).await;
    server
}
