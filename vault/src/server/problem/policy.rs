//! The refusals of the rule of two for policy sets as answers.

use http::StatusCode;
use ledger::Outcome;
use tonic::Code;

use super::Problem;
use crate::engine::policy::PolicyFault;
use crate::model::InvalidSetDigest;

impl From<PolicyFault> for Problem {
    fn from(fault: PolicyFault) -> Self {
        let forbidden = (StatusCode::FORBIDDEN, Code::PermissionDenied);
        let conflict = (StatusCode::CONFLICT, Code::FailedPrecondition);
        let unfit = (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument);
        let away = (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable);
        let (status, grpc) = match &fault {
            PolicyFault::OwnProposal => forbidden,
            PolicyFault::NotByApproval | PolicyFault::Active | PolicyFault::NotWaiting => conflict,
            PolicyFault::Refused(_) => unfit,
            PolicyFault::Altered => away,
        };
        let outcome = match &fault {
            PolicyFault::Altered => Outcome::Error,
            PolicyFault::OwnProposal
            | PolicyFault::NotByApproval
            | PolicyFault::Active
            | PolicyFault::NotWaiting
            | PolicyFault::Refused(_) => Outcome::Denied,
        };
        Self::new(fault.code(), status, grpc, fault.to_string()).entered_as(outcome)
    }
}

impl From<InvalidSetDigest> for Problem {
    fn from(error: InvalidSetDigest) -> Self {
        Self::unfit("digest-invalid", error.to_string())
    }
}
