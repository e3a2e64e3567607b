//! Why no token is made, and whose request it was as far as that is known: an entry, or one of those that are counted.

use ledger::{Operation, Outcome};

use crate::engine::Refusal;
use crate::identity::{Caller, Unidentified, Unproven};
use crate::model::{GatewayName, RequestId, UnitName};
use crate::server::problem::{OauthFault, Problem};
use crate::server::{Vault, corridor};

/// Why it is refused, and whose request it is as far as that is known.
pub(super) struct Refused {
    pub(super) fault: OauthFault,
    pub(super) unit: Option<UnitName>,
    gateway: Option<GatewayName>,
    /// Another entry says so already, or nobody is known.
    recorded: bool,
}

impl From<OauthFault> for Refused {
    fn from(fault: OauthFault) -> Self {
        Self {
            fault,
            unit: None,
            gateway: None,
            recorded: false,
        }
    }
}

impl Refused {
    /// Whoever asks proved nothing.
    pub(super) fn unidentified(error: &'static str, refused: Unidentified) -> Self {
        Self {
            fault: OauthFault::new(error, refused.reason.into()),
            unit: refused.unit,
            gateway: refused.gateway,
            recorded: false,
        }
    }

    /// A caller who is known asks for what is not given.
    pub(super) fn of(fault: OauthFault, caller: &Caller) -> Self {
        Self {
            fault,
            unit: Some(caller.unit().name.clone()),
            gateway: caller.gateway().map(|gateway| gateway.name.clone()),
            recorded: false,
        }
    }

    /// The corridor has written an entry of it, or counted it.
    pub(super) fn said(fault: OauthFault, unit: Option<&UnitName>) -> Self {
        Self {
            unit: unit.cloned(),
            recorded: true,
            ..fault.into()
        }
    }

    /// A key that is missing or switched off is the operator's to mend, not the client's.
    pub(super) fn unavailable(problem: &Problem, caller: &Caller) -> Self {
        let detail = format!("no token can be signed now ({})", problem.code);
        let fault = OauthFault {
            error: "server_error",
            problem: Box::new(Problem::not_ready(detail)),
        };
        Self::of(fault, caller)
    }

    /// Anonymous noise is not chained; a refusal of those who are known is an entry before it is an answer, or
    /// is counted.
    pub(super) async fn record(&self, vault: &Vault, id: RequestId) -> Result<(), Problem> {
        let code = self.fault.problem.code;
        tracing::info!(code, request = %id, "a token was refused");
        if self.recorded || (self.unit.is_none() && self.gateway.is_none()) {
            return Ok(());
        }
        let refusal = Refusal {
            operation: Operation::AccessTokenRefused,
            reason: code,
            request: id,
            unit: self.unit.as_ref(),
            gateway: self.gateway.as_ref(),
            domain: None,
            purpose: None,
            policy: None,
            key: None,
            commitment: None,
            outcome: Outcome::Denied,
        };
        corridor::turned_away(vault, refusal).await
    }
}

/// RFC 8693 section 2.2.2: a token that can't be exchanged is a fault of the request's; a client that proves
/// nothing is one of the client's.
pub(super) fn subject_error(reason: Unproven) -> &'static str {
    match reason {
        Unproven::UnknownCertificate | Unproven::Nothing | Unproven::Contradiction => {
            "invalid_client"
        }
        _ => "invalid_request",
    }
}
