//! The one place where an error becomes an answer: HTTP status and RFC 9457 problem document.
//! Matched without `_`: a new error does not compile until it has its answer. Never a value.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::body::xml::XmlFault;
use crate::coding::CodingFault;
use crate::error::{FilterError, Refusal, Side, UpstreamError, VaultError};
use crate::jose::JweFault;
use crate::scan::{Fault, ScanError};
use crate::sign::SigningFault;

/// The media type of the answer's body.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// What `retry-after` says where trying again may help, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An answer that the filter gives instead of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code for programs, for example `json-invalid`.
    pub code: Cow<'static, str>,
    /// What happened, for people.
    pub detail: String,
    /// When trying again may help, in seconds; where nobody said, the status decides.
    pub retry_after_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
}

impl Problem {
    /// The RFC 9457 document.
    pub fn body(&self) -> Bytes {
        let document = Document {
            r#type: format!("urn:jinku:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: &self.code,
            detail: &self.detail,
        };
        // A struct of strings and a number always serializes.
        serde_json::to_vec(&document).unwrap_or_default().into()
    }

    /// The answer's headers, without its length.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("content-type", PROBLEM_JSON.to_owned()),
            ("cache-control", "no-store".to_owned()),
        ];
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §15.5.2 requires a challenge.
            headers.push(("www-authenticate", "Bearer".to_owned()));
        }
        let patience = matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if let Some(seconds) = self
            .retry_after_seconds
            .or(patience.then_some(RETRY_AFTER_SECONDS))
        {
            headers.push(("retry-after", seconds.to_string()));
        }
        headers
    }
}

impl From<&FilterError> for Problem {
    fn from(error: &FilterError) -> Self {
        if let Some(problem) = in_the_vaults_words(error) {
            return problem;
        }
        let (status, code) = meaning(error);
        Self {
            status,
            code: code.into(),
            detail: error.to_string(),
            retry_after_seconds: retry_after(error),
        }
    }
}

/// The filter's own code of an error: one of a closed set, as a metric's label must be.
pub(crate) fn own_code(error: &FilterError) -> &'static str {
    match error {
        FilterError::Signing(_, fault) => fault.own_code(),
        other => meaning(other).1,
    }
}

/// The same for a vault's error.
pub(crate) fn vault_code(error: &VaultError) -> &'static str {
    vault(error).1
}

/// In whole seconds, rounded up: nobody is told to come too early.
fn retry_after(error: &FilterError) -> Option<u64> {
    let FilterError::Vault(error) = error else {
        return None;
    };
    let wait = match error {
        VaultError::Unauthenticated(refusal)
        | VaultError::Denied(refusal)
        | VaultError::Invalid(refusal)
        | VaultError::Exhausted(refusal)
        | VaultError::Busy(refusal) => refusal.retry_after?,
        VaultError::CircuitOpen { retry_after } => *retry_after,
        VaultError::Unavailable
        | VaultError::DeadlineExceeded
        | VaultError::Failed
        | VaultError::AnswerMismatch => return None,
    };
    Some(
        wait.as_millis()
            .div_ceil(1_000)
            .try_into()
            .unwrap_or(u64::MAX),
    )
}

