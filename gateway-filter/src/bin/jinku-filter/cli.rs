//! Owns the command line's shape and its help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  jinku-filter check filter.toml
  jinku-filter check filter.toml --against sample.json
  jinku-filter proxy --config filter.toml
  jinku-filter proxy --config filter.toml --listen 127.0.0.1:0 --address-file /run/filter.address
  jinku-filter ext-proc --config filter.toml --listen 127.0.0.1:18080

Every key of the configuration is explained in gateway-filter/examples/filter.toml;
gateway-filter/examples/envoy.yaml is an Envoy that uses ext-proc.";

/// Swaps sensitive fields of messages for tokens, and back, on their way through a gateway.
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
    /// Checks a configuration with its key files and prints its routes, or what they take of a sample.
    #[command(after_help = "Examples:\n  jinku-filter check filter.toml\n  \
        jinku-filter check filter.toml --against sample.json\n  \
        jinku-filter check filter.toml --against answer.xml --response --route look-up --rewritten")]
    Check(Check),
    /// Proposes rules for a person to accept, from samples of traffic or an API description (`OpenAPI` 3 in JSON or YAML).
    #[command(
        after_help = "Examples:\n  jinku-filter discover samples/*.json --path /payments --domain city\n  \
        jinku-filter discover openapi.yaml --domain city"
    )]
    Discover(Discover),
    /// Measures on one core how fast fields are selected and replaced, without a vault.
    #[command(after_help = "Example:\n  jinku-filter bench --bytes 65536")]
    Bench(Bench),
}

#[derive(Args)]
pub(crate) struct Check {
    /// The configuration file.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub(crate) file: Option<PathBuf>,
    /// The same, as the fronts take it.
    #[arg(long, env = "JINKU_FILTER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// A sample body: prints what would be replaced in it. No vault is asked, no value is shown.
    #[arg(long, value_name = "SAMPLE")]
    pub(crate) against: Option<PathBuf>,
    /// The sample's content-type, where its file's extension does not tell.
    #[arg(long = "as", value_name = "TYPE", requires = "against")]
    pub(crate) content_type: Option<String>,
    /// The route to check; without it, the first one that takes such bodies.
    #[arg(long, requires = "against")]
    pub(crate) route: Option<String>,
    /// The sample is an answer of the upstream.
    #[arg(long, requires = "against")]
    pub(crate) response: bool,
    /// Print the body as it would go on, with TOKEN for what a vault would give. It holds all else.
    #[arg(long, requires = "against")]
    pub(crate) rewritten: bool,
}

#[derive(Args)]
pub(crate) struct Discover {
    /// Samples of one route's requests (.json, .jsonl, .csv, .form, .xml, .multipart), or one `OpenAPI` document.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The path template of the route that the samples are of.
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// The vault's domain for the proposed routes.
    #[arg(long, default_value = "city")]
    pub(crate) domain: String,
}

#[derive(Args)]
pub(crate) struct Bench {
    /// The size of the JSON document.
    #[arg(long, default_value_t = 65_536)]
    pub(crate) bytes: usize,
    /// How long to measure.
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
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
