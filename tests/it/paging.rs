//! Lists read page by page: whatever the API does with limits and tokens, each item is returned exactly once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{CONNECTION, Launch, Session, Stub, UNKNOWN_ID};

/// Both paged lists: the tool, the path in the API, and the name of the list in the result.
const LISTS: [(&str, &str, &str); 2] =
    [("list_models", "/api/models", "models"), ("list_model_syncs", "/api/syncs", "syncs")];

/// An item of either list.
fn item(n: usize) -> Value {
    let id = format!("{n:08}-0000-4000-8000-000000000000");
    let model = if n.is_multiple_of(40) { UNKNOWN_ID } else { CONNECTION };
    json!({"id": id, "name": format!("Item {n}"), "connection_id": model, "model_ids": [model]})
}

fn items(numbers: impl IntoIterator<Item = usize>) -> Vec<Value> {
    numbers.into_iter().map(item).collect()
}

fn page(items: &[Value], token: Option<&str>) -> Value {
    json!({"data": items, "pagination": {"next_page_token": token}})
}

fn query_parameter(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A list that can change between two calls.
#[derive(Clone)]
struct SharedList(Arc<Mutex<Vec<Value>>>);

impl SharedList {
    fn new(items: Vec<Value>) -> Self {
        Self(Arc::new(Mutex::new(items)))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.0.lock().unwrap());
    }

    /// Served as the API reference describes: at most `limit` items, and a token for the next page.
    async fn serve_paged(&self, stub: &Stub, path: &str, max_page_size: usize) {
        let list = self.clone();
        let respond = move |request: &Request| {
            let items = list.0.lock().unwrap();
            let limit = query_parameter(request, "limit").and_then(|limit| limit.parse().ok());
            // Not a plain number: a token may be any text, and must arrive unchanged.
            let start = query_parameter(request, "page_token").map_or(0, |token| {
                let position = token.strip_prefix("p+/=&").and_then(|rest| rest.strip_suffix(" ü"));
                position.unwrap_or_else(|| panic!("{token:?}")).parse().unwrap()
            });
            let end = items.len().min(start + limit.unwrap_or(max_page_size).min(max_page_size));
            let token = (end < items.len()).then(|| format!("p+/=&{end} ü"));
            let body = page(&items[start.min(end)..end], token.as_deref());
            ResponseTemplate::new(200).set_body_json(body)
        };
        stub.respond("GET", path, respond).await;
    }

    async fn serve(&self, stub: &Stub, path: &str, paged: bool) {
        if paged {
            self.serve_paged(stub, path, 50).await;
        } else {
            self.serve_unpaged(stub, path).await;
        }
    }

    /// Served on one page, whatever the query parameters.
    async fn serve_unpaged(&self, stub: &Stub, path: &str) {
        let list = self.clone();
        let respond = move |_: &Request| {
            ResponseTemplate::new(200).set_body_json(json!({"data": *list.0.lock().unwrap()}))
        };
        stub.respond("GET", path, respond).await;
    }
}

fn numbers(result: &Value, list: &str) -> Vec<usize> {
    let number = |item: &Value| item["name"].as_str().unwrap()["Item ".len()..].parse().unwrap();
    result[list].as_array().unwrap_or_else(|| panic!("{result}")).iter().map(number).collect()
}

/// Reads a list to its end; returns the numbers on each page.
async fn read_pages(
    session: &mut Session,
    tool: &str,
    list: &str,
    mut arguments: Value,
) -> Vec<Vec<usize>> {
    let mut pages = Vec::new();
    loop {
        let result = session.call(tool, arguments.clone()).await;
        pages.push(numbers(&result, list));
        let Some(cursor) = result.get("next_cursor") else { return pages };
        assert!(pages.len() < 500, "{tool} does not end");
        arguments["cursor"] = cursor.clone();
    }
}

