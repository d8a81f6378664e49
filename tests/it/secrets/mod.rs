//! Secrets of connections and syncs: masked in results, and never sent back to the API.

mod names;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use self::names::{NOT_SECRET, SECRET};
use crate::support::{CONNECTION, Launch, Session, Stub, UNKNOWN_ID};

/// The configuration of a connection as `get_connection` shows it.
async fn shown(configuration: &Value) -> Value {
    let connection = json!({"data": {"id": CONNECTION, "configuration": configuration}});
    let stub = Stub::start().await;
    stub.json("GET", &format!("/api/connections/{CONNECTION}"), 200, connection).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION, "detail": "full"});
    session.call("get_connection", arguments).await["connection"]["configuration"].take()
}

#[tokio::test]
async fn secrets_are_masked_although_the_api_returns_them() {
    let secret = "hunter2-hunter2";
    let connection = json!({
        "id": CONNECTION, "name": "c", "type": {"id": "postgresql"},
        "configuration": {"hostname": "db.example.com", "password": secret, "nested": {"apiKey": secret},
            "url": format!("postgres://u:{secret}@h/db"), "headers": [{"name": "X-Auth", "value": secret}]},
        "access_token": secret,
    });
    let stub = Stub::start().await;
    let path = format!("/api/connections/{CONNECTION}");
    stub.json("GET", "/api/connections", 200, json!({"data": [connection]})).await;
    stub.json("GET", &path, 200, json!({"data": connection})).await;
    let types = json!({"data": [{"id": "t", "capabilities": {"source": true}, "envConfig": {"client_secret": secret}}]});
    stub.json("GET", "/api/connection_types", 200, types).await;
    let sync = json!({"data": {"id": UNKNOWN_ID, "encryption_passphrase": secret, "target": {"configuration": {"token": secret}}}});
    stub.json("GET", &format!("/api/syncs/{UNKNOWN_ID}"), 200, sync).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("list_connections", json!({"detail": "full"})),
        ("get_connection", json!({"connection_id": CONNECTION, "detail": "full"})),
        ("list_connection_types", json!({"detail": "full"})),
        ("get_model_sync", json!({"sync_id": UNKNOWN_ID})),
    ] {
        let result = session.call(tool, arguments).await.to_string();
        assert!(!result.contains(secret), "{tool}: {result}");
        assert!(result.contains("********"), "{tool}: {result}");
    }
}

#[tokio::test]
async fn a_connection_test_sends_no_configuration() {
    let stub = Stub::start().await;
    let connection = json!({"data": {"id": CONNECTION, "type": {"id": "mysql"}, "configuration": {"password": "p"}}});
    stub.json("GET", &format!("/api/connections/{CONNECTION}"), 200, connection).await;
    let served = AtomicUsize::new(0);
    let respond = move |_: &Request| match served.fetch_add(1, Ordering::Relaxed) {
        0 => ResponseTemplate::new(204),
        _ => ResponseTemplate::new(400).set_body_json(json!({"message": "no route to host"})),
    };
    stub.respond("POST", "/api/connections/test", respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION});
    let works = session.call("test_connection", arguments.clone()).await;
    assert_eq!(works, json!({"connection_id": CONNECTION, "works": true}));
    let broken = session.call("test_connection", arguments).await;
    assert_eq!((&broken["works"], &broken["reason"]), (&json!(false), &json!("no route to host")));
    let requests = stub.requests().await;
    let posts: Vec<Value> = requests
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    let expected = json!({"connection_id": CONNECTION, "type": "mysql", "configuration": {}});
    assert_eq!(posts, [expected.clone(), expected]);
}

