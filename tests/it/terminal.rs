//! Results on a terminal: no character of a name or value controls it, or is invisible.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Launch, MODEL, Stub, Terminal, UNKNOWN_ID, exit_code};

/// Control characters that JSON leaves as they are: DEL and C1.
const CONTROLS: [char; 6] = ['\u{7f}', '\u{80}', '\u{85}', '\u{90}', '\u{9b}', '\u{9f}'];
/// Characters that are invisible or change the direction of text.
const INVISIBLE: [char; 24] = [
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{200b}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{206f}',
    '\u{fe00}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{fff9}',
    '\u{fffa}',
    '\u{fffb}',
    '\u{e0000}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e007f}',
];
/// Their neighbours, which are shown.
const VISIBLE: [char; 11] = [
    ' ',
    '\u{a0}',
    '\u{ae}',
    '\u{61b}',
    '\u{61d}',
    '\u{1810}',
    '\u{fe10}',
    '\u{ffee}',
    '\u{fffc}',
    '\u{1f600}',
    '\u{e1000}',
];

/// The stdout of `call get_model`, on a terminal or a pipe, with a name for the model.
async fn output(format: &str, name: &str, on_terminal: bool) -> String {
    let stub = Stub::start().await;
    let model = json!({"id": UNKNOWN_ID, "name": name, format!("x{name}"): name});
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    let launch = Launch::against(&stub.url()).flag("call").flag("get_model");
    let launch = launch.flag(&format!("model_id={UNKNOWN_ID}")).flag("--output").flag(format);
    if !on_terminal {
        return launch.output().await.1;
    }
    let (screen, terminal) = Terminal::open();
    let mut command = launch.command();
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdout(terminal).spawn().unwrap();
    drop(command); // and with it our copy of the terminal
    assert_eq!(exit_code(&mut child).await, Some(0));
    screen.finish()
}

#[tokio::test]
async fn text_replaces_what_controls_a_terminal_or_is_invisible() {
    let replaced = || CONTROLS.into_iter().chain(INVISIBLE);
    let name: String = replaced().chain(VISIBLE).flat_map(|c| ['|', c]).collect();
    for on_terminal in [true, false] {
        let seen = output("text", &name, on_terminal).await;
        for c in replaced() {
            assert!(!seen.contains(c), "{c:?} in {seen:?}");
        }
        if !on_terminal {
            for c in VISIBLE {
                assert!(seen.contains(&format!("|{c}")), "{c:?} not in {seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn json_escapes_what_controls_a_terminal_and_nothing_else() {
    let name: String = CONTROLS.into_iter().chain(INVISIBLE).chain(VISIBLE).collect();
    let seen = output("json", &name, true).await;
    for c in CONTROLS {
        assert!(!seen.contains(c), "{c:?} in {seen:?}");
        assert!(seen.contains(&format!("\\u{:04x}", u32::from(c))), "{c:?} not in {seen:?}");
    }
    let piped = output("json", &name, false).await;
    assert!(CONTROLS.iter().all(|c| piped.contains(*c)), "{piped:?}");
    let [on_terminal, piped] =
        [seen, piped].map(|text| serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(on_terminal, piped);
    assert_eq!(piped["model"]["name"], name);
}

#[tokio::test]
async fn no_error_or_hint_controls_a_terminal() {
    let text: String = CONTROLS.into_iter().chain(INVISIBLE).chain(['\u{1b}', '\u{7}']).collect();
    let stub = Stub::start().await;
    let model = json!({"id": UNKNOWN_ID, "name": "a"});
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    let launch = Launch::against(&stub.url()).flag("call");
    let named = format!("{text}=1");
    for launch in [
        launch
            .clone()
            .flag("get_model")
            .flag(&format!("detail={text}"))
            .flag(&format!("model_id={UNKNOWN_ID}")),
        launch.clone().flag("get_model").flag(&named).flag(&format!("model_id={UNKNOWN_ID}")),
        launch.clone().flag("update_model").flag(&format!("idempotency_key={text}")),
        launch.flag(&format!("get_{text}model")),
        Launch::bare().flag(&format!("get_model{text}")),
    ] {
        let (status, _, stderr) = launch.output().await;
        assert_ne!(status, 0, "{stderr}");
        for c in text.chars() {
            assert!(!stderr.contains(c), "{c:?} in {stderr:?}");
        }
    }
}
