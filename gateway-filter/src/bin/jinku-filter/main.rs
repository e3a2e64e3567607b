//! `jinku-filter`: starts one of the fronts, or checks a configuration.

mod bench;
mod cli;
mod sample;
mod screen;

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use gateway_filter::{
    ExtProcSettings, Filter, Hangups, Listener, Live, Metrics, Proxy, ProxySettings, Reread,
    Settings, Shutdown, VaultClient, ext_proc, monitor, reload, shutdown_on_signal,
};
use tracing_subscriber::EnvFilter;

use cli::{Arguments, Command, Front};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_new(&arguments.log).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(arguments.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::ExtProc(front) => serve_ext_proc(front).await,
        Command::Proxy(front) => serve_proxy(front).await,
        Command::Check(check) => {
            let named = check.file.as_ref().or(check.config.as_ref());
            let config = named.context("name the configuration: check FILE")?;
            match &check.against {
                Some(file) => sample::check(&load(config)?.rules, &check, file),
                None => Ok(screen::routes(&open(config, &Arc::default())?.0.rules)?),
            }
        }
        Command::Discover(discover) => sample::discover(&discover),
        Command::Bench(bench) => bench::run(&bench),
    }
}

async fn serve_ext_proc(front: Front) -> anyhow::Result<()> {
    let (house, settings) = House::open(&front).await?;
    let settings = settings.ext_proc;
    let listener = Listener::bind(front.listen.unwrap_or(settings.listen)).await?;
    if !listener.address().ip().is_loopback() {
        tracing::warn!("ext-proc speaks plain HTTP/2: keep it on a loopback address");
    }
    listener.announce("http", front.address_file.as_deref())?;
    let (live, shutdown) = house.tend();
    ext_proc::serve(listener, live, settings, shutdown).await?;
    Ok(())
}

async fn serve_proxy(front: Front) -> anyhow::Result<()> {
    let (house, settings) = House::open(&front).await?;
    let settings = settings
        .proxy
        .context("add a [proxy] table with `upstream`")?;
    let listener = Listener::bind(front.listen.unwrap_or(settings.listen)).await?;
    let scheme = if settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let proxy = Proxy::open(house.live.clone(), settings)?;
    listener.announce(scheme, front.address_file.as_deref())?;
    let (_, shutdown) = house.tend();
    proxy.serve(listener, shutdown).await;
    Ok(())
}

fn load(config: &Path) -> anyhow::Result<Settings> {
    Settings::load(config).with_context(|| config.display().to_string())
}

/// What both fronts stand on.
struct House {
    watch: reload::Watch,
    live: Arc<Live<VaultClient>>,
    monitor: Option<Listener>,
    shutdown: Shutdown,
}

/// The settings of the fronts.
struct Fronts {
    proxy: Option<ProxySettings>,
    ext_proc: ExtProcSettings,
}

impl House {
    async fn open(front: &Front) -> anyhow::Result<(Self, Fronts)> {
        let metrics = Arc::new(Metrics::default());
        let (settings, vault) = open(&front.config, &metrics)?;
        let monitor = match settings.monitor {
            Some(address) => Some(Listener::bind(address).await?),
            None => None,
        };
        let files = settings.files();
        let filter = Filter::new(settings.rules, vault);
        let house = Self {
            watch: reload::Watch::new(front.config.clone(), files),
            live: Arc::new(Live::new(Arc::new(filter), metrics)),
            monitor,
            shutdown: shutdown_on_signal()?,
        };
        let fronts = Fronts {
            proxy: settings.proxy,
            ext_proc: settings.ext_proc,
        };
        Ok((house, fronts))
    }

    /// Answers monitoring, and reads the settings again when they change.
    fn tend(self) -> (Arc<Live<VaultClient>>, Shutdown) {
        if let Some(listener) = self.monitor {
            tracing::info!("monitoring at http://{}", listener.address());
            let live = self.live.clone();
            let readiness = move || {
                let filter = live.now();
                async move { filter.vault().is_ready().await }
            };
            let (metrics, shutdown) = (self.live.metrics().clone(), self.shutdown.clone());
            tokio::spawn(monitor::serve(listener, metrics, readiness, shutdown));
        }
        let (live, shutdown) = (self.live.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            let read = |config: &Path| {
                let (settings, vault) = open(config, live.metrics())?;
                anyhow::Ok(Reread {
                    files: settings.files(),
                    filter: Filter::new(settings.rules, vault),
                })
            };
            if let Err(error) = self.watch.run(&live, read, Hangups::Ours, shutdown).await {
                tracing::error!("the settings are not watched: {error}");
            }
        });
        (self.live, self.shutdown)
    }
}

fn open(config: &Path, metrics: &Arc<Metrics>) -> anyhow::Result<(Settings, VaultClient)> {
    let settings = load(config)?;
    let vault = VaultClient::counted(&settings.vault, metrics.clone())?;
    Ok((settings, vault))
}
