//! Which credential is whose. One has one holder; a suspended unit's stay its own, a retired unit's are free.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Gateway, Registry, RegistryError, Unit};
use crate::model::certificate::CertificateSubject;
use crate::model::name::{GatewayName, UnitName};
use crate::model::signing::SigningKey;

type Holders = BTreeMap<String, UnitName>;

/// Who holds what.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    uris: Holders,
    token_subjects: Holders,
    certificate_subjects: Holders,
    /// Keys of the key service and registered ones share one space of names.
    keyids: Holders,
    gateway_uris: BTreeMap<String, GatewayName>,
}

/// A kind of credential. Values of two kinds are never compared.
#[derive(Clone, Copy)]
enum Kind {
    Uri,
    TokenSubject,
    CertificateSubject,
    KeyId,
}

impl Credentials {
    /// Whatever proves the unit is its own from here on; nobody else may hold any of it.
    pub(super) fn claim(&mut self, unit: &Unit) -> Result<(), RegistryError> {
        for (kind, credential) in of(unit) {
            let carries = matches!(kind, Kind::Uri) && self.gateway_uris.contains_key(credential);
            let holders = self.holders(kind);
            if carries || holders.contains_key(credential) {
                return Err(RegistryError::Twice(credential.to_owned()));
            }
            holders.insert(credential.to_owned(), unit.name.clone());
        }
        Ok(())
    }

    /// Nothing of this unit's is its own any longer. What is another's by now stays that one's.
    pub(super) fn release(&mut self, unit: &Unit) {
        for (kind, credential) in of(unit) {
            let holders = self.holders(kind);
            if holders.get(credential) == Some(&unit.name) {
                holders.remove(credential);
            }
        }
    }

    pub(super) fn claim_gateway(&mut self, gateway: &Gateway) -> Result<(), RegistryError> {
        let uri = &gateway.certificate_uri;
        if self.uris.contains_key(uri) || self.gateway_uris.contains_key(uri) {
            return Err(RegistryError::Twice(uri.clone()));
        }
        self.gateway_uris.insert(uri.clone(), gateway.name.clone());
        Ok(())
    }

    fn holders(&mut self, kind: Kind) -> &mut Holders {
        match kind {
            Kind::Uri => &mut self.uris,
            Kind::TokenSubject => &mut self.token_subjects,
            Kind::CertificateSubject => &mut self.certificate_subjects,
            Kind::KeyId => &mut self.keyids,
        }
    }
}

/// What proves a unit and nobody else: a credential that is added to units is named here, so that it is claimed and
/// released alike. A key for assertions is not: they name their unit themselves.
fn of(unit: &Unit) -> impl Iterator<Item = (Kind, &str)> {
    let uri = unit.certificate_uri.as_deref().map(|one| (Kind::Uri, one));
    let token = unit.token_subject.as_deref();
    let subject = unit.certificate_subject.as_ref();
    let keys = unit.signing_keys.iter();
    uri.into_iter()
        .chain(token.map(|one| (Kind::TokenSubject, one)))
        .chain(subject.map(|one| (Kind::CertificateSubject, one.as_str())))
        .chain(keys.map(|key| (Kind::KeyId, key.keyid.as_str())))
}

impl Registry {
    /// The unit whose certificate carries this URI.
    pub fn unit_by_uri(&self, uri: &str) -> Option<&Arc<Unit>> {
        self.holder(&self.credentials.uris, uri)
    }

    /// The unit whose access tokens carry this subject.
    pub fn unit_by_subject(&self, subject: &str) -> Option<&Arc<Unit>> {
        self.holder(&self.credentials.token_subjects, subject)
    }

    /// The unit whose certificate has this subject.
    pub fn unit_by_certificate_subject(&self, subject: &CertificateSubject) -> Option<&Arc<Unit>> {
        self.holder(&self.credentials.certificate_subjects, subject.as_str())
    }

    /// The unit whose signatures carry this `keyid`, and the key.
    pub fn signing_key(&self, keyid: &str) -> Option<(&Arc<Unit>, &SigningKey)> {
        let unit = self.holder(&self.credentials.keyids, keyid)?;
        let key = unit.signing_keys.iter().find(|key| key.keyid == keyid)?;
        Some((unit, key))
    }

    /// The gateway whose certificate carries this URI.
    pub fn gateway_by_uri(&self, uri: &str) -> Option<&Arc<Gateway>> {
        let name = self.credentials.gateway_uris.get(uri)?;
        self.gateways.get(name)
    }

    fn holder(&self, holders: &Holders, credential: &str) -> Option<&Arc<Unit>> {
        self.units.get(holders.get(credential)?)
    }
}
