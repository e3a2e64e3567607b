//! What an access token asks of whoever presents it, and what is left to be done before a caller is believed.

use std::sync::Arc;

use super::access::{self, in_time};
use super::dpop::{Asked, OneUse};
use super::issuer::{Issuer, SenderConstraint};
use super::verified::{Bound, Claimed};
use super::{Caller, ClientCertificate, Identity, Unidentified, Unproven};
use crate::model::{Bearer, Gateway, Registry, Standing, Unit, UnitName};

/// A caller whose proofs are right. Where one of them counts once, it must not have been used before, and is to be spent
/// before anything is done.
pub struct Proven {
    caller: Caller,
    once: Option<OneUse>,
    ends: Option<u64>,
}

/// What the store says of something that counts once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// It was not used before.
    First,
    /// It was.
    Again,
}

impl Proven {
    pub(super) fn new(caller: Caller, token: Option<&TokenUnit>) -> Self {
        Self {
            caller,
            once: token.and_then(|token| token.once),
            ends: token.map(|token| token.ends),
        }
    }

    pub(super) fn once(caller: Caller, once: OneUse) -> Self {
        Self {
            caller,
            once: Some(once),
            ends: None,
        }
    }

    /// One who signed the request, and came with other proofs beside.
    pub(super) fn signed(caller: Caller, beside: Option<&Self>) -> Self {
        Self {
            caller,
            once: beside.and_then(|other| other.once),
            ends: beside.and_then(|other| other.ends),
        }
    }

    /// Whose proofs they are.
    pub(super) fn unit(&self) -> &Unit {
        self.caller.unit()
    }

    /// What is to be spent before anything is done for the caller.
    pub fn to_spend(&self) -> Option<OneUse> {
        self.once
    }

    /// When the access token ends that was shown, in seconds since 1970.
    pub fn ends(&self) -> Option<u64> {
        self.ends
    }

    /// The caller, where nothing that counts once was used before.
    pub fn believed(self, used: Use) -> Result<Caller, Unidentified> {
        match (self.once, used) {
            (None, _) | (Some(_), Use::First) => Ok(self.caller),
            (Some(_), Use::Again) => Err(self.caller.replayed()),
        }
    }

    /// The same, if unit and gateway may act at all.
    pub(super) fn standing(self) -> Result<Self, Unidentified> {
        let gateway = self.caller.gateway().map(|gateway| gateway.standing);
        match (self.caller.unit().standing, gateway) {
            (Standing::Active, None | Some(Standing::Active)) => Ok(self),
            _ => Err(self.caller.refused(Unproven::Suspended)),
        }
    }
}

impl Caller {
    /// Someone else was faster with the same proof, or they were themselves.
    pub fn replayed(&self) -> Unidentified {
        self.refused(Unproven::ProofReplayed)
    }

    fn refused(&self, reason: Unproven) -> Unidentified {
        let gateway = self.gateway.as_ref();
        Unidentified {
            reason,
            unit: Some(self.unit.name.clone()),
            gateway: gateway.map(|gateway| gateway.name.clone()),
        }
    }
}

/// Whose token it is, and what of its proof counts once.
pub(super) struct TokenUnit {
    pub(super) unit: Arc<Unit>,
    once: Option<OneUse>,
    ends: u64,
}

/// How a token is presented (RFC 6750 section 2.1, RFC 9449 section 7.1).
#[derive(Clone, Copy, Eq, PartialEq)]
enum Scheme {
    Bearer,
    Dpop,
}

