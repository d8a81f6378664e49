//! Lists that go on by a cursor: where they were cut, they go on.

use serde_json::{Map, Value, json};
use wiremock::{Request, ResponseTemplate};

use super::large::{DEFAULT, SOURCE, measured, models, names, syncs};
use crate::support::{CONNECTION, Launch, Session, Stub};

#[tokio::test]
async fn a_thousand_models_or_syncs_are_answered_by_fifties() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/models", 200, json!({"data": models(1_000, 30)})).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": syncs(1_000)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, list) in [("list_models", "models"), ("list_model_syncs", "syncs")] {
        let (result, bytes) = measured(&mut session, tool, &json!({})).await;
        assert!(bytes <= DEFAULT, "{tool}: {bytes} bytes");
        let copy = result.to_string().len();
        assert!(copy <= 20_000, "{tool}: {copy} bytes, one copy");
        assert_eq!(result[list].as_array().map(Vec::len), Some(50), "{tool}");
        assert_eq!(result.get("truncated"), None, "{tool}");
        assert!(result["next_cursor"].is_string(), "{tool}");
    }
}

/// Reads a list to its end by `next_cursor`; gives the names in each answer, and how many were cut.
async fn read_on(session: &mut Session, mut ask: Value) -> (Vec<String>, usize) {
    let limit = ask["max_bytes"].as_u64().map_or(DEFAULT, |n| usize::try_from(n).unwrap());
    let (mut all, mut cut) = (Vec::new(), 0);
    for _ in 0..200 {
        let (result, bytes) = measured(session, "list_models", &ask).await;
        assert!(bytes <= limit, "{bytes} bytes");
        let models = result["models"].as_array().unwrap();
        assert!(!models.is_empty(), "{result}");
        all.extend(models.iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        if let Some(said) = result.get("truncated") {
            cut += 1;
            assert_eq!((&said["list"], &said["shown"]), (&json!("models"), &json!(models.len())));
            let how = said["how_to_get_more"].as_str().unwrap();
            assert!(how.contains("`next_cursor` as `cursor`"), "{how}");
            assert!(result["next_cursor"].is_string(), "{result}");
        }
        match result.get("next_cursor") {
            Some(cursor) => ask["cursor"] = cursor.clone(),
            None => return (all, cut),
        }
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn a_cut_list_goes_on_by_its_cursor_and_gives_every_model_once() {
    let expected: Vec<String> = (0..1_000).map(|n| format!("Model {n}")).collect();
    let stub = Stub::start().await;
    stub.json("GET", "/api/models", 200, json!({"data": models(1_000, 10)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (all, cut) = read_on(&mut session, json!({"detail": "full"})).await;
    assert!(all == expected, "{} models", all.len());
    assert!(cut > 5, "{cut}");

    // The same where the API pages.
    let paged = Stub::start().await;
    let answer = |request: &Request| {
        let query: Map<String, Value> =
            request.url.query_pairs().map(|(k, v)| (k.into_owned(), json!(v))).collect();
        let number = |name: &str| query.get(name).and_then(|n| n.as_str()?.parse::<usize>().ok());
        let start = number("page_token").unwrap_or(0);
        let end = (start + number("limit").unwrap_or(50)).min(120);
        let token = (end < 120).then(|| end.to_string());
        let items = &models(120, 10)[start..end];
        let body = json!({"data": items, "pagination": {"next_page_token": token}});
        ResponseTemplate::new(200).set_body_json(body)
    };
    paged.respond("GET", "/api/models", answer).await;
    let mut session = Session::open(&Launch::against(&paged.url())).await;
    for ask in [
        json!({"detail": "full"}),
        json!({"detail": "full", "name_contains": "MODEL", "max_bytes": 20_000}),
        json!({"max_bytes": 4_000}),
    ] {
        let (all, cut) = read_on(&mut session, ask.clone()).await;
        assert!(all == expected[..120], "{ask}: {all:?}");
        assert!(cut > 2, "{ask}: {cut}");
    }
}

#[tokio::test]
async fn what_is_said_of_the_cut_counts_too() {
    // Neither a long filter nor a long token of the API's stood in the answer before it was cut.
    let named = "é\"".repeat(127);
    let token = "t".repeat(2_000);
    let mut named_models = models(50, 3);
    for model in &mut named_models {
        model["name"] = json!(named);
    }
    for (label, bodies, arguments) in [
        (
            "a long filter",
            vec![json!({"data": named_models.clone()})],
            json!({"detail": "full", "name_contains": named}),
        ),
        (
            "a long token",
            vec![
                json!({"data": [], "pagination": {"next_page_token": token}}),
                json!({"data": named_models}),
            ],
            json!({"detail": "full"}),
        ),
    ] {
        let stub = Stub::start().await;
        stub.sequence("GET", "/api/models", bodies).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let (result, bytes) = measured(&mut session, "list_models", &arguments).await;
        assert!(bytes <= DEFAULT, "{label}: {bytes} bytes");
        assert_eq!(result["truncated"]["total"], 50, "{label}");
        assert!(result["next_cursor"].is_string(), "{label}");
    }
    let key = "k\"".repeat(1_500);
    let stub = Stub::start().await;
    let source = json!({"data": {"items": {&key: {"items": names(5_000)}}}});
    stub.json("GET", SOURCE, 200, source).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION});
    let (result, bytes) = measured(&mut session, "get_model_source", &arguments).await;
    assert!(bytes <= DEFAULT, "a long key: {bytes} bytes");
    assert_eq!(result["truncated"]["total"], 5_000);
}