#[tokio::test]
async fn names_decide_in_both_directions_what_is_masked() {
    // The scalar properties of all known connection types, by the flag of their schemas.
    let contract: Value =
        serde_json::from_str(include_str!("../connection_properties.json")).unwrap();
    let listed = |list: &str| -> Vec<&str> {
        contract[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
    };
    let secret = [listed("sensitive"), SECRET.to_vec()].concat();
    let plain = [listed("not_sensitive"), NOT_SECRET.to_vec()].concat();
    assert!(secret.len() > 100 && plain.len() > 190, "{} {}", secret.len(), plain.len());
    let names = || secret.iter().chain(&plain);
    let texts: Value = names().map(|name| ((*name).to_owned(), json!("shown"))).collect();
    let numbers: Value = names().map(|name| ((*name).to_owned(), json!(4711))).collect();
    let pairs: Vec<Value> = names().map(|name| json!({"name": name, "value": "shown"})).collect();
    let configuration = json!({"texts": texts, "deep": [{"numbers": numbers}], "pairs": pairs,
        "as_text": texts.to_string()});
    let connection = json!({"id": CONNECTION, "configuration": configuration});
    let stub = Stub::start().await;
    stub.json("GET", &format!("/api/connections/{CONNECTION}"), 200, json!({"data": connection}))
        .await;
    let target = json!({"data": {"id": UNKNOWN_ID, "target": {"configuration": configuration}}});
    stub.json("GET", &format!("/api/syncs/{UNKNOWN_ID}"), 200, target).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments, at) in [
        (
            "get_connection",
            json!({"connection_id": CONNECTION, "detail": "full"}),
            "/connection/configuration",
        ),
        ("get_model_sync", json!({"sync_id": UNKNOWN_ID}), "/sync/target/configuration"),
    ] {
        let mut arguments = arguments;
        arguments["max_bytes"] = json!(500_000);
        let result = session.call(tool, arguments).await;
        let shown = result.pointer(at).unwrap();
        let as_text: Value = serde_json::from_str(shown["as_text"].as_str().unwrap()).unwrap();
        let mut wrong = Vec::new();
        for (index, name) in names().enumerate() {
            let expected = index >= secret.len();
            for (form, value) in [
                ("text", &shown["texts"][name]),
                ("number", &shown["deep"][0]["numbers"][name]),
                ("pair", &shown["pairs"][index]["value"]),
                ("text of JSON", &as_text[name]),
            ] {
                if (value != "********") != expected {
                    wrong.push(format!("{name} as {form}: {value}"));
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new(), "{tool}");
    }
}

#[tokio::test]
async fn a_text_that_authenticates_is_masked_and_an_object_by_its_properties() {
    let configuration = json!({
        "auth": "user:hunter2", "basic_auth": "hunter2", "auth_header": "hunter2", "auth_mode": "shown",
        "proxy_url": "http://user:hunter2@proxy.example.com:3128", "oauth": {"auth": {"mode": "shown"}},
        "pairs": [{"name": "basic_auth", "value": "hunter2"}], "bearer": "hunter2",
        "authentication": {"value": "hunter2", "token": {"bearer": "hunter2"}},
    });
    let connection = json!({"data": {"id": CONNECTION, "configuration": configuration}});
    let stub = Stub::start().await;
    stub.json("GET", &format!("/api/connections/{CONNECTION}"), 200, connection).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION, "detail": "full"});
    let shown = session.call("get_connection", arguments).await.to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(shown.matches("shown").count(), 2, "{shown}");
    assert!(shown.contains("@proxy.example.com:3128"), "{shown}");
}

