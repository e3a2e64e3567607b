//! Owns the command line's shape and its help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  jinku-filter check --config filter.toml
  jinku-filter proxy --config filter.toml
  jinku-filter proxy --config filter.toml --listen 127.0.0.1:0 --address-file /run/filter.address
  jinku-filter ext-proc --config filter.toml --listen 127.0.0.1:18080

Every key of the configuration is explained in gateway-filter/examples/filter.toml;
gateway-filter/examples/envoy.yaml is an Envoy that uses ext-proc.";

/// Swaps sensitive fields of JSON messages for tokens, and back, on their way through a gateway.
#[derive(Parser)]
#[command(name = "jinku-filter", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What to log, to stderr: error, warn, info, debug, or per module.
    #[arg(long, global = true, default_value = "info", env = "JINKU_FILTER_LOG")]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serves Envoy as an external processor (gRPC over plain HTTP/2: bind a loopback address).
    #[command(after_help = "Example:\n  jinku-filter ext-proc --config filter.toml")]
    ExtProc(Front),
    /// Serves HTTP as a reverse proxy before one upstream.
    #[command(after_help = "Example:\n  jinku-filter proxy --config filter.toml")]
    Proxy(Front),
    /// Checks a configuration with its key files and prints its routes.
    #[command(after_help = "Example:\n  jinku-filter check --config filter.toml")]
    Check {
        /// The configuration file.
        #[arg(long, env = "JINKU_FILTER_CONFIG")]
        config: PathBuf,
    },
}

/// What both fronts take.
#[derive(Args)]
pub(crate) struct Front {
    /// The configuration file.
    #[arg(long, env = "JINKU_FILTER_CONFIG")]
    pub(crate) config: PathBuf,
    /// Listen here instead of where the configuration says; port 0 takes a free one.
    #[arg(long)]
    pub(crate) listen: Option<SocketAddr>,
    /// Write the bound address (`127.0.0.1:41234`) to this file once requests are taken.
    #[arg(long)]
    pub(crate) address_file: Option<PathBuf>,
}
