//! Starts the binary with flags and variables, without the environment of the test process.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The key of [`Launch::against`]. No output may contain it, in any test.
pub const KEY: &str = "test-key-4711";

/// Flags and environment variables of one process.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    flags: Vec<String>,
    variables: Vec<(String, String)>,
    /// What processes of the same launch leave behind for each other, and for no others.
    state_home: Arc<OnceLock<TempDir>>,
}

impl Launch {
    /// No settings, except that nobody has to confirm anything: most tests have nobody who does.
    pub fn bare() -> Self {
        Self::default().variable("POLYTOMIC_CONFIRM", "never")
    }

    /// No settings at all.
    pub fn unconfigured() -> Self {
        Self::default()
    }

    /// The embedded sandbox.
    pub fn sandbox() -> Self {
        Self::bare().flag("--sandbox")
    }

    /// An API at `url`, with the key `test-key-4711`.
    pub fn against(url: &str) -> Self {
        Self::bare().variable("POLYTOMIC_BASE_URL", url).variable("POLYTOMIC_API_KEY", KEY)
    }

    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the processes keep idempotency keys by default.
    pub fn state_directory(&self) -> PathBuf {
        let home = self.state_home.get_or_init(|| tempfile::tempdir().unwrap());
        home.path().join("polytomic-mcp")
    }

    /// The home of the processes, without any client.
    pub fn home(&self) -> PathBuf {
        self.state_directory().parent().unwrap().to_owned()
    }

    /// Where the processes look for the settings file by default.
    pub fn settings_file(&self) -> PathBuf {
        self.state_directory().parent().unwrap().join("config/polytomic-mcp/config.toml")
    }

    /// The same launch with a settings file.
    pub fn with_settings(self, text: &str) -> Self {
        let path = self.settings_file();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The command, whose environment holds these variables and the directory for state.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polytomic-mcp"));
        command.args(&self.flags).env_clear().kill_on_drop(true);
        command.env("XDG_STATE_HOME", self.state_directory().parent().unwrap());
        command.env("HOME", self.home());
        command.env("XDG_CONFIG_HOME", self.state_directory().parent().unwrap().join("config"));
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Starts the process with all three streams piped.
    pub fn spawn(&self) -> Child {
        self.spawn_with_stderr(Stdio::piped())
    }

    /// The same with another stderr.
    pub fn spawn_with_stderr(&self, stderr: Stdio) -> Child {
        self.command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the process starts")
    }

    /// Runs the process to completion with empty input; returns status, stdout and stderr.
    pub async fn output(&self) -> (i32, String, String) {
        let output = self.command().stdin(Stdio::null()).output().await.expect("the process runs");
        let stdout = String::from_utf8(output.stdout).expect("stdout is UTF-8");
        let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
        assert!(!stdout.contains(KEY) && !stderr.contains(KEY), "{stdout}\n{stderr}");
        (output.status.code().unwrap_or(-1), stdout, stderr)
    }
}