#[tokio::test]
async fn the_schema_of_its_type_decides_what_is_masked_in_a_connection() {
    let plain = json!({"properties": {"token": {"sensitive": false}}});
    let conditions = |n: usize| json!({"if": {}, "then": {"properties": {format!("code_{n}"): {"sensitive": true}}}});
    let many: Vec<Value> = (0..100).map(conditions).collect();
    let schema = json!({"type": "object", "properties": {
        "dataset": {"type": "string", "sensitive": true},
        "shards": {"type": "integer", "password": true},
        "token_budget": {"type": "string", "sensitive": false},
        "tunnel": {"type": "object", "properties": {"door_code": {"type": "string", "format": "password"}}},
        "hops": {"type": "array", "items": {"type": "object", "properties": {"door_code": {"sensitive": true}}}},
        "codes": {"items": {"sensitive": true}},
        "first": {"prefixItems": [{"sensitive": true}]},
        "by_name": {"additionalProperties": {"sensitive": true}, "properties": {"listed": {"type": "string"}}},
        "by_pattern": {"patternProperties": {"^d": {"writeOnly": true}}},
        "referred": {"$ref": "#/$defs/door"},
        "anchored": {"$ref": "#door"}, "encoded": {"$ref": "#/$defs/a~1b%20c"}, "by_id": {"$ref": "https://x/y.json#/$defs/door"},
        "dynamic": {"$dynamicRef": "#door"}, "elsewhere": {"$ref": "https://x/z.json#/$defs/door"},
        "tree": {"$ref": "#/definitions/tree"},
        "unknown": {"$ref": "#/$defs/none", "sensitive": true},
        "all_of": {"allOf": [{"properties": {"door_code": {"sensitive": false}}}, {"$ref": "#/$defs/door"}]},
        "own_and_pattern": {"properties": {"door": {}}, "patternProperties": {"^d": {"sensitive": true}}},
        // What may apply does not show a secret, and what applies does.
        "either": {"oneOf": [plain, {}]}, "any": {"anyOf": [plain]}, "when": {"if": {}, "then": plain},
        "otherwise": {"else": plain}, "with": {"dependentSchemas": {"x": plain}}, "requires": {"dependencies": {"x": plain}},
        "matching": {"patternProperties": {"^label_": {"sensitive": false}}},
        "others": {"additionalProperties": {"sensitive": false}},
        "certain": {"allOf": [{"$ref": "#/$defs/plain"}]},
        "many": {"allOf": many},
    },
        "$id": "https://x/y.json",
        "$defs": {"plain": plain, "a/b c": {"properties": {"door_code": {"sensitive": true}}}, "door": {"$anchor": "door", "properties": {"door_code": {"sensitive": true}}}},
        "definitions": {"tree": {"properties": {
            "door_code": {"sensitive": true}, "next": {"anyOf": [{"$ref": "#/definitions/tree"}, {"$ref": "#"}]}}}},
        "oneOf": [{"properties": {"of_one": {"sensitive": true}}}, {"properties": {"of_one": {"type": "string"}}}],
        "if": {"properties": {"dataset": {"const": "a"}}},
        "then": {"properties": {"then": {"sensitive": true}}},
        "dependentSchemas": {"dataset": {"properties": {"dependent": {"sensitive": true}}}},
        "dependencies": {"dataset": ["shards"], "shards": {"properties": {"of_draft_7": {"sensitive": true}}}},
    });
    let door = json!({"door_code": "hunter2", "port": 1});
    let secret = json!({"token": "hunter2"});
    let configuration = json!({
        "dataset": "hunter2", "shards": 4711, "token_budget": "shown", "tunnel": door,
        "hops": [{"door_code": "hunter2", "host": "shown"}], "password": "hunter2",
        "codes": ["hunter2", 4711, {"a": "hunter2"}], "first": ["hunter2"], "by_pattern": {"door": "hunter2"},
        "by_name": {"any": "hunter2", "listed": "shown", "more": {"deep": "hunter2"}},
        "referred": door, "anchored": door, "encoded": door, "by_id": door, "dynamic": door, "elsewhere": {"door_code": "shown"}, "all_of": door, "unknown": "hunter2",
        "tree": {"door_code": "hunter2", "next": {"next": {"door_code": "hunter2", "dataset": "hunter2", "host": "shown"}}},
        "own_and_pattern": {"door": "hunter2"}, "either": secret, "any": secret, "when": secret, "otherwise": secret,
        "with": secret, "requires": secret, "matching": secret, "others": secret, "certain": {"token": "shown"},
        "many": {"code_99": "hunter2"},
        "of_one": "hunter2", "then": "hunter2", "dependent": "hunter2", "of_draft_7": "hunter2",
    });
    let connection = json!({"id": CONNECTION, "type": {"id": "x"}, "configuration": configuration});
    let text =
        configuration.to_string().replace("hunter2", "********").replace("4711", "\"********\"");
    let expected: Value = serde_json::from_str(&text).unwrap();
    let stub = Stub::start().await;
    let path = format!("/api/connections/{CONNECTION}");
    stub.json("GET", &path, 200, json!({"data": connection})).await;
    let other = json!({"id": UNKNOWN_ID, "type": {"id": "unreadable"}, "configuration": {"password": "hunter2"}});
    stub.json("GET", "/api/connections", 200, json!({"data": [connection, other]})).await;
    stub.json("GET", "/api/connection_types/x", 200, schema).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for _ in 0..2 {
        let arguments = json!({"connection_id": CONNECTION, "detail": "full"});
        let shown = session.call("get_connection", arguments).await;
        assert_eq!(shown["connection"]["configuration"], expected);
    }
    session.call("get_connection", json!({"connection_id": CONNECTION})).await;
    let listed = session.call("list_connections", json!({"detail": "full"})).await;
    assert_eq!(listed["connections"][0]["configuration"], expected);
    assert_eq!(listed["connections"][1]["configuration"]["password"], "********");
    let reads = stub.lines().await;
    let of_schema = |line: &&String| line.contains("connection_types/x");
    assert_eq!(reads.iter().filter(of_schema).count(), 1, "{reads:?}");
}

