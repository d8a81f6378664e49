//! Where the credential of a call is from: the settings, or the caller. What it needs is built at the first call.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::account::Account;
use super::cache::Accounts;
use super::headers::no_key;
use crate::polytomic::{
    Client, ClientConfig, ConfigurationError, Credential, Error, KeyStorage, Service,
};
use crate::registry::error::{ErrorCode, Outcome, ToolError};

/// Returns a configuration, or why there is none at present.
type Configure<C> = dyn Fn() -> Result<ClientConfig<C>, ConfigurationError> + Send + Sync;

/// Where credentials are from.
#[expect(clippy::large_enum_variant, reason = "a registry has one")]
pub(in crate::registry) enum Keys {
    /// The settings have one.
    Settings { configure: Arc<Configure<Credential>>, account: OnceCell<Arc<Account>> },
    /// Each caller has one.
    Requests { configure: Arc<Configure<()>>, service: OnceCell<Service>, accounts: Accounts },
}

impl Keys {
    pub(in crate::registry) fn from_settings(
        configure: impl Fn() -> Result<ClientConfig, ConfigurationError> + Send + Sync + 'static,
    ) -> Self {
        Self::Settings { configure: Arc::new(configure), account: OnceCell::new() }
    }

    pub(in crate::registry) fn from_requests(
        configure: impl Fn() -> Result<ClientConfig<()>, ConfigurationError> + Send + Sync + 'static,
    ) -> Self {
        let (service, accounts) = (OnceCell::new(), Accounts::default());
        Self::Requests { configure: Arc::new(configure), service, accounts }
    }

    /// The account of a call. `sent`: the one of its request.
    ///
    /// # Errors
    /// `not_configured` if there is none, or the settings are not usable.
    pub(in crate::registry) async fn account_of_call(
        &self,
        sent: Option<Arc<Account>>,
    ) -> Result<Arc<Account>, ToolError> {
        match (self, sent) {
            (_, Some(account)) => Ok(account),
            (Self::Settings { .. }, None) => self.account_of_settings().await,
            (Self::Requests { .. }, None) => Err(no_key()),
        }
    }

    /// The same after the call; none if it had none.
    pub(in crate::registry) fn used_account(
        &self,
        sent: Option<Arc<Account>>,
    ) -> Option<Arc<Account>> {
        match self {
            Self::Settings { account, .. } => sent.or_else(|| account.get().cloned()),
            Self::Requests { .. } => sent,
        }
    }

    /// The account of the settings.
    ///
    /// # Errors
    /// `not_configured` without usable settings.
    pub(in crate::registry) async fn account_of_settings(&self) -> Result<Arc<Account>, ToolError> {
        let Self::Settings { configure, account } = self else { return Err(no_key()) };
        let build = async || {
            let client = build(configure, Client::new).await?;
            Ok(Arc::new(Account::of_settings(client)))
        };
        account.get_or_try_init(build).await.map(Arc::clone)
    }

    /// The account of a credential that a caller has sent.
    ///
    /// # Errors
    /// `not_configured` without usable settings, or if the settings have the key of all calls.
    pub(in crate::registry) async fn account_of(
        &self,
        credential: Credential,
    ) -> Result<Arc<Account>, ToolError> {
        let Self::Requests { accounts, .. } = self else {
            let error = ToolError::new(
                ErrorCode::NotConfigured,
                "This server calls the API with a key of its own, and takes none from requests.",
                "Leave the key out, or start the server with --keys-from request.",
            );
            return Err(error.with_outcome(Outcome::NotSent));
        };
        Ok(accounts.get(self.service().await?, credential))
    }

    /// What the accounts of callers share.
    ///
    /// # Errors
    /// `not_configured` without usable settings.
    pub(in crate::registry) async fn service(&self) -> Result<&Service, ToolError> {
        let Self::Requests { configure, service, .. } = self else {
            return Err(ToolError::internal());
        };
        service.get_or_try_init(|| build(configure, service_of)).await
    }
}

fn service_of(mut config: ClientConfig<()>) -> Result<Service, Error> {
    // A name in place of the credentials would be the same for all of them.
    match &mut config.key_storage {
        KeyStorage::Directory(directory) => directory.service = None,
        KeyStorage::Redis(server) => server.service = None,
        KeyStorage::Memory => {}
    }
    Service::new(config)
}

/// Builds a client, on a thread of its own: a command that prints the key may take seconds, in which cancellations are
/// read.
async fn build<C: 'static, T: Send + 'static>(
    configure: &Arc<Configure<C>>,
    build: fn(ClientConfig<C>) -> Result<T, Error>,
) -> Result<T, ToolError> {
    let configure = Arc::clone(configure);
    let building = tokio::task::spawn_blocking(move || -> Result<_, ToolError> {
        Ok(build(configure().map_err(Error::from)?)?)
    });
    building.await.unwrap_or_else(|_| Err(ToolError::internal()))
}
