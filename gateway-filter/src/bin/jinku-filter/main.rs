//! `jinku-filter`: starts one of the two fronts, or checks a configuration.

mod cli;
mod screen;

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use gateway_filter::{
    Filter, Listener, Settings, VaultClient, ext_proc, proxy, shutdown_on_signal,
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
        Command::Check { config } => {
            let (settings, _) = open(&config)?;
            screen::routes(&settings.rules)?;
            Ok(())
        }
    }
}

async fn serve_ext_proc(front: Front) -> anyhow::Result<()> {
    let (settings, filter) = open(&front.config)?;
    let shutdown = shutdown_on_signal()?;
    let listener = Listener::bind(front.listen.unwrap_or(settings.ext_proc.listen)).await?;
    if !listener.address().ip().is_loopback() {
        tracing::warn!("ext-proc speaks plain HTTP/2: keep it on a loopback address");
    }
    listener.announce(front.address_file.as_deref())?;
    ext_proc::serve(listener, Arc::new(filter(settings.rules)), shutdown).await?;
    Ok(())
}

async fn serve_proxy(front: Front) -> anyhow::Result<()> {
    let (settings, filter) = open(&front.config)?;
    let proxy = settings
        .proxy
        .context("add a [proxy] table with `upstream`")?;
    let shutdown = shutdown_on_signal()?;
    let listener = Listener::bind(front.listen.unwrap_or(proxy.listen)).await?;
    listener.announce(front.address_file.as_deref())?;
    proxy::serve(listener, Arc::new(filter(settings.rules)), proxy, shutdown).await;
    Ok(())
}

type MakeFilter = Box<dyn FnOnce(gateway_filter::Rules) -> Filter<VaultClient>>;

/// The settings, and the filter that waits for their rules.
fn open(config: &Path) -> anyhow::Result<(Settings, MakeFilter)> {
    let settings = Settings::load(config).with_context(|| config.display().to_string())?;
    let vault = VaultClient::open(&settings.vault)?;
    Ok((settings, Box::new(|rules| Filter::new(rules, vault))))
}
