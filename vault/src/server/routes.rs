//! All paths. Only the health checks and the token endpoint lie outside of the corridor.

use std::sync::Arc;

use api::v1::guard_server::GuardServer;
use api::v1::keys_server::KeysServer;
use api::v1::policy_server::PolicyServer;
use api::v1::tokens_server::TokensServer;
use api::v1::units_server::UnitsServer;
use api::v1::vault_server::VaultServer;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};

use super::tls::LiveTls;
use super::{LedgerReaders, Vault, corridor, grpc, oauth, rest};

type Routes = Router<Arc<Vault>>;

/// The vault's one router.
pub(super) fn router(vault: &Arc<Vault>, tls: &Arc<LiveTls>) -> Router {
    let inside = tokens()
        .merge(keys())
        .merge(guard())
        .merge(units())
        .merge(policy(vault))
        .merge(ledger(vault))
        .merge(contracts(vault))
        .layer(from_fn_with_state(Arc::clone(vault), corridor::enter));
    Router::new()
        .merge(inside)
        .merge(open_ledger(vault))
        .route("/livez", get(rest::live))
        .route("/readyz", get(rest::ready))
        .merge(issuing())
        .layer(Extension(Arc::clone(tls)))
        .fallback(rest::unknown)
        .with_state(Arc::clone(vault))
}

/// Another method of a known path is said to be one.
fn only(methods: MethodRouter<Arc<Vault>>) -> MethodRouter<Arc<Vault>> {
    methods.fallback(rest::method)
}

fn tokens() -> Routes {
    Router::new()
        .route("/v1/tokenize", only(post(rest::tokenize)))
        .route("/v1/detokenize", only(post(rest::detokenize)))
        .route("/v1/redeem", only(post(rest::redeem)))
        .route("/v1/tokens/{act}", only(post(rest::tokens::act)))
        .route("/v1/receipts/{entry}", only(get(rest::receipt::receipt)))
}

fn keys() -> Routes {
    let without_key = || only(post(rest::keys::without_key));
    let all = post(rest::keys::create).get(rest::keys::list);
    Router::new()
        .route("/v1/keys", only(all))
        .route("/v1/keys/{key}", only(get(rest::keys::describe)))
        .route("/v1/keys/{key}/public", only(get(rest::keys::public)))
        .route("/v1/keys/{key}/{act}", only(post(rest::keys::act)))
        .route("/v1/decrypt", without_key())
        .route("/v1/random", without_key())
        .route("/v1/restore-key", without_key())
}

fn guard() -> Routes {
    Router::new()
        .route("/v1/units/{unit}/{act}", only(post(rest::guard::unit)))
        .route("/v1/honeytokens", only(post(rest::guard::plant)))
        .route("/v1/grants", only(post(rest::guard::ask)))
        .route("/v1/grants/{id}", only(get(rest::guard::grant)))
        .route("/v1/grants/{id}/{act}", only(post(rest::guard::grant_act)))
}

fn units() -> Routes {
    let all = post(rest::units::set).get(rest::units::list);
    let proposals = || only(get(rest::units::proposals));
    Router::new()
        .route("/v1/units", only(all))
        .route("/v1/units/{unit}", only(get(rest::units::describe)))
        .route("/v1/unit-proposals", proposals())
        .route("/v1/unit-proposals/{id}", only(get(rest::units::proposal)))
        .route(
            "/v1/unit-proposals/{id}/{act}",
            only(post(rest::units::decide)),
        )
}

fn policy(vault: &Arc<Vault>) -> Routes {
    let contract = PolicyServer::new(grpc::GrpcPolicy::new(Arc::clone(vault)));
    Router::new()
        .route("/v1/policy-set", only(get(rest::policy::standing)))
        .route("/v1/policy-set/{act}", only(post(rest::policy::act)))
        .route_service(
            "/jinku.v1.Policy/{*call}",
            contract.max_decoding_message_size(vault.limits.body_bytes_max),
        )
}

/// How far the log has come; and its files, where units are named that may read them.
fn ledger(vault: &Arc<Vault>) -> Routes {
    let state = Router::new().route("/v1/ledger", only(get(rest::ledger::state)));
    match vault.ledger.readers() {
        LedgerReaders::Units(_) => state
            .route(
                "/ledger/checkpoint",
                only(get(rest::ledger::checkpoint_for_unit)),
            )
            .route(
                "/ledger/tile/{*rest}",
                only(get(rest::ledger::tile_for_unit)),
            ),
        LedgerReaders::Nobody | LedgerReaders::Anyone => state,
    }
}

/// Its files outside of the corridor, where anyone may read them.
fn open_ledger(vault: &Arc<Vault>) -> Routes {
    match vault.ledger.readers() {
        LedgerReaders::Anyone => Router::new()
            .route("/ledger/checkpoint", only(get(rest::ledger::checkpoint)))
            .route("/ledger/tile/{*rest}", only(get(rest::ledger::tile))),
        LedgerReaders::Nobody | LedgerReaders::Units(_) => Router::new(),
    }
}

/// The vault as an issuer: clients have no ticket before they have a token.
fn issuing() -> Routes {
    let well_known = "/.well-known/oauth-authorization-server";
    let only = |methods: MethodRouter<Arc<Vault>>| methods.fallback(oauth::method);
    Router::new()
        .route(corridor::TOKEN_PATH, only(post(oauth::token)))
        .route("/oauth/jwks", only(get(oauth::keys)))
        .route(well_known, only(get(oauth::discovery)))
}

/// The gRPC services.
fn contracts(vault: &Arc<Vault>) -> Routes {
    let bytes_max = vault.limits.body_bytes_max;
    let tokens = VaultServer::new(grpc::Grpc::new(Arc::clone(vault)));
    let keys = KeysServer::new(grpc::GrpcKeys::new(Arc::clone(vault)));
    let standing = TokensServer::new(grpc::GrpcTokens::new(Arc::clone(vault)));
    let guard = GuardServer::new(grpc::GrpcGuard::new(Arc::clone(vault)));
    let units = UnitsServer::new(grpc::GrpcUnits::new(Arc::clone(vault)));
    Router::new()
        .route_service(
            "/jinku.v1.Vault/{*call}",
            tokens.max_decoding_message_size(bytes_max),
        )
        .route_service(
            "/jinku.v1.Keys/{*call}",
            keys.max_decoding_message_size(bytes_max),
        )
        .route_service(
            "/jinku.v1.Tokens/{*call}",
            standing.max_decoding_message_size(bytes_max),
        )
        .route_service(
            "/jinku.v1.Guard/{*call}",
            guard.max_decoding_message_size(bytes_max),
        )
        .route_service(
            "/jinku.v1.Units/{*call}",
            units.max_decoding_message_size(bytes_max),
        )
}
