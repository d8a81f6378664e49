//! Secrets in the configuration of a model: masked wherever it is shown, kept by updates, never overwritten with a mask.

use serde_json::{Map, Value, json};

use crate::support::{CONNECTION, JOB_ID, Launch, MODEL, Session, Stub, UNKNOWN_ID, job, job_path};

const SECRET: &str = "hunter2-hunter2";
const MASK: &str = "********";
const SQL: &str = "SELECT * FROM t /******** all ********/ WHERE token = 'in-the-query'";

fn configuration() -> Value {
    json!({
        "path": "/v1", "query": SQL, "headers": [{"name": "Authorization", "value": format!("Bearer {SECRET}")}],
        "auth": {"type": "basic", "basic": {"username": "u", "password": SECRET}},
        "url": format!("https://u:{SECRET}@api.example.com/?key={SECRET}"),
        "body": json!({"client_secret": SECRET, "page": 1}).to_string(),
    })
}

fn model(configuration: &Value) -> Value {
    json!({
        "id": UNKNOWN_ID, "name": "Users", "version": 1, "connection_id": CONNECTION, "configuration": configuration,
        "enricher": {"connection_id": CONNECTION, "enricher_id": JOB_ID, "configuration": {"object": "people", "api_key": SECRET}},
        "fields": [{"name": "id", "type": "string", "example": "shown"}], "session_token": SECRET,
    })
}

/// An API with one model, which it returns to every request for models.
async fn api(configuration: &Value) -> Stub {
    let stub = Stub::start().await;
    let data = json!({"data": model(configuration)});
    for (method, path) in
        [("GET", MODEL), ("PUT", MODEL), ("POST", "/api/models"), ("POST", "/api/model-preview")]
    {
        stub.json(method, path, 200, data.clone()).await;
    }
    stub.json("GET", "/api/models", 200, json!({"data": [model(configuration)]})).await;
    for kind in ["createmodel", "updatemodel", "previewmodel"] {
        let done = json!({"data": job(kind, "done", data.clone())});
        stub.json("GET", &job_path(kind), 200, done).await;
    }
    let source = json!({"data": {
        "items": {"table": {"items": ["shown"], "has_items": true}, "key": {"items": ["shown"]},
            "password": {"default": SECRET, "has_items": false}, "auth": {"items": ["basic", "bearer"]},
            "headers": {"items": [{"name": "X-Any", "value": SECRET}, {"Name": "X-Any", "val": SECRET}]},
            "tableobj": {"items": [{"name": "Tokens", "value": "shown", "primary_key": "id"}]}},
        "configuration": {"token": SECRET, "api_key": {"type": "string", "default": SECRET},
            "headers": [{"name": "x", "value": SECRET}], "limit": {"type": "integer", "default": 5, "value": 6},
            "auth": {"value": SECRET}, "oauth": {"type": "string", "title": "OAuth", "value": {"refresh": SECRET}},
            "pin": {"type": "string", "sensitive": true, "value": SECRET},
            "options": {"password": {"type": "string", "default": SECRET}, "basic": {"password": SECRET}},
            "login": {"basic": {"password": SECRET}}},
    }});
    for kind in ["source", "enrichment-source"] {
        let path = format!("/api/connections/{CONNECTION}/modelsync/{kind}");
        stub.json("GET", &path, 200, source.clone()).await;
    }
    stub
}

/// The bodies of the requests that write.
async fn written(stub: &Stub) -> Vec<Value> {
    let requests = stub.requests().await;
    let writes = requests.iter().filter(|r| r.method == "PUT" || r.url.path() == "/api/models");
    writes.filter(|r| r.method != "GET").map(|r| r.body_json().unwrap()).collect()
}

fn definition(configuration: Value) -> Value {
    json!({"connection_id": CONNECTION, "name": "Users", "configuration": configuration})
}

fn update(properties: Value) -> Value {
    let mut arguments = properties;
    arguments["model_id"] = json!(UNKNOWN_ID);
    arguments
}

