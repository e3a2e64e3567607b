//! Who speaks: a proof that the unit itself made, also where a gateway carries its request.
//!
//! Yields [`Caller`]. A gateway's certificate proves the gateway and asserts nobody (invariant 10).

//! | file | owns |
//! | --- | --- |
//! | `mtls` | a client's certificate, read once |
//! | `jws`, `key_set`, `issuer` | signed texts, issuers' keys, and for how long these count |
//! | `access`, `verified` | access tokens, and which were verified |
//! | `dpop`, `possession` | proofs of possession, and what a token asks for |
//! | `assertion` | how a unit asks for tokens without a certificate |
//! | `signed` | signatures over requests |

mod access;
mod assertion;
mod dpop;
mod issuer;
mod jws;
mod key_set;
mod mtls;
mod possession;
mod signed;
mod verified;

use std::sync::Arc;

use api::signature::SignatureFault;

use crate::model::{Clock, Gateway, GatewayName, Registry, Unit, UnitName, Units};

pub use dpop::{Asked, DpopTerms, OneUse};
pub use issuer::{Issuer, IssuerError, KeyTerms, SenderConstraint};
pub use key_set::KeySetFault;
pub use mtls::ClientCertificate;
pub use possession::{Proven, Use};
pub use signed::{
    ED25519, HMAC_SHA256, KeyAnswer, RequestKeys, SignatureRules, SignedRequest, Witness,
};

use verified::Verified;

/// How the unit proved itself.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Proof {
    /// Its own client certificate (RFC 8705 section 2).
    MutualTls,
    /// An access token of a configured issuer (RFC 9068).
    AccessToken,
    /// A signature over the request (RFC 9421).
    SignedRequest,
}

impl Proof {
    /// The word that policies use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MutualTls => "mutual-tls",
            Self::AccessToken => "access-token",
            Self::SignedRequest => "signed-request",
        }
    }
}

/// Proof that a unit spoke, and through which gateway. Only this room can make one.
pub struct Caller {
    unit: Arc<Unit>,
    gateway: Option<Arc<Gateway>>,
    proof: Proof,
}

impl Caller {
    fn alone(unit: Arc<Unit>, proof: Proof) -> Self {
        Self {
            unit,
            gateway: None,
            proof,
        }
    }

    /// The unit that proved itself.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The gateway that carried the request, if one did.
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_deref()
    }

    /// How the unit proved itself.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

/// What a connection and a request present. The certificate's chain was checked by TLS.
pub struct Presented<'a> {
    /// The client's certificate.
    pub certificate: Option<&'a ClientCertificate>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
}

