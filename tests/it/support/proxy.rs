//! A proxy as companies have them.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::Launch;

/// A name of the service that no machine has, so that only a proxy can reach it.
pub const COMPANY_HOST: &str = "polytomic.example";

/// A CONNECT proxy that connects any name to one port of this machine, and the heads of the requests it received.
pub struct Proxy {
    pub url: String,
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub async fn start(port: u16, status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                let received = Arc::clone(&received);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = peer.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let is_allowed = status == "200 OK"
                        || head.contains("roxy-authorization: Basic dXNlcjpwYXNzd29yZA==");
                    received.lock().await.push(head.to_lowercase());
                    if !is_allowed {
                        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        let _ = peer.write_all(head.as_bytes()).await;
                        return;
                    }
                    let mut service = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ = peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    let _ = copy_bidirectional(&mut peer, &mut service).await;
                });
            }
        });
        Self { url, heads }
    }
}

/// A launch against [`COMPANY_HOST`] with this proxy.
pub fn at_the_company(proxy: &str) -> Launch {
    Launch::against(&format!("https://{COMPANY_HOST}")).variable("HTTPS_PROXY", proxy)
}