impl Identity {
    /// Whose token the header holds, if whoever presents it has what it is bound to.
    pub(super) fn token_unit(
        &self,
        registry: &Registry,
        header: &str,
        (certificate, gateway): (Option<&ClientCertificate>, Option<&Gateway>),
        asked: Option<Asked<'_>>,
    ) -> Result<TokenUnit, Unproven> {
        let (scheme, token) = presented(header).ok_or(Unproven::InvalidToken)?;
        let claimed = self.claimed(token)?;
        in_time(&claimed, self.clock.now())?;
        let issuer = self.issuers.get(usize::from(claimed.issuer));
        let issuer = issuer.ok_or(Unproven::InvalidToken)?;
        let unit = subject(registry, issuer, &claimed.subject)?;
        demanded(issuer.constraint, unit.oauth.bearer, claimed.bound)?;
        // A gateway's certificate is the one that a token it carries may be bound to: what the unit's own
        // connection ended with is the gateway's word, and no proof (invariant 10).
        if let Some(bound) = claimed.bound.certificate
            && certificate.map(ClientCertificate::hash) != Some(bound)
        {
            return Err(Unproven::BoundElsewhere);
        }
        if issuer.is_own && claimed.actor.as_deref() != actor_expected(&claimed, gateway) {
            return Err(Unproven::Actor);
        }
        let once = match (scheme, claimed.bound.key) {
            (Scheme::Bearer, None) => None,
            // RFC 9449 section 7.2: not as a bearer token, and no unbound one under this scheme.
            (Scheme::Bearer, Some(_)) => return Err(Unproven::ProofMissing),
            (Scheme::Dpop, None) => return Err(Unproven::InvalidToken),
            (Scheme::Dpop, Some(key)) => {
                let asked = asked.ok_or(Unproven::ProofMissing)?;
                let now = self.clock.now();
                let possessed = self.dpop.judge(asked, gateway, Some(token), now)?;
                if possessed.key != key {
                    return Err(Unproven::ProofInvalid);
                }
                Some(possessed.once)
            }
        };
        Ok(TokenUnit {
            unit,
            once,
            ends: claimed.ends.saturating_sub(access::LEEWAY_SECONDS),
        })
    }

    /// Whose key made the proof of a request that has no access token yet.
    pub fn key_shown(&self, asked: Asked<'_>) -> Result<([u8; 32], OneUse), Unproven> {
        let possessed = self.dpop.judge(asked, None, None, self.clock.now())?;
        Ok((possessed.key, possessed.once))
    }

    /// Waits for a fetch of the keys of the issuer that a token's key was not found with. `false` where none
    /// begins: then the refusal stands.
    pub async fn keys_renewed(&self, refused: &Unidentified) -> bool {
        let Unproven::UnknownKey { issuer } = refused.reason else {
            return false;
        };
        let issuer = self.issuers.get(usize::from(issuer));
        let wished = issuer.and_then(|issuer| issuer.wish(self.clock.monotonic()));
        match wished {
            Some(mut ended) => ended.changed().await.is_ok(),
            None => false,
        }
    }

    /// What the token says: verified now, or before with keys that still count.
    fn claimed(&self, token: &str) -> Result<Claimed, Unproven> {
        let monotonic = self.clock.monotonic();
        let (hash, kept) = self.verified.find(token);
        if let Some(claimed) = kept {
            let issuer = self.issuers.get(usize::from(claimed.issuer));
            let issuer = issuer.ok_or(Unproven::InvalidToken)?;
            let (_, epoch) = issuer.keys(monotonic)?;
            if epoch == claimed.epoch {
                return Ok(claimed);
            }
        }
        let claimed = access::claimed(token, &self.issuers, monotonic)?;
        self.verified.keep(hash, claimed.clone(), self.clock.now());
        Ok(claimed)
    }
}

fn subject(registry: &Registry, issuer: &Issuer, subject: &str) -> Result<Arc<Unit>, Unproven> {
    let unit = if issuer.is_own {
        let name = UnitName::parse(subject).map_err(|_| Unproven::InvalidToken)?;
        registry.unit(&name)
    } else {
        registry.unit_by_subject(subject)
    };
    unit.cloned().ok_or(Unproven::InvalidToken)
}

/// A token of ours that names an actor is that gateway's, and nobody else's; one that names none is the unit's,
/// whoever carries it.
fn actor_expected<'a>(claimed: &Claimed, gateway: Option<&'a Gateway>) -> Option<&'a str> {
    claimed.actor.as_ref()?;
    gateway.map(|gateway| gateway.name.as_str())
}

fn demanded(constraint: SenderConstraint, bearer: Bearer, bound: Bound) -> Result<(), Unproven> {
    let met = match constraint {
        SenderConstraint::None => true,
        SenderConstraint::Certificate => bound.certificate.is_some(),
        SenderConstraint::Dpop => bound.key.is_some(),
        SenderConstraint::Any => !bound.is_nothing(),
    };
    if met && (bearer == Bearer::Allowed || !bound.is_nothing()) {
        Ok(())
    } else {
        Err(Unproven::Unbound)
    }
}

/// The scheme's name is case-insensitive (RFC 9110 section 11.1).
fn presented(header: &str) -> Option<(Scheme, &str)> {
    let (scheme, token) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Some((Scheme::Bearer, token))
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Some((Scheme::Dpop, token))
    } else {
        None
    }
}
