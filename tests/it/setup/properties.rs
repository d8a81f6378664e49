//! For any file with comments, adding, changing and removing the entry changes no other byte.

use std::fs;

use polytomic_mcp::cli::CLIENTS;
use proptest::prelude::*;

use super::fixtures::{Home, backup_of, is_within};

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        3 => Just(" ".to_owned()),
        3 => Just("\n  ".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just("\n\n".to_owned()),
        1 => Just(" // note, \"x\": {\n".to_owned()),
        1 => Just("/* , } */".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1.50".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("\"a // b, } \\\" \\u00fc\"".to_owned()),
        Just("[]".to_owned()),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        (prop::collection::vec((blank(), inner, blank()), 1..3), any::<bool>()).prop_map(
            |(items, has_comma)| {
                let items: Vec<String> = items.into_iter().map(|(a, b, c)| a + &b + &c).collect();
                format!("[{}{}]", items.join(","), if has_comma { "," } else { "" })
            },
        )
    })
}

/// An object of members with these names or others.
fn object(names: &'static [&'static str], inner: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let member = (prop::sample::select(names), blank(), blank(), inner, blank())
        .prop_map(|(name, a, b, value, c)| (name, format!("{a}\"{name}\"{b}:{value}{c}")));
    (prop::collection::vec(member, 0..3), any::<bool>(), blank())
        .prop_map(|(members, has_comma, end)| {
            let mut seen = Vec::new();
            let mut texts = Vec::new();
            for (name, text) in members {
                if !seen.contains(&name) {
                    seen.push(name);
                    texts.push(text);
                }
            }
            let comma = if has_comma && !texts.is_empty() { "," } else { "" };
            format!("{{{}{comma}{end}}}", texts.join(","))
        })
        .boxed()
}

fn file() -> BoxedStrategy<String> {
    let entry = object(&["command", "args", "env"], value().boxed());
    let servers = object(&["other", "third", "fourth"], entry);
    // The name of the servers' object has no other value than an object.
    let others = object(&["theme", "inputs2", "last"], value().boxed());
    (others, servers, any::<bool>(), any::<bool>(), blank(), blank(), any::<bool>())
        .prop_map(|(others, servers, has_servers, is_first, before, after, is_crlf)| {
            let inner = others.trim_start_matches('{');
            let is_empty = !inner.contains("\":") && !inner.contains("\"");
            let root = match (has_servers, is_first, is_empty) {
                (false, ..) => others.clone(),
                (true, _, true) => format!("{{\"mcpServers\":{servers}}}"),
                (true, true, false) => format!("{{\"mcpServers\":{servers},{inner}"),
                (true, false, false) => format!("{{ \"mcpServers\" : {servers} ,{inner}"),
            };
            let text = format!("{before}{root}{after}");
            if is_crlf { text.replace('\n', "\r\n") } else { text }
        })
        .boxed()
}

/// Parts of a file in any order, with the object of the servers among them or without.
fn lines(
    first: &'static [&'static str],
    servers: &'static [&'static str],
    rest: &'static [&'static str],
) -> BoxedStrategy<String> {
    let some = |parts: &'static [&'static str]| {
        prop::sample::subsequence(parts, 0..=parts.len()).prop_shuffle()
    };
    let all =
        (some(first), prop::sample::select(servers), some(rest), any::<bool>(), any::<bool>());
    all.prop_map(|(first, servers, rest, is_crlf, has_mark)| {
        let text = format!("{}{servers}{}", first.concat(), rest.concat());
        // A text of several lines with CRLF is refused: no editor of TOML keeps it.
        let text =
            if is_crlf && !text.contains("\"\"\"") { text.replace('\n', "\r\n") } else { text };
        if has_mark { format!("\u{feff}{text}") } else { text }
    })
    .boxed()
}