/// Why nobody was identified. One answer to the caller for all; the variants are for metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unproven {
    /// Neither a certificate nor an access token.
    #[error("no credential: present a registered client certificate or an access token")]
    Nothing,
    /// The certificate names nobody who is registered.
    #[error("the client certificate belongs to no registered unit or gateway")]
    UnknownCertificate,
    /// A gateway came without the unit's own proof.
    #[error("a gateway must forward the unit's own access token")]
    GatewayAlone,
    /// The access token is malformed, of another issuer or audience, or its signature is wrong.
    #[error("the access token is not valid here")]
    InvalidToken,
    /// The access token's time is over, or has not come.
    #[error("the access token is expired or not yet valid: get a new one")]
    ExpiredToken,
    /// A unit's certificate and its token name two different units.
    #[error("certificate and access token name different units")]
    Contradiction,
    /// The unit or the gateway is suspended.
    #[error("the unit or gateway is suspended")]
    Suspended,
    /// The token names a key that its issuer is not known to have.
    #[error("the access token is not valid here")]
    UnknownKey {
        /// Place of the issuer.
        issuer: u16,
    },
    /// The issuer's keys could not be fetched for too long, or never.
    #[error("the issuer's keys can't be had: have its `jwks_uri` looked at")]
    StaleKeys,
    /// The issuer or the unit asks for tokens that are bound, and this one is not.
    #[error(
        "the access token must be bound to a client certificate or a DPoP key: get one that is"
    )]
    Unbound,
    /// The token is bound to another certificate than that of this connection.
    #[error("the access token is bound to another client certificate than this connection's")]
    BoundElsewhere,
    /// The token was made for another gateway, or for the unit itself.
    #[error("the access token was made for another gateway")]
    Actor,
    /// The token is bound to a DPoP key, and no proof came with it.
    #[error(
        "the access token needs a DPoP proof: send `Authorization: DPoP` and one `DPoP` header"
    )]
    ProofMissing,
    /// The proof is not one for this request, this token and this time.
    #[error("the DPoP proof is not valid for this request: make a new one")]
    ProofInvalid,
    /// The proof or assertion was used before.
    #[error("the proof was used before: make a new one for each request")]
    ProofReplayed,
    /// The assertion does not prove a unit.
    #[error("the client assertion is not valid here")]
    InvalidAssertion,
    /// The certificate's time is over, while its connection stood.
    #[error("the client certificate has expired or is not yet valid: connect with a new one")]
    CertificateExpired,
    /// The certificate was revoked, or its authority is trusted no longer, while its connection stood.
    #[error("the client certificate is trusted no longer: connect with another one")]
    CertificateRevoked,
    /// Nothing says what this vault is called, so no signature can be for it.
    #[error("signed requests are not set up here: `[signatures]` in the vault's configuration")]
    SignaturesOff,
    /// The signature can't be read, or does not say enough.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// Several signatures: each could speak for another unit.
    #[error("the request has several signatures: send one")]
    SeveralSignatures,
    /// It was made for another host.
    #[error(
        "the request is signed for another host than this vault: see `signatures.public_authorities`"
    )]
    SignedElsewhere,
    /// Its algorithm does not count.
    #[error("`alg` must be `hmac-sha256` or `ed25519`, or left out")]
    SignatureAlgorithm,
    /// No such key, or another signature: not told apart.
    #[error(
        "the signature is not valid: another key, another signature base, or altered on its way"
    )]
    WrongSignature,
    /// A gateway's certificate came with it.
    #[error(
        "a gateway can't carry a signed request: it calls the vault itself, and forwards the unit's access token"
    )]
    SignedCarried,
    /// The key can't be asked now.
    #[error("the signing key can't be opened now: retry")]
    SigningKeyAway,
    /// The nonce was taken before.
    #[error(
        "this signed request was received before: sign each request anew, with a nonce of its own"
    )]
    Replayed,
    /// As many nonces of the unit stand as are kept.
    #[error(
        "the unit has signed as many requests as are remembered at once: wait for some to expire, or sign for a shorter time"
    )]
    NoncesFull,
    /// The body is not the one whose digest was signed.
    #[error("the body's hash is not the one that `content-digest` says")]
    ContentDigest,
}

/// A refusal to identify, and what the certificate had proven before it.
#[derive(Clone, Debug)]
pub struct Unidentified {
    /// Why.
    pub reason: Unproven,
    /// The unit whose certificate was shown.
    pub unit: Option<UnitName>,
    /// The gateway whose certificate was shown.
    pub gateway: Option<GatewayName>,
}

impl Unidentified {
    fn nobody(reason: Unproven) -> Self {
        Self {
            reason,
            unit: None,
            gateway: None,
        }
    }

    fn holder(holder: Option<&Holder>) -> Self {
        let mut known = Self::nobody(Unproven::Nothing);
        match holder {
            Some(Holder::Unit(unit)) => known.unit = Some(unit.name.clone()),
            Some(Holder::Gateway(gateway)) => known.gateway = Some(gateway.name.clone()),
            None => {}
        }
        known
    }
}

/// Knows units, gateways and issuers.
pub struct Identity {
    units: Arc<Units>,
    issuers: Vec<Issuer>,
    verified: Verified,
    dpop: DpopTerms,
    clock: Arc<dyn Clock>,
    signatures: Option<SignatureRules>,
}

impl Identity {
    /// Who is registered now.
    pub fn registry(&self) -> Arc<Registry> {
        self.units.now()
    }

    /// Where another registry can be put in force.
    pub fn units(&self) -> &Arc<Units> {
        &self.units
    }

    /// From the first registry and the issuers whose access tokens count.
    pub fn new(registry: Arc<Registry>, issuers: Vec<Issuer>, clock: Arc<dyn Clock>) -> Self {
        Self {
            units: Arc::new(Units::new(registry)),
            issuers,
            verified: Verified::default(),
            dpop: DpopTerms::default(),
            clock,
            signatures: None,
        }
    }

    /// With these terms for proofs of possession.
    #[must_use]
    pub fn possessing(self, dpop: DpopTerms) -> Self {
        Self { dpop, ..self }
    }

    /// The time that issuers' keys are dated by: it never steps back.
    pub fn monotonic(&self) -> std::time::Duration {
        self.clock.monotonic()
    }

