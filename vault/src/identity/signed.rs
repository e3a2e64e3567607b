//! Signed requests (RFC 9421): a unit's signature over what it asks of this vault.
//!
//! Everything that needs no key comes first: form, coverage, times, our own name. Then the key that the registry has
//! for the `keyid` is asked. The nonce is not looked at here: whoever let the caller in takes it, once.

use std::sync::Arc;

use api::signature::{Body, ContentDigest, Demands, Message, SignatureFault, Signed, signatures};

use super::{
    Asked, Caller, Holder, Identity, Presented, Proof, Proven, Unidentified, Unproven, holder,
};
use crate::model::{KeyRef, Registry, SigningPlace, Timestamp, Unit};

/// Names of the algorithms that count (RFC 9421 section 6.2). A key has one of them, and no request chooses.
pub const HMAC_SHA256: &str = "hmac-sha256";
/// The other one.
pub const ED25519: &str = "ed25519";

/// What counts as a signed request.
#[derive(Clone, Debug)]
pub struct SignatureRules {
    /// What clients call this vault: `host` or `host:port`, in lower case, without port 443.
    pub authorities: Vec<String>,
    /// For how long signatures count.
    pub demands: Demands,
    /// Nonces of one unit that stand at once.
    pub nonces_per_unit_max: u32,
    /// Signatures made up to this second count no longer: their nonces may have been lost. 0: none was.
    pub floor_seconds: u64,
}

/// A request that claims to be signed: what came before its body.
pub struct SignedRequest<'a> {
    /// Its head.
    pub message: Message<'a>,
    /// Whether a body follows.
    pub body: Body,
}

/// What a verified signature leaves to be done.
#[derive(Clone, Debug)]
pub struct Witness {
    /// What makes it one of a kind: to be taken before anything is done.
    pub nonce: String,
    /// Until when it must be remembered: a while longer than the signature counts, should the clock be set back.
    pub remember_until: Timestamp,
    /// What the body must hash to, where it is covered.
    pub digest: Option<ContentDigest>,
}

/// Asks a key of the key service whether a signature is a message's.
pub trait RequestKeys {
    /// The key decides the algorithm: `alg` is what the request says of it, if it does.
    fn verify(
        &self,
        key: &KeyRef,
        alg: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> impl Future<Output = Result<(), KeyAnswer>> + Send;
}

/// What a key says that does not confirm a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyAnswer {
    /// Another signature, no such key, of another kind, or one that may not be used: not told apart.
    Wrong,
    /// It can't be asked now.
    Away,
}

impl Identity {
    /// With signed requests, where there are rules for them.
    #[must_use]
    pub fn signed_by(self, rules: Option<SignatureRules>) -> Self {
        Self {
            signatures: rules,
            ..self
        }
    }

    /// What counts as a signed request, if anything does.
    pub fn signature_rules(&self) -> Option<&SignatureRules> {
        self.signatures.as_ref()
    }

    /// Who speaks, of a request that claims to be signed. Other credentials that it carries must name the same unit,
    /// and what of them counts once is still to be spent.
    pub async fn prove_signed(
        &self,
        presented: &Presented<'_>,
        asked: Option<Asked<'_>>,
        request: &SignedRequest<'_>,
        keys: &impl RequestKeys,
    ) -> Result<(Proven, Witness), Unidentified> {
        let registry = self.units.now();
        let certificate = presented.certificate.map(|one| holder(&registry, one));
        let certificate = certificate.transpose().map_err(Unidentified::nobody)?;
        let known = Unidentified::holder(certificate.as_ref());
        // INVARIANT 10: what a gateway sends is its own request; a unit's signature over another one proves nothing of it.
        if matches!(certificate, Some(Holder::Gateway(_))) {
            let reason = Unproven::SignedCarried;
            return Err(Unidentified { reason, ..known });
        }
        let beside = if presented.certificate.is_some() || presented.authorization.is_some() {
            Some(self.prove_in(&registry, presented, asked)?)
        } else {
            None
        };
        let signed = self.verified(&registry, request, keys).await;
        let (unit, witness) = signed.map_err(|reason| Unidentified {
            reason,
            ..known.clone()
        })?;
        if beside
            .as_ref()
            .is_some_and(|other| other.unit().name != unit.name)
        {
            let reason = Unproven::Contradiction;
            return Err(Unidentified { reason, ..known });
        }
        let caller = Caller::alone(unit, Proof::SignedRequest);
        let proven = Proven::signed(caller, beside.as_ref()).standing()?;
        Ok((proven, witness))
    }

    async fn verified(
        &self,
        registry: &Registry,
        request: &SignedRequest<'_>,
        keys: &impl RequestKeys,
    ) -> Result<(Arc<Unit>, Witness), Unproven> {
        let rules = self.signatures.as_ref().ok_or(Unproven::SignaturesOff)?;
        let signed = only(signatures(request.message.headers())?)?;
        let fresh = rules.demands.fresh(&signed, self.clock.now().seconds())?;
        // The signer's clock may be ahead of ours.
        let floor = rules.floor_seconds;
        if floor > 0 && fresh.created <= floor.saturating_add(rules.demands.skew_seconds) {
            return Err(SignatureFault::Expired.into());
        }
        Demands::covered(&signed, request.message.headers(), request.body)?;
        // A signature for another host is another's, whatever key made it.
        let here = request.message.authority();
        if !here.is_some_and(|here| rules.authorities.iter().any(|known| known == here)) {
            return Err(Unproven::SignedElsewhere);
        }
        let covered = signed.covers("content-digest");
        let digest = ContentDigest::read(request.message.headers())?.filter(|_| covered);
        let alg = signed.parameters().alg.as_deref();
        if alg.is_some_and(|alg| alg != HMAC_SHA256 && alg != ED25519) {
            return Err(Unproven::SignatureAlgorithm);
        }
        let base = signed.base(&request.message)?;
        let (unit, key) = registry
            .signing_key(fresh.keyid)
            .ok_or(Unproven::WrongSignature)?;
        let (unit, place) = (Arc::clone(unit), key.place.clone());
        confirmed(&place, alg, base.as_bytes(), signed.signature(), keys).await?;
        let kept = fresh.ends.saturating_add(rules.demands.skew_seconds);
        let witness = Witness {
            nonce: fresh.nonce.to_owned(),
            remember_until: Timestamp(kept.saturating_mul(1_000_000)),
            digest,
        };
        Ok((unit, witness))
    }
}

/// Of several signatures each could speak for another unit.
fn only(mut all: Vec<Signed>) -> Result<Signed, Unproven> {
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Unproven::SeveralSignatures),
    }
}

async fn confirmed(
    place: &SigningPlace,
    alg: Option<&str>,
    base: &[u8],
    signature: &[u8],
    keys: &impl RequestKeys,
) -> Result<(), Unproven> {
    match place {
        SigningPlace::Registered(key) => {
            let meant = alg.is_none_or(|alg| alg == ED25519);
            match key.verify(base, signature) {
                Ok(()) if meant => Ok(()),
                _ => Err(Unproven::WrongSignature),
            }
        }
        SigningPlace::KeyService(key) => {
            let answer = keys.verify(key, alg, base, signature).await;
            answer.map_err(|answer| match answer {
                KeyAnswer::Wrong => Unproven::WrongSignature,
                KeyAnswer::Away => Unproven::SigningKeyAway,
            })
        }
    }
}

#[cfg(test)]
mod tests;
