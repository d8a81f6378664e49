//! Lists read page by page: whatever the API does with limits and tokens, nothing is lost or told twice.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{CONNECTION, Launch, Session, Stub, UNKNOWN_ID};

/// Both lists that page: the tool, where the API has it, and the name of the list in the result.
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

fn argument(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A list that may change between two calls.
#[derive(Clone)]
struct Shelf(Arc<Mutex<Vec<Value>>>);

impl Shelf {
    fn of(items: Vec<Value>) -> Self {
        Self(Arc::new(Mutex::new(items)))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.0.lock().unwrap());
    }

    /// Served as the API's prose has it: `limit` items at most, tokens that say where to go on.
    async fn paged(&self, stub: &Stub, at: &str, most: usize) {
        let shelf = self.clone();
        let answer = move |request: &Request| {
            let items = shelf.0.lock().unwrap();
            let limit = argument(request, "limit").and_then(|limit| limit.parse().ok());
            // Not a plain number: a token is any text, and has to arrive as it was given.
            let start = argument(request, "page_token").map_or(0, |token| {
                let place = token.strip_prefix("p+/=&").and_then(|rest| rest.strip_suffix(" ü"));
                place.unwrap_or_else(|| panic!("{token:?}")).parse().unwrap()
            });
            let end = items.len().min(start + limit.unwrap_or(most).min(most));
            let token = (end < items.len()).then(|| format!("p+/=&{end} ü"));
            let body = page(&items[start.min(end)..end], token.as_deref());
            ResponseTemplate::new(200).set_body_json(body)
        };
        stub.respond("GET", at, answer).await;
    }

    async fn served(&self, stub: &Stub, at: &str, paged: bool) {
        if paged {
            self.paged(stub, at, 50).await;
        } else {
            self.whole(stub, at).await;
        }
    }

    /// Served at once, whatever is asked for.
    async fn whole(&self, stub: &Stub, at: &str) {
        let shelf = self.clone();
        let answer = move |_: &Request| {
            ResponseTemplate::new(200).set_body_json(json!({"data": *shelf.0.lock().unwrap()}))
        };
        stub.respond("GET", at, answer).await;
    }
}

fn numbers(result: &Value, list: &str) -> Vec<usize> {
    let number = |item: &Value| item["name"].as_str().unwrap()["Item ".len()..].parse().unwrap();
    result[list].as_array().unwrap_or_else(|| panic!("{result}")).iter().map(number).collect()
}

/// Reads a list to its end; gives the numbers of each answer.
async fn read_on(session: &mut Session, tool: &str, list: &str, mut ask: Value) -> Vec<Vec<usize>> {
    let mut answers = Vec::new();
    loop {
        let result = session.call(tool, ask.clone()).await;
        answers.push(numbers(&result, list));
        let Some(cursor) = result.get("next_cursor") else { return answers };
        assert!(answers.len() < 500, "{tool} does not end");
        ask["cursor"] = cursor.clone();
    }
}