fn meaning(error: &FilterError) -> (StatusCode, &'static str) {
    match error {
        FilterError::RouteUnmatched => (StatusCode::NOT_FOUND, "route-unmatched"),
        FilterError::PathAmbiguous => (StatusCode::BAD_REQUEST, "path-ambiguous"),
        FilterError::HeaderRepeated(_) => (StatusCode::BAD_REQUEST, "header-repeated"),
        FilterError::HeaderInvalid(_) => (StatusCode::BAD_REQUEST, "header-invalid"),
        FilterError::PurposeMissing => (StatusCode::BAD_REQUEST, "purpose-missing"),
        FilterError::MediaUnsupported => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type-unsupported")
        }
        FilterError::EncodingUnsupported => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-encoding-unsupported",
        ),
        FilterError::Coding(Side::Request, fault) => coding(*fault),
        FilterError::Coding(Side::Response, _) => {
            (StatusCode::BAD_GATEWAY, "upstream-content-coding-invalid")
        }
        FilterError::Unfit(Side::Request, _) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "replacement-unfit")
        }
        FilterError::Unfit(Side::Response, _) => {
            (StatusCode::BAD_GATEWAY, "upstream-replacement-unfit")
        }
        FilterError::Jwe(side, fault) => jwe(*side, *fault),
        FilterError::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
        FilterError::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body-timeout"),
        FilterError::BodyBroken => (StatusCode::BAD_REQUEST, "body-broken"),
        FilterError::Body(Side::Request, ScanError { fault, .. }) => request_fault(fault),
        FilterError::Body(Side::Response, ScanError { fault, .. }) => {
            (StatusCode::BAD_GATEWAY, response_fault(fault))
        }
        FilterError::Signing(side, fault) => signing(*side, *fault),
        FilterError::Unsigned(Side::Request, _) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "signing-unfit")
        }
        FilterError::Unsigned(Side::Response, _) => {
            (StatusCode::BAD_GATEWAY, "upstream-signing-unfit")
        }
        FilterError::Vault(error) => vault(error),
        FilterError::Upstream(error) => upstream(error),
        FilterError::RefusedByGateway(status) => (*status, "refused-by-gateway"),
        FilterError::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
    }
}

fn coding(fault: CodingFault) -> (StatusCode, &'static str) {
    match fault {
        CodingFault::Broken => (StatusCode::BAD_REQUEST, "content-coding-invalid"),
        CodingFault::TooLarge { .. } | CodingFault::Bomb => {
            (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large")
        }
    }
}

fn jwe(side: Side, fault: JweFault) -> (StatusCode, &'static str) {
    let (status, code, upstream) = match fault {
        JweFault::Unopened => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "jwe-unopened",
            "upstream-jwe-unopened",
        ),
        JweFault::Type => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "jwe-type-unsupported",
            "upstream-jwe-type-unsupported",
        ),
        JweFault::NotText => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "jwe-not-text",
            "upstream-jwe-not-text",
        ),
        JweFault::TooLong => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "jwe-too-long",
            "upstream-jwe-too-long",
        ),
    };
    match side {
        Side::Request => (status, code),
        Side::Response => (StatusCode::BAD_GATEWAY, upstream),
    }
}

fn request_fault(fault: &Fault) -> (StatusCode, &'static str) {
    match fault {
        Fault::NotUtf8 => (StatusCode::BAD_REQUEST, "body-not-utf8"),
        Fault::Truncated
        | Fault::Trailing
        | Fault::Value
        | Fault::Key
        | Fault::Colon
        | Fault::Separator
        | Fault::Number
        | Fault::Control
        | Fault::Escape
        | Fault::LoneSurrogate => (StatusCode::BAD_REQUEST, "json-invalid"),
        Fault::DuplicateKey => (StatusCode::BAD_REQUEST, "json-duplicate-key"),
        Fault::TooDeep { .. } => (StatusCode::BAD_REQUEST, "body-too-deep"),
        Fault::TooManyNodes { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body-nodes-exceeded"),
        Fault::TooManyFields { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "fields-exceeded"),
        Fault::FieldNotAString { .. } | Fault::Xml(XmlFault::NotText { .. }) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "field-not-a-string")
        }
        Fault::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
        Fault::TooCostly => (StatusCode::PAYLOAD_TOO_LARGE, "selection-too-costly"),
        Fault::Segment => (StatusCode::BAD_REQUEST, "path-ambiguous"),
        Fault::Form(_) => (StatusCode::BAD_REQUEST, "form-invalid"),
        Fault::Csv(_) => (StatusCode::BAD_REQUEST, "csv-invalid"),
        Fault::Multipart(_) => (StatusCode::BAD_REQUEST, "multipart-invalid"),
        Fault::Xml(XmlFault::Doctype | XmlFault::Entity) => {
            (StatusCode::BAD_REQUEST, "xml-entities-refused")
        }
        Fault::Xml(XmlFault::TooManyNames) => (StatusCode::PAYLOAD_TOO_LARGE, "xml-names-exceeded"),
        Fault::Xml(_) => (StatusCode::BAD_REQUEST, "xml-invalid"),
    }
}

