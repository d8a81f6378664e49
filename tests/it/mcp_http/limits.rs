//! Connections, bodies and calls beyond what a server can take: its memory stays small, and a good call gets its result at once.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http2;
use crate::support::{Era, Launch, Server, client, next_message, send_text, upgrade, wait_until};

/// How much memory a server may take under attack.
const MAX_KIB: u64 = 300 << 10;
/// How long a good call may take beside all other tests: a server that hangs takes longer.
const MAX_TIME: Duration = Duration::from_secs(20);

/// A server with at most 1,024 file descriptors, and its address.
struct Victim {
    server: Server,
    is_mcp: bool,
}

impl Victim {
    async fn start(is_mcp: bool) -> Self {
        let launch = Launch::sandbox().with_descriptors(1_024);
        let server = match is_mcp {
            true => Server::mcp(launch).await,
            false => Server::start(launch).await,
        };
        Self { server, is_mcp }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A connection on which these bytes were sent.
    fn attack(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        // The server may have closed it by now.
        let _ = stream.write_all(bytes);
        stream
    }

    /// The head of a POST with a body of some length.
    fn head(&self, length: usize) -> String {
        let path = if self.is_mcp { "/mcp" } else { "/" };
        format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            self.server.address()
        )
    }

    /// Checks that a call succeeds in time, and that the server has not become large.
    async fn check(&mut self, label: &str) {
        // On a new connection: its idle one may have made way.
        self.server.client = client();
        let started = Instant::now();
        let result = match self.is_mcp {
            true => self.server.mcp_call(Era::Stateless, "list_connections", json!({})).await,
            false => self.server.call("list_connections", json!({})).await["result"].clone(),
        };
        assert!(result["connections"].is_array(), "{label}: {result}");
        assert!(started.elapsed() < MAX_TIME, "{label}: {:?}", started.elapsed());
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.server.child.id().unwrap()));
        let status = status.unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < MAX_KIB, "{label}: {peak} KiB");
    }
}

#[tokio::test]
async fn connections_that_do_nothing_make_way_for_others() {
    let mut victim = Victim::start(true).await;
    let address = victim.server.address().to_owned();
    let health = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (label, bytes) in [
        ("nothing", String::new()),
        ("a kept-alive connection", health),
        ("half a head", format!("POST / HTTP/1.1\r\nHost: {address}\r\nContent-T")),
        ("half a body", victim.head(100) + "{"),
        ("the preface of HTTP/2", preface.to_owned()),
    ] {
        // More than three quarters of the descriptors.
        let connections: Vec<_> = (0..900).map(|_| victim.attack(bytes.as_bytes())).collect();
        victim.check(label).await;
        drop(connections);
    }
}

#[tokio::test]
async fn open_websockets_do_not_keep_posts_out() {
    let mut victim = Victim::start(false).await;
    let upgrade = upgrade(victim.server.address(), "").replace('\n', "\r\n");
    let sockets: Vec<_> = (0..900).map(|_| victim.attack(upgrade.as_bytes())).collect();
    victim.check("open WebSockets").await;
    drop(sockets);
}

#[tokio::test]
async fn large_bodies_stay_within_a_budget() {
    let mut victim = Victim::start(true).await;
    // As many at the same time as a budget has to be for.
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut stream = victim.attack(victim.head(31 << 20).as_bytes());
                let piece = vec![b' '; 1 << 20];
                let sent = (0..30).take_while(|_| stream.write_all(&piece).is_ok()).count();
                let _ = stream.shutdown(Shutdown::Write);
                sent
            });
        }
    });
    victim.check("bodies of 30 MB").await;
    let mut stream = victim.attack(victim.head(33 << 20).as_bytes());
    let mut response = [0; 12];
    stream.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HTTP/1.1 413", "before the body is sent");
    victim.check("a body beyond the limit").await;
}

#[tokio::test]
async fn a_batch_whose_responses_nobody_reads_waits() {
    let mut victim = Victim::start(false).await;
    let entry = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "rpc.discover"});
    let batch = json!((0..10_000).map(entry).collect::<Vec<Value>>()).to_string();
    let request = victim.head(batch.len()) + &batch;
    let streams: Vec<_> = (0..4).map(|_| victim.attack(request.as_bytes())).collect();
    victim.check("batches of 600 MB").await;
    drop(streams);
    victim.check("batches that nobody reads any more").await;
}

#[tokio::test]
async fn a_websocket_that_floods_is_read_no_faster_than_its_calls_run() {
    let mut victim = Victim::start(false).await;
    for reads in [false, true] {
        let mut socket = victim.server.websocket();
        socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut reader = socket.try_clone().unwrap();
        let mut flood = Vec::new();
        let message = br#"{"jsonrpc":"2.0","id":1,"method":"list_connections"}"#;
        for _ in 0..500 {
            flood.extend([0x81, 0x80 | u8::try_from(message.len()).unwrap(), 0, 0, 0, 0]);
            flood.extend(message);
        }
        let flooding = tokio::task::spawn_blocking(move || {
            let until = Instant::now() + Duration::from_secs(2);
            // A piece that is written in part ends the flood: the next one would not begin a frame.
            while Instant::now() < until && socket.write_all(&flood).is_ok() {}
        });
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; 1 << 16];
            while reads && reader.read(&mut bytes).is_ok_and(|length| length > 0) {}
        });
        victim.check("a WebSocket that floods").await;
        flooding.await.unwrap();
        victim.check("a WebSocket that has flooded").await;
        drop(reading);
    }
}

