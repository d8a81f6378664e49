//! The connection to Redis: made when it is needed, made again when it breaks, and never waited for longer than a moment.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind};
use redis::{RedisError, RedisResult, TlsCertificates, Value};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::PREFIX;
use super::pending::Pending;
use super::unavailable::StateUnavailable;
use super::url::StateUrl;

/// One operation does not take longer, with a new connection and a second attempt.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// The end of a process does not take longer: it may be killed 2 s after it was asked to end.
const MAX_FINISH: Duration = Duration::from_millis(400);
/// After an operation without a response, others fail at once for this time: a call makes several.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that comes and goes is not worth more than one warning in this time.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// How often this process shows that it is alive, while it holds keys.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// When a process counts as dead that does not, even if Redis has not noticed the end of its connection.
const LEASE: Duration = Duration::from_secs(30);
/// Maximum number of messages that a slow receiver may be behind.
const MAX_MESSAGES: usize = 1_024;

/// Renews the lease of this process; returns how many connections have subscribed to its channel.
const RENEW: &str = "redis.call('SET', 'polytomic-mcp:lease:' .. ARGV[1], 1, 'PX', ARGV[2])
return redis.call('PUBSUB', 'NUMSUB', 'polytomic-mcp:owner:' .. ARGV[1])[2]";

/// The state that several servers share, in Redis. Cheap to clone; clones share the connection.
///
/// Nothing is connected before it is used. A process subscribes to a channel of its own on the same connection, by which
/// others see that it is alive.
#[derive(Clone)]
pub struct SharedState(pub(super) Arc<Inner>);

pub(super) struct Inner {
    url: StateUrl,
    client: redis::Client,
    is_required: bool,
    /// Identifies this process.
    pub(super) owner: Uuid,
    slot: Mutex<Option<Slot>>,
    /// One connection is made at a time.
    connecting: Semaphore,
    next_generation: AtomicU64,
    health: Mutex<Health>,
    /// What is subscribed to with each new connection.
    channels: Mutex<Vec<String>>,
    pub(super) messages: broadcast::Sender<Message>,
    /// The number of keys that this process holds.
    pub(super) held: AtomicUsize,
    is_heart_beating: AtomicBool,
    /// Keys that are being kept, on which the next claim depends.
    pub(super) keeping: Pending,
    /// Keys that are being given up, on which only the end of the process depends.
    pub(super) releasing: Pending,
    pub(super) ending: CancellationToken,
}

struct Slot {
    generation: u64,
    connection: ConnectionManager,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) channel: String,
    pub(super) text: String,
}

#[derive(Default)]
struct Health {
    has_failed: bool,
    warned: Option<Instant>,
    paused_until: Option<Instant>,
}

impl SharedState {
    /// The state at an address. `is_required`: whether writes fail without it. `ca_file`: a PEM file of certificates to
    /// trust beside the system's.
    ///
    /// # Errors
    /// [`StateUnavailable`] for an address that the Redis library does not take, or a file that cannot be used.
    pub fn new(
        url: StateUrl,
        is_required: bool,
        ca_file: Option<&Path>,
    ) -> Result<Self, StateUnavailable> {
        let unusable = |reason: String| StateUnavailable { place: url.to_string(), reason };
        let mut authorities = None;
        if url.uses_tls() {
            // The same provider as the client's, which may be built later.
            let _ = rustls::crypto::ring::default_provider().install_default();
            authorities = ca_file.map(authorities_beside).transpose().map_err(unusable)?;
        }
        let client = url.full().into_connection_info().and_then(|info| {
            // Version 3 of the protocol has messages and responses on one connection.
            let settings = info.redis_settings().clone();
            let settings = settings.set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
            let info = info.set_redis_settings(settings);
            match authorities {
                None => redis::Client::open(info),
                root_cert => redis::Client::build_with_tls(
                    info,
                    TlsCertificates { client_tls: None, root_cert },
                ),
            }
        });
        let client = client.map_err(|error| unusable(url.redact(&error.to_string())))?;
        let owner = Uuid::new_v4();
        Ok(Self(Arc::new(Inner {
            url,
            client,
            is_required,
            owner,
            slot: Mutex::default(),
            connecting: Semaphore::new(1),
            next_generation: AtomicU64::new(0),
            health: Mutex::default(),
            channels: Mutex::new(vec![format!("{PREFIX}owner:{owner}")]),
            messages: broadcast::channel(MAX_MESSAGES).0,
            held: AtomicUsize::new(0),
            is_heart_beating: AtomicBool::new(false),
            keeping: Pending::default(),
            releasing: Pending::default(),
            ending: CancellationToken::new(),
        })))
    }

