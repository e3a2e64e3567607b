//! Errors to answers: RFC 9457 problems on REST, statuses with details on gRPC. Nowhere else.
//!
//! Matched without `_`: a new error does not compile until it has an answer.

mod guard;
mod key;
mod ledger;
mod oauth;
mod policy;
mod tokens;
mod units;

use std::time::Duration;

use ::ledger::Outcome;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::admission::Inadmissible;
use crate::commit::NotDurable;
use crate::engine::EngineError;
use crate::identity::Unproven;
use crate::model::{InvalidIdempotencyKey, InvalidName, InvalidSubject, LifeFault, RequestId};
use crate::policy::Denied;
use crate::token::TokenError;

pub(super) use oauth::OauthFault;

/// Which wire a request came by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Face {
    Rest,
    Grpc,
}

/// What went wrong, as a caller is told: a stable code, and what to do. It never holds a value.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) code: &'static str,
    status: StatusCode,
    grpc: Code,
    detail: String,
    item: Option<usize>,
    retry_after_seconds: Option<u32>,
    /// How an act that was permitted ended that was not done, while no entry says so yet.
    pub(super) unrecorded: Option<Outcome>,
}

impl Problem {
    fn new(code: &'static str, status: StatusCode, grpc: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            code,
            status,
            grpc,
            detail,
            item: None,
            retry_after_seconds: None,
            unrecorded: None,
        }
    }

    /// The caller sent something that can't be read.
    pub(super) fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(code, StatusCode::BAD_REQUEST, Code::InvalidArgument, detail)
    }

    /// The caller sent words that can be read and mean nothing here.
    pub(super) fn unfit(code: &'static str, detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(code, status, Code::InvalidArgument, detail)
    }

    /// Budgets bind the unit that redeems a ticket, not the one that makes it.
    pub(super) fn grant_with_ticket() -> Self {
        let detail = "a ticket takes no grant: who redeems it is bound by its own budgets";
        Self::invalid("grant-with-ticket", detail)
    }

    pub(super) fn no_such_path() -> Self {
        let detail = "no such path: see /v1/tokenize, /v1/detokenize, /v1/redeem, /v1/tokens, /v1/receipts and /v1/keys";
        Self::new(
            "path-unknown",
            StatusCode::NOT_FOUND,
            Code::Unimplemented,
            detail,
        )
    }

    pub(super) fn method() -> Self {
        let detail = "this path takes another method";
        Self::new(
            "method",
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Unimplemented,
            detail,
        )
    }

    pub(super) fn media_type() -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let detail = "send `content-type: application/json`";
        Self::new("media-type", status, Code::InvalidArgument, detail)
    }

    pub(super) fn body_too_large(bytes_max: usize) -> Self {
        let detail = format!("the body is larger than {bytes_max} bytes");
        Self::new(
            "body-too-large",
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::ResourceExhausted,
            detail,
        )
    }

    pub(super) fn timeout() -> Self {
        let detail =
            "the request took too long and was given up: it is whole in the ledger, or absent";
        Self::new(
            "timeout",
            StatusCode::GATEWAY_TIMEOUT,
            Code::DeadlineExceeded,
            detail,
        )
    }

    pub(super) fn not_ready(detail: impl Into<String>) -> Self {
        Self::new(
            "not-ready",
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            detail,
        )
    }

    /// What the gRPC library refused by itself, in our words: its statuses have no details.
    pub(super) fn of_the_wire(response: &Response, bytes_max: usize) -> Option<Self> {
        let status = Status::from_header_map(response.headers())?;
        match status.code() {
            _ if !status.details().is_empty() => None,
            Code::Ok => None,
            Code::Unimplemented => Some(Self::no_such_path()),
            Code::OutOfRange | Code::ResourceExhausted => Some(Self::body_too_large(bytes_max)),
            _ => Some(Self::invalid(
                "message-invalid",
                "the message can't be read: see vault.proto, tokens.proto and keys.proto",
            )),
        }
    }

    /// A request reached its handler without a ticket: a fault of ours, never of the caller's.
    pub(super) fn no_ticket() -> Self {
        Self::new(
            "internal",
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::Internal,
            "a fault of ours",
        )
    }

    pub(super) fn at(mut self, item: usize) -> Self {
        self.item = Some(item);
        self
    }

    /// Its entry is still to be written, with this outcome.
    pub(super) fn entered_as(mut self, outcome: Outcome) -> Self {
        self.unrecorded = Some(outcome);
        self
    }

    /// The code that an answer carries; `ok` where it is none of a problem.
    pub(super) fn code_of(response: &Response) -> String {
        if let Some(Told(code)) = response.extensions().get() {
            return (*code).to_owned();
        }
        let status = Status::from_header_map(response.headers());
        let code = status.filter(|status| status.code() != Code::Ok);
        match code.map(|status| status.get_details_error_info()) {
            Some(info) => info.map_or_else(|| "grpc".to_owned(), |info| info.reason),
            None if response.status().is_success() => "ok".to_owned(),
            None => format!("http-{}", response.status().as_u16()),
        }
    }

    /// After so many seconds another try makes sense.
    pub(super) fn after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after_seconds = seconds;
        self
    }

    fn retry(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    pub(super) fn status(&self) -> Status {
        let mut facts = std::collections::HashMap::new();
        if let Some(item) = self.item {
            facts.insert("item".to_owned(), item.to_string());
        }
        let mut details = ErrorDetails::with_error_info(self.code, "jinku", facts);
        if let Some(seconds) = self.retry_after_seconds {
            details.set_retry_info(Some(Duration::from_secs(seconds.into())));
        }
        let mut status = Status::with_error_details(self.grpc, self.detail.clone(), details);
        if let Some(seconds) = self.retry_after_seconds {
            // Beside RetryInfo: clients and proxies that know no details read it.
            status.metadata_mut().insert("retry-after", seconds.into());
        }
        status
    }

    pub(super) fn response(&self, face: Face, request: RequestId) -> Response {
        match face {
            Face::Grpc => self
                .status()
                .into_http::<axum::body::Body>()
                .into_response(),
            Face::Rest => self.rest(request),
        }
    }

    fn rest(&self, request: RequestId) -> Response {
        let body = Body {
            kind: format!("urn:jinku:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("problem"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            item: self.item,
            instance: format!("urn:jinku:request:{request}"),
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, oauth::challenge(self.code));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Told(self.code));
        response
    }
}

