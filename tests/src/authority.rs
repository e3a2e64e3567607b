//! A certificate authority of a test's own: it issues, revokes, and lets certificates end.

use std::path::PathBuf;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

use crate::{House, now};

/// Who is to be named by a certificate.
#[derive(Clone, Copy)]
pub enum Holder<'a> {
    /// By the URI of its subject alternative name.
    Uri(&'a str),
    /// By its subject, least specific first.
    Subject(&'a [(DnName, &'a str)]),
}

/// Types of names in a subject.
#[derive(Clone, Copy)]
pub enum DnName {
    /// Country.
    C,
    /// Organisation.
    O,
    /// Common name.
    Cn,
}

/// An authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new one.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate and key for `localhost`, PEM.
    pub fn server(&self) -> (String, String) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issued(params)
    }

    /// A client's certificate and key, PEM, by its serial number; it ends in so many seconds.
    pub fn client(&self, holder: Holder<'_>, serial: u64, seconds: u64) -> (String, String) {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        match holder {
            Holder::Uri(uri) => {
                params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
            }
            Holder::Subject(names) => {
                params.distinguished_name = rcgen::DistinguishedName::new();
                for (kind, value) in names {
                    let kind = match kind {
                        DnName::C => DnType::CountryName,
                        DnName::O => DnType::OrganizationName,
                        DnName::Cn => DnType::CommonName,
                    };
                    params.distinguished_name.push(kind, *value);
                }
            }
        }
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now() + seconds);
        self.issued(params)
    }

    fn issued(&self, mut params: CertificateParams) -> (String, String) {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A list of what it has revoked, PEM, by number; it is outdated in so many seconds.
    pub fn revoked(&self, serials: &[u64], number: u64, seconds: u64) -> String {
        let moment = |seconds: u64| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: moment(now() - 60),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: moment(now() - 60),
            next_update: moment(now() + seconds),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

impl House {
    /// A file of the installation's TLS material.
    pub fn tls_file(&self, name: &str) -> PathBuf {
        self.directory().join("tls").join(name)
    }

    /// Puts a file of TLS material in another's place at once.
    pub fn replace_tls(&self, name: &str, pem: &str) {
        let fresh = self.tls_file("fresh");
        std::fs::write(&fresh, pem).unwrap();
        std::fs::rename(fresh, self.tls_file(name)).unwrap();
    }

    /// Puts a certificate and its key in place, for `NAME.pem` and `NAME-key.pem`.
    pub fn replace_pair(&self, name: &str, (certificate, key): &(String, String)) {
        self.replace_tls(&format!("{name}-key.pem"), key);
        self.replace_tls(&format!("{name}.pem"), certificate);
    }
}
