//! A Redis server of one test, on a free port of this machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Launch;
use super::tls::certify;
use crate::compat::skip;

/// The password of every server. Sessions find it in whatever they print.
pub const REDIS_PASSWORD: &str = "redis-key-4711";

/// Longer than a start takes.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// A Redis server, which ends with it.
pub struct Redis {
    port: u16,
    uses_tls: bool,
    process: Child,
    directory: TempDir,
}

impl Redis {
    /// Starts a server; none if Redis is not installed, which fails where outside programs are demanded.
    pub fn start() -> Option<Self> {
        Self::start_in(tempfile::tempdir().unwrap(), false)
    }

    /// The same with TLS, at `localhost`, and the file of the authority of its certificate.
    pub fn start_with_tls() -> Option<(Self, String)> {
        let directory = tempfile::tempdir().unwrap();
        let ca_file = certify(directory.path(), "localhost");
        Some((Self::start_in(directory, true)?, ca_file))
    }

    fn start_in(directory: TempDir, uses_tls: bool) -> Option<Self> {
        if Command::new("redis-server").arg("--version").output().is_err() {
            skip("redis-server is missing");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = start(port, &directory, uses_tls);
        Some(Self { port, uses_tls, process, directory })
    }

    /// Its address, without the password.
    pub fn address(&self) -> String {
        format!("{}:{}", if self.uses_tls { "localhost" } else { "127.0.0.1" }, self.port)
    }

    pub fn url(&self) -> String {
        let scheme = if self.uses_tls { "rediss" } else { "redis" };
        format!("{scheme}://:{REDIS_PASSWORD}@{}", self.address())
    }

    /// A server of ours that has its state there, and nothing in common with others but that.
    pub fn launch_against(&self, api: &str) -> Launch {
        Launch::against(api).variable("POLYTOMIC_STATE", &self.url())
    }

    /// Sends SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again at the same address, with nothing in it.
    pub fn restart(&mut self) {
        self.process = start(self.port, &self.directory, self.uses_tls);
    }

    /// Stops it in the middle: connections are made and nothing is returned. `-CONT` goes on.
    pub fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal} {id}");
    }

    /// Runs a command, and returns its response as it is on the wire.
    pub fn command(&self, words: &[&str]) -> String {
        command(self.port, words).unwrap()
    }

    /// Everything in it, as text.
    pub fn content(&self) -> String {
        let script = "local all = {}
            for _, key in ipairs(redis.call('KEYS', '*')) do
                local kind = redis.call('TYPE', key).ok
                local value = ''
                if kind == 'hash' then value = table.concat(redis.call('HGETALL', key), ' ') end
                if kind == 'zset' then value = table.concat(redis.call('ZRANGE', key, 0, -1), ' ') end
                if kind == 'string' and key ~= 'polytomic-mcp:sealing-key' then value = redis.call('GET', key) end
                all[#all + 1] = key .. ' ttl=' .. redis.call('TTL', key) .. ' ' .. value
            end
            return table.concat(all, '\\n')";
        self.command(&["EVAL", script, "0"])
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(port: u16, directory: &TempDir, uses_tls: bool) -> Child {
    let mut process = Command::new("redis-server")
        .arg("-")
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Not as flags, which the list of processes shows.
    let listening = match uses_tls {
        false => format!("port {port}"),
        true => format!(
            "port 0\ntls-port {port}\ntls-auth-clients no\ntls-cert-file certificate.pem\ntls-key-file key.pem\n\
             tls-ca-cert-file ca.pem"
        ),
    };
    let settings = format!(
        "{listening}\nbind 127.0.0.1\nsave \"\"\nappendonly no\nrequirepass {REDIS_PASSWORD}\n"
    );
    process.stdin.take().unwrap().write_all(settings.as_bytes()).unwrap();
    let started = Instant::now();
    let is_ready = || match uses_tls {
        true => TcpStream::connect(("127.0.0.1", port)).is_ok(),
        false => command(port, &["PING"]).is_ok_and(|response| response.contains("PONG")),
    };
    while !is_ready() {
        assert!(started.elapsed() < MAX_WAIT, "redis-server does not start");
        assert!(process.try_wait().unwrap().is_none(), "redis-server has ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    process
}

/// One command over a connection of its own.
fn command(port: u16, words: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(MAX_WAIT))?;
    let request = |words: &[&str]| {
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let words: Vec<String> = words.collect();
        format!("*{}\r\n{}", words.len(), words.concat())
    };
    let requests =
        [request(&["AUTH", REDIS_PASSWORD]), request(words), request(&["QUIT"])].concat();
    stream.write_all(requests.as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