#[tokio::test]
async fn a_configuration_that_is_a_secret_as_a_whole_is_masked() {
    let connection = json!({"id": CONNECTION, "type": {"id": "x"}, "configuration": {"a": "hunter2", "b": {"c": 1}}});
    let stub = Stub::start().await;
    let path = format!("/api/connections/{CONNECTION}");
    stub.json("GET", &path, 200, json!({"data": connection})).await;
    let schema = json!({"type": "object", "sensitive": true});
    stub.json("GET", "/api/connection_types/x", 200, schema).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION, "detail": "full"});
    let shown = session.call("get_connection", arguments).await;
    let expected = json!({"a": "********", "b": {"c": "********"}});
    assert_eq!(shown["connection"]["configuration"], expected);
}

#[tokio::test]
async fn columns_and_choices_with_the_name_of_a_secret_are_shown() {
    let shown = json!({
        "columns": {"token": "string", "password": "VARCHAR"}, "column_types": {"api_key": "text"},
        "sheet": {"name": "Passwords", "value": "s1"}, "column_headers": ["id", "email"], "use_headers": "true",
        "source_key": "email", "target_key": "external_id", "api_key_in": "header",
    });
    let masked = json!({
        "auth2": {"pw": "hunter2"}, "oauth1": {"x": "hunter2"}, "bearer2": {"x": "hunter2"},
        "headers1": {"X-A": "hunter2"}, "httpheaders": {"X-A": "hunter2"}, "queryparams": {"k": "hunter2"},
        "parameters2": {"k": "hunter2"}, "authorisation": {"x": "hunter2"},
        "columns": [{"name": "x", "password": "hunter2"}], "types": {"password": "hunter2"}, "source_key": "hunter2",
        "mapping": {"auth": "u:hunter2"}, "credential_mappings": {"client_secret": "hunter2"},
        "csv_headers": {"X-Custom": "hunter2"}, "table_params": {"x": "hunter2"}, "sheet_params": ["hunter2"],
        "first_request_header": "X-A: hunter2", "column_header": "X-A: hunter2",
        "auth": {"params": "hunter2", "verification": {"code": "hunter2"}, "claims": {"x": "hunter2"}, "services": ["hunter2"]},
        "object": {"key": "password", "value": "hunter2"}, "env_list": {"name": "DB_PASSWORD", "value": "hunter2"},
        "credential_files": {"id": "hunter2"}, "note": "Authorization: invalid hunter2", "headers3": "X-A: hunter2", "auth3": "hunter2",
    });
    let result = self::shown(&json!({"shown": shown, "masked": masked})).await;
    assert_eq!(result["shown"], shown);
    assert!(!result["masked"].to_string().contains("hunter2"), "{result}");
}

