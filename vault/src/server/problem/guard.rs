//! The guard's refusals as answers.

use http::StatusCode;
use tonic::Code;

use super::Problem;
use crate::engine::guard::GuardFault;
use crate::model::InvalidGrantId;

impl From<GuardFault> for Problem {
    fn from(fault: GuardFault) -> Self {
        let forbidden = (StatusCode::FORBIDDEN, Code::PermissionDenied);
        let conflict = (StatusCode::CONFLICT, Code::FailedPrecondition);
        let unfit = (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument);
        let (status, grpc) = match &fault {
            GuardFault::OverBudget(_) => (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            GuardFault::GrantNeeded { .. }
            | GuardFault::NoGrant
            | GuardFault::GrantSpent { .. }
            | GuardFault::GrantClass
            | GuardFault::OwnGrant => forbidden,
            GuardFault::GrantState(_) | GuardFault::ApprovedAlready | GuardFault::TooManyGrants => {
                conflict
            }
            GuardFault::Range { .. } | GuardFault::NothingPlausible(_) => unfit,
        };
        let problem = Self::new(fault.code(), status, grpc, fault.to_string());
        match fault {
            GuardFault::OverBudget(over) => match over.retry_after {
                Some(time) => {
                    let seconds = time.as_micros().div_ceil(1_000_000);
                    problem.retry(u32::try_from(seconds).unwrap_or(u32::MAX))
                }
                None => problem,
            },
            _ => problem,
        }
    }
}

impl From<InvalidGrantId> for Problem {
    fn from(error: InvalidGrantId) -> Self {
        Self::new(
            "grant-invalid",
            StatusCode::UNPROCESSABLE_ENTITY,
            Code::InvalidArgument,
            error.to_string(),
        )
    }
}
