//! The worked examples of CONTRIBUTING.md: their patches apply to the code as it is, one after the other, and what they
//! give compiles.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_worked_examples_apply_and_compile() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    for name in
        ["Cargo.toml", "Cargo.lock", "README.md", "src", "docs", "benches", "examples", "tests"]
    {
        copy_all(&root.join(name), &copy.path().join(name));
    }
    let guide = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let patches: Vec<&str> =
        guide.split("```diff\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(patches.len(), 4, "a tool, an argument, a setting, an error code");
    for (index, patch) in patches.iter().enumerate() {
        let file = copy.path().join("example.patch");
        fs::write(&file, patch).unwrap();
        let mut git = Command::new("git");
        git.arg("apply").arg(&file).current_dir(copy.path());
        let output = git.output().expect("git is installed");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "example {} of CONTRIBUTING.md: {stderr}", index + 1);
    }
    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not a setting")]
    if std::env::var_os("CONTRIBUTING_BUILD").is_none() {
        return; // A check of all dependencies takes a minute where clippy has not run before.
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = crate::support::cargo();
    cargo.args(["check", "--quiet", "--offline"]).current_dir(copy.path());
    let output = cargo.env("CARGO_TARGET_DIR", target).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "the examples of CONTRIBUTING.md do not compile:\n{stderr}");
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_all(&entry.path(), &to.join(entry.file_name()));
    }
}
