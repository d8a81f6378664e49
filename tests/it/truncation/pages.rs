//! Paged lists: the cursor of a truncated page continues where it was truncated.

use serde_json::{Map, Value, json};
use wiremock::{Request, ResponseTemplate};

use super::fixtures::{DEFAULT_MAX_BYTES, SOURCE_PATH, call_and_measure, models, names, syncs};
use crate::support::{CONNECTION, Launch, Session, Stub};

#[tokio::test]
async fn a_thousand_models_or_syncs_are_listed_in_pages_of_fifty() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/models", 200, json!({"data": models(1_000, 30)})).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": syncs(1_000)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, list) in [("list_models", "models"), ("list_model_syncs", "syncs")] {
        let (result, bytes) = call_and_measure(&mut session, tool, &json!({})).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{tool}: {bytes} bytes");
        let json_bytes = result.to_string().len();
        assert!(json_bytes <= 20_000, "{tool}: {json_bytes} bytes as JSON");
        assert_eq!(result[list].as_array().map(Vec::len), Some(50), "{tool}");
        assert_eq!(result.get("truncated"), None, "{tool}");
        assert!(result["next_cursor"].is_string(), "{tool}");
    }
}

/// Reads a list to its end; returns the names, and the number of truncated pages.
async fn read_all(session: &mut Session, mut arguments: Value) -> (Vec<String>, usize) {
    let limit =
        arguments["max_bytes"].as_u64().map_or(DEFAULT_MAX_BYTES, |n| usize::try_from(n).unwrap());
    let (mut names, mut truncated) = (Vec::new(), 0);
    for _ in 0..200 {
        let (result, bytes) = call_and_measure(session, "list_models", &arguments).await;
        assert!(bytes <= limit, "{bytes} bytes");
        let models = result["models"].as_array().unwrap();
        assert!(!models.is_empty(), "{result}");
        names.extend(models.iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        if let Some(note) = result.get("truncated") {
            truncated += 1;
            assert_eq!((&note["list"], &note["shown"]), (&json!("models"), &json!(models.len())));
            let hint = note["how_to_get_more"].as_str().unwrap();
            assert!(hint.contains("`next_cursor` as `cursor`"), "{hint}");
            assert!(result["next_cursor"].is_string(), "{result}");
        }
        match result.get("next_cursor") {
            Some(cursor) => arguments["cursor"] = cursor.clone(),
            None => return (names, truncated),
        }
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn the_cursor_of_a_truncated_list_continues_with_every_model_once() {
    let expected: Vec<String> = (0..1_000).map(|n| format!("Model {n}")).collect();
    let stub = Stub::start().await;
    stub.json("GET", "/api/models", 200, json!({"data": models(1_000, 10)})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (names, truncated) = read_all(&mut session, json!({"detail": "full"})).await;
    assert!(names == expected, "{} models", names.len());
    assert!(truncated > 5, "{truncated}");

    // The same if the API pages the list.
    let paged = Stub::start().await;
    let respond = |request: &Request| {
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
    paged.respond("GET", "/api/models", respond).await;
    let mut session = Session::open(&Launch::against(&paged.url())).await;
    for arguments in [
        json!({"detail": "full"}),
        json!({"detail": "full", "name_contains": "MODEL", "max_bytes": 20_000}),
        json!({"max_bytes": 4_000}),
    ] {
        let (names, truncated) = read_all(&mut session, arguments.clone()).await;
        assert!(names == expected[..120], "{arguments}: {names:?}");
        assert!(truncated > 2, "{arguments}: {truncated}");
    }
}

#[tokio::test]
async fn the_note_on_the_truncation_counts_towards_the_limit() {
    // The result holds the filter and the API's page token, as part of its cursor, only after truncation.
    let long_name = "é\"".repeat(127);
    let token = "t".repeat(2_000);
    let mut models = models(50, 3);
    for model in &mut models {
        model["name"] = json!(long_name);
    }
    for (label, bodies, arguments) in [
        (
            "a long filter",
            vec![json!({"data": models.clone()})],
            json!({"detail": "full", "name_contains": long_name}),
        ),
        (
            "a long token",
            vec![
                json!({"data": [], "pagination": {"next_page_token": token}}),
                json!({"data": models}),
            ],
            json!({"detail": "full"}),
        ),
    ] {
        let stub = Stub::start().await;
        stub.sequence("GET", "/api/models", bodies).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let (result, bytes) = call_and_measure(&mut session, "list_models", &arguments).await;
        assert!(bytes <= DEFAULT_MAX_BYTES, "{label}: {bytes} bytes");
        assert_eq!(result["truncated"]["total"], 50, "{label}");
        assert!(result["next_cursor"].is_string(), "{label}");
    }
    let key = "k\"".repeat(1_500);
    let stub = Stub::start().await;
    let source = json!({"data": {"items": {&key: {"items": names(5_000)}}}});
    stub.json("GET", SOURCE_PATH, 200, source).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION});
    let (result, bytes) = call_and_measure(&mut session, "get_model_source", &arguments).await;
    assert!(bytes <= DEFAULT_MAX_BYTES, "a long key: {bytes} bytes");
    assert_eq!(result["truncated"]["total"], 5_000);
}
