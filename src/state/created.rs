//! The ids of what was created with an account: a sorted set for each account, by the time of creation.

use std::time::Duration;

use super::PREFIX;
use super::connection::SharedState;
use super::unavailable::StateUnavailable;

/// How long an id is remembered.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// Maximum number of ids of one account; the oldest are forgotten first.
const MAX_IDS: usize = 20_000;

const REMEMBER: &str = "local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -(ARGV[3] + 1))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1";

impl SharedState {
    /// Remembers an id. `account` is a hash.
    ///
    /// # Errors
    /// [`StateUnavailable`].
    pub async fn remember_created(&self, account: &str, id: &str) -> Result<(), StateUnavailable> {
        let mut command = redis::cmd("EVAL");
        command.arg(REMEMBER).arg(1).arg(set_of(account)).arg(id).arg(LIFETIME.as_secs());
        command.arg(MAX_IDS);
        self.run::<u64>(&command).await.map(drop)
    }

    /// Whether an id is remembered.
    ///
    /// # Errors
    /// [`StateUnavailable`].
    pub async fn has_created(&self, account: &str, id: &str) -> Result<bool, StateUnavailable> {
        let mut command = redis::cmd("ZSCORE");
        command.arg(set_of(account)).arg(id);
        Ok(self.run::<Option<f64>>(&command).await?.is_some())
    }
}

fn set_of(account: &str) -> String {
    format!("{PREFIX}created:{account}")
}
