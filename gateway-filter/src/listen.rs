//! Owns a front's socket: binding, the address file, the announcement, and the signal that ends
//! its work.

use std::io;
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A bound socket.
pub struct Listener {
    pub(crate) socket: TcpListener,
    address: SocketAddr,
}

/// Why a front can't listen or serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address is taken or not ours.
    #[error("can't listen on {address}: choose another address with --listen")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The address file can't be written.
    #[error("{}: can't be written; check --address-file", .file.display())]
    AddressFile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The signals can't be watched.
    #[error("can't watch for signals")]
    Signal(#[source] io::Error),
    /// The gRPC server stopped by itself.
    #[error("the gRPC server stopped")]
    Grpc(#[source] tonic::transport::Error),
}

impl Listener {
    /// Binds the address; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let bind_error = |source| ListenError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(bind_error)?;
        let address = socket.local_addr().map_err(bind_error)?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes the address, whole or not at all, for those who wait for port 0.
    pub fn announce(
        &self,
        scheme: &str,
        address_file: Option<&FilePath>,
    ) -> Result<(), ListenError> {
        if let Some(file) = address_file {
            let error = |source| ListenError::AddressFile {
                file: file.to_owned(),
                source,
            };
            let mut unfinished = file.as_os_str().to_owned();
            unfinished.push(".new");
            std::fs::write(&unfinished, self.address.to_string()).map_err(error)?;
            std::fs::rename(&unfinished, file).map_err(error)?;
        }
        tracing::info!("listening on {scheme}://{}", self.address);
        Ok(())
    }
}

/// Tells all of a front's tasks that no new work is taken.
#[derive(Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// A shutdown, and the sender whose `true`, or whose drop, starts it.
    pub fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits for it.
    pub(crate) async fn begun(mut self) {
        // A dropped sender is a shutdown too.
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}

/// A shutdown that SIGTERM or SIGINT starts.
pub fn shutdown_on_signal() -> Result<Shutdown, ListenError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ListenError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ListenError::Signal)?;
    let (sender, shutdown) = Shutdown::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down: no new requests");
        let _ = sender.send(true);
    });
    Ok(shutdown)
}
