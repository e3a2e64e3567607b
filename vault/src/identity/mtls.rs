//! The names in a client certificate. Its chain, dates and key were checked by rustls.

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The URIs of the subject alternative name (RFC 5280 section 4.2.1.6), as SPIFFE IDs are carried.
pub(super) fn uris(certificate: &[u8]) -> Option<Vec<String>> {
    let (rest, certificate) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??;
    let uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        });
    Some(uris.collect())
}
