//! x
pub struct Options {
    pub listen: std::net::SocketAddr,
    pub data: Option<std::path::PathBuf>,
}
pub struct Sandbox;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct StartError;
impl Sandbox {
    pub fn start(_: Options) -> Result<Self, StartError> {
        Err(StartError)
    }
    pub fn url(&self) -> &str {
        ""
    }
    pub fn api_key(&self) -> &str {
        ""
    }
    pub fn stop(self) {}
}
