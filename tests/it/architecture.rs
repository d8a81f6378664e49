//! The rules of docs/architecture.md that hold over the source: layers, circles, one file for each tool.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use polytomic_mcp::tools::TOOLS;

use crate::support::root;

/// What the files of each top-level module may name of `crate::`, besides their own module.
const LAYERS: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("state", &[]),
    ("polytomic", &["contract", "state"]),
    ("registry", &["polytomic", "state"]),
    ("tools", &["contract", "registry", "polytomic"]),
    ("stdio", &[]),
    ("http", &[]),
    ("mcp", &["http", "registry", "state", "stdio"]),
    ("jsonrpc", &["http", "registry", "stdio"]),
    ("config", &["polytomic", "registry", "state"]),
    ("stderr", &[]),
    ("log", &["stderr"]),
    ("sandbox", &["http"]),
    (
        "cli",
        &[
            "config",
            "http",
            "jsonrpc",
            "log",
            "mcp",
            "polytomic",
            "registry",
            "sandbox",
            "state",
            "stderr",
            "stdio",
            "tools",
        ],
    ),
    // Compiled for fuzzers and tests only.
    ("fuzzing", &["jsonrpc", "mcp", "polytomic", "registry", "stdio", "tools"]),
];

#[test]
fn each_module_uses_only_the_layers_below_it() {
    let files = source_files();
    let modules: BTreeSet<&str> = files.keys().map(|path| top_level(path)).collect();
    let known: BTreeSet<&str> = LAYERS.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules, &known | &BTreeSet::from(["lib", "main"]), "list every module in LAYERS");
    for (path, text) in &files {
        let Some((module, allowed)) = LAYERS.iter().find(|(m, _)| *m == top_level(path)) else {
            continue;
        };
        for used in paths_in(path, text) {
            let used = used.first().map(String::as_str).unwrap_or_default();
            assert!(
                used == *module || allowed.contains(&used),
                "src/{path}: module {module} may not use crate::{used}, see docs/architecture.md"
            );
        }
    }
}

#[test]
fn no_two_files_import_each_other() {
    // The root of a bench has what only the root of a crate may have.
    let mut bench = files_below("benches/stdio");
    bench.remove("main.rs");
    for (files, at_least) in [(source_files(), 200), (bench, 20)] {
        let imports = imports(&files);
        let count: usize = imports.values().map(BTreeSet::len).sum();
        assert!(count > at_least, "only {count} imports found: does this test still read them?");
        let circle = circle(&imports);
        assert_eq!(
            circle, None,
            "these files import each other in a circle: move what they share below"
        );
    }
}

