//! Who speaks: a proof that the unit itself made, also where a gateway carries its request.
//!
//! Yields [`Caller`]. A gateway's certificate proves the gateway and asserts nobody (invariant 10).

mod jwt;
mod mtls;
mod verified;

use std::sync::Arc;

use crate::model::{Clock, Gateway, GatewayName, Registry, Standing, Unit, UnitName, Units};

pub use jwt::{Issuer, IssuerError};

use verified::Verified;

/// How the unit proved itself.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Proof {
    /// Its own client certificate (RFC 8705 section 2).
    MutualTls,
    /// An access token of a configured issuer (RFC 9068).
    AccessToken,
}

impl Proof {
    /// The word that policies use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MutualTls => "mutual-tls",
            Self::AccessToken => "access-token",
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
    /// The client's certificate, DER.
    pub certificate: Option<&'a [u8]>,
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
}

/// A refusal to identify, and what the certificate had proven before it.
#[derive(Debug)]
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
    clock: Arc<dyn Clock>,
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
            clock,
        }
    }

    /// Whether a unit has this name.
    pub fn knows_unit(&self, name: &UnitName) -> bool {
        self.units.now().unit(name).is_some()
    }

    /// Who speaks.
    pub fn identify(&self, presented: &Presented<'_>) -> Result<Caller, Unidentified> {
        // One state of the registry for all that a request says of itself.
        let registry = self.units.now();
        let certificate = presented
            .certificate
            .map(|der| holder(&registry, der))
            .transpose();
        let certificate = certificate.map_err(Unidentified::nobody)?;
        let known = Unidentified::holder(certificate.as_ref());
        let caller = self.caller(&registry, certificate, presented.authorization);
        let caller = caller.map_err(|reason| Unidentified { reason, ..known })?;
        match standing(&caller) {
            Ok(()) => Ok(caller),
            Err(reason) => Err(Unidentified {
                reason,
                unit: Some(caller.unit.name.clone()),
                gateway: caller.gateway.map(|gateway| gateway.name.clone()),
            }),
        }
    }

    fn caller(
        &self,
        registry: &Registry,
        certificate: Option<Holder>,
        authorization: Option<&str>,
    ) -> Result<Caller, Unproven> {
        let token = authorization
            .map(|header| self.token_unit(registry, header))
            .transpose()?;
        Ok(match (certificate, token) {
            (None, None) => return Err(Unproven::Nothing),
            // INVARIANT 10: a gateway's certificate alone is nobody.
            (Some(Holder::Gateway(_)), None) => return Err(Unproven::GatewayAlone),
            (Some(Holder::Gateway(gateway)), Some(unit)) => Caller {
                unit,
                gateway: Some(gateway),
                proof: Proof::AccessToken,
            },
            (Some(Holder::Unit(unit)), Some(named)) if unit.name != named.name => {
                return Err(Unproven::Contradiction);
            }
            (Some(Holder::Unit(unit)), _) => Caller {
                unit,
                gateway: None,
                proof: Proof::MutualTls,
            },
            (None, Some(unit)) => Caller {
                unit,
                gateway: None,
                proof: Proof::AccessToken,
            },
        })
    }

    fn token_unit(&self, registry: &Registry, header: &str) -> Result<Arc<Unit>, Unproven> {
        let token = bearer(header).ok_or(Unproven::InvalidToken)?;
        let now = self.clock.now();
        let claimed = match self.verified.find(token) {
            (_, Some(claimed)) => claimed,
            (hash, None) => {
                let claimed = jwt::claimed(token, &self.issuers)?;
                self.verified.keep(hash, claimed.clone(), now);
                claimed
            }
        };
        jwt::in_time(&claimed, now)?;
        registry
            .unit_by_subject(&claimed.subject)
            .cloned()
            .ok_or(Unproven::InvalidToken)
    }
}

enum Holder {
    Unit(Arc<Unit>),
    Gateway(Arc<Gateway>),
}

fn holder(registry: &Registry, certificate: &[u8]) -> Result<Holder, Unproven> {
    let uris = mtls::uris(certificate).ok_or(Unproven::UnknownCertificate)?;
    // One URI, one holder: a certificate with two names would be two callers at once.
    let [uri] = uris.as_slice() else {
        return Err(Unproven::UnknownCertificate);
    };
    let unit = registry.unit_by_uri(uri).cloned().map(Holder::Unit);
    let gateway = registry.gateway_by_uri(uri).cloned().map(Holder::Gateway);
    unit.or(gateway).ok_or(Unproven::UnknownCertificate)
}

fn standing(caller: &Caller) -> Result<(), Unproven> {
    let gateway = caller
        .gateway()
        .map_or(Standing::Active, |gateway| gateway.standing);
    match (caller.unit().standing, gateway) {
        (Standing::Active, Standing::Active) => Ok(()),
        _ => Err(Unproven::Suspended),
    }
}

/// RFC 6750 section 2.1; the scheme's name is case-insensitive (RFC 9110 section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

#[cfg(test)]
mod tests;
