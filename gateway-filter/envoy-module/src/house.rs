//! Owns what all messages of one Envoy share: the settings, the vault's channel, and the threads on
//! which the vault is waited for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use gateway_filter::{
    Filter, Hangups, Listener, Live, Metrics, Reread, Settings, SettingsError, Shutdown,
    VaultClient, VaultClientError, monitor, reload,
};
use tokio::runtime::{Handle, Runtime};

use crate::abi;

/// Most threads that wait for the vault.
const THREADS_MAX: usize = 4;

/// One filter of Envoy's configuration.
pub(crate) struct House {
    live: Arc<Live<VaultClient>>,
    threads: Handle,
    /// Taken when the house ends.
    runtime: Option<Runtime>,
    /// Its drop ends the watching of files.
    _shutdown: tokio::sync::watch::Sender<bool>,
}

/// Why a configuration of Envoy's is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HouseError {
    /// Not the name of a file.
    #[error("filter_config must be a StringValue: the path of filter.toml")]
    Path,
    /// The settings can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The vault's client can't be prepared.
    #[error(transparent)]
    Vault(#[from] VaultClientError),
    /// No threads.
    #[error("no threads for the vault's calls")]
    Threads(#[from] std::io::Error),
}

impl House {
    /// Reads the settings that `config` names.
    pub(crate) fn open(config: &[u8]) -> Result<Self, HouseError> {
        let path = std::str::from_utf8(config).map_err(|_| HouseError::Path)?;
        let path = PathBuf::from(path.trim());
        if path.as_os_str().is_empty() {
            return Err(HouseError::Path);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads())
            .thread_name("jinku")
            .on_thread_start(abi::give_way)
            .enable_all()
            .build()?;
        let metrics = Arc::new(Metrics::default());
        // The channel belongs to the runtime that it is made in.
        let entered = runtime.enter();
        let (monitor, Reread { filter, files }) = read(&path, &metrics)?;
        drop(entered);
        let live = Arc::new(Live::new(Arc::new(filter), metrics));
        let (shutdown, begun) = Shutdown::channel();
        if let Some(address) = monitor {
            runtime.spawn(answer_monitoring(address, live.clone(), begun.clone()));
        }
        runtime.spawn(watch(path, files, live.clone(), begun));
        Ok(Self {
            live,
            threads: runtime.handle().clone(),
            runtime: Some(runtime),
            _shutdown: shutdown,
        })
    }

    pub(crate) fn live(&self) -> &Arc<Live<VaultClient>> {
        &self.live
    }

    /// Where tasks that wait for the vault run.
    pub(crate) fn threads(&self) -> &Handle {
        &self.threads
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // Without waiting: Envoy's threads must not block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One thread for two processors waits for the vault: Envoy's own workers do the rest, and a thread more than there
/// is work for only wakes to find none.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2).min(THREADS_MAX))
}

/// Reads the settings again when a file changes; SIGHUP is Envoy's own.
async fn watch(
    path: PathBuf,
    files: Vec<PathBuf>,
    live: Arc<Live<VaultClient>>,
    shutdown: Shutdown,
) {
    let again = |path: &std::path::Path| read(path, live.metrics()).map(|(_, reread)| reread);
    let watch = reload::Watch::new(path, files);
    if let Err(error) = watch.run(&live, again, Hangups::Others, shutdown).await {
        tracing::error!("the settings are not watched: {error}");
    }
}

/// `/live`, `/ready` and `/metrics`. Where the address is taken, by the filter that a new configuration of
/// Envoy's replaces, say, there is none: messages matter more.
async fn answer_monitoring(address: SocketAddr, live: Arc<Live<VaultClient>>, shutdown: Shutdown) {
    let listener = match Listener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("monitoring is not answered: {error}");
            return;
        }
    };
    let metrics = live.metrics().clone();
    let readiness = move || {
        let filter = live.now();
        async move { filter.vault().is_ready().await }
    };
    monitor::serve(listener, metrics, readiness, shutdown).await;
}

/// Where monitoring asks, and the filter.
fn read(
    path: &std::path::Path,
    metrics: &Arc<Metrics>,
) -> Result<(Option<SocketAddr>, Reread<VaultClient>), HouseError> {
    let settings = Settings::load(path)?;
    let files = settings.files();
    let vault = VaultClient::counted(&settings.vault, metrics.clone())?;
    let reread = Reread {
        filter: Filter::new(settings.rules, vault),
        files,
    };
    Ok((settings.monitor, reread))
}
