//! `jinku-hsm serve`: the token, or a vendor's module, in processes of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use hsm_sim::broker::{self, Backing, Server};

use crate::screen;

pub(crate) const EXAMPLES: &str = "\
Programs load libhsm_client.so and find the server by JINKU_HSM_SOCKET (or JINKU_HSM_DIR).

Examples:
  jinku-hsm serve
  jinku-hsm serve --socket /run/jinku/hsm.sock --module /usr/lib/softhsm/libsofthsm2.so";

#[derive(Args)]
pub(crate) struct Serve {
    /// The socket (if not given: `JINKU_HSM_SOCKET`, else `hsm.sock` in the tokens' directory)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// A vendor's PKCS#11 module to serve instead of the simulated token
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// A file to write the socket's path to, when the server is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// The tokens' directory (if not given: where the module itself looks)
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Serve {
    /// Serves until `SIGTERM` or `SIGINT`.
    pub(crate) fn run(self) -> Result<()> {
        let directory = self.dir.or_else(hsm_sim::token_directory);
        let socket = self
            .socket
            .or_else(|| hsm_sim::socket_path(directory.as_deref()));
        let socket = socket.context("no place for the socket: set JINKU_HSM_DIR or --socket")?;
        let backing = match (self.module, directory) {
            (Some(module), _) => Backing::Module(module),
            (None, Some(directory)) => Backing::Token(directory),
            (None, None) => anyhow::bail!("no tokens: set JINKU_HSM_DIR or give --dir"),
        };
        let server = Server::listen(&socket, backing).context("the server does not start")?;
        for warning in server.warnings() {
            screen::warning(warning);
        }
        screen::line(&format!("serving at {}", socket.display()));
        if let Some(file) = &self.ready_file {
            announce(file, &socket)?;
        }
        server.run()?;
        Ok(())
    }
}

/// A worker of a server; nobody else calls this.
#[derive(Args)]
pub(crate) struct ServeOne {
    #[arg(long)]
    module: Option<PathBuf>,
}

impl ServeOne {
    pub(crate) fn run(self) -> Result<()> {
        let backing = match self.module {
            Some(module) => Backing::Module(module),
            None => Backing::Token(hsm_sim::token_directory().unwrap_or_default()),
        };
        Ok(broker::work(&backing)?)
    }
}

/// Whole or absent: who waits for the file must not read half of it.
fn announce(file: &Path, socket: &Path) -> Result<()> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, socket.as_os_str().as_encoded_bytes())
        .and_then(|()| fs::rename(&fresh, file))
        .with_context(|| format!("cannot write {}", file.display()))
}