/// Which problem an answer tells of, for who counts.
#[derive(Clone, Copy)]
struct Told(&'static str);

/// RFC 9457 section 3.1.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    instance: String,
}

/// Names one request in its answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl From<Unproven> for Problem {
    fn from(error: Unproven) -> Self {
        let (status, grpc) = match error {
            Unproven::StaleKeys | Unproven::SigningKeyAway => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
            Unproven::NoncesFull => (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            _ => (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
        };
        let problem = Self::new(oauth::code(error), status, grpc, error.to_string());
        match error {
            Unproven::SigningKeyAway | Unproven::NoncesFull => problem.retry(1),
            _ => problem,
        }
    }
}

impl From<Inadmissible> for Problem {
    fn from(error: Inadmissible) -> Self {
        let forbidden = (StatusCode::FORBIDDEN, Code::PermissionDenied);
        let (code, (status, grpc)) = match error {
            Inadmissible::Address => ("address", forbidden),
            Inadmissible::Validity => ("validity", forbidden),
            Inadmissible::Locked => ("unit-locked", forbidden),
            Inadmissible::Rate => (
                "rate",
                (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            ),
            Inadmissible::Busy => ("busy", (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)),
            Inadmissible::Hours => ("hours", forbidden),
            Inadmissible::Route => ("route", forbidden),
            Inadmissible::Quota => (
                "quota",
                (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            ),
            Inadmissible::Uncounted => (
                "quota-unavailable",
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            ),
        };
        Self::new(code, status, grpc, error.to_string())
    }
}

impl From<Denied> for Problem {
    fn from(error: Denied) -> Self {
        let (code, status, grpc) = match error {
            Denied::UnknownDomain => (
                "domain-unknown",
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::InvalidArgument,
            ),
            Denied::UnknownClass => (
                "class-unknown",
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::InvalidArgument,
            ),
            Denied::UnknownKey => ("key-unknown", StatusCode::NOT_FOUND, Code::NotFound),
            Denied::UnknownUnit => ("unit-unknown", StatusCode::NOT_FOUND, Code::NotFound),
            Denied::UnknownProposal => ("proposal-unknown", StatusCode::NOT_FOUND, Code::NotFound),
            Denied::UnknownGrant => ("grant-unknown", StatusCode::NOT_FOUND, Code::NotFound),
            Denied::NotPermitted => (
                "not-permitted",
                StatusCode::FORBIDDEN,
                Code::PermissionDenied,
            ),
        };
        Self::new(code, status, grpc, error.to_string())
    }
}

impl From<InvalidName> for Problem {
    fn from(error: InvalidName) -> Self {
        let code = match error.what() {
            "domain" => "domain-invalid",
            "class" => "class-invalid",
            "purpose" => "purpose-invalid",
            "matter" => "matter-invalid",
            "key alias" => "key-name-invalid",
            _ => "name-invalid",
        };
        Self::new(
            code,
            StatusCode::UNPROCESSABLE_ENTITY,
            Code::InvalidArgument,
            error.to_string(),
        )
    }
}

impl From<InvalidIdempotencyKey> for Problem {
    fn from(error: InvalidIdempotencyKey) -> Self {
        Self::invalid("idempotency-key-invalid", error.to_string())
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let unfit = |code| {
            let problem = Self::new(
                code,
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::InvalidArgument,
                error.to_string(),
            );
            problem.entered_as(Outcome::Error)
        };
        match &error {
            EngineError::Value { item, reason, .. } => unfit(value_code(reason)).at(*item),
            EngineError::Life { item, reason, .. } => unfit(life_code(*reason)).at(*item),
            EngineError::TokenTooLong { item } => unfit("token-too-long").at(*item),
            EngineError::IdempotencyMismatch => unfit("idempotency-mismatch"),
            EngineError::BatchEmpty { .. } => unfit("batch-empty"),
            EngineError::BatchTooLong { .. } => unfit("batch-too-long"),
            EngineError::SpaceExhausted(_) => {
                let status = StatusCode::INSUFFICIENT_STORAGE;
                Self::new(
                    "space-exhausted",
                    status,
                    Code::ResourceExhausted,
                    error.to_string(),
                )
            }
            EngineError::Held => {
                let (status, grpc) = (StatusCode::CONFLICT, Code::FailedPrecondition);
                Self::new("held", status, grpc, error.to_string()).entered_as(Outcome::Error)
            }
            EngineError::NotWhole => {
                let (status, grpc) = (StatusCode::FORBIDDEN, Code::PermissionDenied);
                Self::new("not-permitted", status, grpc, error.to_string())
                    .entered_as(Outcome::Denied)
            }
            EngineError::SubjectTooLarge { .. } => unfit("subject-too-large"),
            EngineError::ShredLate => {
                let (status, grpc) = (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable);
                Self::new("shred-late", status, grpc, error.to_string())
            }
            EngineError::EntryUnknown => {
                let (status, grpc) = (StatusCode::NOT_FOUND, Code::NotFound);
                Self::new("entry-unknown", status, grpc, error.to_string())
            }
            EngineError::CheckpointLate | EngineError::ReceiptUnmade => {
                let code = match &error {
                    EngineError::CheckpointLate => "checkpoint-late",
                    _ => "receipt-unavailable",
                };
                let (status, grpc) = (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable);
                Self::new(code, status, grpc, error.to_string()).retry(1)
            }
            EngineError::NotDurable(cause) => Self::from(*cause),
            EngineError::Store(_) => Self::not_ready("the store can't be read"),
            EngineError::Keys => Self::not_ready("the vault's keys can't be used"),
            EngineError::Delivery(fault) => Self::from(*fault),
            EngineError::Key(fault) => Self::from(fault.clone()),
            EngineError::Tokens(fault) => Self::from(fault),
            EngineError::Guard(fault) => Self::from(fault.clone()).entered_as(Outcome::Denied),
            EngineError::HeldBack(fault) => Self::from(fault.clone()),
            EngineError::Unit(fault) => Self::from(fault.clone()).entered_as(Outcome::Denied),
            EngineError::Policy(fault) => Self::from(fault.clone()),
        }
    }
}

fn life_code(reason: LifeFault) -> &'static str {
    match reason {
        LifeFault::Ttl { .. } => "ttl-invalid",
        LifeFault::Uses => "uses-invalid",
        LifeFault::UsesOfRepeatable => "uses-repeatable",
    }
}

impl From<InvalidSubject> for Problem {
    fn from(error: InvalidSubject) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(
            "subject-invalid",
            status,
            Code::InvalidArgument,
            error.to_string(),
        )
    }
}

fn value_code(reason: &TokenError) -> &'static str {
    match reason {
        TokenError::ValueInvalid { .. } => "value-invalid",
        TokenError::ValueTooLong { .. } => "value-too-long",
        TokenError::SpaceTooSmall { .. } => "space-too-small",
        TokenError::SpaceUsedUp => "space-exhausted",
        TokenError::NoRandomness => "no-randomness",
    }
}

impl From<NotDurable> for Problem {
    fn from(error: NotDurable) -> Self {
        let unavailable = |code| {
            Self::new(
                code,
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                error.to_string(),
            )
            .retry(1)
        };
        match error {
            NotDurable::Conflict => unavailable("contended"),
            NotDurable::Overloaded => unavailable("overloaded"),
            NotDurable::Deadline => unavailable("ledger-slow"),
            NotDurable::Store => unavailable("ledger-unavailable"),
            NotDurable::Stopped => unavailable("stopping"),
            NotDurable::Unpublished => unavailable("ledger-unpublished"),
            NotDurable::Full => unavailable("full"),
            NotDurable::Entry => Self::invalid("entry-too-large", error.to_string()),
        }
    }
}
