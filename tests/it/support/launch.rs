//! Starts the binary with flags and variables, without the environment of the test process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{KEY, Keys};

/// Longer than any process takes that ends by itself.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Status, stdout and stderr of a process.
pub type Output = (i32, String, String);

/// Flags and environment variables of one process.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    flags: Vec<String>,
    variables: Vec<(String, String)>,
    /// How many file descriptors the process may have, if that is limited.
    descriptors: Option<u32>,
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

    /// An API at `url`, with the key [`KEY`].
    pub fn against(url: &str) -> Self {
        Self::bare().variable("POLYTOMIC_BASE_URL", url).variable("POLYTOMIC_API_KEY", KEY)
    }

    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Several flags and words.
    pub fn flags<S: AsRef<str>>(self, flags: impl IntoIterator<Item = S>) -> Self {
        flags.into_iter().fold(self, |launch, flag| launch.flag(flag.as_ref()))
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same launch of a process that may have only so many file descriptors.
    pub fn with_descriptors(mut self, limit: u32) -> Self {
        self.descriptors = Some(limit);
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
        let binary = env!("CARGO_BIN_EXE_polytomic-mcp");
        let mut command = match self.descriptors {
            Some(limit) => {
                let mut command = Command::new("sh");
                let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
                command.args(["-c", &script, binary]);
                command
            }
            None => Command::new(binary),
        };
        command.args(&self.flags).env_clear().kill_on_drop(true);
        command.env("XDG_STATE_HOME", self.state_directory().parent().unwrap());
        command.env("HOME", self.home());
        command.env("XDG_CONFIG_HOME", self.state_directory().parent().unwrap().join("config"));
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// The keys that no output of the process may contain.
    pub fn keys(&self) -> Keys {
        let keys = self.variables.iter().filter(|(name, _)| name == "POLYTOMIC_API_KEY");
        keys.fold(Keys::default(), |all, (_, key)| all.with(key))
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

    /// Runs the process to completion with empty input.
    pub async fn output(&self) -> Output {
        self.output_for("").await
    }

    /// The same in this directory.
    pub async fn output_in(&self, directory: &Path) -> Output {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.current_dir(directory).spawn().expect("the process starts");
        self.completed(child).await
    }

    /// Runs the process to completion with this input.
    pub async fn output_for(&self, input: &str) -> Output {
        let mut child = self.spawn();
        let mut stdin = child.stdin.take().unwrap();
        let write = async move {
            // A process may end without reading it.
            let _ = stdin.write_all(input.as_bytes()).await;
        };
        let (output, ()) = tokio::join!(self.completed(child), write);
        output
    }

    /// Waits for a process of this launch, whose output has none of its keys.
    pub async fn completed(&self, child: Child) -> Output {
        let output = timeout(MAX_WAIT, child.wait_with_output()).await.expect("the process ends");
        let output = output.expect("the process runs");
        let text = |name: &str, bytes| {
            let text = String::from_utf8(bytes).expect("the output is UTF-8");
            self.keys().assert_not_in(name, &text);
            text
        };
        let (stdout, stderr) = (text("stdout", output.stdout), text("stderr", output.stderr));
        (output.status.code().unwrap_or(-1), stdout, stderr)
    }
}

/// Waits for a process to end; its exit code, or none if a signal ended it.
pub async fn exit_code(child: &mut Child) -> Option<i32> {
    timeout(MAX_WAIT, child.wait()).await.expect("the process ends").unwrap().code()
}
