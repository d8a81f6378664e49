//! Connections that a user completes in a browser, the values of settings, and usage.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{CONNECTION, ENRICHMENT, Sandbox, client, send};

const REDIRECT: &str = "https://product.example.com/done?x=1";

/// Visits a page without a key, and without following a redirect.
async fn visit(request: reqwest::RequestBuilder) -> (StatusCode, Option<String>, String) {
    let (client, request) = request.build_split();
    let response = client.execute(request.unwrap()).await.unwrap();
    let location = response.headers().get("location");
    let location = location.map(|location| location.to_str().unwrap().to_owned());
    (response.status(), location, response.text().await.unwrap())
}

fn browser() -> reqwest::Client {
    drop(client());
    let no_redirect = reqwest::redirect::Policy::none();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().redirect(no_redirect).build().unwrap()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_connection_that_uses_oauth_works_once_its_page_was_visited() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let body = json!({
        "name": "CRM", "type": "hubspot", "configuration": {}, "redirect_url": REDIRECT,
    });
    let created =
        sandbox.post_with_key("/api/connections", "create-crm", &body).await.data().clone();
    let auth_url = created["auth_url"].as_str().unwrap();
    assert!(auth_url.starts_with(&format!("{}/sandbox/oauth/", sandbox.url)), "{auth_url}");
    assert_eq!(created["saved"], false);
    let path = format!("/api/connections/{}", id(&created));
    let stored = sandbox.get(&path).await;
    assert_eq!(
        (&stored.data()["saved"], &stored.data()["auth_url"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(stored.data()["status"], "unhealthy");
    let state = auth_url.split_once("state=").unwrap().1;
    for path in [path.clone(), "/api/connections".to_owned()] {
        let response = sandbox.get(&path).await;
        assert!(!response.text.contains(state), "{}", response.text);
    }
    let source = sandbox.get(&format!("{path}/modelsync/source")).await;
    assert!(source.error_message(400).contains("not authorized yet"), "{}", source.text);
    let update = json!({ "name": "Renamed", "configuration": {} });
    assert_eq!(sandbox.put(&path, &update).await.data()["auth_url"], auth_url);

    let browser = browser();
    let wrong = format!("{auth_url}x");
    let (status, location, page) = visit(browser.get(&wrong)).await;
    assert_eq!((status, location), (StatusCode::NOT_FOUND, None), "{page}");
    let (status, location, _) = visit(browser.get(auth_url)).await;
    assert_eq!((status, location.as_deref()), (StatusCode::SEE_OTHER, Some(REDIRECT)));
    let (status, _, page) = visit(browser.get(auth_url)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{page}");
    let stored = sandbox.get(&path).await;
    assert_eq!(
        (&stored.data()["saved"], &stored.data()["status"]),
        (&json!(true), &json!("healthy"))
    );
    let source = sandbox.get(&format!("{path}/modelsync/source")).await;
    assert!(source.error_message(400).contains("cannot read"), "{}", source.text);

    let updated = sandbox.put(&path, &update).await;
    assert_eq!(
        (&updated.data()["saved"], &updated.data()["auth_url"]),
        (&json!(true), &Value::Null)
    );
    let reconnect = json!({ "name": "CRM", "configuration": {}, "reconnect": true });
    let updated = sandbox.put(&path, &reconnect).await;
    assert_eq!(updated.data()["saved"], false);
    let (status, _, page) = visit(browser.get(updated.data()["auth_url"].as_str().unwrap())).await;
    assert!(status == StatusCode::OK && page.contains("can be used now"), "{page}");

    for url in
        ["product.example.com", "javascript:alert(1)", "https://user:secret@example.com/", ""]
    {
        let mut body = body.clone();
        body["redirect_url"] = json!(url);
        let refused = sandbox.post("/api/connections", &body).await;
        assert!(refused.error_message(400).contains("redirect_url"), "{url}: {}", refused.text);
    }
}

#[tokio::test]
async fn a_connect_session_makes_one_connection() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let path = "/api/connections/connect/";
    let body = json!({ "name": "Customer's <data>", "redirect_url": REDIRECT, "type": "sqlite", "dark": true });
    let created = sandbox.post(path, &body).await.data().clone();
    let token = created["token"].as_str().unwrap();
    let session_path = format!("/api/connections/connect/session?token={token}");
    let session = send(sandbox.anonymous(Method::GET, &session_path)).await;
    let seen = session.data();
    assert_eq!(seen["name"], "Customer's <data>");
    assert_eq!(seen["redirect_url"], REDIRECT);
    assert_eq!((&seen["type"], &seen["dark"]), (&json!("sqlite"), &json!(true)));
    assert_eq!(
        (&seen["connection_id"], &seen["organization_name"]),
        (&Value::Null, &json!("Sandbox"))
    );
    for wrong in ["?token=nonsense", "?token=", ""] {
        let path = format!("/api/connections/connect/session{wrong}");
        let response = send(sandbox.anonymous(Method::GET, &path)).await;
        assert!(response.error_message(401).contains("token"), "{}", response.text);
    }
    let (browser, page_url) = (browser(), created["redirect_url"].as_str().unwrap());
    let (status, _, page) = visit(browser.get(page_url)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Customer&#39;s &lt;data&gt;") && !page.contains("<data>"), "{page}");
    let form = |r#type: &str, configuration: &str| {
        let form = [("token", token), ("type", r#type), ("configuration", configuration)];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let content_type = "application/x-www-form-urlencoded";
        let url = format!("{}/sandbox/connect", sandbox.url);
        browser.post(url).header("Content-Type", content_type).body(body)
    };
    for (r#type, configuration, expected) in [
        ("slack", "{}", "does not allow"),
        ("sqlite", "{", "configuration:"),
        ("sqlite", "{}", "configuration.path: missing"),
        ("sqlite", r#"{"path": "/nowhere/<b>.db"}"#, "/nowhere/&lt;b&gt;.db cannot be read"),
    ] {
        let (status, _, page) = visit(form(r#type, configuration)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let (status, location, page) = visit(form("sqlite", r#"{"path": ":shop:"}"#)).await;
    assert_eq!((status, location.as_deref()), (StatusCode::SEE_OTHER, Some(REDIRECT)), "{page}");
    let session = send(sandbox.anonymous(Method::GET, &session_path)).await;
    let connection = session.data()["connection_id"].as_str().unwrap();
    let made = sandbox.get(&format!("/api/connections/{connection}")).await;
    assert_eq!(made.data()["name"], "Customer's <data>");
    let (status, _, _) = visit(form("sqlite", r#"{"path": ":shop:"}"#)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(visit(browser.get(page_url)).await.0, StatusCode::NOT_FOUND);

    // One that updates a connection keeps its id, and leads on to the authorization of its service.
    let body = json!({ "name": "x", "redirect_url": REDIRECT, "connection": CONNECTION });
    let created = sandbox.post(path, &body).await.data().clone();
    let token = created["token"].as_str().unwrap();
    let session = send(
        sandbox.anonymous(Method::GET, &format!("/api/connections/connect/session?token={token}")),
    )
    .await;
    assert_eq!(session.data()["connection_id"], CONNECTION);
    let reader = sandbox.with_key("read_only");
    reader.post(path, &body).await.error_message(403);
    let other = sandbox.with_key("other_organization");
    assert!(other.post(path, &body).await.error_message(404).contains(CONNECTION));
}

#[tokio::test]
async fn an_invalid_connect_session_is_refused_with_the_property() {
    let sandbox = Sandbox::start();
    let cases = [
        (json!({ "redirect_url": REDIRECT }), 400, "name: missing"),
        (json!({ "name": "x" }), 400, "redirect_url: missing"),
        (
            json!({ "name": "x", "redirect_url": "ftp://example.com" }),
            422,
            "redirect_url: expected",
        ),
        (json!({ "name": "x", "redirect_url": REDIRECT, "ttl": 0 }), 422, "ttl: expected"),
        (json!({ "name": "x", "redirect_url": REDIRECT, "type": "sqlit" }), 422, "did you mean"),
        (json!({ "name": "x", "redirect_url": REDIRECT, "whitelist": ["x"] }), 422, "\"x\""),
        (
            json!({ "name": "x", "redirect_url": REDIRECT, "connection": CONNECTION, "type": "slack" }),
            422,
            "is of type sqlite",
        ),
    ];
    for (body, status, expected) in cases {
        let response = sandbox.post("/api/connections/connect/", &body).await;
        assert!(response.error_message(status).contains(expected), "{expected}: {}", response.text);
    }
    let body = json!({ "name": "x", "redirect_url": REDIRECT, "ttl": 1 });
    let created = sandbox.post("/api/connections/connect/", &body).await;
    let token = created.data()["token"].as_str().unwrap();
    let path = format!("/api/connections/connect/session?token={token}");
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while send(sandbox.anonymous(Method::GET, &path)).await.status != 401 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn settings_that_are_choices_have_values() {
    let sandbox = Sandbox::start();
    let path = "/api/connection_types/s3/parameter_values";
    let all = sandbox.post(path, &json!({ "field": "auth_mode" })).await;
    let values = all.data()["auth_mode"]["values"].as_array().unwrap();
    assert!(values.iter().any(|value| value["value"] == "access_key_and_secret"), "{values:?}");
    let body = json!({ "field": "auth_mode", "query": "ROLE", "parameters": {} });
    let some = sandbox.post(path, &body).await;
    let found = some.data()["auth_mode"]["values"].as_array().unwrap();
    assert!(!found.is_empty() && found.len() < values.len(), "{found:?}");
    let free = sandbox.post(path, &json!({ "field": "s3_bucket_name" })).await;
    assert_eq!(free.data()["s3_bucket_name"]["values"], json!([]));
    for (body, status, expected) in [
        (json!({}), 400, "field: missing"),
        (json!({ "field": "auth_mod" }), 400, "did you mean \"auth_mode\"?"),
        (json!({ "field": "auth_mode", "parameters": 1 }), 400, "parameters"),
        (
            json!({ "field": "auth_mode", "connection_id": CONNECTION }),
            400,
            "of type sqlite, not s3",
        ),
        (json!({ "field": "auth_mode", "connection_id": "x" }), 404, "x"),
    ] {
        let response = sandbox.post(path, &body).await;
        assert!(response.error_message(status).contains(expected), "{expected}: {}", response.text);
    }
    let unknown = sandbox.post("/api/connection_types/oracle/parameter_values", &json!({})).await;
    assert!(unknown.error_message(404).contains("oracle"), "{}", unknown.text);
    let stored = sandbox.get(&format!("/api/connections/{CONNECTION}/parameter_values")).await;
    assert_eq!(stored.data()["path"]["values"][0]["value"], ":shop:", "{}", stored.text);
    let stored = sandbox.get(&format!("/api/connections/{ENRICHMENT}/parameter_values")).await;
    assert_eq!(stored.data(), &json!({}));
    let usage = sandbox.get(&format!("/api/connections/{CONNECTION}/usage")).await;
    assert_eq!(usage.data()["connectionId"], CONNECTION);
    assert_eq!(usage.data()["callsLast24h"], Value::Null);
}