#[tokio::test]
async fn an_id_that_comes_twice_is_responded_to_twice() {
    let victim = Victim::start(false).await;
    let mut socket = victim.server.websocket();
    for id in ["-5", "7", "7"] {
        send_text(&mut socket, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"list_models"}}"#));
    }
    let mut ids: Vec<String> =
        (0..3).map(|_| next_message(&mut socket)["id"].to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["-5", "7", "7"]);
}

#[tokio::test]
async fn a_frame_that_is_not_masked_ends_its_websocket() {
    let victim = Victim::start(false).await;
    let mut socket = victim.server.websocket();
    socket.write_all(&[0x81, 2, b'[', b']']).unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("jsonrpc"), "{rest:?}");
}

#[tokio::test]
async fn the_calls_of_a_batch_end_with_its_connection() {
    let stub = crate::support::Stub::slow(Duration::from_millis(300)).await;
    let server = Server::start(Launch::against(&stub.url())).await;
    let entry = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "get_model", "params": {"model_id": crate::support::UNKNOWN_ID}});
    let batch = json!((0..500).map(entry).collect::<Vec<Value>>()).to_string();
    let request = tokio::spawn(server.post(batch).send());
    stub.wait_for_requests(8).await;
    request.abort();
    let _ = request.await;
    let count = stub.wait_until_steady().await;
    assert!(count < 100, "{count} requests");
    wait_until("the server to respond", async || {
        server.call("get_model", json!({"model_id": crate::support::UNKNOWN_ID})).await["result"]
            .is_object()
    })
    .await;
}

/// A POST of HTTP/2 to a path.
fn http2_post(victim: &Victim, stream: u32, path: &str, body: &[u8], is_complete: bool) -> Vec<u8> {
    let address = victim.server.address();
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", address),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    [http2::head(stream, &headers, true), http2::data(stream, body, is_complete)].concat()
}

#[tokio::test]
async fn clients_of_http_2_that_open_no_window_make_way() {
    let list = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_connections","_meta":{"progressToken":1}}}"#;
    for (label, path, body, streams) in [
        ("a response below the token", "/nothing", &list[..], 1),
        ("a response", "/mcp", &list[..], 1),
        ("many responses", "/mcp", &list[..], 30),
        ("an event stream", "/mcp", &call[..], 1),
    ] {
        let mut victim = Victim::start(true).await;
        let mut bytes = http2::without_window();
        for stream in 0..streams {
            bytes.extend(http2_post(&victim, 2 * stream + 1, path, body, true));
        }
        let connections: Vec<_> = (0..800).map(|_| victim.attack(&bytes)).collect();
        victim.check(label).await;
        victim.check(label).await;
        drop(connections);
    }
}

#[tokio::test]
async fn unfinished_bodies_of_http_2_stay_within_the_budget() {
    let mut victim = Victim::start(true).await;
    let mut bytes = http2::without_window();
    for stream in 0..30 {
        bytes.extend(http2_post(&victim, 2 * stream + 1, "/mcp", &[b' '; 15_000], false));
    }
    let connections: Vec<_> = (0..700).map(|_| victim.attack(&bytes)).collect();
    victim.check("many small bodies").await;
    drop(connections);
}

#[tokio::test]
async fn a_websocket_sends_no_message_and_no_batch_beyond_the_budget() {
    let mut victim = Victim::start(false).await;
    let entry = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "rpc.discover"});
    let batch = json!((0..10_000).map(entry).collect::<Vec<Value>>()).to_string();
    let mut socket = victim.server.websocket();
    send_text(&mut socket, &batch);
    victim.check("a batch of 600 MB").await;
    let responses = tokio::task::spawn_blocking(move || next_message(&mut socket)).await.unwrap();
    let responses = responses.as_array().unwrap();
    assert_eq!(responses.len(), 10_000);
    assert!(responses[0]["result"]["openrpc"].is_string());
    let last = &responses[9_999]["error"];
    assert_eq!(last["data"]["code"], "result_too_large", "{last}");
    assert_eq!(last["data"]["outcome"], "not_sent", "{last}");
    victim.check("a batch of 600 MB that was read").await;

    // A frame that is not the last one of its message.
    let fragment =
        |length: u64, code: u8| [&[code, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut socket = victim.server.websocket();
                let piece = vec![b' '; 1 << 20];
                for index in 0..31 {
                    let head = fragment(1 << 20, u8::from(index == 0));
                    if socket.write_all(&head).and_then(|()| socket.write_all(&piece)).is_err() {
                        break;
                    }
                }
            });
        }
    });
    victim.check("messages that do not end").await;
}

#[tokio::test]
async fn a_websocket_that_sends_nothing_but_pongs_is_closed() {
    let mut victim = Victim::start(false).await;
    let mut socket = victim.server.websocket();
    let pongs = [0x8a, 0x80, 0, 0, 0, 0].repeat(10_000);
    let _ = socket.write_all(&pongs);
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    victim.check("pongs").await;
}

#[tokio::test]
async fn clients_that_send_half_a_request_do_not_delay_the_end() {
    let victim = Victim::start(true).await;
    let address = victim.server.address().to_owned();
    let mut half = http2::without_window();
    half.extend(http2_post(&victim, 1, "/mcp", b"{", false));
    let connections = [
        victim.attack(format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nConte").as_bytes()),
        victim.attack((victim.head(100) + "{").as_bytes()),
        victim.attack(&half),
        victim.attack(&http2::without_window()),
    ];
    let started = Instant::now();
    let status = victim.server.terminate().await;
    assert!(
        status.success() && started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    drop(connections);
}