#[tokio::test]
async fn names_of_fields_in_keys_are_shown_and_keys_are_not() {
    let shown = json!([["id", "address_1"], ["line2"], ["Id"]]);
    let masked =
        json!([["sk_live_abcdefgh"], ["prod_abcDEFghi_12"], ["hunter22"], ["winter_20"], ["12"]]);
    let with_keys = |lists: &Value| -> Value {
        lists.as_array().unwrap().iter().map(|keys| json!({"keys": keys})).collect()
    };
    let configuration = json!({"shown": with_keys(&shown), "masked": with_keys(&masked)});
    let result = self::shown(&configuration).await;
    assert_eq!(result["shown"], with_keys(&shown));
    assert_eq!(result["masked"], json!(vec![json!({"keys": ["********"]}); 5]));
}

#[tokio::test]
async fn masking_keeps_the_digits_of_json_inside_a_text() {
    let texts = [
        r#"{"password":"hunter2","n":170141183460469231731687303715884105727,"d":1.50}"#,
        r#"{"password":"hunter2","n":1e400,"text":"1.50"}"#,
    ];
    let shown = shown(&json!({"texts": texts})).await;
    let expected = texts.map(|text| text.replace("hunter2", "********"));
    assert_eq!(shown["texts"], json!(expected));
}

#[tokio::test]
async fn how_to_authenticate_is_shown_and_with_what_is_masked() {
    let secret = "hunter2-hunter2";
    // The properties of an HTTP connection in the contract.
    let auth = json!({
        "basic": {"username": secret, "password": secret},
        "header": {"name": "X-Api-Key", "value": secret},
        "query": [{"name": "api", "value": secret}],
        "oauth": {"client_id": secret, "client_secret": secret, "token_endpoint": "https://id.example.com/token",
            "scopes": ["read"], "auth_style": 1, "extra_form_data": [{"name": "assertion", "value": secret}]},
    });
    let configuration = json!({"auth": auth, "headers": {"X-Token-Name": secret, "X-Id": secret},
        "parameters": [{"name": "page", "value": secret}], "primary_key": "id"});
    let expected: Value =
        serde_json::from_str(&configuration.to_string().replace(secret, "********")).unwrap();
    assert_eq!(shown(&configuration).await, expected);
}

#[tokio::test]
async fn the_schema_of_a_connection_type_decides_before_names() {
    let secret = "hunter2-hunter2";
    let schema = json!({"type": "object", "properties": {
        "dataset": {"type": "string", "sensitive": true, "default": secret},
        "pin": {"type": "string", "format": "password", "examples": [secret]},
        "code": {"type": "string", "password": true, "default": secret},
        "token_budget": {"type": "string", "sensitive": false, "default": "shown"},
        "primary_key": {"type": "string", "default": "shown"},
    }});
    let stub = Stub::start().await;
    stub.json("GET", "/api/connection_types/x", 200, schema.clone()).await;
    let types = json!({"data": [{"id": "x", "capabilities": {"source": true}, "configurationForm": {"jsonschema": schema}}]});
    stub.json("GET", "/api/connection_types", 200, types).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("get_connection_type_schema", json!({"connection_type": "x"})),
        ("list_connection_types", json!({"detail": "full"})),
    ] {
        let result = session.call(tool, arguments).await.to_string();
        assert!(!result.contains(secret), "{tool}: {result}");
        assert_eq!(result.matches("shown").count(), 2, "{tool}: {result}");
    }
}
