//! Several processes with one log.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Log;
use crate::support::{Fault, FaultyServer, Launch, Session, UNKNOWN_ID, definition};

const WRITES: usize = 300;
const PROCESSES: usize = 3;

/// Makes parallel creates, each with a key of its own. Returns the keys of those that were acknowledged; with `kill_after`,
/// the process is killed after so many of them.
async fn create_in_parallel(
    launch: Launch,
    process: usize,
    kill_after: Option<usize>,
) -> Vec<String> {
    let mut session = Session::open(&launch).await;
    let count = WRITES / PROCESSES + 1;
    let mut keys = std::collections::HashMap::new();
    for n in 0..count {
        let mut arguments = definition();
        let key = format!("process-{process}-write-{n}");
        arguments["idempotency_key"] = json!(key);
        keys.insert(session.start_call("create_model", arguments).await, key);
    }
    let mut acknowledged = Vec::new();
    while acknowledged.len() < kill_after.unwrap_or(count) {
        let response = session.next().await;
        session.expect_result("create_model", &response);
        acknowledged.push(keys.remove(&response["id"].as_i64().unwrap()).unwrap());
    }
    if kill_after.is_some() {
        session.signal("-KILL");
        // What it has written to the pipe is acknowledged as well.
        for response in session.wait().await.rest {
            acknowledged.extend(response["id"].as_i64().and_then(|id| keys.remove(&id)));
        }
    }
    acknowledged
}

#[tokio::test]
async fn each_acknowledged_write_of_three_processes_has_its_line_though_one_is_killed() {
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "Users"}});
    let api = FaultyServer::start(vec![Fault::Response(200, "", model)]).await;
    let log = Log::new();
    let launch = log.of(Launch::against(&api.url)).variable("POLYTOMIC_MAX_IN_FLIGHT", "32");
    let (first, second, killed) = tokio::join!(
        create_in_parallel(launch.clone(), 0, None),
        create_in_parallel(launch.clone(), 1, None),
        create_in_parallel(launch.clone(), 2, Some(45)),
    );
    assert!(killed.len() < WRITES / PROCESSES, "it was killed in the middle");
    let acknowledged: HashSet<String> = [first, second, killed].into_iter().flatten().collect();

    let text = std::fs::read_to_string(log.path()).unwrap();
    let (mut torn, mut started, mut applied) = (0, HashSet::new(), HashSet::new());
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            torn += 1;
            continue;
        };
        let key = line["idempotency_key"].as_str().unwrap().to_owned();
        let is_new = match line["event"].as_str().unwrap() {
            "started" => started.insert(key),
            _ => line["outcome"] != "applied" || applied.insert(key),
        };
        assert!(is_new, "twice: {line}");
    }
    assert!(torn <= 1, "only the killed process may leave a part of a line");
    assert!(acknowledged.is_subset(&applied), "{:?}", acknowledged.difference(&applied));
    // Whatever reached the API has a line, acknowledged or not.
    for request in api.received() {
        assert!(started.contains(&request.key.unwrap()));
    }
    let launch = Launch::bare().flags(["audit", "-", "--output", "json"]);
    let (_, rows, _) = launch.output_for(&text).await;
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), started.len(), "a row for each call");
}
