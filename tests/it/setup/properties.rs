//! For any JSON file with comments, adding and removing the entry gives the original bytes.

use std::fs;

use polytomic_mcp::cli::CLIENTS;
use proptest::prelude::*;

use super::fixtures::{Home, backup_of};

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_and_removing_gives_the_original_bytes(before in file(), keeps_backup in any::<bool>()) {
        let home = Home::new();
        let client = CLIENTS.iter().find(|client| client.id == "cursor").unwrap();
        let file = home.write(client, &before);
        home.succeed(&["setup", "cursor", "--sandbox"]);
        let after = fs::read_to_string(&file).unwrap();
        prop_assert!(after.contains("--sandbox"), "{}", after);
        // Without the backup, objects that were created for the entry stay.
        let is_exact = keeps_backup || before.contains("\"other\"") || before.contains("\"third\"");
        if !keeps_backup {
            let _ = fs::remove_file(backup_of(&file));
        }
        home.succeed(&["setup", "cursor", "--remove"]);
        if is_exact {
            let restored = fs::read_to_string(&file).unwrap_or_default();
            prop_assert_eq!(restored, before, "{}", after);
        }
    }
}
