//! A scratch home with this program on its `PATH`, and files as people have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use polytomic_mcp::cli::{Client, Format, System};
use tempfile::TempDir;

/// A user's home, without any client.
pub struct Home {
    directory: TempDir,
}

/// What a run printed.
#[derive(Debug)]
pub struct Output {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.path().join("bin")).unwrap();
        fs::create_dir_all(home.project()).unwrap();
        let binary = env!("CARGO_BIN_EXE_polytomic-mcp");
        std::os::unix::fs::symlink(binary, home.binary()).unwrap();
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of the program that entries have to name.
    pub fn binary(&self) -> PathBuf {
        self.path().join("bin/polytomic-mcp")
    }

    pub fn project(&self) -> PathBuf {
        self.path().join("project")
    }

    /// The user's file of a client.
    pub fn file(&self, client: &Client) -> PathBuf {
        let place = client.places.user_file(System::Linux);
        self.path().join(place.strip_prefix("~/").unwrap())
    }

    /// Writes the user's file of a client.
    pub fn write(&self, client: &Client, bytes: impl AsRef<[u8]>) -> PathBuf {
        let file = self.file(client);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        file
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.binary());
        command
            .args(words)
            .current_dir(self.project())
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join(".config"))
            .env("APPDATA", self.path().join("AppData"))
            .env("PATH", self.path().join("bin"));
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        output(&mut self.command(words))
    }

    /// Runs a command that has to succeed; returns what it printed on stdout.
    pub fn succeed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status, 0, "{words:?}: {output:?}");
        output.stdout
    }
}

pub fn output(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Output {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn backup_of(file: &Path) -> PathBuf {
    let name = format!("{}.polytomic-backup", file.file_name().unwrap().to_str().unwrap());
    file.with_file_name(name)
}

/// A file with other servers, comments and odd formatting.
pub fn messy(client: &Client) -> String {
    let servers = client.servers[0];
    match client.format {
        Format::Json => format!(
            "// mine\n{{\n\t\"theme\":   \"dark\", // keep\n\t/* why */ \"{servers}\": {{\n\t\t\"other\": \
             {{\"command\": \"x\", \"args\": [1,2 ,3], \"env\": {{\"TOKEN\": \"ü-1\"}}}}, // first\n\n\t\t\"url\" : \
             {{ \"url\": \"https://x/y\" }} // no comma\n\t}},\n\t\"last\": [ ],\n}}\n\n"
        ),
        Format::Toml => format!(
            "# mine\nmodel   = 'o'   # keep\nlist = [ 1,2 ,\n  3, ]\n\n[{servers}.other] # first\ncommand = \"x\"\n\
             args = ['ü']\n\n  [{servers}.other.env]\n  TOKEN=\"t\"\n\n# about tools\n[tools]\nsearch = true\n# the end\n"
        ),
        Format::Yaml => format!(
            "# mine\nGOOSE_MODEL:   o  # keep\n{servers}:\n    # first\n    other:\n        cmd: 'x'\n        args:\n        - \
             ü\n        - \"b: c\"\n        bundled: null\n    second: {{type: builtin, enabled: false}} # in one line\n\n\
             # the end\nlast: |\n  text: not a key\n"
        ),
    }
}

/// The same content with other line ends, marks and endings.
pub fn variants(text: &str) -> Vec<(&'static str, String)> {
    let crlf = text.replace('\n', "\r\n");
    vec![
        ("as it is", text.to_owned()),
        ("CRLF", crlf.clone()),
        ("byte-order mark", format!("\u{feff}{text}")),
        ("both", format!("\u{feff}{crlf}")),
        ("no line end", text.trim_end().to_owned()),
    ]
}

/// Whether the characters of one text are in another, in their order.
pub fn is_within(text: &str, other: &str) -> bool {
    let mut others = other.chars();
    text.chars().all(|c| others.any(|other| other == c))
}
