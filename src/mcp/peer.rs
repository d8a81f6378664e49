//! A peer that is connected to nothing: rmcp hands one to each handler and keeps in it what an initialize says, and the handlers send
//! nothing to it.

use std::convert::Infallible;

use rmcp::service::{RunningService, RxJsonRpcMessage, TxJsonRpcMessage, serve_directly};
use rmcp::transport::Transport;
use rmcp::{RoleServer, ServerHandler};

/// A service that is never called.
pub(super) struct Nobody;

impl ServerHandler for Nobody {}

struct Nowhere;

impl Transport<RoleServer> for Nowhere {
    type Error = Infallible;

    fn send(
        &mut self,
        _: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        std::future::ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        std::future::pending().await
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Starts the service whose peer is connected to nothing. Must be called inside a runtime.
pub(super) fn unconnected_peer() -> RunningService<RoleServer, Nobody> {
    serve_directly(Nobody, Nowhere, None)
}
