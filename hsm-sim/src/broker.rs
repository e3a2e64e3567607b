//! The token in a process of its own: a server on a Unix socket, behind which each application
//! that uses `libhsm_client.so` has its own worker process. A worker holds our token, or a
//! vendor's module; if it dies, its application's next call is an error, and nobody else's.
//!
//! The server itself holds no key and no PIN. It greets, starts a worker for each new application,
//! and hands its connections over. When it ends, its workers end.

mod daemon;
mod dispatch;
mod harden;
mod memory;
mod module;
mod worker;

use std::path::PathBuf;

pub use daemon::Server;
pub use worker::work;

/// What a worker serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// The token of this crate, in this directory.
    Token(PathBuf),
    /// A vendor's PKCS#11 module.
    Module(PathBuf),
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The socket's directory is open to others.
    #[error("others may enter {0}: the socket's directory must be yours alone (chmod 700)")]
    OpenDirectory(PathBuf),
    /// Another server answers at this socket.
    #[error("a server is already at {0}: stop it, or choose another --socket")]
    Taken(PathBuf),
    /// What is at the socket's path is no socket.
    #[error("{0} is there and is no socket: remove it, or choose another --socket")]
    NoSocket(PathBuf),
    /// The system refused.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// The vendor's module cannot be loaded.
    #[error("{0} is no PKCS#11 module that can be loaded")]
    NoModule(PathBuf),
}
