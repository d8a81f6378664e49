//! Headless Chromium, controlled over its DevTools protocol.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::wait_until;

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    page: tokio::sync::Mutex<Page>,
    _profile: tempfile::TempDir,
}

struct Page {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
}

impl Browser {
    /// Opens a page of this width and height; `None` without a Chromium on this machine.
    pub(crate) async fn open(width: u32, height: u32) -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        let mut process =
            ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| {
                Command::new(name)
                    .args([
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-dev-shm-usage",
                    ])
                    .args(["--no-first-run", "--hide-scrollbars", "--remote-debugging-port=0"])
                    .arg(format!("--user-data-dir={}", profile.path().display()))
                    .arg("about:blank")
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .ok()
            })?;
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let mut lines = stderr.lines().map_while(Result::ok);
        let url = lines
            .find_map(|line| line.strip_prefix("DevTools listening on ws://").map(str::to_owned))
            .expect("the address of the DevTools");
        // What else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = url.split('/').next().unwrap().to_owned();
        let targets =
            super::client().get(format!("http://{address}/json/list")).send().await.unwrap();
        let targets: Value = targets.json().await.unwrap();
        let is_page = |target: &&Value| target["type"] == "page";
        let target = targets.as_array().unwrap().iter().find(is_page).expect("a page");
        let stream = TcpStream::connect(&address).await.unwrap();
        let url = target["webSocketDebuggerUrl"].as_str().unwrap();
        let (socket, _) = client_async(url, stream).await.unwrap();
        let page = tokio::sync::Mutex::new(Page { socket, next_id: 1 });
        let browser = Self { process, page, _profile: profile };
        browser.resize(width, height).await;
        Some(browser)
    }

    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub(crate) async fn go_to(&self, url: &str) {
        self.command("Page.navigate", json!({ "url": url })).await;
    }

    /// The value of a JavaScript expression.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.command("Runtime.evaluate", parameters).await;
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) async fn wait_for(&self, expression: &str) {
        wait_until(expression, async || self.evaluate(expression).await == json!(true)).await;
    }

    pub(crate) async fn use_dark_colors(&self) {
        let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A picture of the page, as PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let result = self.command("Page.captureScreenshot", json!({ "format": "png" })).await;
        STANDARD.decode(result["data"].as_str().unwrap()).unwrap()
    }

    async fn command(&self, method: &str, parameters: Value) -> Value {
        let mut page = self.page.lock().await;
        let id = page.next_id;
        page.next_id += 1;
        let message = json!({ "id": id, "method": method, "params": parameters }).to_string();
        page.socket.send(Message::text(message)).await.unwrap();
        let limit = std::time::Duration::from_secs(20);
        loop {
            let message = tokio::time::timeout(limit, page.socket.next()).await;
            let message = message.expect("a response of the browser").unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
