//! A client's certificate: the names in it, and its hash. Its chain, dates and key were checked by rustls.

use x509_parser::asn1_rs::ToDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

use super::jws::sha256;
use crate::model::{Attribute, AttributeValue, CertificateSubject};

/// A client's certificate as its connection brought it: read once, for however many requests come by it.
pub struct ClientCertificate {
    /// None where it can't be read.
    names: Option<Names>,
    hash: [u8; 32],
}

impl ClientCertificate {
    /// Of one in DER. Whom it names is looked up at each request: units come and go.
    pub fn read(der: &[u8]) -> Self {
        Self {
            names: names(der),
            hash: sha256(der),
        }
    }

    /// SHA-256 of it: what RFC 8705 section 3.1 calls `x5t#S256`.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    pub(super) fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }
}

/// Whom a certificate is for.
pub(super) struct Names {
    /// The URIs of the subject alternative name (RFC 5280 section 4.2.1.6), as SPIFFE IDs are carried.
    pub(super) uris: Vec<String>,
    /// The subject, where it can be written in one way.
    pub(super) subject: Option<CertificateSubject>,
}

fn names(certificate: &[u8]) -> Option<Names> {
    let (rest, certificate) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()?;
    let names = names.map_or(&[][..], |names| names.value.general_names.as_slice());
    let uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    Some(Names {
        uris: uris.collect(),
        subject: subject(&certificate),
    })
}

fn subject(certificate: &X509Certificate<'_>) -> Option<CertificateSubject> {
    let names = certificate.subject().iter_rdn();
    let names: Option<Vec<Vec<Attribute>>> = names
        .map(|name| name.iter().map(attribute).collect())
        .collect();
    let mut names = names?;
    // RFC 4514 section 2.1: the other way round than in the certificate.
    names.reverse();
    CertificateSubject::of(&names)
}

fn attribute(found: &AttributeTypeAndValue<'_>) -> Option<Attribute> {
    let number = found.attr_type().to_id_string();
    let value = if Attribute::is_text(&number) {
        AttributeValue::Text(found.as_str().ok()?.to_owned())
    } else {
        AttributeValue::Der(found.attr_value().to_der_vec().ok()?)
    };
    Some(Attribute { number, value })
}
