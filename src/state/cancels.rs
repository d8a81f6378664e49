//! Cancellations for calls that may run in another process: one channel that all subscribe to.

use ring::digest::{SHA256, digest};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::PREFIX;
use super::connection::{Message, SharedState};
use super::unavailable::StateUnavailable;

/// The name of a call for [`SharedState::publish_cancel`], from which neither the session nor the id can be read.
pub fn cancel_name(session: &str, request_id: &str) -> String {
    // With the length in between, no two pairs are the same text.
    let text = format!("cancel {} {session} {request_id}", session.len());
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The cancellations that other processes, and this one, have published.
pub struct Cancels {
    channel: String,
    messages: Receiver<Message>,
}

impl SharedState {
    /// Reports to all processes that a call was cancelled, by its [`cancel_name`].
    ///
    /// # Errors
    /// [`StateUnavailable`].
    pub async fn publish_cancel(&self, name: &str) -> Result<(), StateUnavailable> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel()).arg(name);
        self.run::<u64>(&command).await.map(drop)
    }

    /// Listens to cancellations, for as long as the result exists. Those that are published while Redis cannot be reached
    /// are lost.
    pub fn cancels(&self) -> Cancels {
        let messages = self.0.messages.subscribe();
        self.subscribe(channel());
        self.beat();
        Cancels { channel: channel(), messages }
    }
}

impl Cancels {
    /// The name of the next call that was cancelled; none once the state is gone.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            match self.messages.recv().await {
                Ok(Message { channel, text }) if channel == self.channel => return Some(text),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn channel() -> String {
    format!("{PREFIX}cancel")
}