#[tokio::test]
async fn no_result_shows_a_secret_and_all_show_the_query() {
    let stub = api(&configuration()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let of_model = |detail: &str| json!({"model_id": UNKNOWN_ID, "detail": detail});
    let of_job = |kind: &str| json!({"type": kind, "job_id": JOB_ID});
    let new = definition(configuration());
    let path = json!({"configuration": {"path": "/v2", "query": SQL}});
    let dry_run = json!({"configuration": {"path": "/v2", "query": SQL}, "dry_run": true});
    for (tool, arguments) in [
        ("get_model", of_model("summary")),
        ("get_model", of_model("full")),
        ("get_model", of_model("definition")),
        ("list_models", json!({"detail": "full"})),
        ("create_model", new.clone()),
        ("preview_model", new),
        ("update_model", update(json!({"name": "V"}))),
        ("update_model", update(json!({"name": "Users"}))),
        ("update_model", update(path)),
        ("update_model", update(dry_run)),
        ("update_model", update(json!({"clear": ["enricher"]}))),
        ("get_job", of_job("createmodel")),
        ("get_job", of_job("updatemodel")),
        ("get_job", of_job("previewmodel")),
    ] {
        let result = session.call(tool, arguments.clone()).await.to_string();
        assert!(!result.contains(SECRET), "{tool} {arguments}: {result}");
        assert!(result.contains(MASK), "{tool} {arguments}: {result}");
        if arguments.get("clear").is_none() {
            assert!(result.contains(SQL), "{tool} {arguments}: {result}");
        }
    }
    let listed = session.call("list_models", json!({})).await;
    assert_eq!(listed["models"][0]["source"], SQL);
    for tool in ["get_model_source", "get_enrichment_source"] {
        let result = session.call(tool, json!({"connection_id": CONNECTION})).await;
        assert!(!result.to_string().contains(SECRET), "{tool}: {result}");
        assert_eq!(result["items"]["key"]["items"], json!(["shown"]), "{tool}");
        assert_eq!(result["items"]["table"]["items"], json!(["shown"]), "{tool}");
        assert_eq!(result["items"]["auth"]["items"], json!(["basic", "bearer"]), "{tool}");
        assert_eq!(result["items"]["headers"]["items"][0]["name"], "X-Any", "{tool}");
        assert_eq!(result["items"]["tableobj"]["items"][0]["value"], "shown", "{tool}");
        assert_eq!(result["configuration"]["limit"]["default"], 5, "{tool}");
        assert_eq!(result["configuration"]["limit"]["value"], 6, "{tool}");
        assert_eq!(result["configuration"]["oauth"]["title"], "OAuth", "{tool}");
        assert_eq!(result["configuration"]["api_key"]["default"], MASK, "{tool}");
    }
}

#[tokio::test]
async fn names_and_values_decide_in_both_directions_what_is_masked() {
    let masked = [
        ("password", json!("p"), json!(MASK)),
        ("api_key", json!(4711), json!(MASK)),
        ("clientSecret", json!("p"), json!(MASK)),
        ("headers", json!({"X-Any": "v"}), json!({"X-Any": MASK})),
        ("headers", json!(["X-Any: v"]), json!([MASK])),
        ("request_headers", json!("X-Any: v"), json!(MASK)),
        ("cookies", json!({"session": "v"}), json!({"session": MASK})),
        ("parameters", json!([{"name": "a", "value": "v"}]), json!([{"name": "a", "value": MASK}])),
        ("auth", json!({"type": "bearer", "key": "v"}), json!({"type": "bearer", "key": MASK})),
        (
            "options",
            json!([{"key": "token", "value": "v"}]),
            json!([{"key": "token", "value": MASK}]),
        ),
        ("nested", json!({"key": "v"}), json!({"key": MASK})),
        ("path", json!("/v1?access_token=v&a=1"), json!("/v1?access_token=********&a=1")),
        ("path", json!("/v1?key=v&a=1"), json!("/v1?key=********&a=1")),
        ("url", json!("https://u:p@h/x"), json!("https://********@h/x")),
        ("query", json!("token=v&limit=1"), json!("token=********&limit=1")),
        ("auth", json!({"type": "t", "query": "a b"}), json!({"type": "t", "query": MASK})),
        ("text", json!("Bearer 0123456789abcdef"), json!("Bearer ********")),
        ("body", json!(r#"{"password":"p"}"#), json!(r#"{"password":"********"}"#)),
        ("graphql_query", json!(r#"{"token": "v"}"#), json!(r#"{"token":"********"}"#)),
        ("path", json!("/v1?api-key=v"), json!("/v1?api-key=********")),
        ("text", json!("Authorization: Token v"), json!("Authorization: ********")),
        ("body", json!("<password>v</password>"), json!("<password>********</password>")),
        ("oauth", json!({"refresh": "v"}), json!({"refresh": MASK})),
        (
            "options",
            json!([{"header": "Authorization", "content": "v"}]),
            json!([{"header": "Authorization", "content": MASK}]),
        ),
    ];
    let shown = [
        ("key", json!("exports/2026/users.csv")),
        ("query", json!("SELECT * FROM t WHERE password = 'p' AND url = 'https://u:p@h'")),
        ("query", json!("-- token=v\nSELECT 1")),
        ("soql", json!("SELECT Id FROM User WHERE Pwd='p'")),
        ("custom_sql", json!("select '********' as password from t")),
        ("steps", json!([{"query": "SELECT token = 'a' FROM t"}])),
        ("table", json!("public.api_keys")),
        ("collection", json!("passwords")),
        ("primary_key", json!("id")),
        ("key_column", json!("id")),
        ("token_field", json!("$.next")),
        ("password_policy", json!("strict")),
        ("file_format", json!("csv")),
        ("skip_lines", json!(1)),
        ("include_deleted", json!(true)),
        ("password", json!("")),
        ("token", Value::Null),
        ("tableobj", json!({"id": "tbl1", "name": "Keys"})),
        ("tableobj", json!({"name": "Tokens", "value": "tbl1"})),
        ("keys", json!(["id"])),
        ("search_key", json!("id")),
        ("pagination", json!({"key": "cursor"})),
        ("graphql_query", json!("{ user(token: \"v\") { id } }")),
        ("path", json!("/v1/tokens/{id}?limit=1")),
        ("records_path", json!("$.data[*]")),
    ];
    let shown = shown.map(|(name, value)| (name, value.clone(), value));
    for (name, stored, expected) in masked.into_iter().chain(shown) {
        let stub = Stub::start().await;
        let configuration = Map::from_iter([(name.to_owned(), stored.clone())]);
        stub.json(
            "GET",
            MODEL,
            200,
            json!({"data": {"id": UNKNOWN_ID, "configuration": configuration}}),
        )
        .await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let result = session.call("get_model", json!({"model_id": UNKNOWN_ID})).await;
        assert_eq!(result["model"]["configuration"][name], expected, "{name}: {stored}");
    }
}

#[tokio::test]
async fn a_definition_says_which_secrets_to_fill_in() {
    let stub = api(&configuration()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "detail": "definition"});
    let result = session.call("get_model", arguments.clone()).await;
    let notice = result["notice"].as_str().unwrap();
    assert!(notice.contains(MASK) && notice.contains("create_model"), "{notice}");
    // As it is, it creates nothing.
    let error = session.call_err("create_model", result["definition"].clone()).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert_eq!(written(&stub).await, Vec::<Value>::new());

    let without = json!({"data": {"id": UNKNOWN_ID, "name": "a", "connection_id": CONNECTION, "configuration": {"query": SQL}}});
    let plain = Stub::start().await;
    plain.json("GET", MODEL, 200, without).await;
    let mut session = Session::open(&Launch::against(&plain.url())).await;
    let result = session.call("get_model", arguments).await;
    assert_eq!(result.get("notice"), None, "{result}");
}

#[tokio::test]
async fn an_update_keeps_the_secrets_that_it_does_not_name() {
    let all = configuration();
    let with = |name: &str, value: Value| {
        let mut changed = all.clone();
        changed[name] = value;
        changed
    };
    let mut only_path = with("path", json!("/v2"));
    only_path.as_object_mut().unwrap().shift_remove("query");
    let mut without_headers = only_path.clone();
    without_headers["headers"] = Value::Null;
    let mut other_user = only_path.clone();
    other_user["auth"]["basic"]["username"] = json!("v");
    for (properties, expected) in [
        (json!({"name": "V"}), all.clone()),
        (json!({"clear": ["enricher"]}), all.clone()),
        (json!({"refresh": true}), all.clone()),
        (json!({"configuration": {"path": "/v2"}}), only_path.clone()),
        (json!({"configuration": {"path": "/v2", "query": SQL}}), with("path", json!("/v2"))),
        (json!({"configuration": {"path": "/v2", "headers": null}}), without_headers),
        (
            json!({"configuration": {"path": "/v2", "auth": {"type": "basic", "basic": {"username": "v"}}}}),
            other_user,
        ),
        (
            json!({"configuration": {"path": "/v2"}, "connection_id": CONNECTION.to_uppercase()}),
            only_path,
        ),
        // A secret goes to no other connection.
        (
            json!({"configuration": {"path": "/v2"}, "connection_id": UNKNOWN_ID}),
            json!({"path": "/v2"}),
        ),
        (
            json!({"configuration": {"path": "/v2"}, "connection_id": CONNECTION, "name": "V", "replace": true}),
            json!({"path": "/v2"}),
        ),
    ] {
        let stub = api(&all).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        session.call("update_model", update(properties.clone())).await;
        let sent = written(&stub).await;
        assert_eq!(sent.len(), 1, "{properties}");
        let same_order = |value: &Value| -> Map<String, Value> {
            let mut map = value.as_object().cloned().unwrap();
            map.sort_keys();
            map
        };
        assert_eq!(same_order(&sent[0]["configuration"]), same_order(&expected), "{properties}");
    }
    let stub = api(&all).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", update(json!({"connection_id": UNKNOWN_ID}))).await;
    assert_eq!(error["details"]["argument"], "configuration", "{error}");
    assert_eq!(written(&stub).await, Vec::<Value>::new(), "a secret stays with its connection");
    for (enricher, key) in [
        (json!({"connection_id": CONNECTION}), json!(SECRET)),
        (
            json!({"connection_id": CONNECTION, "configuration": {"object": "companies"}}),
            json!(SECRET),
        ),
        (json!({"connection_id": CONNECTION, "configuration": {"api_key": "new"}}), json!("new")),
        (json!({"connection_id": UNKNOWN_ID, "configuration": {"object": "people"}}), Value::Null),
    ] {
        let stub = api(&all).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        session.call("update_model", update(json!({"enricher": enricher}))).await;
        let sent = &written(&stub).await[0]["enricher"]["configuration"];
        assert_eq!(sent["api_key"], key, "{enricher}");
    }
}

#[tokio::test]
async fn a_mask_is_sent_to_nobody() {
    let stub = api(&configuration()).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (configuration, place) in [
        (
            json!({"headers": [{"name": "Authorization", "value": MASK}]}),
            "configuration.headers[0].value",
        ),
        (json!({"password": MASK}), "configuration.password"),
        (json!({"password": "***"}), "configuration.password"),
        (json!({"password": "••••••••"}), "configuration.password"),
        (json!({"a": {"b": [["x", MASK]]}}), "configuration.a.b[0][1]"),
        (json!({"url": "https://********@h/"}), "configuration.url"),
        (json!({"headers": "Authorization: Bearer ********"}), "configuration.headers"),
        (json!({"body": r#"{"password":"********"}"#}), "configuration.body"),
        (json!({"query": "token=********"}), "configuration.query"),
        (json!({"key": MASK}), "configuration.key"),
    ] {
        let mut refused = Vec::new();
        for tool in ["create_model", "preview_model"] {
            refused.push(session.call_err(tool, definition(configuration.clone())).await);
        }
        let arguments = update(json!({"configuration": configuration}));
        refused.push(session.call_err("update_model", arguments).await);
        let arguments = update(json!({"configuration": configuration, "dry_run": true}));
        refused.push(session.call_err("update_model", arguments).await);
        for error in refused {
            assert_eq!(error["code"], "invalid_argument", "{configuration}: {error}");
            assert_eq!(error["outcome"], "not_sent", "{configuration}: {error}");
            assert_eq!(error["details"]["argument"], place, "{configuration}: {error}");
        }
    }
    let enricher = json!({"connection_id": CONNECTION, "configuration": {"api_key": MASK}});
    let mut new = definition(json!({"table": "t"}));
    new["enricher"] = enricher.clone();
    for (tool, arguments) in
        [("create_model", new), ("update_model", update(json!({"enricher": enricher})))]
    {
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["details"]["argument"], "enricher.configuration.api_key", "{error}");
    }
    assert_eq!(written(&stub).await, Vec::<Value>::new());
    let lines = stub.lines().await;
    assert!(lines.iter().all(|line| line.starts_with("GET ")), "{lines:?}");
    // Stars in SQL are no mask.
    session.call("create_model", definition(json!({"query": SQL}))).await;
    assert_eq!(written(&stub).await[0]["configuration"]["query"], SQL);
}

#[tokio::test]
async fn a_mask_of_the_api_is_not_written_over_the_secret() {
    let masked = json!({"path": "/v1", "headers": [{"name": "Authorization", "value": MASK}]});
    let place = "configuration.headers[0].value";
    let stub = api(&masked).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for properties in [
        json!({"name": "V"}),
        json!({"refresh": true}),
        json!({"clear": ["enricher"]}),
        json!({"name": "V", "dry_run": true}),
        json!({"configuration": {"path": "/v2"}}),
    ] {
        let error = session.call_err("update_model", update(properties.clone())).await;
        assert_eq!(error["code"], "invalid_argument", "{properties}: {error}");
        assert_eq!(error["details"]["argument"], place, "{properties}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("configuration: the API"), "{properties}: {error}");
    }
    let passed = json!({"configuration": {"path": "/v2", "headers": masked["headers"]}});
    let error = session.call_err("update_model", update(passed)).await;
    assert_eq!(error["details"]["argument"], place, "{error}");
    assert!(error["message"].as_str().unwrap().starts_with(place), "{error}");
    assert_eq!(written(&stub).await, Vec::<Value>::new());
    // With the secret, or without what holds it, it is.
    let headers = json!([{"name": "Authorization", "value": SECRET}]);
    for configuration in
        [json!({"path": "/v2", "headers": headers}), json!({"path": "/v2", "headers": null})]
    {
        let stub = api(&masked).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let properties = json!({"name": "V", "configuration": configuration});
        session.call("update_model", update(properties)).await;
        assert_eq!(written(&stub).await[0]["configuration"], configuration);
    }
    // Nothing is written, so nothing is refused.
    session.call("update_model", update(json!({"name": "Users"}))).await;
}

#[tokio::test]
async fn no_job_shows_a_secret() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let of_model = |status: &str| {
        let mut job = job("getmodel", status, model(&configuration()));
        job["error"] = json!(format!("cannot reach postgres://u:{SECRET}@h/db"));
        job["worker"] = json!({"token": SECRET, "zone": "a", "log": format!("password={SECRET}")});
        json!({"data": job})
    };
    for (kind, response) in [
        ("getmodel", of_model("done")),
        (
            "listmodels",
            json!({"data": job("listmodels", "done", json!([model(&configuration())]))}),
        ),
        (
            "othermodel",
            json!({"data": job("othermodel", "done", json!({"model": {"password": SECRET}}))}),
        ),
        ("anymodel", json!({"data": job("anymodel", "done", json!(format!("Pwd={SECRET};x")))})),
        ("running", of_model("running")),
        ("odd", of_model("odd")),
    ] {
        stub.json("GET", &job_path(kind), 200, response).await;
        let result = session.call("get_job", json!({"type": kind, "job_id": JOB_ID})).await;
        assert!(!result.to_string().contains(SECRET), "{kind}: {result}");
        assert!(result.to_string().contains(MASK), "{kind}: {result}");
        if kind == "getmodel" {
            assert_eq!(result["result"]["configuration"]["query"], SQL, "{result}");
            assert_eq!(result["result"]["fields"][0]["example"], "shown", "{result}");
            assert_eq!(result["job"]["worker"]["zone"], "a", "{result}");
        }
    }
    // The handle that a create returns is such a job as well.
    let mut created = of_model("running");
    created["data"]["type"] = json!("createmodel");
    stub.json("POST", "/api/models", 200, json!({"job": created["data"]})).await;
    stub.json("GET", &job_path("createmodel"), 200, created).await;
    let mut arguments = definition(json!({"table": "t"}));
    arguments["wait_seconds"] = json!(0);
    let result = session.call("create_model", arguments).await;
    assert!(!result.to_string().contains(SECRET), "{result}");
    // Records are what the user asked for.
    let records = json!({"records": {"m": [{"password": SECRET}]}});
    stub.json(
        "GET",
        &job_path("readrecords"),
        200,
        json!({"data": job("readrecords", "done", records.clone())}),
    )
    .await;
    let result = session.call("get_job", json!({"type": "readrecords", "job_id": JOB_ID})).await;
    assert_eq!(result["result"], records);
}
