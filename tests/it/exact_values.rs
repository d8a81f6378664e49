//! Every digit of a number reaches the client and the API: as a string in records, where a client that reads doubles
//! would show another value, and as a number everywhere else.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{
    CONNECTION, JOB_ID, Launch, MODEL, Session, Stub, UNKNOWN_ID, job_path, over_mcp,
};

/// Numbers as the API sends them, and as a record shows them.
const IN_RECORDS: [(&str, &str); 16] = [
    ("1", "1"),
    ("-0", "-0"),
    ("0.1", "0.1"),
    ("1.0", "1.0"),
    ("1.50", "1.50"),
    ("1e3", "1e3"),
    ("9007199254740991", "9007199254740991"),
    ("-9007199254740991", "-9007199254740991"),
    ("9007199254740992", "\"9007199254740992\""),
    ("-9007199254740993", "\"-9007199254740993\""),
    ("18446744073709551615", "\"18446744073709551615\""),
    ("170141183460469231731687303715884105727", "\"170141183460469231731687303715884105727\""),
    ("0.1234567890123456789", "\"0.1234567890123456789\""),
    ("12345678901234567.25", "\"12345678901234567.25\""),
    ("1e400", "\"1e400\""),
    ("-1e-400", "\"-1e-400\""),
];

/// Numbers that serde_json would change, and that stay numbers outside records.
const NUMBERS: &str =
    "[1.50,-0,1e3,0.1234567890123456789,170141183460469231731687303715884105727,9007199254740993]";

fn records(column: usize) -> String {
    let cells: Vec<String> =
        IN_RECORDS.iter().map(|case| [case.0, case.1][column].to_owned()).collect();
    // At any depth, and beside texts that look like numbers or like our own marks.
    format!(
        r#"[{{"{UNKNOWN_ID}":{{"a":{{"b":[{}]}},"c":"1.50","d":"{}1.50"}}}}]"#,
        cells.join(","),
        '\u{7f}',
    )
}

fn body(json: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(json, "application/json")
}

async fn stub() -> Stub {
    let stub = Stub::start().await;
    let sample = format!(r#"{{"records":{},"warnings":[]}}"#, records(0));
    let done = |kind: &str, result: &str| {
        body(&format!(
            r#"{{"data":{{"job_id":"{JOB_ID}","type":"{kind}","status":"done","result":{result}}}}}"#
        ))
    };
    stub.on("GET", &format!("{MODEL}/sample"), body(&format!(r#"{{"data":{sample}}}"#))).await;
    stub.on("GET", &job_path("samplemodel"), done("samplemodel", &sample)).await;
    stub.on("GET", &job_path("exportlogs"), done("exportlogs", NUMBERS)).await;
    let model = format!(
        r#"{{"data":{{"id":"{UNKNOWN_ID}","name":"Users","connection_id":"{CONNECTION}","version":3,
        "configuration":{{"query":"SELECT 1","numbers":{NUMBERS},"far":-1e999}},
        "fields":[{{"name":"id","example":1.50}}],"other":{NUMBERS}}}}}"#
    );
    for (method, path) in [("GET", MODEL), ("PUT", MODEL), ("POST", "/api/models")] {
        stub.on(method, path, body(&model)).await;
    }
    stub
}

/// The text of the last result, which must also be its structured content.
fn last_text(session: &Session, response: &Value) -> String {
    let text = response["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    let structured = format!("\"structuredContent\":{text}}}");
    assert!(session.last_line().contains(&structured), "{}", session.last_line());
    text
}

async fn text(session: &mut Session, tool: &str, arguments: Value) -> String {
    let response =
        session.request("tools/call", json!({"name": tool, "arguments": arguments})).await;
    session.expect_result(tool, &response);
    last_text(session, &response)
}

