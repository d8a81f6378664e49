//! What is in `packaging/`: one version everywhere, the tools and settings of the binary, the man page; and each
//! package built from the binary and run as its users run it, where packaging/install has been run.

mod built;
mod man_page;

use std::fs;
use std::path::PathBuf;

use polytomic_mcp::config::SETTINGS;
use polytomic_mcp::tools::TOOLS;
use serde_json::{Value, json};

use crate::support::{compare_or_update, root};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read_json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compare_or_update_json(path: &str, expected: &Value) {
    let text = serde_json::to_string_pretty(expected).unwrap() + "\n";
    compare_or_update(path, &text);
}

#[test]
fn the_bundle_has_the_version_and_the_tools_of_the_binary() {
    let mut manifest = read_json("packaging/mcpb/manifest.json");
    manifest["version"] = json!(VERSION);
    let tools = TOOLS
        .default_entries()
        .map(|tool| json!({ "name": tool.name, "description": first_sentence(tool.description) }));
    manifest["tools"] = tools.collect();
    compare_or_update_json("packaging/mcpb/manifest.json", &manifest);
}

/// Enough for a list that people read before they install.
fn first_sentence(description: &str) -> &str {
    description.split_once(". ").map_or(description, |(first, _)| first).trim_end_matches('.')
}

#[test]
fn the_registry_entry_has_the_version_of_the_binary() {
    let mut entry = read_json("packaging/server.json");
    entry["version"] = json!(VERSION);
    for package in entry["packages"].as_array_mut().unwrap() {
        package["version"] = json!(VERSION);
    }
    compare_or_update_json("packaging/server.json", &entry);
}

#[test]
fn the_npm_package_has_the_version_of_the_binary_and_the_name_in_the_registry() {
    let mut package = read_json("packaging/npm/package.json");
    package["version"] = json!(VERSION);
    for version in package["optionalDependencies"].as_object_mut().unwrap().values_mut() {
        *version = json!(VERSION);
    }
    // The registry compares it with its own entry before it accepts the package.
    package["mcpName"] = read_json("packaging/server.json")["name"].clone();
    compare_or_update_json("packaging/npm/package.json", &package);
}

#[test]
fn the_image_has_the_version_of_the_binary() {
    let path = "packaging/image/Dockerfile";
    let label = "org.opencontainers.image.version=\"";
    let lines = read(path);
    let lines = lines.lines().map(|line| match line.split_once(label) {
        Some((before, after)) => {
            let (_, rest) = after.split_once('"').unwrap();
            format!("{before}{label}{VERSION}\"{rest}\n")
        }
        None => format!("{line}\n"),
    });
    let expected: String = lines.collect();
    assert!(expected.contains(&format!("{label}{VERSION}\"")), "{path} has no version");
    compare_or_update(path, &expected);
}

#[test]
fn versions_in_documents_are_that_of_the_binary() {
    let mut found = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for version in versions_in(&text) {
            assert_eq!(version, VERSION, "{} names another version", path.display());
            found += 1;
        }
    }
    assert!(found > 0, "no document names a version: does this test still read them?");
}

#[test]
fn a_version_is_found_behind_the_name_of_a_package() {
    let text = "npx polytomic-mcp@1.2.3; `polytomic-mcp:0.1.0`, polytomic-mcp-0.2.0-x.mcpb, \
        polytomic-mcp 0.3.0. polytomic-mcp-linux-x64, polytomic-mcp: 1 tool, polytomic-mcp@latest";
    assert_eq!(versions_in(text), ["1.2.3", "0.1.0", "0.2.0", "0.3.0"]);
}

/// Versions that stand behind the name of the binary or of its packages.
fn versions_in(text: &str) -> Vec<&str> {
    let after_names = text.split("polytomic-mcp").skip(1);
    let versions = after_names.filter_map(|rest| {
        let rest = rest.strip_prefix(['@', ':', '-', ' '])?;
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let version = rest[..end].trim_end_matches('.');
        (version.split('.').count() == 3).then_some(version)
    });
    versions.collect()
}

fn documents() -> Vec<PathBuf> {
    let mut documents = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    for folder in ["docs", "packaging", "packaging/npm"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        documents.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "md")));
    }
    documents
}

#[test]
fn packages_set_only_variables_that_exist() {
    let known: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
    let manifest = read_json("packaging/mcpb/manifest.json");
    let set = manifest["server"]["mcp_config"]["env"].as_object().unwrap();
    let entry = read_json("packaging/server.json");
    let listed = entry["packages"][0]["environmentVariables"].as_array().unwrap();
    let listed = listed.iter().map(|variable| variable["name"].as_str().unwrap());
    for variable in set.keys().map(String::as_str).chain(listed) {
        assert!(known.iter().any(|known| known == variable), "{variable} is not a setting");
    }
    // Every field of the installation dialog reaches the server.
    for field in manifest["user_config"].as_object().unwrap().keys() {
        let placeholder = format!("${{user_config.{field}}}");
        assert!(set.values().any(|value| *value == json!(placeholder)), "{field} is not used");
    }
    let fields = &manifest["user_config"];
    assert_eq!(fields["api_key"]["sensitive"], true);
    for switch in ["sandbox", "read_only"] {
        // A default would reach the server as a variable, and override a profile that is read-only.
        assert!(fields[switch]["default"].is_null(), "{switch} has a default");
    }
}

#[test]
fn the_image_is_built_from_all_files_that_the_binary_includes() {
    let ignored = read(".dockerignore");
    let kept: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut needed =
        vec!["Cargo.toml".to_owned(), "Cargo.lock".to_owned(), "src/main.rs".to_owned()];
    needed.push("benches/stdio/main.rs".to_owned()); // named in Cargo.toml
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let included = text.split("include_str!(\"").skip(1);
            let included = included.map(|rest| folder.join(rest.split('"').next().unwrap()));
            for file in included {
                let file = file.canonicalize().unwrap();
                let file = file.strip_prefix(root().canonicalize().unwrap()).unwrap();
                needed.push(file.to_str().unwrap().to_owned());
            }
        }
    }
    assert!(needed.iter().any(|file| file.starts_with("docs/")), "does this test still read them?");
    for file in needed {
        let is_kept =
            kept.iter().any(|kept| file == *kept || file.starts_with(&format!("{kept}/")));
        assert!(is_kept, ".dockerignore leaves out {file}");
    }
}
