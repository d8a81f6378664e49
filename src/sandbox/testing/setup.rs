//! What the sandbox keeps for those who test with it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::sandbox::seed::SeedData;
use crate::sandbox::testing::faults::Faults;
use crate::sandbox::testing::log::RequestLog;
use crate::sandbox::testing::rule::FaultRule;
use crate::sandbox::testing::sessions::Sessions;

pub(in crate::sandbox) struct Testing {
    pub(in crate::sandbox) faults: Faults,
    pub(in crate::sandbox) log: RequestLog,
    pub(in crate::sandbox) sessions: Sessions,
    /// The delay of every response.
    pub(super) latency: Duration,
    /// What a new sandbox has.
    pub(in crate::sandbox) seed_data: SeedData,
    /// Cancelled when the sandbox stops.
    pub(in crate::sandbox) stopping: CancellationToken,
}

impl Testing {
    pub(in crate::sandbox) fn new(
        faults: Vec<FaultRule>,
        latency: Duration,
        seed_data: SeedData,
    ) -> Self {
        Self {
            faults: Faults::new(faults),
            log: RequestLog::new(),
            sessions: Sessions::new(),
            latency,
            seed_data,
            stopping: CancellationToken::new(),
        }
    }
}