    /// Whether writes fail without it.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.0.is_required
    }

    /// Fails if it cannot be reached.
    ///
    /// # Errors
    /// [`StateUnavailable`].
    pub async fn check(&self) -> Result<(), StateUnavailable> {
        self.run::<Value>(&redis::cmd("PING")).await.map(drop)
    }

    /// Waits for a moment until what this process has left to do is done, before it ends.
    pub async fn finish(&self) {
        self.0.ending.cancel();
        let done = async {
            self.0.keeping.wait().await;
            self.0.releasing.wait().await;
        };
        let _ = timeout(MAX_FINISH, done).await;
    }

    /// Runs a command, with a second attempt if the connection is found to be broken. So a command has to have the same
    /// effect when it is run twice.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StateUnavailable> {
        self.run_attempts(command, 2).await
    }

    async fn run_attempts<T: FromRedisValue>(
        &self,
        command: &Cmd,
        attempts: usize,
    ) -> Result<T, StateUnavailable> {
        let inner = &*self.0;
        if inner.health().paused_until.is_some_and(|end| Instant::now() < end) {
            return Err(inner.unavailable(NO_RESPONSE.to_owned()));
        }
        match timeout(TIME_LIMIT, inner.attempt(command, attempts)).await {
            Ok(Ok(value)) => {
                inner.note_success();
                Ok(value)
            }
            Ok(Err(error)) => Err(inner.note_failure(inner.reason(&error), None)),
            Err(_) => {
                // The connection may lead nowhere, which nobody would notice for minutes.
                inner.forget(None);
                Err(inner.note_failure(NO_RESPONSE.to_owned(), Some(Instant::now() + PAUSE)))
            }
        }
    }

    /// The same for a command whose second run would have another response than the first: it is run once, and fails if the
    /// connection breaks on the way.
    pub(super) async fn run_once<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StateUnavailable> {
        // A broken connection is found before.
        self.check().await?;
        self.run_attempts(command, 1).await
    }

    /// Subscribes to one more channel, now and with each new connection.
    pub(super) fn subscribe(&self, channel: String) {
        let mut channels = self.0.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if !channels.contains(&channel) {
            channels.push(channel);
            self.0.forget(None);
        }
    }

    /// The subscription by which others see that this process is alive is lost: the next command makes a new connection.
    pub(super) fn reconnect(&self) {
        self.0.forget(None);
    }

    /// Shows that this process is alive, from now on and as long as it holds keys or listens.
    pub(super) fn beat(&self) {
        if !self.0.is_heart_beating.swap(true, Ordering::Relaxed) {
            tokio::spawn(beat(Arc::downgrade(&self.0)));
        }
    }

    /// The lease of this process in milliseconds.
    pub(super) fn lease_millis() -> u128 {
        LEASE.as_millis()
    }
}

/// Why a command fails whose response does not come.
const NO_RESPONSE: &str = "no response within 2 s";

async fn beat(state: Weak<Inner>) {
    loop {
        let Some(inner) = state.upgrade() else { return };
        let is_needed =
            inner.held.load(Ordering::Relaxed) > 0 || inner.messages.receiver_count() > 0;
        if is_needed {
            let state = SharedState(inner);
            let mut renew = redis::cmd("EVAL");
            renew
                .arg(RENEW)
                .arg(0)
                .arg(state.0.owner.to_string())
                .arg(LEASE.as_millis().to_string());
            if state.run::<u64>(&renew).await == Ok(0) {
                state.reconnect();
            }
        } else {
            drop(inner);
        }
        tokio::time::sleep(HEARTBEAT).await;
    }
}

impl Inner {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Slot>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<(u64, ConnectionManager)> {
        let slot = self.slot();
        slot.as_ref().map(|slot| (slot.generation, slot.connection.clone()))
    }

