//! The wire: TLS, HTTP/1.1 and HTTP/2, REST and gRPC on one port, one corridor for all requests.
//!
//! | file | owns |
//! | --- | --- |
//! | `corridor` | the one way through: who, may it, what, the act, the answer |
//! | `rest`, `grpc` | decoding and encoding |
//! | `key_words`, `token_words`, `delivery_words` | what both read and say of keys, of tokens, and of how values leave |
//! | `problem` | errors to answers |
//! | `limits` | how much, and how long |
//! | `readiness` | the HSM's part in being ready, and for how long it may be away |
//! | `webhook` | alerts to webhooks |
//! | `listen` | TLS, connections, draining |

mod corridor;
mod delivery_words;
mod grpc;
mod key_words;
mod limits;
mod listen;
mod object;
mod problem;
mod readiness;
mod rest;
mod token_words;
mod webhook;

use std::sync::Arc;

use api::v1::guard_server::GuardServer;
use api::v1::keys_server::KeysServer;
use api::v1::tokens_server::TokensServer;
use api::v1::vault_server::VaultServer;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use limits::{Limits, ListenConfig};
pub use listen::{ListenError, Listener};
pub use readiness::{HsmWatch, Readiness};
pub use webhook::{Target, Webhook, WebhookError, deliver};

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
    pub policies: Policies,
    /// The use cases.
    pub engine: Arc<Engine>,
    /// Whether the HSM answers.
    pub hsm: HsmWatch,
    /// Every limit of the wire.
    pub limits: Limits,
}

impl Vault {
    /// Ready means: can read, can commit, can write the ledger, the HSM answers.
    fn ready(&self) -> Result<Readiness, String> {
        self.engine.ready().map_err(|error| error.to_string())?;
        self.hsm.ready()
    }
}

/// All routes. Only the health checks lie outside the corridor.
fn router(vault: &Arc<Vault>) -> Router {
    let contract = VaultServer::new(grpc::Grpc::new(Arc::clone(vault)))
        .max_decoding_message_size(vault.limits.body_bytes_max);
    let keys_contract = KeysServer::new(grpc::GrpcKeys::new(Arc::clone(vault)))
        .max_decoding_message_size(vault.limits.body_bytes_max);
    let tokens_contract = TokensServer::new(grpc::GrpcTokens::new(Arc::clone(vault)))
        .max_decoding_message_size(vault.limits.body_bytes_max);
    let guard_contract = GuardServer::new(grpc::GrpcGuard::new(Arc::clone(vault)))
        .max_decoding_message_size(vault.limits.body_bytes_max);
    let inside = Router::new()
        .route("/v1/tokenize", post(rest::tokenize).fallback(rest::method))
        .route(
            "/v1/detokenize",
            post(rest::detokenize).fallback(rest::method),
        )
        .route("/v1/redeem", post(rest::redeem).fallback(rest::method))
        .route(
            "/v1/tokens/{act}",
            post(rest::tokens::act).fallback(rest::method),
        )
        .route(
            "/v1/receipts/{entry}",
            get(rest::receipt::receipt).fallback(rest::method),
        )
        .route(
            "/v1/keys",
            post(rest::keys::create)
                .get(rest::keys::list)
                .fallback(rest::method),
        )
        .route(
            "/v1/keys/{key}",
            get(rest::keys::describe).fallback(rest::method),
        )
        .route(
            "/v1/keys/{key}/public",
            get(rest::keys::public).fallback(rest::method),
        )
        .route(
            "/v1/keys/{key}/{act}",
            post(rest::keys::act).fallback(rest::method),
        )
        .route("/v1/decrypt", without_key())
        .route("/v1/random", without_key())
        .route("/v1/restore-key", without_key())
        .route(
            "/v1/units/{unit}/{act}",
            post(rest::guard::unit).fallback(rest::method),
        )
        .route(
            "/v1/honeytokens",
            post(rest::guard::plant).fallback(rest::method),
        )
        .route("/v1/grants", post(rest::guard::ask).fallback(rest::method))
        .route(
            "/v1/grants/{id}",
            get(rest::guard::grant).fallback(rest::method),
        )
        .route(
            "/v1/grants/{id}/{act}",
            post(rest::guard::grant_act).fallback(rest::method),
        )
        .route_service("/jinku.v1.Guard/{*call}", guard_contract)
        .route_service("/jinku.v1.Vault/{*call}", contract)
        .route_service("/jinku.v1.Keys/{*call}", keys_contract)
        .route_service("/jinku.v1.Tokens/{*call}", tokens_contract)
        .layer(from_fn_with_state(Arc::clone(vault), corridor::enter));
    Router::new()
        .merge(inside)
        .route("/livez", get(rest::live))
        .route("/readyz", get(rest::ready))
        .fallback(rest::unknown)
        .with_state(Arc::clone(vault))
}

fn without_key() -> axum::routing::MethodRouter<Arc<Vault>> {
    post(rest::keys::without_key).fallback(rest::method)
}
