//! The page to watch, over HTTP and in a browser.

use reqwest::Method;
use reqwest::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

use super::executions::{create, run};
use crate::compat::skip;
use crate::support::{Browser, Sandbox, client, send, users};

fn link(sandbox: &Sandbox) -> String {
    sandbox.announcement["page"].as_str().unwrap().to_owned()
}

/// The session that the link opens.
async fn open(sandbox: &Sandbox) -> String {
    let response = client().get(link(sandbox)).send().await.unwrap();
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_link_opens_the_page_once() {
    let sandbox = Sandbox::start();
    assert!(link(&sandbox).starts_with(&format!("{}/sandbox/?code=", sandbox.url)));
    let wrong = client().get(format!("{}x", link(&sandbox))).send().await.unwrap();
    assert!(!wrong.headers().contains_key(SET_COOKIE));
    let first = client().get(link(&sandbox)).send().await.unwrap();
    assert_eq!(first.status(), 200);
    let cookie = first.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    for attribute in ["; HttpOnly", "; SameSite=Strict", "; Path=/sandbox"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let second = client().get(link(&sandbox)).send().await.unwrap();
    assert_eq!(second.status(), 200);
    assert!(!second.headers().contains_key(SET_COOKIE));
}

#[tokio::test]
async fn a_session_watches_and_changes_nothing() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let session = open(&sandbox).await;
    let with = |method: Method, path: &str, cookie: &str| {
        send(sandbox.anonymous(method, path).header(COOKIE, cookie))
    };
    let forged = format!("{}0", &session[..session.len() - 1]);
    let name = session.split('=').next().unwrap();
    let empty = format!("{name}=");
    for path in ["/sandbox/state", "/sandbox/log", "/sandbox/faults", "/sandbox/clock"] {
        with(Method::GET, path, &session).await.data();
        with(Method::GET, path, &format!("a=b; {session}")).await.data();
        for cookie in ["", "other=x", &forged, &empty] {
            if cookie != session {
                with(Method::GET, path, cookie).await.error_message(401);
            }
        }
    }
    for (method, path) in [
        (Method::POST, "/sandbox/reset"),
        (Method::POST, "/sandbox/faults"),
        (Method::DELETE, "/sandbox/faults"),
        (Method::POST, "/sandbox/clock"),
        (Method::GET, "/api/models"),
    ] {
        with(method, path, &session).await.error_message(401);
    }
    let sign_in = async |key: &str| {
        let request = sandbox.anonymous(Method::POST, "/sandbox/session");
        send(request.json(&json!({ "api_key": key }))).await
    };
    let opened = sign_in(&sandbox.key).await;
    assert_eq!(opened.status, 204);
    let cookie = opened.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    with(Method::GET, "/sandbox/state", &cookie).await.data();
    assert_ne!(cookie, session);
    sign_in("wrong").await.error_message(401);
    sign_in(&sandbox.with_key("read_only").key).await.error_message(403);
    sign_in(&sandbox.with_key("expired").key).await.error_message(401);
}

#[tokio::test]
async fn other_sites_are_refused() {
    let sandbox = Sandbox::start();
    let session = open(&sandbox).await;
    let port = sandbox.url.rsplit(':').next().unwrap();
    let site = "sec-fetch-site";
    let cases = [
        (HOST.as_str(), format!("attacker.example:{port}"), 403),
        (HOST.as_str(), "127.0.0.1.attacker.example".to_owned(), 403),
        (HOST.as_str(), format!("localhost:{port}"), 200),
        (ORIGIN.as_str(), "https://attacker.example".to_owned(), 403),
        (ORIGIN.as_str(), "null".to_owned(), 403),
        (ORIGIN.as_str(), "http://127.0.0.1:1".to_owned(), 403),
        (ORIGIN.as_str(), sandbox.url.clone(), 200),
        (site, "cross-site".to_owned(), 403),
        (site, "same-site".to_owned(), 403),
        (site, "same-origin".to_owned(), 200),
    ];
    for (name, value, status) in cases {
        let request = sandbox.anonymous(Method::GET, "/sandbox/state").header(COOKIE, &session);
        let response = send(request.header(name, &value)).await;
        assert_eq!(response.status, status, "{name}: {value}: {}", response.text);
        // The key does not help: a page that has it needs no other site.
        let request = sandbox.request(Method::GET, "/sandbox/state").header(name, &value);
        assert_eq!(send(request).await.status, status, "{name}: {value}");
    }
    let page = sandbox.anonymous(Method::GET, "/sandbox/").header(HOST, "attacker.example");
    assert_eq!(send(page).await.status, 403);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let sandbox = Sandbox::start();
    let response = client().get(format!("{}/sandbox", sandbox.url)).send().await.unwrap();
    assert_eq!(response.url().path(), "/sandbox/");
    let headers = response.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    for expected in [
        "default-src 'none'",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(expected), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert_eq!(headers["cache-control"], "no-store");
    let page = response.text().await.unwrap();
    for absent in
        ["http://", "https://", " onclick", " onload", " onsubmit", "innerHTML", " style=", "src="]
    {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[tokio::test]
async fn events_show_the_requests_as_they_come() {
    let sandbox = Sandbox::start();
    sandbox.get("/api/me").await.data();
    let mut response = sandbox.request(Method::GET, "/sandbox/events").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut read_until = async |expected: &str| {
        while !text.contains(expected) {
            let chunk = tokio::time::timeout(std::time::Duration::from_secs(10), response.chunk());
            text.push_str(
                std::str::from_utf8(&chunk.await.expect("an event").unwrap().unwrap()).unwrap(),
            );
        }
        std::mem::take(&mut text)
    };
    let first = read_until("event: state").await;
    assert!(first.contains("event: requests\ndata: [{\"number\":1,"), "{first}");
    let model = sandbox.post("/api/models", &users(json!({}))).await.data().clone();
    read_until("\"operation\":\"create_model\"").await;
    read_until("\"status\":200").await;
    read_until(model["id"].as_str().unwrap()).await;
    sandbox.post("/sandbox/faults", &json!({ "fault": "get_identity:status=500" })).await.data();
    read_until("get_identity:status=500").await;
    send(sandbox.request(Method::POST, "/sandbox/reset")).await;
    read_until("event: requests\ndata: []").await;
    // Somebody who watches does not keep the sandbox from stopping.
    let status = tokio::task::spawn_blocking(move || sandbox.terminate()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_browser_shows_what_happens() {
    let Some(mut browser) = Browser::open(1400, 900).await else {
        return skip("there is no Chromium on this machine: apt-get install chromium");
    };
    let rule = "list_models:status=503,times=1";
    let sandbox = Sandbox::start_with(&["--fault", rule]);
    browser.go_to(&format!("{}/sandbox/", sandbox.url)).await;
    browser.wait_for("document.getElementById('form') !== null && !document.getElementById('sign-in').hidden").await;
    let enter = |key: &str| {
        format!(
            "document.getElementById('key').value = '{key}'; document.querySelector('#form button').click(); true"
        )
    };
    browser.evaluate(&enter("wrong")).await;
    browser
        .wait_for("document.getElementById('problem').textContent.includes('Invalid API key')")
        .await;
    browser.evaluate(&enter(&sandbox.key)).await;
    browser.wait_for("document.getElementById('live').textContent === 'live'").await;

    browser.go_to("about:blank").await;
    browser.go_to(&link(&sandbox)).await;
    browser.wait_for("location.pathname + location.search === '/sandbox/'").await;
    browser.wait_for("document.getElementById('live').textContent === 'live'").await;
    let hostile = "<img src=x onerror=\"document.title='broken'\">";
    for name in ["Paying customers", hostile] {
        sandbox.post("/api/models", &users(json!({ "name": name, "colour": "red" }))).await.data();
    }
    let model = sandbox.create(json!({ "table": "public.orders" })).await["id"].clone();
    let sync = create(&sandbox, &model, &["id"], json!({ "name": "Orders to CRM" })).await;
    let execution = run(&sandbox, &sync, json!({})).await;
    assert_eq!(execution["status"], "completed", "{execution}");
    sandbox.get("/api/models").await.error_message(503);
    sandbox.get("/api/models").await.data();
    sandbox.get("/api/webhooks").await.error_message(501);
    for (id, expected) in [
        ("requests", "create_model"),
        ("requests", "colour: unknown property"),
        ("requests", "list_models:status=503,times=1"),
        ("requests", "501"),
        ("models", hostile),
        ("models", "Paying customers"),
        ("syncs", "Orders to CRM"),
        ("executions", "Orders to CRM"),
        ("executions", "completed"),
        ("jobs", "createmodel"),
        ("connections", "Legacy CRM"),
        ("faults", "1 of 2"),
    ] {
        let expected = serde_json::to_string(expected).unwrap();
        browser
            .wait_for(&format!("document.getElementById('{id}').textContent.includes({expected})"))
            .await;
    }
    assert_eq!(browser.evaluate("document.title").await, "Polytomic sandbox");
    assert_eq!(browser.evaluate("document.querySelectorAll('img').length").await, 0);
    assert_eq!(browser.evaluate("document.cookie").await, "");
    let is_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    for width in [360, 1400] {
        browser.resize(width, 1_000).await;
        assert_eq!(browser.evaluate(is_wide).await, Value::Bool(false), "{width}");
    }
    let light = browser.screenshot().await;
    browser.use_dark_colors().await;
    let background = browser.evaluate("getComputedStyle(document.body).backgroundColor").await;
    assert_eq!(background, "rgb(15, 18, 24)");
    #[expect(clippy::disallowed_methods, reason = "set by who wants to see the page")]
    let path = std::env::var_os("SANDBOX_SCREENSHOT");
    if let Some(path) = path {
        let path = std::path::PathBuf::from(path);
        std::fs::write(&path, light).unwrap();
        std::fs::write(path.with_extension("dark.png"), browser.screenshot().await).unwrap();
    }
}
