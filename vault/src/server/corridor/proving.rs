//! Who speaks, and who carries whom: what `identity` can't know by itself is asked for here, namely whether an
//! issuer has newer keys, whether a proof was used before, and whether policy lets the gateway carry the unit.

use http::{HeaderMap, HeaderName, Method};
use ledger::Operation;

use super::{authorization, refusal};
use crate::engine::Refusal;
use crate::identity::{
    Asked, Caller, ClientCertificate, OneUse, Presented, Proven, Unidentified, Unproven, Use,
    Witness,
};
use crate::model::{RequestId, RouteName};
use crate::server::Vault;
use crate::server::problem::Problem;
use crate::server::signed::Head;

/// Carries a proof of possession (RFC 9449 section 4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// By which of its routes a gateway brings a request: its own word.
const ROUTE: HeaderName = HeaderName::from_static("jinku-route");

/// The request as far as it proves something.
#[derive(Clone, Copy)]
pub(in crate::server) struct Shown<'a> {
    pub(in crate::server) headers: &'a HeaderMap,
    pub(in crate::server) method: &'a Method,
    pub(in crate::server) path: &'a str,
    pub(in crate::server) certificate: Option<&'a ClientCertificate>,
}

impl<'a> Shown<'a> {
    /// Two `DPoP` headers are two claims: neither counts (RFC 9449 section 4.3).
    pub(in crate::server) fn asked(&self) -> Result<Asked<'a>, Problem> {
        let mut proofs = self.headers.get_all(DPOP).iter();
        let proof = match (proofs.next(), proofs.next()) {
            (None, _) => None,
            (Some(proof), None) => {
                let proof = proof.to_str();
                Some(proof.map_err(|_| Problem::from(Unproven::ProofInvalid))?)
            }
            (Some(_), Some(_)) => return Err(Problem::from(Unproven::ProofInvalid)),
        };
        Ok(Asked {
            proof,
            method: self.method.as_str(),
            path: self.path,
        })
    }
}

/// Who speaks, and what is left to be done when they are let in.
pub(super) struct Believed {
    pub(super) caller: Caller,
    /// What of their proofs counts once.
    pub(super) once: Option<OneUse>,
    /// Of those who signed the request: its nonce, and its body.
    pub(super) witness: Option<Witness>,
}

/// Who speaks, and what their proofs leave to be done. A refusal of those who are known is an entry before it
/// is an answer.
pub(super) async fn caller(
    vault: &Vault,
    shown: Shown<'_>,
    head: Option<&Head>,
    id: RequestId,
) -> Result<Believed, Problem> {
    let presented = Presented {
        certificate: shown.certificate,
        authorization: authorization(shown.headers)?,
    };
    let proven = match head {
        None => {
            let proven = proven(vault, &presented, shown.asked()?).await;
            proven.map(|proven| (proven, None))
        }
        Some(head) => {
            let proven = head.proven(vault, &presented, shown).await?;
            proven.map(|(proven, witness)| (proven, Some(witness)))
        }
    };
    let believed = match proven {
        Ok((proven, witness)) => {
            let believed = believed(vault, proven).await?;
            believed.map(|(caller, once)| Believed {
                caller,
                once,
                witness,
            })
        }
        Err(unidentified) => Err(unidentified),
    };
    match believed {
        Ok(known) => Ok(known),
        Err(unidentified) => Err(super::unproven(vault, id, unidentified).await?),
    }
}

/// Whose proofs are right. Where a token's key is not known, its issuer is asked once for newer ones.
pub(in crate::server) async fn proven(
    vault: &Vault,
    presented: &Presented<'_>,
    asked: Asked<'_>,
) -> Result<Proven, Unidentified> {
    match vault.identity.prove(presented, Some(asked)) {
        Err(refused) if keys_renewed(vault, &refused).await => {
            vault.identity.prove(presented, Some(asked))
        }
        proven => proven,
    }
}

/// Whether there may be newer keys of an issuer whose token was refused for its key. Waits for them, as long as a request
/// may take.
pub(in crate::server) async fn keys_renewed(vault: &Vault, refused: &Unidentified) -> bool {
    let renewed = vault.identity.keys_renewed(refused);
    let renewed = tokio::time::timeout(vault.limits.request_timeout, renewed).await;
    renewed.unwrap_or(false)
}

/// The caller, where nothing that counts once is seen to be used before, and what is to be spent when they are let in:
/// whoever is refused at the door keeps their proof, and a replay takes nothing of the unit's rate.
pub(in crate::server) async fn believed(
    vault: &Vault,
    proven: Proven,
) -> Result<Result<(Caller, Option<OneUse>), Unidentified>, Problem> {
    let once = proven.to_spend();
    let used = match once {
        None => Use::First,
        Some(once) => vault.engine.use_of(once).await?,
    };
    Ok(proven.believed(used).map(|caller| (caller, once)))
}

/// Spends what counts once, of someone who was let in. Of twins at once, one is let through.
pub(super) async fn spend(
    vault: &Vault,
    caller: &Caller,
    once: Option<OneUse>,
    id: RequestId,
) -> Result<(), Problem> {
    let Some(once) = once else {
        return Ok(());
    };
    match vault.engine.spend(once).await? {
        Use::First => Ok(()),
        Use::Again => Err(super::unproven(vault, id, caller.replayed()).await?),
    }
}

/// Whether policy lets the gateway carry the caller. The refusal is an entry.
pub(in crate::server) async fn carried(
    vault: &Vault,
    caller: &Caller,
    headers: &HeaderMap,
    id: RequestId,
) -> Result<(), Problem> {
    if caller.gateway().is_none() {
        return Ok(());
    }
    let route = route(headers)?;
    let Err(denied) = vault.policies.may_carry(caller, route.as_ref()) else {
        return Ok(());
    };
    let problem = Problem::from(denied);
    let refusal = Refusal {
        policy: Some(denied.policy),
        ..refusal(Operation::AuthRefused, &problem, id, caller)
    };
    vault.engine.refuse(refusal).await?;
    Err(problem)
}

fn route(headers: &HeaderMap) -> Result<Option<RouteName>, Problem> {
    let mut routes = headers.get_all(ROUTE).iter();
    let invalid = || Problem::invalid("route-invalid", "`jinku-route` is one name of a route");
    match (routes.next(), routes.next()) {
        (None, _) => Ok(None),
        (Some(route), None) => {
            let route = route.to_str().map_err(|_| invalid())?;
            RouteName::parse(route).map(Some).map_err(|_| invalid())
        }
        (Some(_), Some(_)) => Err(invalid()),
    }
}