#[tokio::test]
async fn records_show_every_digit_on_every_server() {
    let stub = stub().await;
    let shown = format!("\"records\":{}", records(1));
    let mut mcp = Session::open(&Launch::against(&stub.url())).await;
    let mut rpc = Session::start(&Launch::against(&stub.url()).flag("rpc"));
    for (tool, arguments) in [
        ("sample_records", json!({"model_id": UNKNOWN_ID})),
        ("get_job", json!({"type": "samplemodel", "job_id": JOB_ID})),
    ] {
        let result = text(&mut mcp, tool, arguments.clone()).await;
        assert!(result.contains(&shown), "{tool}: {result}");
        let notice = over_mcp(&mut mcp, tool, &arguments).await.unwrap()["notice"].clone();
        assert!(notice.as_str().unwrap().contains("are strings"), "{tool}: {notice}");
        rpc.request(tool, arguments.clone()).await;
        assert!(rpc.last_line().contains(&shown), "{tool}: {}", rpc.last_line());
        let call = Launch::against(&stub.url()).flag("call").flag(tool).flag("--json");
        let call = call.flag(&arguments.to_string());
        let (_, stdout, _) = call.clone().flag("--output").flag("json").output().await;
        assert!(stdout.contains(&shown), "{tool}: {stdout}");
        // As a table, where long cells are truncated.
        let (_, stdout, _) = call.output().await;
        assert!(stdout.contains("[1,-0,0.1,1.0,1.50,1e3,9007199"), "{tool}: {stdout}");
    }
}