    /// The issuer of this name.
    pub fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.name() == name)
    }

    /// Whether a unit has this name.
    pub fn knows_unit(&self, name: &UnitName) -> bool {
        self.units.now().unit(name).is_some()
    }

    /// Who speaks, of a request that shows nothing to be used once.
    pub fn identify(&self, presented: &Presented<'_>) -> Result<Caller, Unidentified> {
        let proven = self.prove(presented, None)?;
        proven.believed(Use::First)
    }

    /// Who speaks. `asked` is what a proof of possession is compared with; without it none counts.
    pub fn prove(
        &self,
        presented: &Presented<'_>,
        asked: Option<Asked<'_>>,
    ) -> Result<Proven, Unidentified> {
        self.prove_in(&self.units.now(), presented, asked)
    }

    /// The same, in one state of the registry for all that a request says of itself.
    fn prove_in(
        &self,
        registry: &Registry,
        presented: &Presented<'_>,
        asked: Option<Asked<'_>>,
    ) -> Result<Proven, Unidentified> {
        let certificate = presented
            .certificate
            .map(|certificate| holder(registry, certificate))
            .transpose();
        let certificate = certificate.map_err(Unidentified::nobody)?;
        let known = Unidentified::holder(certificate.as_ref());
        let proven = self.proven(registry, certificate, presented, asked);
        let proven = proven.map_err(|reason| Unidentified { reason, ..known })?;
        proven.standing()
    }

    fn proven(
        &self,
        registry: &Registry,
        certificate: Option<Holder>,
        presented: &Presented<'_>,
        asked: Option<Asked<'_>>,
    ) -> Result<Proven, Unproven> {
        let gateway = match &certificate {
            Some(Holder::Gateway(gateway)) => Some(&**gateway),
            _ => None,
        };
        let shown = (presented.certificate, gateway);
        let token = presented
            .authorization
            .map(|header| self.token_unit(registry, header, shown, asked))
            .transpose()?;
        let (caller, token) = match (certificate, token) {
            (None, None) => return Err(Unproven::Nothing),
            // INVARIANT 10: a gateway's certificate alone is nobody.
            (Some(Holder::Gateway(_)), None) => return Err(Unproven::GatewayAlone),
            (Some(Holder::Gateway(gateway)), Some(token)) => {
                let unit = Arc::clone(&token.unit);
                let caller = Caller {
                    unit,
                    gateway: Some(gateway),
                    proof: Proof::AccessToken,
                };
                (caller, Some(token))
            }
            (Some(Holder::Unit(unit)), Some(token)) if unit.name != token.unit.name => {
                return Err(Unproven::Contradiction);
            }
            (Some(Holder::Unit(unit)), token) => (Caller::alone(unit, Proof::MutualTls), token),
            (None, Some(token)) => {
                let unit = Arc::clone(&token.unit);
                (Caller::alone(unit, Proof::AccessToken), Some(token))
            }
        };
        Ok(Proven::new(caller, token.as_ref()))
    }

    /// Refuses whoever a certificate names, for what became of it while its connection stood.
    pub fn disbelieved(
        &self,
        certificate: Option<&ClientCertificate>,
        reason: Unproven,
    ) -> Unidentified {
        let registry = self.units.now();
        let holder = certificate.and_then(|certificate| holder(&registry, certificate).ok());
        Unidentified {
            reason,
            ..Unidentified::holder(holder.as_ref())
        }
    }
}

enum Holder {
    Unit(Arc<Unit>),
    Gateway(Arc<Gateway>),
}

fn holder(registry: &Registry, certificate: &ClientCertificate) -> Result<Holder, Unproven> {
    let names = certificate.names().ok_or(Unproven::UnknownCertificate)?;
    // One URI, one holder: a certificate with two names would be two callers at once.
    let by_uri = match names.uris.as_slice() {
        [] => None,
        [uri] => holder_by_uri(registry, uri),
        _ => return Err(Unproven::UnknownCertificate),
    };
    let subject = names.subject.as_ref();
    let by_subject = subject.and_then(|name| registry.unit_by_certificate_subject(name));
    match (by_uri, by_subject) {
        (Some(Holder::Unit(unit)), Some(other)) if unit.name == other.name => {
            Ok(Holder::Unit(unit))
        }
        (Some(holder), None) => Ok(holder),
        (None, Some(unit)) => Ok(Holder::Unit(Arc::clone(unit))),
        (Some(_), Some(_)) | (None, None) => Err(Unproven::UnknownCertificate),
    }
}

fn holder_by_uri(registry: &Registry, uri: &str) -> Option<Holder> {
    let unit = registry.unit_by_uri(uri).cloned().map(Holder::Unit);
    unit.or_else(|| registry.gateway_by_uri(uri).cloned().map(Holder::Gateway))
}

#[cfg(test)]
mod tests;