#[tokio::test]
async fn a_paged_list_is_read_to_its_end_without_repeats() {
    for (tool, at, list) in LISTS {
        for (limit, most, sizes) in [
            (50, 50, vec![50, 50, 20]),
            // The API gives less than is asked for.
            (50, 7, vec![50, 50, 20]),
            (33, 50, vec![33, 33, 33, 21]),
            // Its last page is exactly full.
            (40, 50, vec![40, 40, 40]),
            (20, 20, vec![20; 6]),
        ] {
            let label = format!("{tool} by {limit}, {most} a page");
            let stub = Stub::start().await;
            Shelf::of(items(0..120)).paged(&stub, at, most).await;
            let mut session = Session::open(&Launch::against(&stub.url())).await;
            let answers = read_on(&mut session, tool, list, json!({"limit": limit})).await;
            assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{label}");
            assert_eq!(answers.concat(), (0..120).collect::<Vec<_>>(), "{label}");
            for request in stub.requests().await {
                let asked = argument(&request, "limit").unwrap();
                assert!(asked.parse::<u32>().unwrap() <= 50, "{label}: limit {asked}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_the_api_does_not_page_is_paged_all_the_same() {
    for (tool, at, list) in LISTS {
        let stub = Stub::start().await;
        Shelf::of(items(0..120)).whole(&stub, at).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let answers = read_on(&mut session, tool, list, json!({})).await;
        assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20], "{tool}");
        assert_eq!(answers.concat(), (0..120).collect::<Vec<_>>(), "{tool}");
        assert_eq!(stub.lines().await.len(), 3, "{tool}");
    }
}

#[tokio::test]
async fn one_at_a_time_gives_each_item_once() {
    for (tool, at, list) in LISTS {
        for paged in [true, false] {
            let (stub, shelf) = (Stub::start().await, Shelf::of(items(0..12)));
            shelf.served(&stub, at, paged).await;
            let mut session = Session::open(&Launch::against(&stub.url())).await;
            let answers = read_on(&mut session, tool, list, json!({"limit": 1})).await;
            let singles: Vec<_> = (0..12).map(|n| vec![n]).collect();
            assert_eq!(answers, singles, "{tool}, paged: {paged}");
        }
    }
}

#[tokio::test]
async fn a_cursor_goes_on_with_another_limit_and_another_detail() {
    for paged in [true, false] {
        let (stub, shelf) = (Stub::start().await, Shelf::of(items(0..60)));
        let at = "/api/models";
        shelf.served(&stub, at, paged).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let mut read = Vec::new();
        let mut ask = json!({"limit": 7});
        for more in [json!({"limit": 3, "detail": "full"}), json!({"limit": 50}), json!({})] {
            let result = session.call("list_models", ask.clone()).await;
            read.extend(numbers(&result, "models"));
            let cursor = result["next_cursor"].clone();
            ask = more;
            ask["cursor"] = cursor;
        }
        assert_eq!(read, (0..60).collect::<Vec<_>>(), "paged: {paged}");
    }
}

#[tokio::test]
async fn filters_read_on_through_the_pages_of_the_api() {
    for (tool, at, list, filter) in [
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
        // Matches are at the end of the third page only.
        let mut all = items((1..40).chain(41..80).chain(81..120).chain([160, 200, 240]));
        let wanted = all.len() - 3;
        for item in &mut all[wanted..] {
            item["name"] = json!(item["name"].as_str().unwrap().replace("Item ", "Item 1%0"));
        }
        let third =
            all.iter().map(|item| item["id"].clone()).collect::<Vec<_>>()[wanted..].to_vec();
        Shelf::of(all).paged(&stub, at, 50).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let mut ask = filter.clone();
        ask["limit"] = json!(2);
        let first = session.call(tool, ask.clone()).await;
        ask["cursor"] = first["next_cursor"].clone();
        assert_eq!(stub.lines().await.len(), 3, "{filter}: {:?}", stub.lines().await);
        let second = session.call(tool, ask).await;
        assert_eq!(second.get("next_cursor"), None, "{filter}");
        assert_eq!(stub.lines().await.len(), 4, "{filter}");
        let ids = |result: &Value| -> Vec<Value> {
            result[list].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
        };
        assert_eq!([ids(&first), ids(&second)].concat(), third, "{filter}");
    }
}

#[tokio::test]
async fn without_a_match_the_whole_list_is_read_once() {
    let stub = Stub::start().await;
    Shelf::of(items(0..120)).paged(&stub, "/api/models", 50).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let result = session.call("list_models", json!({"name_contains": "nobody"})).await;
    assert_eq!(result, json!({"models": []}));
    assert_eq!(stub.lines().await.len(), 3);
}

#[tokio::test]
async fn tokens_that_come_back_end_the_list() {
    for (tool, at, list) in LISTS {
        let stub = Stub::start().await;
        // a, b, a, b: a page that was read leads on to one that was read.
        let answer = |request: &Request| {
            let (start, token) = match argument(request, "page_token").as_deref() {
                None => (0, "a"),
                Some("a") => (5, "b"),
                _ => (10, "a"),
            };
            ResponseTemplate::new(200).set_body_json(page(&items(start..start + 5), Some(token)))
        };
        stub.respond("GET", at, answer).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let answers = read_on(&mut session, tool, list, json!({})).await;
        assert_eq!(answers, [(0..15).collect::<Vec<_>>()], "{tool}");
        assert_eq!(stub.lines().await.len(), 3, "{tool}");

        // The API takes no notice of its own token.
        let stub = Stub::start().await;
        stub.json("GET", at, 200, page(&items(0..5), Some("same"))).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let ask = json!({"limit": 5});
        let answers = read_on(&mut session, tool, list, ask).await;
        assert!(answers.len() <= 2, "{tool}: {answers:?}");
    }
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_not_the_end() {
    let stub = Stub::start().await;
    let bodies =
        vec![page(&items(0..2), Some("a")), page(&[], Some("b")), page(&items(2..4), None)];
    stub.sequence("GET", "/api/models", bodies).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let answers = read_on(&mut session, "list_models", "models", json!({})).await;
    assert_eq!(answers, [[0, 1, 2, 3]]);
}

#[tokio::test]
async fn reading_on_ends_after_20_seconds_and_says_where_to_go_on() {
    let stub = Stub::start().await;
    let answer = |request: &Request| {
        let place = argument(request, "page_token").map_or(0, |t| t.parse::<usize>().unwrap());
        let token = (place + 1).to_string();
        ResponseTemplate::new(200)
            .set_body_json(page(&items(place * 2..place * 2 + 2), Some(&token)))
            .set_delay(Duration::from_secs(7))
    };
    stub.respond("GET", "/api/models", answer).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let started = Instant::now();
    session.start_call("list_models", json!({"name_contains": "nobody"})).await;
    stub.wait_for_requests(3).await;
    let answer = session.next().await;
    let took = started.elapsed().as_secs_f64();
    let result = session.expect_result("list_models", &answer);
    assert!((19.0..24.0).contains(&took), "{took} s");
    assert_eq!(result["models"], json!([]));
    // The page that was broken off is read again.
    let cursor = result["next_cursor"].as_str().unwrap_or_else(|| panic!("{result}"));
    let ask = json!({"name_contains": "nobody", "cursor": cursor});
    session.start_call("list_models", ask).await;
    stub.wait_for_requests(4).await;
    let asked: Vec<_> = stub.requests().await.iter().map(|r| argument(r, "page_token")).collect();
    assert_eq!(asked, [None, Some("1".into()), Some("2".into()), Some("2".into())]);
}

#[tokio::test]
async fn items_that_move_or_go_between_two_calls_cost_no_others() {
    type Change = fn(&mut Vec<Value>);
    let cases: [(&str, Change, &[usize]); 8] = [
        ("read, to the front", |all| all[..=4].rotate_right(1), &[]),
        ("the last one read, to the front", |all| all[..=9].rotate_right(1), &[]),
        // Where it is now has been read already.
        ("unread, to the front", |all| all[..=15].rotate_right(1), &[15]),
        ("a new one in front", |all| all.insert(0, item(99)), &[]),
        ("a read one is deleted", |all| drop(all.remove(3)), &[]),
        ("the last one read is deleted", |all| drop(all.remove(9)), &[]),
        ("the next one is deleted", |all| drop(all.remove(10)), &[10]),
        (
            "nearly all are deleted",
            |all| all.truncate(2),
            &[10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
        ),
    ];
    for (label, change, gone) in cases {
        for (tool, at, list) in LISTS {
            let (stub, shelf) = (Stub::start().await, Shelf::of(items(0..20)));
            shelf.whole(&stub, at).await;
            let mut session = Session::open(&Launch::against(&stub.url())).await;
            let first = session.call(tool, json!({"limit": 10})).await;
            shelf.change(change);
            let ask = json!({"limit": 50, "cursor": first["next_cursor"]});
            let rest = read_on(&mut session, tool, list, ask).await.concat();
            for n in (10..20).filter(|n| !gone.contains(n)) {
                let times = rest.iter().filter(|m| **m == n).count();
                assert_eq!(times, 1, "{tool}, {label}: {n} in {rest:?}");
            }
        }
    }
}

#[tokio::test]
async fn pages_that_change_between_two_calls_are_read_to_the_end() {
    for (label, change) in [
        (
            "to the front",
            (|all: &mut Vec<Value>| all[..=45].rotate_right(1)) as fn(&mut Vec<Value>),
        ),
        ("deleted", |all| drop(all.remove(3))),
        ("most are deleted", |all| all.truncate(5)),
    ] {
        let (stub, shelf) = (Stub::start().await, Shelf::of(items(0..60)));
        shelf.paged(&stub, "/api/models", 50).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let first = session.call("list_models", json!({"limit": 20})).await;
        shelf.change(change);
        let ask = json!({"limit": 20, "cursor": first["next_cursor"]});
        let rest = read_on(&mut session, "list_models", "models", ask).await.concat();
        // What the pages of the API lose or repeat is the API's; what is on them is told.
        let twice = rest.iter().filter(|n| rest.iter().filter(|m| m == n).count() > 1).count();
        assert_eq!(twice, 0, "{label}: {rest:?}");
        let least = if label == "most are deleted" { 0 } else { 39 };
        assert!(rest.len() >= least, "{label}: {rest:?}");
    }
}

fn encoded(cursor: &Value) -> String {
    URL_SAFE_NO_PAD.encode(cursor.to_string())
}

#[tokio::test]
async fn a_foreign_cursor_is_refused_and_nothing_is_sent() {
    let stub = Stub::start().await;
    for (_, at, _) in LISTS {
        Shelf::of(items(0..120)).whole(&stub, at).await;
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let cursor = |result: Value| result["next_cursor"].as_str().unwrap().to_owned();
    let plain = cursor(session.call("list_models", json!({})).await);
    let named = cursor(session.call("list_models", json!({"name_contains": "item"})).await);
    let of_syncs = cursor(session.call("list_model_syncs", json!({})).await);
    let sent = stub.lines().await.len();

    let read: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&plain).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut cursor = read.clone();
        cursor[name] = value;
        encoded(&cursor)
    };
    let cases = [
        ("empty", String::new()),
        ("garbage", "%%% ../.. \u{1}".to_owned()),
        ("a number", "17".to_owned()),
        ("cut short", plain[..plain.len() - 3].to_owned()),
        ("cut to almost nothing", plain[..1].to_owned()),
        ("with a tail", format!("{plain}AAAA")),
        ("padded", format!("{plain}==")),
        ("of another tool", of_syncs),
        ("of other filters", named),
        ("40,000 characters", "A".repeat(40_000)),
        ("JSON as it is", read.to_string()),
        ("another JSON", encoded(&json!(["list_models"]))),
        ("no JSON", URL_SAFE_NO_PAD.encode(b"\xff\xfe")),
        ("a negative place", with("skip", json!(-1))),
        ("a place with a fraction", with("skip", json!(1.5))),
        (
            "a place beyond counting",
            encoded(&read).replace(
                &encoded(&read),
                &URL_SAFE_NO_PAD.encode(
                    read.to_string().replace("\"skip\":50", "\"skip\":184467440737095516160"),
                ),
            ),
        ),
        ("a size of none", with("size", json!(0))),
        ("a size over the most", with("size", json!(51))),
        ("an absurd size", with("size", json!(u32::MAX))),
        ("a token that is none", with("token", json!({"a": 1}))),
    ];
    for (label, cursor) in cases {
        let error = session.call_err("list_models", json!({"cursor": cursor})).await;
        assert_eq!(error["code"], "invalid_argument", "{label}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
        assert_eq!(error["details"]["argument"], "cursor", "{label}: {error}");
        assert!(error["message"].as_str().unwrap().contains("cursor"), "{label}: {error}");
        assert!(error.to_string().len() < 1_000, "{label}: {error}");
    }
    let other = json!({"cursor": plain, "name_contains": "x"});
    assert_eq!(session.call_err("list_models", other).await["details"]["argument"], "cursor");
    assert_eq!(stub.lines().await.len(), sent, "something was sent");
}

#[tokio::test]
async fn a_cursor_with_an_absurd_place_is_harmless() {
    let stub = Stub::start().await;
    Shelf::of(items(0..120)).whole(&stub, "/api/models").await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let first = session.call("list_models", json!({})).await;
    let cursor = URL_SAFE_NO_PAD.decode(first["next_cursor"].as_str().unwrap()).unwrap();
    let read: Value = serde_json::from_slice(&cursor).unwrap();
    for (skip, after) in [
        (u64::MAX, json!(null)),
        (u64::MAX, json!(UNKNOWN_ID)),
        (0, json!(UNKNOWN_ID)),
        (500, json!("x".repeat(5_000))),
    ] {
        let mut cursor = read.clone();
        cursor["skip"] = json!(skip);
        cursor["after"] = after;
        let result = session.call("list_models", json!({"cursor": encoded(&cursor)})).await;
        assert!(numbers(&result, "models").len() <= 50, "{cursor}");
    }
}

#[tokio::test]
async fn a_cursor_with_a_token_of_3000_characters_is_taken_back() {
    let stub = Stub::start().await;
    let token = "t\"".repeat(1_500);
    let bodies = vec![page(&items(0..50), Some(&token)), page(&items(50..60), None)];
    stub.sequence("GET", "/api/models", bodies).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let answers = read_on(&mut session, "list_models", "models", json!({})).await;
    assert_eq!(answers.concat(), (0..60).collect::<Vec<_>>());
    let asked = stub.requests().await;
    assert_eq!(argument(&asked[1], "page_token"), Some(token));
}

#[tokio::test]
async fn items_without_id_or_name_are_told_and_paged() {
    let stub = Stub::start().await;
    let odd: Vec<Value> =
        (0..60).map(|n| json!({"id": null, "name": null, "version": n})).collect();
    stub.json("GET", "/api/models", 200, json!({"data": odd})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let first = session.call("list_models", json!({"detail": "full"})).await;
    let ask = json!({"detail": "full", "cursor": first["next_cursor"]});
    let second = session.call("list_models", ask).await;
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
