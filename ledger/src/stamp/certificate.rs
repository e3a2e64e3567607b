//! The auditor's certificates, and what is needed of one that signs stamps: who issued it, its number, what it is for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring};

use super::StampError;
use super::der::{
    BOOLEAN, Der, GENERALIZED_TIME, INTEGER, OCTETS, OID, SEQUENCE, UTC_TIME, context,
};
use super::token::moment_of;

/// `id-kp-timeStamping` (RFC 3161 section 2.3).
const TIME_STAMPING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 8];
/// `id-ce-extKeyUsage`, `id-ce-subjectKeyIdentifier` (RFC 5280 section 4.2.1).
const KEY_USAGES: &[u8] = &[0x55, 0x1D, 0x25];
const KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 0x0E];

/// Signatures in certificates.
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    ring::RSA_PKCS1_2048_8192_SHA256,
    ring::RSA_PKCS1_2048_8192_SHA384,
    ring::RSA_PKCS1_2048_8192_SHA512,
    ring::ECDSA_P256_SHA256,
    ring::ECDSA_P256_SHA384,
    ring::ECDSA_P384_SHA256,
    ring::ECDSA_P384_SHA384,
];

/// The certificates that the auditor trusts for time stamps: an authority's own, or those that issue them.
#[derive(Clone, Debug, Default)]
pub struct StampTrust(Vec<CertificateDer<'static>>);

impl StampTrust {
    /// Reads one certificate in DER, or any number in PEM.
    pub fn parse(bytes: &[u8]) -> Result<Self, StampError> {
        let held = match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => pem(text)?,
            _ => vec![CertificateDer::from(bytes.to_vec())],
        };
        for certificate in &held {
            Certificate::parse(certificate).map_err(|_| StampError::Certificate)?;
        }
        Ok(Self(held))
    }

    /// Takes others' certificates in.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

fn pem(text: &str) -> Result<Vec<CertificateDer<'static>>, StampError> {
    let mut held = Vec::new();
    for part in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let (body, _) = part
            .split_once("-----END CERTIFICATE-----")
            .ok_or(StampError::Certificate)?;
        let body: String = body.split_whitespace().collect();
        let bytes = STANDARD.decode(body).map_err(|_| StampError::Certificate)?;
        held.push(CertificateDer::from(bytes));
    }
    Ok(held)
}