#[tokio::test]
async fn an_error_keeps_every_digit_of_its_metadata() {
    let stub = Stub::start().await;
    let metadata =
        r#"{"n":170141183460469231731687303715884105727,"d":1.50,"e":[0.12345678901234567890]}"#;
    let body = format!(r#"{{"key":"k","message":"m","status":400,"metadata":{metadata}}}"#);
    stub.on("GET", MODEL, ResponseTemplate::new(400).set_body_string(&body)).await;
    let (tool, arguments) = ("get_model", json!({"model_id": UNKNOWN_ID}));
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    session.call_err(tool, arguments.clone()).await;
    let shown = metadata.replace('"', "\\\"");
    assert!(session.last_line().contains(&shown), "{}", session.last_line());
    let mut rpc = Session::start(&Launch::against(&stub.url()).flag("rpc"));
    rpc.request(tool, arguments.clone()).await;
    assert!(rpc.last_line().contains(metadata), "{}", rpc.last_line());
    let call = Launch::against(&stub.url()).flag("call").flag(tool).flag("--json");
    let call = call.flag(&arguments.to_string()).flag("--output").flag("json");
    let (_, stdout, _) = call.output().await;
    assert!(stdout.contains(metadata), "{stdout}");
    // Text that is longer than a detail may be is JSON as it came, up to there; a number is no key, and no message.
    let number = "1".repeat(40);
    let long = format!(
        r#"{{"key":{number},"message":{number},"metadata":{{"d":[{}1.50]}}}}"#,
        "1.50,".repeat(400)
    );
    let stub = Stub::start().await;
    stub.on("GET", MODEL, ResponseTemplate::new(400).set_body_string(&long)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err(tool, arguments).await;
    let details = &error["details"];
    assert!(details.get("key").is_none() && details.get("message").is_none(), "{error}");
    let text = details["metadata"].as_str().unwrap();
    assert!(text.starts_with(r#"{"d":[1.50,1.50,"#), "{text}");
}

#[tokio::test]
async fn the_notice_is_the_usual_one_if_no_number_became_a_string() {
    let stub = Stub::start().await;
    let sample = r#"{"data":{"records":[{"m":{"a":1.50,"b":[0.1,1e3]}},{"m":{"a":1e400}}]}}"#;
    stub.on("GET", &format!("{MODEL}/sample"), body(sample)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let shown =
        text(&mut session, "sample_records", json!({"model_id": UNKNOWN_ID, "limit": 1})).await;
    assert!(shown.contains(r#"{"m":{"a":1.50,"b":[0.1,1e3]}}"#), "{shown}");
    assert!(!shown.contains("are strings"), "{shown}");
    let shown = text(&mut session, "sample_records", json!({"model_id": UNKNOWN_ID})).await;
    assert!(shown.contains("are strings"), "{shown}");
}

#[tokio::test]
async fn a_truncated_result_shows_every_digit_too() {
    let stub = Stub::start().await;
    let record = format!(r#"{{"m":{{"a":0.1234567890123456789,"b":{NUMBERS}}}}}"#);
    let all = vec![record.as_str(); 2_000].join(",");
    let sample = format!(r#"{{"data":{{"records":[{all}]}}}}"#);
    stub.on("GET", &format!("{MODEL}/sample"), body(&sample)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "limit": 1_000});
    let result = text(&mut session, "sample_records", arguments).await;
    let record = r#"{"m":{"a":"0.1234567890123456789","b":[1.50,-0,1e3,"0.1234567890123456789","170141183460469231731687303715884105727","9007199254740993"]}}"#;
    let value: Value = serde_json::from_str(&result).unwrap();
    let shown = value["records"].as_array().unwrap().len();
    assert_eq!(result.matches(record).count(), shown, "{result}");
    assert_eq!(value["truncated"]["total"], 2_000);
    assert!(shown > 100 && session.last_bytes() <= 48_000, "{shown}");
}

#[tokio::test]
async fn numbers_outside_records_stay_numbers_with_every_digit() {
    let stub = stub().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let result = text(&mut session, "get_model", json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(result.matches(NUMBERS).count(), 2, "{result}");
    assert!(result.contains(r#""example":1.50"#), "{result}");
    // Many parsers reject a number beyond the range of doubles.
    assert!(result.contains(r#""far":"-1e999""#), "{result}");
    let arguments = json!({"type": "exportlogs", "job_id": JOB_ID});
    let result = text(&mut session, "get_job", arguments).await;
    assert!(result.contains(&format!("\"result\":{NUMBERS}")), "{result}");
}

#[tokio::test]
async fn an_update_sends_the_digits_of_the_configuration_back() {
    let stub = stub().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "name": "People"});
    let result = text(&mut session, "update_model", arguments).await;
    assert!(result.contains(r#""changed":[{"property":"name""#), "{result}");
    assert_eq!(result.matches("\"property\"").count(), 1, "{result}");
    let requests = stub.requests().await;
    let sent = requests.iter().find(|request| request.method.as_str() == "PUT").unwrap();
    let sent = std::str::from_utf8(&sent.body).unwrap();
    assert!(sent.contains(&format!("\"numbers\":{NUMBERS},\"far\":-1e999")), "{sent}");
}

#[tokio::test]
async fn the_digits_of_arguments_reach_the_api() {
    let stub = stub().await;
    let configuration = format!(r#"{{"query":"SELECT 1","numbers":{NUMBERS},"far":1e400}}"#);
    let definition = |configuration: &str| {
        format!(
            r#"{{"connection_id":"{CONNECTION}","name":"Users","configuration":{configuration}}}"#
        )
    };
    let mut mcp = Session::open(&Launch::against(&stub.url())).await;
    let mut rpc = Session::start(&Launch::against(&stub.url()).flag("rpc"));
    // As an object, and as the text of one.
    for configuration in [configuration.clone(), json!(configuration).to_string()] {
        let arguments = definition(&configuration);
        let params = format!(
            r#"{{"name":"create_model","arguments":{arguments},"_meta":{{"progressToken":7}}}}"#
        );
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{params}}}\n"
        );
        let response = mcp.exchange(line.as_bytes()).await;
        mcp.expect_result("create_model", &response);
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"create_model\",\"params\":{arguments}}}\n"
        );
        let response = rpc.exchange(line.as_bytes()).await;
        assert_eq!(response["result"]["model"]["id"], UNKNOWN_ID, "{response}");
    }
    let call = Launch::against(&stub.url()).flag("call").flag("create_model");
    let connection = format!("connection_id={CONNECTION}");
    for call in [
        call.clone().flag("--json").flag(&definition(&configuration)),
        call.flag(&connection).flag("name=Users").flag(&format!("configuration:={configuration}")),
    ] {
        let (status, _, stderr) = call.output().await;
        assert_eq!(status, 0, "{stderr}");
    }
    let requests = stub.requests().await;
    let creates = requests.iter().filter(|request| request.method.as_str() == "POST");
    let bodies: Vec<_> = creates.map(|r| String::from_utf8(r.body.clone()).unwrap()).collect();
    assert_eq!(bodies.len(), 6);
    for body in bodies {
        assert!(body.contains(&format!("\"configuration\":{configuration}")), "{body}");
    }
}

#[tokio::test]
async fn an_argument_may_be_spelled_in_any_way_that_json_allows() {
    let stub = stub().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (limit, accepted) in [("1e1", true), ("\"1e1\"", true), ("10.00", true), ("1.50", false)] {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"sample_records","arguments":{{"model_id":"{UNKNOWN_ID}","limit":{limit}}}}}}}"#
        );
        let response = session.exchange(format!("{line}\n").as_bytes()).await;
        if accepted {
            session.expect_result("sample_records", &response);
        } else {
            let error = session.expect_error(&response);
            assert!(error["message"].as_str().unwrap().contains("got the number 1.5"), "{error}");
        }
    }
}

#[tokio::test]
async fn the_sandbox_sends_integers_and_reals_of_sqlite() {
    let mut session = Session::sandbox().await;
    let query = "SELECT 1 AS id, 9007199254740993 AS big, -9223372036854775807 AS least, \
                 9007199254740991 AS safe, 0.1 AS tenth, 1e300 AS far";
    let arguments =
        json!({"connection_id": CONNECTION, "name": "n", "configuration": {"query": query}});
    let created = session.call("create_model", arguments).await;
    let id = created["model"]["id"].as_str().unwrap();
    let sample = session.call("sample_records", json!({"model_id": id})).await;
    let expected = json!({
        "id": 1, "big": "9007199254740993", "least": "-9223372036854775807",
        "safe": 9_007_199_254_740_991_u64, "tenth": 0.1, "far": 1e300,
    });
    assert_eq!(sample["records"], json!([{id: expected}]));
    assert!(sample["notice"].as_str().unwrap().contains("are strings"), "{sample}");
}

#[tokio::test]
async fn the_sandbox_keeps_the_digits_of_a_configuration() {
    async fn call(session: &mut Session, tool: &str, arguments: &str) -> Value {
        let params = format!(r#"{{"name":"{tool}","arguments":{arguments}}}"#);
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let response = session.exchange(format!("{line}\n").as_bytes()).await;
        session.expect_result(tool, &response)
    }

    let shown = format!("\"numbers\":{NUMBERS}");
    let configuration =
        |table: &str| format!(r#"{{"table":"public.{table}","numbers":{NUMBERS}}}"#);
    let mut session = Session::sandbox().await;
    let definition = format!(
        r#"{{"connection_id":"{CONNECTION}","name":"Digits","configuration":{}}}"#,
        configuration("users")
    );
    let created = call(&mut session, "create_model", &definition).await;
    assert!(session.last_line().contains(&shown), "{created}");
    let id = created["model"]["id"].as_str().unwrap();
    let update = format!(
        r#"{{"model_id":"{id}","configuration":{},"async":true}}"#,
        configuration("companies")
    );
    for (tool, arguments) in [
        ("update_model", update),
        ("update_model", format!(r#"{{"model_id":"{id}","name":"Other"}}"#)),
        ("get_model", format!(r#"{{"model_id":"{id}"}}"#)),
        ("get_model", format!(r#"{{"model_id":"{id}","detail":"definition"}}"#)),
        ("list_models", r#"{"detail":"full"}"#.to_owned()),
        ("preview_model", definition.clone()),
    ] {
        let result = call(&mut session, tool, &arguments).await;
        assert!(session.last_line().contains(&shown), "{tool}: {result}");
    }
}