    async fn attempt<T: FromRedisValue>(
        &self,
        command: &Cmd,
        mut attempts: usize,
    ) -> RedisResult<T> {
        loop {
            let (generation, mut connection) = self.connection().await?;
            attempts -= 1;
            match command.query_async(&mut connection).await {
                Err(error) if is_broken(&error) => {
                    self.forget(Some(generation));
                    if attempts == 0 {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }

    /// The connection; a new one if there is none. It has subscribed to all channels before it is used.
    async fn connection(&self) -> RedisResult<(u64, ConnectionManager)> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let _permit = self.connecting.acquire().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let messages = self.messages.clone();
        let pass_on = move |push| {
            if let Some(message) = read_message(push) {
                // Nobody may listen.
                let _ = messages.send(message);
            }
            Ok::<_, ()>(())
        };
        let config = ConnectionManagerConfig::new()
            // Attempts are made here.
            .set_number_of_retries(0)
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(pass_on)
            // A connection that breaks while no command is run subscribes again at once.
            .set_automatic_resubscription();
        let mut connection =
            ConnectionManager::new_with_config(self.client.clone(), config).await?;
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for channel in channels {
            connection.subscribe(channel).await?;
        }
        let generation = self.next_generation.fetch_add(1, Ordering::Relaxed);
        *self.slot() = Some(Slot { generation, connection: connection.clone() });
        Ok((generation, connection))
    }

    /// Makes the next command open a new connection; with `generation`, unless that has happened since.
    fn forget(&self, generation: Option<u64>) {
        let mut slot = self.slot();
        let is_current = |slot: &Slot| generation.is_none_or(|broken| slot.generation == broken);
        if slot.as_ref().is_some_and(is_current) {
            *slot = None;
        }
    }

    fn note_success(&self) {
        let mut health = self.health();
        health.paused_until = None;
        if std::mem::take(&mut health.has_failed) {
            tracing::info!("the shared state at {} can be used again", self.url);
        }
    }

    fn note_failure(&self, reason: String, paused_until: Option<Instant>) -> StateUnavailable {
        let mut health = self.health();
        health.paused_until = paused_until;
        let is_recent = |warned: Instant| warned.elapsed() < WARNING_INTERVAL;
        if !std::mem::replace(&mut health.has_failed, true) && !health.warned.is_some_and(is_recent)
        {
            health.warned = Some(Instant::now());
            let consequence = match self.is_required {
                true => "Writes fail until it can be (--state-required).",
                false => {
                    "Until it can be, this process keeps in its memory what others have to know: a create that is \
                     interrupted here and repeated elsewhere may be done twice."
                }
            };
            tracing::warn!(
                "the shared state at {} cannot be used: {reason}. {consequence} POLYTOMIC_STATE sets the address.",
                self.url
            );
        }
        self.unavailable(reason)
    }

    pub(super) fn unavailable(&self, reason: String) -> StateUnavailable {
        StateUnavailable { place: self.url.to_string(), reason }
    }

    fn reason(&self, error: &RedisError) -> String {
        if error.is_connection_refusal() {
            return "the connection was refused".to_owned();
        }
        if error.is_connection_dropped() {
            return "the connection broke".to_owned();
        }
        if error.kind() == redis::ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("WRONGPASS" | "NOAUTH"))
        {
            return "its user name or password is wrong or missing".to_owned();
        }
        let text = self.url.redact(&error.to_string());
        text.chars().take(200).collect()
    }
}

/// The certificates of the system and of a file, in PEM format: the library takes its own for all there are.
fn authorities_beside(file: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| {
        format!("the certificates in {} cannot be read: {error}", file.display())
    };
    let mut pem = std::fs::read(file).map_err(unreadable)?;
    for certificate in rustls_native_certs::load_native_certs().certs {
        let text = STANDARD.encode(&certificate);
        pem.extend(
            format!("\n-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").bytes(),
        );
    }
    Ok(pem)
}

fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error()
}

fn read_message(push: PushInfo) -> Option<Message> {
    if push.kind != PushKind::Message {
        return None;
    }
    let [channel, text] = <[Value; 2]>::try_from(push.data).ok()?;
    let text_of = |value| redis::from_redis_value::<String>(value).ok();
    Some(Message { channel: text_of(channel)?, text: text_of(text)? })
}

impl PartialEq for SharedState {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedState {}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedState({})", self.0.url)
    }
}

impl fmt::Display for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.url.fmt(f)
    }
}