/// A certificate (RFC 5280 section 4.1), as far as a stamp names it.
pub(super) struct Certificate<'a> {
    pub(super) whole: &'a [u8],
    /// With tag and length, as a signer's name has them.
    pub(super) issuer: &'a [u8],
    pub(super) serial: &'a [u8],
    pub(super) key_identifier: Option<&'a [u8]>,
    not_before_us: u64,
    not_after_us: u64,
    /// The purposes, where they are named and must be kept to.
    purposes: Option<Vec<&'a [u8]>>,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(whole: &'a [u8]) -> Result<Self, StampError> {
        let mut file = Der::new(whole);
        let mut outer = file.within(SEQUENCE)?;
        file.end()?;
        let mut body = outer.within(SEQUENCE)?;
        body.maybe(context(0))?;
        let serial = body.one(INTEGER)?;
        body.one(SEQUENCE)?;
        let issuer = body.any()?.whole;
        let mut validity = body.within(SEQUENCE)?;
        let (not_before_us, not_after_us) = (time(&mut validity)?, time(&mut validity)?);
        // Subject, key, and the ids that nobody uses.
        body.one(SEQUENCE)?;
        body.one(SEQUENCE)?;
        body.maybe(0x81)?;
        body.maybe(0x82)?;
        let mut certificate = Self {
            whole,
            issuer,
            serial,
            key_identifier: None,
            not_before_us,
            not_after_us,
            purposes: None,
        };
        if let Some(extensions) = body.maybe(context(3))? {
            let mut extensions = Der::new(extensions.content).within(SEQUENCE)?;
            while !extensions.is_empty() {
                certificate.extension(extensions.within(SEQUENCE)?)?;
            }
        }
        body.end()?;
        Ok(certificate)
    }

    fn extension(&mut self, mut extension: Der<'a>) -> Result<(), StampError> {
        let id = extension.one(OID)?;
        let critical = extension.maybe(BOOLEAN)?;
        let critical = critical.is_some_and(|critical| critical.content == [0xFF]);
        let value = extension.one(OCTETS)?;
        extension.end()?;
        if id == KEY_IDENTIFIER {
            self.key_identifier = Some(Der::new(value).one(OCTETS)?);
        } else if id == KEY_USAGES && critical {
            let mut named = Der::new(value).within(SEQUENCE)?;
            let mut purposes = Vec::new();
            while !named.is_empty() {
                purposes.push(named.one(OID)?);
            }
            self.purposes = Some(purposes);
        }
        Ok(())
    }

    /// Whether it is for time stamps alone, and must be kept to that (RFC 3161 section 2.3).
    fn stamps_only(&self) -> bool {
        let purposes = self.purposes.as_deref();
        purposes.is_some_and(|purposes| purposes == [TIME_STAMPING])
    }

    /// Whether it leads to a trusted one, or is one, and every certificate on the way was in force at that time.
    pub(super) fn trusted(
        &self,
        trust: &StampTrust,
        beside: &[CertificateDer<'_>],
        time_us: u64,
    ) -> Result<(), StampError> {
        if !self.stamps_only() {
            return Err(StampError::Purpose);
        }
        if trust.certificates().any(|held| held == self.whole) {
            return if self.in_force(time_us) {
                Ok(())
            } else {
                Err(StampError::Chain)
            };
        }
        let own = CertificateDer::from(self.whole);
        let own = EndEntityCert::try_from(&own).map_err(|_| StampError::Chain)?;
        // Anchors are looked at without their dates; here these bound the time. One that cannot be an anchor, as an
        // authority's own, leads nowhere.
        let in_force = |held: &&CertificateDer<'_>| {
            Certificate::parse(held).is_ok_and(|held| held.in_force(time_us))
        };
        let anchors = trust
            .0
            .iter()
            .filter(in_force)
            .map(anchor_from_trusted_cert);
        let anchors: Vec<_> = anchors.filter_map(Result::ok).collect();
        let time = UnixTime::since_unix_epoch(Duration::from_micros(time_us));
        let usage = KeyUsage::required(TIME_STAMPING);
        own.verify_for_usage(ALGORITHMS, &anchors, beside, time, usage, None, None)
            .map(drop)
            .map_err(|_| StampError::Chain)
    }

    fn in_force(&self, time_us: u64) -> bool {
        (self.not_before_us..=self.not_after_us).contains(&time_us)
    }

    /// Whether its key made a signature with this algorithm.
    pub(super) fn signed(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), StampError> {
        let own = CertificateDer::from(self.whole);
        let own = EndEntityCert::try_from(&own).map_err(|_| StampError::Chain)?;
        let mut fits = algorithms.iter();
        if fits.any(|fit| own.verify_signature(*fit, message, signature).is_ok()) {
            Ok(())
        } else {
            Err(StampError::Signature)
        }
    }
}

/// `UTCTime` until 2049, `GeneralizedTime` after (RFC 5280 section 4.1.2.5).
fn time(validity: &mut Der<'_>) -> Result<u64, StampError> {
    let bad = StampError::Malformed("a time that is not DER's");
    let element = validity.any()?;
    let text = std::str::from_utf8(element.content).map_err(|_| bad)?;
    match element.tag {
        GENERALIZED_TIME => moment_of(text).ok_or(bad),
        UTC_TIME => {
            let century = if text < "50" { "20" } else { "19" };
            // Nothing was stamped before 1970.
            Ok(moment_of(&format!("{century}{text}")).unwrap_or(0))
        }
        _ => Err(bad),
    }
}
