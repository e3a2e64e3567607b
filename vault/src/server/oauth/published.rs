//! What everyone may know of the token endpoint: its description (RFC 8414) and the keys of its tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;

use super::token::EXCHANGE;
use crate::model::JwsAlgorithm;
use crate::server::{Vault, rest};

/// `GET /.well-known/oauth-authorization-server`.
pub(in crate::server) async fn discovery(State(vault): State<Arc<Vault>>) -> Response {
    let Some(endpoint) = &vault.oauth else {
        return rest::unknown().await;
    };
    let issuer = &endpoint.terms.issuer;
    let document = json!({
        "issuer": issuer,
        "token_endpoint": endpoint.url,
        "jwks_uri": format!("{}/oauth/jwks", issuer.trim_end_matches('/')),
        "grant_types_supported": ["client_credentials", EXCHANGE],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["tls_client_auth", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": JwsAlgorithm::NAMES,
        "dpop_signing_alg_values_supported": JwsAlgorithm::NAMES,
        "tls_client_certificate_bound_access_tokens": true,
    });
    Json(document).into_response()
}

/// `GET /oauth/jwks`.
pub(in crate::server) async fn keys(State(vault): State<Arc<Vault>>) -> Response {
    let Some(endpoint) = &vault.oauth else {
        return rest::unknown().await;
    };
    let head = [
        (CONTENT_TYPE, "application/jwk-set+json"),
        (CACHE_CONTROL, "max-age=60"),
    ];
    (head, endpoint.keys().to_string()).into_response()
}