#[test]
fn a_circle_is_found_through_reexports_groups_and_inline_paths() {
    let with = |c: &str| {
        let files = [
            ("m/mod.rs", "mod a;\nmod b;\nmod c;\npub use a::{First, other as Second};\n"),
            ("m/a.rs", "use super::{\n    b::{Thing, Other},\n    c,\n};\n"),
            ("m/b.rs", "fn f() -> crate::m::c::Item { todo!() }\n"),
            ("m/c.rs", c),
            ("lib.rs", "mod m;\n"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        circle(&imports(&files.into_iter().collect()))
    };
    assert_eq!(with("// use super::a::First;\n"), None);
    assert_eq!(with("#[cfg(test)]\nmod tests { use crate::m::First; }\n"), None);
    for text in ["use super::First;\n", "use crate::m::{Second};\n", "fn f() { super::a::g() }\n"] {
        let circle = with(text).unwrap_or_else(|| panic!("no circle found with {text:?}"));
        assert!(circle.contains(&"m/a.rs".to_owned()), "{circle:?}");
    }
}

#[test]
fn each_tool_has_a_file_of_its_own_name() {
    let files: BTreeSet<String> = source_files()
        .into_keys()
        .filter_map(|path| path.strip_prefix("tools/").map(str::to_owned))
        .filter(|path| path.contains('/') && !path.ends_with("/mod.rs"))
        .filter(|path| !path.starts_with("listing/") && !path.starts_with("definition/"))
        .filter(|path| !path.starts_with("sync_objects/") && !path.starts_with("api_operations/"))
        .map(|path| Path::new(&path).file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let names: BTreeSet<String> = TOOLS.entries().map(|tool| tool.name.to_owned()).collect();
    assert_eq!(files, names, "a tool is a file src/tools/<toolset>/<name>.rs");
}

#[test]
fn every_file_begins_with_what_is_in_it() {
    for folder in ["src", "tests", "benches", "examples", "fuzz/fuzz_targets"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{}: begin it with //!", file.display());
        }
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The files below src/ by their path in it, without comments and unit tests.
fn source_files() -> BTreeMap<String, String> {
    files_below("src")
}

/// The files below a folder by their path in it.
fn files_below(folder: &str) -> BTreeMap<String, String> {
    let folder = root().join(folder);
    let read = |file: PathBuf| {
        let path = file.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/");
        (path, fs::read_to_string(&file).unwrap())
    };
    rust_files(&folder).into_iter().map(read).collect()
}

fn top_level(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The module that a file is: `polytomic/send.rs` is `polytomic::send`, `polytomic/mod.rs` is `polytomic`.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Every path of a file that begins with `crate`, `super` or `self`, from the root of the crate.
fn paths_in(path: &str, text: &str) -> Vec<Vec<String>> {
    let module = module_of(path);
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let text: String = text.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
    let mut paths = Vec::new();
    for keyword in ["crate", "super", "self"] {
        for (at, _) in text.match_indices(&format!("{keyword}::")) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            for segments in expand(&text[at..]) {
                let mut path = Vec::new();
                for segment in segments {
                    match segment.as_str() {
                        "crate" => path.clear(),
                        "self" if path.is_empty() => path.clone_from(&module),
                        "super" if path.is_empty() => path = module[..module.len() - 1].to_vec(),
                        "super" => drop(path.pop()),
                        "self" => {}
                        _ => path.push(segment),
                    }
                }
                paths.push(path);
            }
        }
    }
    paths
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut start, mut items) = (0, 0, Vec::new());
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    items.push(&group[start..i]);
                    start = i + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        let items = items.into_iter().filter(|item| !item.trim().is_empty());
        return items.flat_map(expand).collect();
    }
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    match text[name.len()..].strip_prefix("::") {
        Some(rest) if !name.is_empty() => {
            expand(rest).into_iter().map(|path| [vec![name.clone()], path].concat()).collect()
        }
        _ => vec![vec![name]],
    }
}

/// Which files each file imports; a re-export counts as an import of the file that defines the name.
fn imports(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    files
        .iter()
        .filter(|(path, _)| !path.ends_with("mod.rs") && !path.ends_with("lib.rs"))
        .map(|(path, text)| {
            let used = paths_in(path, text).into_iter();
            let used = used.filter_map(|used| defining_file(files, &used)).filter(|f| f != path);
            (path.clone(), used.collect())
        })
        .collect()
}

/// The file that defines what a path names; none for what is outside the crate.
fn defining_file(files: &BTreeMap<String, String>, path: &[String]) -> Option<String> {
    for length in (1..=path.len()).rev() {
        let module = path[..length].join("/");
        if files.contains_key(&format!("{module}.rs")) {
            return Some(format!("{module}.rs"));
        }
        let front_page = format!("{module}/mod.rs");
        if let Some(text) = files.get(&front_page) {
            let name = path.get(length)?;
            let reexported = reexports(&path[..length], text).into_iter();
            let mut candidates =
                reexported.filter(|(as_name, _)| as_name == name || as_name == "*");
            return candidates.find_map(|(as_name, target)| {
                let target = match as_name.as_str() {
                    "*" => [target, vec![name.clone()]].concat(),
                    _ => target,
                };
                defining_file(files, &target)
            });
        }
    }
    None
}

/// The names that a mod.rs re-exports, with the path of each.
fn reexports(module: &[String], text: &str) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for (at, _) in text.match_indices("use ") {
        let line = text[..at].rsplit('\n').next().unwrap();
        let statement = &text[at + 4..];
        if !line.trim().starts_with("pub") || statement.starts_with("crate::") {
            continue;
        }
        let statement = statement.split(';').next().unwrap();
        for path in expand(&statement.replace("::*", "::star")) {
            let name = path.last().cloned().unwrap();
            let (name, path) = match name.as_str() {
                "star" => ("*".to_owned(), path[..path.len() - 1].to_vec()),
                _ => (name, path),
            };
            all.push((name, [module.to_vec(), path].concat()));
        }
        // `expand` drops the alias: the new name stands for the same file.
        for (original, alias) in aliases(statement) {
            let target = all.iter().find(|(name, _)| *name == original).map(|(_, t)| t.clone());
            all.extend(target.map(|target| (alias, target)));
        }
    }
    all
}

fn aliases(statement: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = statement
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|w| !w.is_empty())
        .collect();
    let pairs = words.windows(3).filter(|words| words[1] == "as");
    pairs.map(|words| (words[0].to_owned(), words[2].to_owned())).collect()
}

/// The files of a circle, if there is one.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'a>(
        file: &'a String,
        imports: &'a BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<&'a String>,
        done: &mut BTreeSet<&'a String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|visited| *visited == file) {
            return Some(path[start..].iter().map(|file| (*file).clone()).collect());
        }
        if !done.insert(file) {
            return None;
        }
        path.push(file);
        let found = imports.get(file).into_iter().flatten();
        let found = found.into_iter().find_map(|next| visit(next, imports, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|file| visit(file, imports, &mut Vec::new(), &mut done))
}
