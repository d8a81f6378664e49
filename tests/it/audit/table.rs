//! `polytomic-mcp audit`.

use std::fs;

use serde_json::{Value, json};

use super::Log;
use crate::support::{CONNECTION, Launch, UNKNOWN_ID, make_pipe};

fn line(call: &str, event: &str, rest: Value) -> String {
    let mut line = json!({"time": "2026-01-02T03:04:05.678Z", "call": call, "event": event,
        "tool": "create_model", "confirmation": "never"});
    line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    format!("{line}\n")
}

async fn table(log: &Log, flags: &[&str]) -> (String, String) {
    let launch = Launch::bare().flag("audit").flag(log.path());
    let launch = launch.flags(flags);
    let (status, stdout, stderr) = launch.output().await;
    assert_eq!(status, 0, "{stderr}");
    (stdout, stderr)
}

#[tokio::test]
async fn the_columns_are_aligned_and_each_call_has_one_row() {
    let log = Log::new();
    let rest = json!({"outcome": "refused", "error_code": "dependents_exist", "model_id": UNKNOWN_ID,
        "connection_id": CONNECTION, "duration_ms": 12, "idempotency_key": "my-key-1", "account": "0123abcd", "new": [1]});
    let text = line("a", "started", json!({}))
        + &line("b", "started", json!({}))
        + &line("a", "started", json!({}))
        + &line("a", "finished", rest)
        + &line("c", "finished", json!({"outcome": "applied", "duration_ms": 1234}));
    fs::write(log.path(), text).unwrap();
    let (stdout, stderr) = table(&log, &[]).await;
    assert_eq!(stderr, "");
    let rows: Vec<&str> = stdout.lines().collect();
    assert_eq!(rows.len(), 4, "{stdout}");
    for (title, cells) in [
        ("TOOL", ["create_model"; 3]),
        ("OUTCOME", ["refused", "applied", "unknown"]),
        ("ERROR", ["dependents_exist", "", ""]),
        ("CONFIRMED", ["never"; 3]),
        ("MODEL", [UNKNOWN_ID, "", ""]),
        ("CONNECTION", [CONNECTION, "", ""]),
        ("ACCOUNT", ["0123abcd", "", ""]),
        ("KEY", ["my-key-1", "", ""]),
    ] {
        let column = rows[0].find(title).unwrap();
        for (row, cell) in rows[1..].iter().zip(cells) {
            let shown = row.get(column..).unwrap_or_default();
            assert!(shown.starts_with(cell), "{title}: {stdout}");
        }
    }
    let (stdout, _) = table(&log, &["--output", "json"]).await;
    let rows: Vec<Value> = stdout.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let calls: Vec<_> = rows.iter().map(|row| (&row["call"], &row["outcome"])).collect();
    let expected = [("a", "refused"), ("c", "applied"), ("b", "unknown")];
    assert_eq!(json!(calls), json!(expected));
}

#[tokio::test]
async fn lines_of_others_are_counted_and_nothing_controls_the_terminal() {
    let log = Log::new();
    let hostile =
        json!({"tool": "\u{1b}[31mred\u{202e}", "outcome": "a\nb", "idempotency_key": "\u{7}key"});
    let mut text = b"hello\n\n{\"time\": 1}\n\xff\xfe\n[]\n".to_vec();
    text.extend(format!("{}\n", "x".repeat(200_000)).bytes());
    text.extend(line("a", "finished", hostile).bytes());
    text.extend(b"{\"time\":\"2026-01-02T0");
    fs::write(log.path(), text).unwrap();
    let (stdout, stderr) = table(&log, &[]).await;
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    assert!(stdout.contains(" [31mred ") && stdout.contains("a b") && stdout.ends_with(" key\n"));
    assert!(stdout.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{stdout:?}");
    assert!(stderr.contains("6 lines are incomplete") && stderr.contains("line 1."), "{stderr}");
}

#[tokio::test]
async fn a_missing_file_and_a_setting_are_errors() {
    let (status, _, stderr) = Launch::bare().flag("audit").flag("/nowhere/log").output().await;
    assert_eq!(status, 1);
    assert!(stderr.contains("/nowhere/log: No such file"), "{stderr}");
    let directory = tempfile::tempdir().unwrap();
    let pipe = make_pipe(directory.path());
    for (path, reason) in [(directory.path(), "a directory"), (&pipe, "not a regular file")] {
        let launch = Launch::bare().flag("audit").flag(path.to_str().unwrap());
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains(reason), "{stderr}");
    }
    let launch = Launch::sandbox().flag("audit").flag("log");
    let (status, _, stderr) = launch.output().await;
    assert_eq!(status, 2);
    assert!(stderr.contains("--sandbox has no effect on audit"), "{stderr}");
    let (status, _, _) = Launch::bare().flag("audit").output().await;
    assert_eq!(status, 2);
}
