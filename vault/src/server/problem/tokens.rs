//! What keeps an act on tokens that stand, or a delivery, from being done, as answers.

use http::StatusCode;
use ledger::Outcome;
use tonic::Code;

use super::Problem;
use crate::engine::DeliveryFault;
use crate::engine::token::TokenActFault;
use crate::model::InvalidReason;

impl From<&TokenActFault> for Problem {
    fn from(fault: &TokenActFault) -> Self {
        let unfit = (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument);
        let (code, (status, grpc)) = match fault {
            TokenActFault::Range { .. } | TokenActFault::Future { .. } => ("range", unfit),
            TokenActFault::NotSearchable(_) => ("not-searchable", unfit),
            TokenActFault::SearchRate => (
                "search-rate",
                (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            ),
            TokenActFault::NotDestroyed => (
                "shreds-due",
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            ),
            TokenActFault::NoDetail => ("detail-unknown", (StatusCode::NOT_FOUND, Code::NotFound)),
            TokenActFault::NoHold => (
                "hold-unknown",
                (StatusCode::CONFLICT, Code::FailedPrecondition),
            ),
        };
        let problem = Self::new(code, status, grpc, fault.to_string()).entered_as(Outcome::Error);
        if *fault == TokenActFault::SearchRate {
            return problem.retry(1);
        }
        problem
    }
}

impl From<InvalidReason> for Problem {
    fn from(error: InvalidReason) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let detail = error.to_string();
        Self::new("reason-invalid", status, Code::InvalidArgument, detail)
    }
}

impl From<DeliveryFault> for Problem {
    fn from(fault: DeliveryFault) -> Self {
        let unfit = (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument);
        let (code, (status, grpc)) = match fault {
            DeliveryFault::KeyMissing => (
                "delivery-key-missing",
                (StatusCode::UNPROCESSABLE_ENTITY, Code::FailedPrecondition),
            ),
            DeliveryFault::TicketUnit => ("ticket-unit-unknown", unfit),
            DeliveryFault::TicketSeconds { .. } => ("ticket-ttl", unfit),
            DeliveryFault::TicketUnknown => {
                ("ticket-unknown", (StatusCode::NOT_FOUND, Code::NotFound))
            }
        };
        let outcome = match fault {
            DeliveryFault::TicketUnknown => Outcome::Denied,
            DeliveryFault::KeyMissing
            | DeliveryFault::TicketUnit
            | DeliveryFault::TicketSeconds { .. } => Outcome::Error,
        };
        Self::new(code, status, grpc, fault.to_string()).entered_as(outcome)
    }
}
