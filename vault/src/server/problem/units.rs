//! Refusals about registered units as answers.

use http::StatusCode;
use tonic::Code;

use super::Problem;
use crate::engine::units::UnitFault;
use crate::model::{DocumentFault, InvalidProposalId};

impl From<UnitFault> for Problem {
    fn from(fault: UnitFault) -> Self {
        let forbidden = (StatusCode::FORBIDDEN, Code::PermissionDenied);
        let conflict = (StatusCode::CONFLICT, Code::FailedPrecondition);
        let unfit = (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument);
        let (status, grpc) = match &fault {
            UnitFault::Unfit(_) | UnitFault::File(_) => unfit,
            UnitFault::NoProposal => (StatusCode::NOT_FOUND, Code::NotFound),
            UnitFault::OwnProposal | UnitFault::OwnUnit | UnitFault::NotProposer => forbidden,
            UnitFault::InFile(_)
            | UnitFault::Changed
            | UnitFault::Retired
            | UnitFault::NotSuspended
            | UnitFault::ProposalOpen
            | UnitFault::TooManyProposals { .. }
            | UnitFault::TooManyUnits { .. }
            | UnitFault::ProposalEnded
            | UnitFault::ApprovedAlready
            | UnitFault::Altered => conflict,
        };
        Self::new(fault.code(), status, grpc, fault.to_string())
    }
}

impl From<DocumentFault> for Problem {
    fn from(fault: DocumentFault) -> Self {
        Self::unfit("unit-document-invalid", fault.to_string())
    }
}

impl From<InvalidProposalId> for Problem {
    fn from(error: InvalidProposalId) -> Self {
        Self::unfit("proposal-invalid", error.to_string())
    }
}
