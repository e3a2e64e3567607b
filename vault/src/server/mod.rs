//! The wire: TLS, HTTP/1.1 and HTTP/2, REST and gRPC on one port, one corridor for all requests.
//!
//! | file | owns |
//! | --- | --- |
//! | `corridor` | the one way through: who, may it, what, the act, the answer |
//! | `signed` | requests that are signed: head, nonce, body |
//! | `routes` | which path is answered by whom |
//! | `rest`, `grpc` | decoding and encoding |
//! | `key_words`, `token_words`, `delivery_words` | what both read and say of keys, of tokens, and of how values leave |
//! | `policy_words` | the same of policy sets |
//! | `problem` | errors to answers |
//! | `limits` | how much, and how long |
//! | `readiness` | the HSM's part in being ready, and for how long it may be away |
//! | `webhook` | alerts to webhooks |
//! | `metrics` | what monitoring reads |
//! | `ledger` | the published log as files over HTTP, for whom it may be read by |
//! | `witness` | how witnesses are asked for cosignatures |
//! | `stamp` | how the log is stamped by authorities |
//! | `oauth` | the token endpoint, and issuers' keys |
//! | `tls`, `belief` | TLS material that is renewed while the vault runs, and what becomes of connections then |
//! | `listen` | connections, draining |

mod belief;
mod corridor;
mod delivery_words;
mod grpc;
mod key_words;
mod ledger;
mod limits;
mod listen;
mod metrics;
mod oauth;
mod object;
mod policy_words;
mod problem;
mod readiness;
mod rest;
mod routes;
mod signed;
mod stamp;
mod tls;
mod token_words;
mod webhook;
mod witness;

use std::sync::Arc;

pub use ledger::{LedgerFace, LedgerReaders};
pub use limits::{Limits, ListenConfig, OutdatedCrl};
pub use listen::{ListenError, Listener};
pub use metrics::{Metrics, serve_metrics};
pub use oauth::{FetchedIssuer, TokenEndpoint, keep_keys, keep_own_keys};
pub use readiness::{HsmWatch, Readiness};
pub use stamp::{
    KeptStamp, StampAuthority, StampFault, StampTerms, keep_stamp_of, keep_stamped, stamp_nonce,
};
pub use tls::{LiveTls, follow};
pub use webhook::{Target, Webhook, WebhookError, deliver};
pub use witness::witness_at;

use crate::admission::Admission;
use crate::engine::Engine;
use crate::identity::Identity;
use crate::policy::Policies;

/// Every room of a running vault. Built once, shared by all requests.
pub struct Vault {
    /// Who speaks.
    pub identity: Identity,
    /// May it speak now.
    pub admission: Admission,
    /// What it may do and see.
    pub policies: Arc<Policies>,
    /// The use cases.
    pub engine: Arc<Engine>,
    /// Whether the HSM answers.
    pub hsm: HsmWatch,
    /// The log as it is published.
    pub ledger: LedgerFace,
    /// The token endpoint, where the vault issues access tokens itself.
    pub oauth: Option<TokenEndpoint>,
    /// Every limit of the wire.
    pub limits: Limits,
    /// What monitoring reads.
    pub metrics: Metrics,
}

impl Vault {
    /// Ready means: can read, can commit, can write the ledger, the HSM answers.
    fn ready(&self) -> Result<Readiness, String> {
        self.engine.ready().map_err(|error| error.to_string())?;
        self.hsm.ready()
    }
}
