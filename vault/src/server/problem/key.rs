//! What keeps an act on a key, or an item of it, from being done, as answers.

use http::StatusCode;
use ledger::Outcome;
use tonic::Code;

use super::Problem;
use crate::engine::key::{ItemFault, KeyFault};

impl From<KeyFault> for Problem {
    fn from(fault: KeyFault) -> Self {
        let unfit = (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument);
        let conflict = (StatusCode::CONFLICT, Code::FailedPrecondition);
        let away = (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable);
        let (code, (status, grpc)) = match &fault {
            KeyFault::Usage(_) => ("key-usage", unfit),
            KeyFault::State(_) => ("key-state", conflict),
            KeyFault::Version => ("key-version", unfit),
            KeyFault::Compromised => ("key-compromised", conflict),
            KeyFault::Exhausted => ("key-exhausted", conflict),
            KeyFault::Own => ("key-own", (StatusCode::FORBIDDEN, Code::PermissionDenied)),
            KeyFault::AliasTaken => ("alias-taken", (StatusCode::CONFLICT, Code::AlreadyExists)),
            KeyFault::Changed => ("key-changed", (StatusCode::CONFLICT, Code::Aborted)),
            KeyFault::Range { .. } => ("range", unfit),
            KeyFault::Word(_) => ("key-word-invalid", unfit),
            KeyFault::Origin => ("key-origin", conflict),
            KeyFault::Needed { .. } => ("key-needed", conflict),
            KeyFault::TooFresh { .. } => ("key-fresh", conflict),
            KeyFault::Ticket => ("import-ticket", unfit),
            KeyFault::Material => ("import-material", unfit),
            KeyFault::Backup => ("backup-invalid", unfit),
            KeyFault::Stands => ("key-stands", (StatusCode::CONFLICT, Code::AlreadyExists)),
            KeyFault::Unavailable => ("hsm-unavailable", away),
            KeyFault::Hsm(_) => ("hsm-refused", away),
            KeyFault::Broken => ("key-broken", away),
        };
        let problem = Self::new(code, status, grpc, fault.to_string()).entered_as(Outcome::Error);
        match fault {
            KeyFault::Unavailable => problem.retry(1),
            KeyFault::TooFresh { seconds } => problem.retry(u32::try_from(seconds).unwrap_or(1)),
            _ => problem,
        }
    }
}

impl From<ItemFault> for Problem {
    fn from(fault: ItemFault) -> Self {
        let unfit = (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument);
        let away = (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable);
        let (status, grpc) = match &fault {
            ItemFault::Unopened | ItemFault::Version | ItemFault::Input => unfit,
            ItemFault::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
            ItemFault::Unavailable | ItemFault::Key => away,
        };
        Self::new(fault.code(), status, grpc, fault.to_string())
    }
}
