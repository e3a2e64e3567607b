//! The proof that policy said yes, and what stands where it said no.

use std::sync::Arc;

use super::Digest;
use crate::admission::Admitted;
use crate::model::Reason;

/// Proof that an admitted caller may do `A`, under a named policy set. Only this room makes one.
///
/// The engine's methods take nothing else, and one action's proof does not serve another:
///
/// ```compile_fail,E0308
/// # use vault::policy::{Authorized, Detokenize, Tokenize};
/// fn detokenize(_: Authorized<Detokenize>) {}
/// fn other(proof: Authorized<Tokenize>) {
///     detokenize(proof);
/// }
/// ```
///
/// The twin that compiles:
///
/// ```
/// # use vault::policy::{Authorized, Detokenize};
/// fn detokenize(_: Authorized<Detokenize>) {}
/// fn same(proof: Authorized<Detokenize>) {
///     detokenize(proof);
/// }
/// ```
///
/// Nobody else can make one:
///
/// ```compile_fail,E0451
/// # use vault::policy::{Authorized, Tokenize};
/// fn forged(admitted: vault::admission::Admitted, grant: Tokenize) {
///     let _ = Authorized { admitted, policy: [0; 32], grant, reason: None };
/// }
/// ```
///
/// nor widen a grant:
///
/// ```compile_fail,E0451
/// # use vault::policy::Tokenize;
/// fn widened(domain: vault::model::DomainName, classes: std::collections::BTreeSet<vault::model::ClassName>) {
///     let _ = Tokenize { domain, classes };
/// }
/// ```
///
/// The twin of both reads what the others write:
///
/// ```
/// # use vault::policy::{Authorized, Tokenize};
/// fn read(proof: &Authorized<Tokenize>) {
///     let _ = (proof.admitted(), proof.policy(), proof.grant().domain(), proof.grant().classes());
/// }
/// ```
pub struct Authorized<A> {
    admitted: Admitted,
    policy: Digest,
    grant: A,
    reason: Option<Arc<Reason>>,
}

impl<A> Authorized<A> {
    /// Who may.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    /// The one who may, without the proof.
    pub(super) fn into_admitted(self) -> Admitted {
        self.admitted
    }

    /// Digest of the policy set that said so.
    pub fn policy(&self) -> Digest {
        self.policy
    }

    /// Why, in words, where they were given: policies do not read them.
    pub fn reason(&self) -> Option<&Arc<Reason>> {
        self.reason.as_ref()
    }

    /// The same proof, for this reason.
    #[must_use]
    pub fn because(self, reason: Option<Arc<Reason>>) -> Self {
        Self { reason, ..self }
    }

    /// What exactly.
    pub fn grant(&self) -> &A {
        &self.grant
    }
}

/// A refusal, with the one who was refused, for the ledger.
pub struct Refused {
    /// Who.
    pub admitted: Admitted,
    /// Why, in general terms.
    pub denial: Denied,
    /// Digest of the policy set that said so.
    pub policy: Digest,
}

/// Why policy said no. It never says which rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The vault has no such domain.
    #[error("there is no such domain")]
    UnknownDomain,
    /// The domain has no such class.
    #[error("a class of the request is not in the domain")]
    UnknownClass,
    /// There is no such key. Only who may list keys is told so.
    #[error("there is no such key")]
    UnknownKey,
    /// There is no such unit.
    #[error("there is no such unit")]
    UnknownUnit,
    /// There is no such proposal. Only who may list units is told so.
    #[error("there is no such proposal")]
    UnknownProposal,
    /// There is no such grant, or it is another unit's.
    #[error("there is no such grant")]
    UnknownGrant,
    /// No policy permits it, or one forbids it.
    #[error("policy does not permit this unit to do this, for this purpose")]
    NotPermitted,
}

pub(super) fn decided<A>(
    admitted: Admitted,
    policy: Digest,
    granted: Result<A, Denied>,
) -> Result<Authorized<A>, Box<Refused>> {
    match granted {
        Ok(grant) => Ok(Authorized {
            admitted,
            policy,
            grant,
            reason: None,
        }),
        Err(denial) => Err(Box::new(Refused {
            admitted,
            denial,
            policy,
        })),
    }
}
