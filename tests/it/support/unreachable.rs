//! Addresses that cannot be reached on any machine and in any network.

use tokio::net::TcpSocket;

/// A name that no resolver is asked for: a label has at most 63 bytes (RFC 1035, section 2.3.4).
pub const UNKNOWN_HOST: &str =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid";

/// A port of this machine that nobody listens on, and that no other program gets while this exists.
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    pub fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}