/// What a message's signature is refused with. Of an upstream's signature the unit learns that it failed.
fn signing(side: Side, fault: SigningFault) -> (StatusCode, &'static str) {
    match (side, fault) {
        (Side::Request, SigningFault::NoncesFull) => {
            (StatusCode::SERVICE_UNAVAILABLE, fault.code())
        }
        (Side::Request, _) => (StatusCode::UNAUTHORIZED, fault.code()),
        (Side::Response, _) => (StatusCode::BAD_GATEWAY, "upstream-signature-invalid"),
    }
}

fn response_fault(fault: &Fault) -> &'static str {
    match fault {
        Fault::Truncated
        | Fault::Trailing
        | Fault::Value
        | Fault::Key
        | Fault::Colon
        | Fault::Separator
        | Fault::Number
        | Fault::Control
        | Fault::Escape
        | Fault::LoneSurrogate
        | Fault::DuplicateKey => "upstream-json-invalid",
        Fault::TooDeep { .. }
        | Fault::TooManyNodes { .. }
        | Fault::TooManyFields { .. }
        | Fault::TooLong
        | Fault::TooCostly => "upstream-body-exceeds-limits",
        Fault::FieldNotAString { .. } | Fault::Xml(XmlFault::NotText { .. }) => {
            "upstream-field-not-a-string"
        }
        Fault::NotUtf8
        | Fault::Segment
        | Fault::Form(_)
        | Fault::Csv(_)
        | Fault::Multipart(_)
        | Fault::Xml(_) => "upstream-body-invalid",
    }
}

fn upstream(error: &UpstreamError) -> (StatusCode, &'static str) {
    match error {
        UpstreamError::Unreachable => (StatusCode::BAD_GATEWAY, "upstream-unreachable"),
        UpstreamError::Timeout => (StatusCode::GATEWAY_TIMEOUT, "upstream-timeout"),
        UpstreamError::BodyTooLarge { .. } => (StatusCode::BAD_GATEWAY, "upstream-body-too-large"),
        UpstreamError::BodyBroken => (StatusCode::BAD_GATEWAY, "upstream-body-broken"),
        UpstreamError::HeaderInvalid => (StatusCode::BAD_GATEWAY, "upstream-header-invalid"),
        UpstreamError::MediaUnsupported => {
            (StatusCode::BAD_GATEWAY, "upstream-media-type-unsupported")
        }
        UpstreamError::Upgrade => (StatusCode::BAD_GATEWAY, "upstream-upgrade"),
    }
}

fn vault(error: &VaultError) -> (StatusCode, &'static str) {
    match error {
        VaultError::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        VaultError::Denied(_) => (StatusCode::FORBIDDEN, "denied"),
        VaultError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "vault-refused"),
        VaultError::Exhausted(_) => (StatusCode::TOO_MANY_REQUESTS, "quota-exceeded"),
        VaultError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "vault-unavailable"),
        VaultError::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "vault-busy"),
        VaultError::CircuitOpen { .. } => (StatusCode::SERVICE_UNAVAILABLE, "vault-circuit-open"),
        VaultError::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "vault-timeout"),
        VaultError::Failed => (StatusCode::BAD_GATEWAY, "vault-failed"),
        VaultError::AnswerMismatch => (StatusCode::BAD_GATEWAY, "vault-answer-mismatch"),
    }
}

/// A refusal that the vault itself put into words goes on in those words.
fn in_the_vaults_words(error: &FilterError) -> Option<Problem> {
    let FilterError::Vault(
        VaultError::Unauthenticated(refusal)
        | VaultError::Denied(refusal)
        | VaultError::Invalid(refusal)
        | VaultError::Exhausted(refusal)
        | VaultError::Busy(refusal),
    ) = error
    else {
        return None;
    };
    let (status, own) = meaning(error);
    let Refusal { code, detail, .. } = refusal.clone();
    Some(Problem {
        status,
        code: code.map_or(own.into(), Cow::Owned),
        detail: detail.unwrap_or_else(|| error.to_string()),
        retry_after_seconds: retry_after(error),
    })
}