#[tokio::test]
async fn a_paged_list_is_read_to_its_end_without_repeats() {
    for (tool, path, list) in LISTS {
        for (limit, max_page_size, sizes) in [
            (50, 50, vec![50, 50, 20]),
            // The API returns fewer items than the limit.
            (50, 7, vec![50, 50, 20]),
            (33, 50, vec![33, 33, 33, 21]),
            // The last page is exactly full.
            (40, 50, vec![40, 40, 40]),
            (20, 20, vec![20; 6]),
        ] {
            let label = format!("{tool} with limit {limit}, API pages of {max_page_size}");
            let stub = Stub::start().await;
            SharedList::new(items(0..120)).serve_paged(&stub, path, max_page_size).await;
            let mut session = Session::open(&Launch::against(&stub.url())).await;
            let pages = read_pages(&mut session, tool, list, json!({"limit": limit})).await;
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{label}");
            assert_eq!(pages.concat(), (0..120).collect::<Vec<_>>(), "{label}");
            for request in stub.requests().await {
                let page_limit = query_parameter(&request, "limit").unwrap();
                assert!(page_limit.parse::<u32>().unwrap() <= 50, "{label}: limit {page_limit}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_the_api_does_not_page_is_paged_locally() {
    for (tool, path, list) in LISTS {
        let stub = Stub::start().await;
        SharedList::new(items(0..120)).serve_unpaged(&stub, path).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let pages = read_pages(&mut session, tool, list, json!({})).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20], "{tool}");
        assert_eq!(pages.concat(), (0..120).collect::<Vec<_>>(), "{tool}");
        assert_eq!(stub.lines().await.len(), 3, "{tool}");
    }
}

#[tokio::test]
async fn a_limit_of_one_returns_each_item_once() {
    for (tool, path, list) in LISTS {
        for paged in [true, false] {
            let (stub, shared) = (Stub::start().await, SharedList::new(items(0..12)));
            shared.serve(&stub, path, paged).await;
            let mut session = Session::open(&Launch::against(&stub.url())).await;
            let pages = read_pages(&mut session, tool, list, json!({"limit": 1})).await;
            let singles: Vec<_> = (0..12).map(|n| vec![n]).collect();
            assert_eq!(pages, singles, "{tool}, paged: {paged}");
        }
    }
}

#[tokio::test]
async fn a_cursor_continues_with_another_limit_and_another_detail() {
    for paged in [true, false] {
        let (stub, shared) = (Stub::start().await, SharedList::new(items(0..60)));
        let path = "/api/models";
        shared.serve(&stub, path, paged).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let mut listed = Vec::new();
        let mut arguments = json!({"limit": 7});
        for more in [json!({"limit": 3, "detail": "full"}), json!({"limit": 50}), json!({})] {
            let result = session.call("list_models", arguments.clone()).await;
            listed.extend(numbers(&result, "models"));
            let cursor = result["next_cursor"].clone();
            arguments = more;
            arguments["cursor"] = cursor;
        }
        assert_eq!(listed, (0..60).collect::<Vec<_>>(), "paged: {paged}");
    }
}

#[tokio::test]
async fn a_filter_searches_all_pages_of_the_api() {
    for (tool, path, list, filter) in [
        ("list_models", "/api/models", "models", json!({"name_contains": "iTEM 1%"})),
        (
            "list_models",
            "/api/models",
            "models",
            json!({"connection_id": UNKNOWN_ID.to_uppercase()}),
        ),
        ("list_model_syncs", "/api/syncs", "syncs", json!({"model_id": UNKNOWN_ID})),
    ] {
        let stub = Stub::start().await;
        // Only the end of the third page matches.
        let mut all = items((1..40).chain(41..80).chain(81..120).chain([160, 200, 240]));
        let first_match = all.len() - 3;
        for item in &mut all[first_match..] {
            item["name"] = json!(item["name"].as_str().unwrap().replace("Item ", "Item 1%0"));
        }
        let expected =
            all.iter().map(|item| item["id"].clone()).collect::<Vec<_>>()[first_match..].to_vec();
        SharedList::new(all).serve_paged(&stub, path, 50).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let mut arguments = filter.clone();
        arguments["limit"] = json!(2);
        let first = session.call(tool, arguments.clone()).await;
        arguments["cursor"] = first["next_cursor"].clone();
        assert_eq!(stub.lines().await.len(), 3, "{filter}: {:?}", stub.lines().await);
        let second = session.call(tool, arguments).await;
        assert_eq!(second.get("next_cursor"), None, "{filter}");
        assert_eq!(stub.lines().await.len(), 4, "{filter}");
        let ids = |result: &Value| -> Vec<Value> {
            result[list].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
        };
        assert_eq!([ids(&first), ids(&second)].concat(), expected, "{filter}");
    }
}

#[tokio::test]
async fn without_a_match_each_page_is_read_once() {
    let stub = Stub::start().await;
    SharedList::new(items(0..120)).serve_paged(&stub, "/api/models", 50).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let result = session.call("list_models", json!({"name_contains": "nobody"})).await;
    assert_eq!(result, json!({"models": []}));
    assert_eq!(stub.lines().await.len(), 3);
}

#[tokio::test]
async fn repeated_tokens_end_the_list() {
    for (tool, path, list) in LISTS {
        let stub = Stub::start().await;
        // a, b, a, b: a page points to one that was read before.
        let respond = |request: &Request| {
            let (start, token) = match query_parameter(request, "page_token").as_deref() {
                None => (0, "a"),
                Some("a") => (5, "b"),
                _ => (10, "a"),
            };
            ResponseTemplate::new(200).set_body_json(page(&items(start..start + 5), Some(token)))
        };
        stub.respond("GET", path, respond).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let pages = read_pages(&mut session, tool, list, json!({})).await;
        assert_eq!(pages, [(0..15).collect::<Vec<_>>()], "{tool}");
        assert_eq!(stub.lines().await.len(), 3, "{tool}");

        // The API ignores its own token.
        let stub = Stub::start().await;
        stub.json("GET", path, 200, page(&items(0..5), Some("same"))).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"limit": 5});
        let pages = read_pages(&mut session, tool, list, arguments).await;
        assert!(pages.len() <= 2, "{tool}: {pages:?}");
    }
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_not_the_end() {
    let stub = Stub::start().await;
    let bodies =
        vec![page(&items(0..2), Some("a")), page(&[], Some("b")), page(&items(2..4), None)];
    stub.sequence("GET", "/api/models", bodies).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let pages = read_pages(&mut session, "list_models", "models", json!({})).await;
    assert_eq!(pages, [[0, 1, 2, 3]]);
}

#[tokio::test]
async fn reading_pages_ends_after_20_seconds_with_a_cursor() {
    let stub = Stub::start().await;
    let respond = |request: &Request| {
        let position =
            query_parameter(request, "page_token").map_or(0, |t| t.parse::<usize>().unwrap());
        let token = (position + 1).to_string();
        ResponseTemplate::new(200)
            .set_body_json(page(&items(position * 2..position * 2 + 2), Some(&token)))
            .set_delay(Duration::from_secs(7))
    };
    stub.respond("GET", "/api/models", respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let started = Instant::now();
    session.start_call("list_models", json!({"name_contains": "nobody"})).await;
    stub.wait_for_requests(3).await;
    let response = session.next().await;
    let seconds = started.elapsed().as_secs_f64();
    let result = session.expect_result("list_models", &response);
    assert!((19.0..24.0).contains(&seconds), "{seconds} s");
    assert_eq!(result["models"], json!([]));
    // The interrupted page is read again.
    let cursor = result["next_cursor"].as_str().unwrap_or_else(|| panic!("{result}"));
    let arguments = json!({"name_contains": "nobody", "cursor": cursor});
    session.start_call("list_models", arguments).await;
    stub.wait_for_requests(4).await;
    let tokens: Vec<_> =
        stub.requests().await.iter().map(|r| query_parameter(r, "page_token")).collect();
    assert_eq!(tokens, [None, Some("1".into()), Some("2".into()), Some("2".into())]);
}

#[tokio::test]
async fn items_that_move_or_disappear_between_two_calls_hide_no_others() {
    type Change = fn(&mut Vec<Value>);
    let cases: [(&str, Change, &[usize]); 8] = [
        ("a read item moves to the front", |all| all[..=4].rotate_right(1), &[]),
        ("the last read item moves to the front", |all| all[..=9].rotate_right(1), &[]),
        // Its new position has been read already.
        ("an unread item moves to the front", |all| all[..=15].rotate_right(1), &[15]),
        ("a new item at the front", |all| all.insert(0, item(99)), &[]),
        ("a read item is deleted", |all| drop(all.remove(3)), &[]),
        ("the last read item is deleted", |all| drop(all.remove(9)), &[]),
        ("the next item is deleted", |all| drop(all.remove(10)), &[10]),
        (
            "nearly all are deleted",
            |all| all.truncate(2),
            &[10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
        ),
    ];
    for (label, change, hidden) in cases {
        for (tool, path, list) in LISTS {
            let (stub, shared) = (Stub::start().await, SharedList::new(items(0..20)));
            shared.serve_unpaged(&stub, path).await;
            let mut session = Session::open(&Launch::against(&stub.url())).await;
            let first = session.call(tool, json!({"limit": 10})).await;
            shared.change(change);
            let arguments = json!({"limit": 50, "cursor": first["next_cursor"]});
            let rest = read_pages(&mut session, tool, list, arguments).await.concat();
            for n in (10..20).filter(|n| !hidden.contains(n)) {
                let times = rest.iter().filter(|m| **m == n).count();
                assert_eq!(times, 1, "{tool}, {label}: {n} in {rest:?}");
            }
        }
    }
}

#[tokio::test]
async fn pages_that_change_between_two_calls_are_read_without_repeats() {
    for (label, change) in [
        (
            "an item moves to the front",
            (|all: &mut Vec<Value>| all[..=45].rotate_right(1)) as fn(&mut Vec<Value>),
        ),
        ("an item is deleted", |all| drop(all.remove(3))),
        ("most items are deleted", |all| all.truncate(5)),
    ] {
        let (stub, shared) = (Stub::start().await, SharedList::new(items(0..60)));
        shared.serve_paged(&stub, "/api/models", 50).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let first = session.call("list_models", json!({"limit": 20})).await;
        shared.change(change);
        let arguments = json!({"limit": 20, "cursor": first["next_cursor"]});
        let rest = read_pages(&mut session, "list_models", "models", arguments).await.concat();
        // Items that the API's own pages skip cannot be returned; all others are, and only once.
        let repeated = rest.iter().filter(|n| rest.iter().filter(|m| m == n).count() > 1).count();
        assert_eq!(repeated, 0, "{label}: {rest:?}");
        let min_count = if label == "most items are deleted" { 0 } else { 39 };
        assert!(rest.len() >= min_count, "{label}: {rest:?}");
    }
}

fn encode(cursor: &Value) -> String {
    URL_SAFE_NO_PAD.encode(cursor.to_string())
}

#[tokio::test]
async fn an_invalid_cursor_is_rejected_and_nothing_is_sent() {
    let stub = Stub::start().await;
    for (_, path, _) in LISTS {
        SharedList::new(items(0..120)).serve_unpaged(&stub, path).await;
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let cursor = |result: Value| result["next_cursor"].as_str().unwrap().to_owned();
    let valid = cursor(session.call("list_models", json!({})).await);
    let filtered = cursor(session.call("list_models", json!({"name_contains": "item"})).await);
    let of_syncs = cursor(session.call("list_model_syncs", json!({})).await);
    let sent = stub.lines().await.len();

    let decoded: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&valid).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut cursor = decoded.clone();
        cursor[name] = value;
        encode(&cursor)
    };
    let cases = [
        ("arbitrary text", "%%% ../.. \u{1}".to_owned()),
        ("a number", "17".to_owned()),
        ("truncated", valid[..valid.len() - 3].to_owned()),
        ("truncated to one character", valid[..1].to_owned()),
        ("with a suffix", format!("{valid}AAAA")),
        ("padded", format!("{valid}==")),
        ("of another tool", of_syncs),
        ("of other filters", filtered),
        ("40,000 characters", "A".repeat(40_000)),
        ("unencoded JSON", decoded.to_string()),
        ("another JSON type", encode(&json!(["list_models"]))),
        ("not JSON", URL_SAFE_NO_PAD.encode(b"\xff\xfe")),
        ("a negative position", with("skip", json!(-1))),
        ("a fractional position", with("skip", json!(1.5))),
        (
            "a position out of range",
            URL_SAFE_NO_PAD.encode(
                decoded.to_string().replace("\"skip\":50", "\"skip\":184467440737095516160"),
            ),
        ),
        ("a size of zero", with("size", json!(0))),
        ("a size above the maximum", with("size", json!(51))),
        ("the largest size", with("size", json!(u32::MAX))),
        ("a token of another type", with("token", json!({"a": 1}))),
    ];
    for (label, cursor) in cases {
        let error = session.call_err("list_models", json!({"cursor": cursor})).await;
        assert_eq!(error["code"], "invalid_argument", "{label}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
        assert_eq!(error["details"]["argument"], "cursor", "{label}: {error}");
        assert!(error["message"].as_str().unwrap().contains("cursor"), "{label}: {error}");
        assert!(error.to_string().len() < 1_000, "{label}: {error}");
    }
    let with_filter = json!({"cursor": valid, "name_contains": "x"});
    assert_eq!(session.call_err("list_models", with_filter).await["details"]["argument"], "cursor");
    assert_eq!(stub.lines().await.len(), sent, "something was sent");
}

#[tokio::test]
async fn a_cursor_with_an_extreme_position_is_harmless() {
    let stub = Stub::start().await;
    SharedList::new(items(0..120)).serve_unpaged(&stub, "/api/models").await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let first = session.call("list_models", json!({})).await;
    let cursor = URL_SAFE_NO_PAD.decode(first["next_cursor"].as_str().unwrap()).unwrap();
    let decoded: Value = serde_json::from_slice(&cursor).unwrap();
    for (skip, after) in [
        (u64::MAX, json!(null)),
        (u64::MAX, json!(UNKNOWN_ID)),
        (0, json!(UNKNOWN_ID)),
        (500, json!("x".repeat(5_000))),
    ] {
        let mut cursor = decoded.clone();
        cursor["skip"] = json!(skip);
        cursor["after"] = after;
        let result = session.call("list_models", json!({"cursor": encode(&cursor)})).await;
        assert!(numbers(&result, "models").len() <= 50, "{cursor}");
    }
}

#[tokio::test]
async fn a_cursor_with_a_token_of_3000_characters_is_accepted() {
    let stub = Stub::start().await;
    let token = "t\"".repeat(1_500);
    let bodies = vec![page(&items(0..50), Some(&token)), page(&items(50..60), None)];
    stub.sequence("GET", "/api/models", bodies).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let pages = read_pages(&mut session, "list_models", "models", json!({})).await;
    assert_eq!(pages.concat(), (0..60).collect::<Vec<_>>());
    let requests = stub.requests().await;
    assert_eq!(query_parameter(&requests[1], "page_token"), Some(token));
}

#[tokio::test]
async fn items_without_id_or_name_are_returned_and_paged() {
    let stub = Stub::start().await;
    let nameless: Vec<Value> =
        (0..60).map(|n| json!({"id": null, "name": null, "version": n})).collect();
    stub.json("GET", "/api/models", 200, json!({"data": nameless})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let first = session.call("list_models", json!({"detail": "full"})).await;
    let arguments = json!({"detail": "full", "cursor": first["next_cursor"]});
    let second = session.call("list_models", arguments).await;
    let versions = |result: &Value| -> Vec<i64> {
        result["models"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["version"].as_i64().unwrap())
            .collect()
    };
    assert_eq!([versions(&first), versions(&second)].concat(), (0..60).collect::<Vec<_>>());
    assert_eq!(second.get("next_cursor"), None);
}
