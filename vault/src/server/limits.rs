//! What the wire may take: where it listens, how much and how long. `config` reads it, ranges and all.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// Where the vault listens, and its TLS material (PEM).
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// Address and port.
    pub address: SocketAddr,
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key, PKCS#8.
    pub key: PathBuf,
    /// Authorities that sign units' and gateways' certificates.
    pub client_ca: PathBuf,
    /// What they have revoked. Without any, nothing is.
    pub crl: Vec<PathBuf>,
    /// What a list counts for after its `nextUpdate`.
    pub crl_outdated: OutdatedCrl,
    /// How often the files are looked at.
    pub reload_interval: Duration,
}

/// What becomes of certificates whose revocation list is outdated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutdatedCrl {
    /// None of that authority counts until a new list comes.
    Refuse,
    /// The list counts as if it were new.
    Accept,
}

/// Every limit of the wire.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Bytes of a request's header section.
    pub header_bytes_max: u32,
    /// Items of a batch.
    pub batch_items_max: usize,
    /// Longest time for which a ticket counts; whole seconds.
    pub ticket_life_max: Duration,
    /// Searches of one unit in a minute.
    pub searches_per_minute: NonZeroU32,
    /// Requests worked on at once.
    pub requests_in_flight_max: usize,
    /// Requests that wait to be worked on.
    pub requests_waiting_max: usize,
    /// For how long one waits.
    pub queue_wait: Duration,
    /// Connections open at once.
    pub connections_max: usize,
    /// Time for one request.
    pub request_timeout: Duration,
    /// How long the answer to a request with an idempotency key is given again.
    pub idempotency: Duration,
    /// Time for a TLS handshake, from its end to a connection's first request, and for each request's header section.
    pub header_timeout: Duration,
}
