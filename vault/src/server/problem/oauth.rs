//! What is said of access tokens and proofs of possession: codes, challenges, and the answers of the token
//! endpoint (RFC 6749 section 5.2).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use tonic::Code;

use super::{Problem, Told};
use crate::identity::Unproven;
use crate::policy::NotCarried;

impl From<NotCarried> for Problem {
    fn from(error: NotCarried) -> Self {
        let (status, grpc) = (StatusCode::FORBIDDEN, Code::PermissionDenied);
        Self::new("carry-not-permitted", status, grpc, error.to_string())
    }
}

/// The code of a refusal to identify.
pub(super) fn code(error: Unproven) -> &'static str {
    match error {
        Unproven::Nothing => "credential-missing",
        Unproven::UnknownCertificate => "certificate-unknown",
        Unproven::GatewayAlone => "gateway-alone",
        Unproven::InvalidToken | Unproven::UnknownKey { .. } => "token-invalid",
        Unproven::ExpiredToken => "token-expired",
        Unproven::Contradiction => "credentials-differ",
        Unproven::Suspended => "suspended",
        Unproven::StaleKeys => "issuer-keys-stale",
        Unproven::Unbound => "token-unbound",
        Unproven::BoundElsewhere => "token-bound-elsewhere",
        Unproven::Actor => "token-actor",
        Unproven::ProofMissing => "dpop-missing",
        Unproven::ProofInvalid => "dpop-invalid",
        Unproven::ProofReplayed => "proof-replayed",
        Unproven::InvalidAssertion => "assertion-invalid",
        Unproven::CertificateExpired => "certificate-expired",
        Unproven::CertificateRevoked => "certificate-revoked",
        Unproven::SignaturesOff => "signature-off",
        Unproven::Signature(fault) => fault.code(),
        Unproven::SeveralSignatures => "signature-several",
        Unproven::SignedElsewhere => "signature-elsewhere",
        Unproven::SignatureAlgorithm => "signature-algorithm",
        Unproven::WrongSignature => "signature-invalid",
        Unproven::SignedCarried => "signature-carried",
        Unproven::SigningKeyAway => "signature-key-unavailable",
        Unproven::Replayed => "signature-replayed",
        Unproven::NoncesFull => "signature-nonces-full",
        Unproven::ContentDigest => "content-digest-mismatch",
    }
}

/// How a caller may prove itself (RFC 6750 section 3, RFC 9449 section 7.1).
pub(super) fn challenge(code: &str) -> HeaderValue {
    HeaderValue::from_static(match code {
        "dpop-missing" | "token-unbound" => r#"DPoP algs="EdDSA ES256 RS256 PS256""#,
        "dpop-invalid" | "proof-replayed" => {
            r#"DPoP error="invalid_dpop_proof", algs="EdDSA ES256 RS256 PS256""#
        }
        "token-invalid" | "token-expired" | "token-bound-elsewhere" | "token-actor" => {
            r#"Bearer error="invalid_token""#
        }
        _ => "Bearer",
    })
}

/// An error of the token endpoint.
pub(in crate::server) struct OauthFault {
    /// The `error` of RFC 6749 section 5.2 or one of its extensions.
    pub(in crate::server) error: &'static str,
    /// What went wrong, in the vault's own words.
    pub(in crate::server) problem: Box<Problem>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
    /// The vault's own stable code.
    code: &'static str,
}

impl OauthFault {
    /// The request is not one.
    pub(in crate::server) fn request(detail: &'static str) -> Self {
        Self::of("invalid_request", detail)
    }

    /// The request can't be met, for this reason.
    pub(in crate::server) fn of(error: &'static str, detail: &'static str) -> Self {
        let problem = Box::new(Problem::invalid("token-request-invalid", detail));
        Self { error, problem }
    }

    /// What the vault refuses for its own state is no fault of the client's, whatever was asked for.
    pub(in crate::server) fn new(error: &'static str, problem: Problem) -> Self {
        let error = match problem.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                "temporarily_unavailable"
            }
            status if status.is_server_error() => "server_error",
            _ => match problem.code {
                "dpop-invalid" | "dpop-missing" | "proof-replayed" if error != "invalid_client" => {
                    "invalid_dpop_proof"
                }
                _ => error,
            },
        };
        let problem = Box::new(problem);
        Self { error, problem }
    }

    /// Descriptions are ASCII without quotation marks (RFC 6749 section 5.2).
    pub(in crate::server) fn response(&self) -> Response {
        let status = match self.error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" | "server_error" => self.problem.status,
            _ => StatusCode::BAD_REQUEST,
        };
        let description = self.problem.detail.replace(['"', '\\'], "");
        let body = Body {
            error: self.error,
            error_description: &description,
            code: self.problem.code,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.problem.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Told(self.problem.code));
        response
    }
}
