//! Repaired results and their limit in bytes.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::fixtures::{REPAIRED, raw};
use crate::support::{Launch, MODEL, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn a_repaired_result_stays_within_its_limit() {
    let record = r#"{"m":{"a":"x\ud83d","b":"some text that fills the result"}}"#;
    let body = format!(r#"{{"data":{{"records":[{}]}}}}"#, vec![record; 2_000].join(","));
    let arguments = json!({"model_id": UNKNOWN_ID, "limit": 1_000, "max_bytes": 5_000});
    let stub = Stub::start().await;
    stub.on("GET", &format!("{MODEL}/sample"), raw(body)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let sample = session.call("sample_records", arguments).await;
    assert!(session.last_bytes() <= 5_000, "{}", session.last_bytes());
    assert!(sample["notice"].as_str().unwrap().contains("2000 invalid characters"), "{sample}");
    assert_eq!(sample["truncated"]["total"], 2_000);
}

/// Records as JSON text, some of them damaged or not.
fn records(are_damaged: bool) -> impl Strategy<Value = Vec<u8>> {
    const VALID: [&[u8]; 2] =
        [b"some text that takes its place in the result", b"\\u00e9\\ud83d\\ude00\x7f\\n"];
    const DAMAGED: [&[u8]; 5] = [b"\\ud83d", b"\xff", b"\xed\xa0\xbd", b"\n", b"\x01"];
    let parts = if are_damaged { [&VALID[..], &DAMAGED].concat() } else { VALID.to_vec() };
    let scalars = match are_damaged {
        true => "null|0[.]1|-5|9007199254740993|1e400|NaN|-Infinity",
        false => "null|0[.]1|-5",
    };
    let value = prop_oneof![
        6 => prop::collection::vec(prop::sample::select(parts), 0..6).prop_map(|parts| {
            [b"\"".to_vec(), parts.concat(), b"\"".to_vec()].concat()
        }),
        1 => scalars.prop_map(String::into_bytes),
    ];
    let record = prop::collection::vec(value, 1..4).prop_map(move |values| {
        // Names come twice in damaged records only.
        let column = |n: usize| if are_damaged { n % 2 } else { n };
        let name = |n: usize| format!("{}\"c{}\":", if n == 0 { "" } else { "," }, column(n));
        let columns = values.into_iter().enumerate();
        let columns: Vec<u8> =
            columns.flat_map(|(n, value)| [name(n).into_bytes(), value].concat()).collect();
        [b"{\"m\":{".to_vec(), columns, b"}}".to_vec()].concat()
    });
    prop::collection::vec(record, 0..40)
        .prop_map(|records| [b"[".to_vec(), records.join(&b","[..]), b"]".to_vec()].concat())
}

/// The session checks that a result is valid JSON, the same as text and as structured content.
#[tokio::test]
async fn any_damaged_response_is_a_result_within_its_limit() {
    let (stub, next) = (Stub::start().await, Arc::new(Mutex::new(Vec::new())));
    let body = Arc::clone(&next);
    let respond = move |_: &wiremock::Request| raw(body.lock().unwrap().clone());
    stub.respond("GET", &format!("{MODEL}/sample"), respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (mut runner, valid, damaged) =
        (TestRunner::default(), records(false).boxed(), records(true).boxed());
    let (mut valid_cases, mut repaired_cases) = (0, 0);
    for n in 0..150 {
        let tree =
            if n % 3 == 0 { valid.new_tree(&mut runner) } else { damaged.new_tree(&mut runner) };
        let records = tree.unwrap().current();
        *next.lock().unwrap() = [b"{\"data\":{\"records\":", records.as_slice(), b"}}"].concat();
        let arguments = json!({"model_id": UNKNOWN_ID, "limit": 1_000, "max_bytes": 5_000});
        let result = session.call("sample_records", arguments.clone()).await;
        assert!(session.last_bytes() <= 5_000, "{}", session.last_bytes());
        let notice = result["notice"].as_str().unwrap();
        if let Ok(strict) = serde_json::from_slice::<Value>(&records)
            && n % 3 == 0
        {
            valid_cases += 1;
            assert!(!notice.contains(REPAIRED), "{notice}");
            let complete = json!({"model_id": UNKNOWN_ID, "limit": 1_000});
            assert_eq!(session.call("sample_records", complete).await["records"], strict);
        } else if notice.contains(REPAIRED) {
            repaired_cases += 1;
        }
    }
    assert!(valid_cases == 50 && repaired_cases > 50, "{valid_cases} {repaired_cases}");
}