fn toml() -> BoxedStrategy<String> {
    let first = &[
        "# mine\n",
        "model   = 'o'   # keep\n",
        "\n\n",
        "list = [ 1,2 ,\n  3, ]\n",
        "long = \"\"\"\n[x]\n\"\"\"\n",
    ];
    let servers = &[
        "",
        "[mcp_servers]\n",
        "[mcp_servers] # all\n\n[mcp_servers.other]\ncommand = \"x\"\n",
        "[mcp_servers.other] # first\ncommand = \"x\"\nargs = ['ü']\n\n  [mcp_servers.other.env]\n  TOKEN=\"t\"\n",
    ];
    let rest = &[
        "# about tools\n[tools]\nsearch = true\n",
        "\n",
        "[[hooks]]\na = 1\n",
        "# the end\n",
        "[a.'b c']\nd.e = 1979-05-27\n",
    ];
    lines(first, servers, rest)
}

fn yaml() -> BoxedStrategy<String> {
    let first = &[
        "# mine\n",
        "GOOSE_MODEL:   o  # keep\n",
        "\n\n",
        "list: [ 1,2 ,\n  3, ]\n",
        "\"quoted key\": 'it''s'\n",
    ];
    let servers = &[
        "",
        "extensions:\n    # first\n    other:\n        cmd: 'x'\n        args:\n        - ü\n",
        "extensions:\n  second: {type: builtin, enabled: false} # in one line\n",
    ];
    let rest = &[
        "# the end\n",
        "\n",
        "text: |\n  extensions:\n    a: 1\n",
        "folded: >-\n  a\n\n  b\n",
        "last:\n  - a: 1\n    b: 2\n",
    ];
    lines(first, servers, rest)
}

/// Adds an entry, changes it and back, and removes it. Returns the file after the first, second and last step.
fn edited(client: &str, before: &str, keeps_backup: bool) -> [String; 3] {
    let home = Home::new();
    let client = CLIENTS.iter().find(|known| known.id == client).unwrap();
    let file = home.write(client, before);
    let read = || fs::read_to_string(&file).unwrap_or_default();
    home.succeed(&["setup", client.id, "--sandbox"]);
    let added = read();
    home.succeed(&["setup", client.id, "--sandbox", "--max-bytes", "5000"]);
    let changed = read();
    home.succeed(&["setup", client.id, "--sandbox"]);
    assert_eq!(read(), added, "there and back\n{changed}");
    if !keeps_backup {
        let _ = fs::remove_file(backup_of(&file));
    }
    home.succeed(&["setup", client.id, "--remove"]);
    [added, changed, read()]
}

/// Checks that nothing but an entry is new in a file.
fn check_steps(
    before: &str,
    [added, changed, removed]: [String; 3],
    is_exact: bool,
) -> Result<(), TestCaseError> {
    for (text, flag) in [(&added, "--sandbox"), (&changed, "--max-bytes")] {
        prop_assert!(text.contains(flag), "{}", text);
        prop_assert!(is_within(before, text), "{}", text);
    }
    if is_exact {
        prop_assert_eq!(removed, before, "{}", changed);
    } else {
        // The blanks of an object that was empty may go with the entry, and so may a file that had nothing but a mark.
        let visible: String = before.split_whitespace().collect();
        let visible = if visible == "\u{feff}" { "" } else { &visible };
        prop_assert!(is_within(visible, &removed), "{}", removed);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_in_json_changes_no_other_byte(before in file(), keeps_backup in any::<bool>()) {
        // Without the backup, objects that were created for the entry stay.
        let is_exact = keeps_backup || before.contains("\"other\"") || before.contains("\"third\"");
        check_steps(&before, edited("cursor", &before, keeps_backup), is_exact)?;
    }

    #[test]
    fn an_entry_in_toml_changes_no_other_byte(before in toml(), keeps_backup in any::<bool>()) {
        check_steps(&before, edited("codex", &before, keeps_backup), keeps_backup)?;
    }

    #[test]
    fn an_entry_in_yaml_changes_no_other_byte(before in yaml(), keeps_backup in any::<bool>()) {
        check_steps(&before, edited("goose", &before, keeps_backup), keeps_backup)?;
    }
}
