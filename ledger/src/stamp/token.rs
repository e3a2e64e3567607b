//! A response taken apart (RFC 3161 section 2.4.2, RFC 5652 section 5): the statement, and who signed it.

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::ring;

use super::certificate::{Certificate, StampTrust};
use super::der::{
    Der, GENERALIZED_TIME, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, context, unsigned,
};
use super::{SHA256, STAMP_BYTES_MAX, StampError, Stamped};
use crate::utc::moment;

/// `id-signedData`, `id-ct-TSTInfo`.
const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2];
const STATEMENT: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 1, 4];
/// Signed attributes: content type, message digest, signing certificate (RFC 2634) and its second version (RFC 5035).
const CONTENT_TYPE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 4];
const SIGNING_CERTIFICATE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 2, 12];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 2, 47];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
/// `rsaEncryption`, and the arcs that name a hash with it or with ECDSA.
const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
const RSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11];
const RSA_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 12];
const RSA_SHA512: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 13];
const ECDSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3];

/// Versions (RFC 5652 sections 5.1 and 5.3): of what is signed where it is not plain data, and of its signature by how
/// the signer is named.
const SIGNED_VERSION: u64 = 3;
const BY_ISSUER_VERSION: u64 = 1;
const BY_KEY_VERSION: u64 = 3;

/// Certificates in one token.
const CERTIFICATES_MAX: usize = 16;

/// A token; nothing in it is believed yet.
pub(super) struct Token<'a> {
    /// The bytes that are hashed: `TSTInfo`.
    content: &'a [u8],
    statement: Statement<'a>,
    certificates: Vec<&'a [u8]>,
    signer: SignerInfo<'a>,
}

struct Statement<'a> {
    hash: &'a [u8],
    imprint: &'a [u8],
    serial: &'a [u8],
    time_us: u64,
    accuracy_us: Option<u64>,
    nonce: Option<&'a [u8]>,
}

/// How the signer's certificate is named.
enum Named<'a> {
    Issuer(&'a [u8], &'a [u8]),
    Key(&'a [u8]),
}

struct SignerInfo<'a> {
    named: Named<'a>,
    digest: &'a [u8],
    attributes: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

/// Reads a response.
pub(super) fn opened(response: &[u8]) -> Result<Token<'_>, StampError> {
    if response.len() > STAMP_BYTES_MAX {
        return Err(StampError::Malformed("too long"));
    }
    let mut file = Der::new(response);
    let mut answer = file.within(SEQUENCE)?;
    file.end()?;
    granted(answer.within(SEQUENCE)?)?;
    let mut info = answer.within(SEQUENCE)?;
    answer.end()?;
    is(info.one(OID)?, SIGNED_DATA)?;
    let mut signed = info.within(context(0))?.within(SEQUENCE)?;
    info.end()?;
    version(signed.one(INTEGER)?, SIGNED_VERSION)?;
    let digests = digests(signed.within(SET)?)?;
    let mut capsule = signed.within(SEQUENCE)?;
    is(capsule.one(OID)?, STATEMENT)?;
    let content = capsule.within(context(0))?.one(OCTETS)?;
    capsule.end()?;
    let mut certificates = Vec::new();
    if let Some(bag) = signed.maybe(context(0))? {
        let mut bag = Der::new(bag.content);
        while !bag.is_empty() {
            let certificate = bag.any()?;
            if certificate.tag != SEQUENCE {
                return Err(StampError::Malformed("a certificate of another kind"));
            }
            certificates.push(certificate.whole);
        }
    }
    if certificates.len() > CERTIFICATES_MAX {
        return Err(StampError::Malformed("more than 16 certificates"));
    }
    if signed.maybe(context(1))?.is_some() {
        return Err(StampError::Malformed(
            "a list of revocations, which nobody signed here",
        ));
    }
    let mut signatures = signed.within(SET)?;
    signed.end()?;
    let by = SignerInfo::parse(signatures.within(SEQUENCE)?)?;
    // One signature, the authority's (RFC 3161 section 2.4.2).
    signatures.end()?;
    if !digests.contains(&by.digest) {
        return Err(StampError::Malformed(
            "the signature's hash is not among those that the token names",
        ));
    }
    Ok(Token {
        content,
        statement: Statement::parse(content)?,
        certificates,
        signer: by,
    })
}

/// Granted, or granted with modifications; the authority's words about it may stand behind.
fn granted(mut told: Der<'_>) -> Result<(), StampError> {
    let status = unsigned(told.one(INTEGER)?)?;
    if status > 1 {
        return Err(StampError::Refused(status));
    }
    told.maybe(SEQUENCE)?;
    told.end()
}

fn version(content: &[u8], expected: u64) -> Result<(), StampError> {
    if unsigned(content)? == expected {
        Ok(())
    } else {
        Err(StampError::Malformed("a token of another version"))
    }
}

/// The hashes that a token names before what is hashed.
fn digests(mut named: Der<'_>) -> Result<Vec<&[u8]>, StampError> {
    let mut digests = Vec::new();
    while !named.is_empty() {
        digests.push(algorithm(named.within(SEQUENCE)?)?);
    }
    Ok(digests)
}

/// An algorithm's name; behind it stands nothing, or a null. None that is built in has more.
fn algorithm(mut named: Der<'_>) -> Result<&[u8], StampError> {
    let id = named.one(OID)?;
    let null = named.maybe(NULL)?;
    if named.is_empty() && null.is_none_or(|null| null.content.is_empty()) {
        Ok(id)
    } else {
        Err(StampError::Algorithm)
    }
}

impl<'a> Statement<'a> {
    fn parse(content: &'a [u8]) -> Result<Self, StampError> {
        let mut whole = Der::new(content);
        let mut info = whole.within(SEQUENCE)?;
        whole.end()?;
        if unsigned(info.one(INTEGER)?)? != 1 {
            return Err(StampError::Malformed("a statement of another version"));
        }
        info.one(OID)?;
        let mut imprint = info.within(SEQUENCE)?;
        let hash = imprint.within(SEQUENCE)?.one(OID)?;
        let hashed = imprint.one(OCTETS)?;
        imprint.end()?;
        let serial = info.one(INTEGER)?;
        let bad = StampError::Malformed("a time that is not DER's");
        let time = std::str::from_utf8(info.one(GENERALIZED_TIME)?).map_err(|_| bad)?;
        let time_us = moment_of(time).ok_or(bad)?;
        let accuracy = info.maybe(SEQUENCE)?;
        let accuracy_us = accuracy
            .map(|accuracy| micros(accuracy.content))
            .transpose()?;
        info.maybe(super::der::BOOLEAN)?;
        let nonce = info.maybe(INTEGER)?.map(|nonce| nonce.content);
        info.maybe(context(0))?;
        info.maybe(context(1))?;
        info.end()?;
        Ok(Self {
            hash,
            imprint: hashed,
            serial,
            time_us,
            accuracy_us,
            nonce,
        })
    }
}

impl<'a> SignerInfo<'a> {
    fn parse(mut info: Der<'a>) -> Result<Self, StampError> {
        let stated = info.one(INTEGER)?;
        let sid = info.any()?;
        let (named, expected) = match sid.tag {
            SEQUENCE => {
                let mut sid = Der::new(sid.content);
                let issuer = sid.any()?.whole;
                let serial = sid.one(INTEGER)?;
                sid.end()?;
                (Named::Issuer(issuer, serial), BY_ISSUER_VERSION)
            }
            0x80 => (Named::Key(sid.content), BY_KEY_VERSION),
            _ => return Err(StampError::Malformed("a signer named in another way")),
        };
        version(stated, expected)?;
        let digest = algorithm(info.within(SEQUENCE)?)?;
        let attributes = info.maybe(context(0))?;
        let attributes = attributes.ok_or(StampError::Malformed("no signed attributes"))?;
        let algorithm = algorithm(info.within(SEQUENCE)?)?;
        let signature = info.one(OCTETS)?;
        if info.maybe(context(1))?.is_some() {
            return Err(StampError::Malformed("attributes that nobody signed"));
        }
        info.end()?;
        Ok(Self {
            named,
            digest,
            attributes: attributes.whole,
            algorithm,
            signature,
        })
    }

    /// The one value of a signed attribute.
    fn attribute(&self, id: &[u8]) -> Result<Option<&'a [u8]>, StampError> {
        let mut all = Der::new(self.attributes).within(context(0))?;
        let mut found = None;
        while !all.is_empty() {
            let mut attribute = all.within(SEQUENCE)?;
            let named = attribute.one(OID)?;
            let mut values = attribute.within(SET)?;
            attribute.end()?;
            if named == id {
                let value = values.any()?.whole;
                values.end()?;
                if found.replace(value).is_some() {
                    return Err(StampError::Malformed(
                        "a signed attribute that stands twice",
                    ));
                }
            }
        }
        Ok(found)
    }

    fn is_of(&self, certificate: &Certificate<'_>) -> bool {
        match self.named {
            Named::Issuer(issuer, serial) => {
                certificate.issuer == issuer && certificate.serial == serial
            }
            Named::Key(id) => certificate.key_identifier == Some(id),
        }
    }

    /// What may have made the signature: named with its hash, or by the key alone.
    fn algorithms(
        &self,
    ) -> Result<&'static [&'static dyn SignatureVerificationAlgorithm], StampError> {
        static RSA256: &[&dyn SignatureVerificationAlgorithm] = &[ring::RSA_PKCS1_2048_8192_SHA256];
        static RSA384: &[&dyn SignatureVerificationAlgorithm] = &[ring::RSA_PKCS1_2048_8192_SHA384];
        static RSA512: &[&dyn SignatureVerificationAlgorithm] = &[ring::RSA_PKCS1_2048_8192_SHA512];
        static ECDSA256: &[&dyn SignatureVerificationAlgorithm] =
            &[ring::ECDSA_P256_SHA256, ring::ECDSA_P384_SHA256];
        static ECDSA384: &[&dyn SignatureVerificationAlgorithm] =
            &[ring::ECDSA_P384_SHA384, ring::ECDSA_P256_SHA384];
        match (self.algorithm, self.digest) {
            (RSA | RSA_SHA256, SHA256) => Ok(RSA256),
            (RSA | RSA_SHA384, SHA384) => Ok(RSA384),
            (RSA | RSA_SHA512, SHA512) => Ok(RSA512),
            (ECDSA_SHA256, SHA256) => Ok(ECDSA256),
            (ECDSA_SHA384, SHA384) => Ok(ECDSA384),
            _ => Err(StampError::Algorithm),
        }
    }
}

impl<'a> Token<'a> {
    /// Whether it is over these bytes.
    pub(super) fn is_over(&self, text: &[u8]) -> Result<(), StampError> {
        if hashed(self.statement.hash, text)? == self.statement.imprint {
            Ok(())
        } else {
            Err(StampError::Other)
        }
    }

    pub(super) fn answers(&self, nonce: &[u8]) -> bool {
        self.statement.nonce == Some(nonce)
    }

    pub(super) fn stated(&self) -> Stamped {
        let hex = |byte: &u8| format!("{byte:02x}");
        Stamped {
            time_us: self.statement.time_us,
            accuracy_us: self.statement.accuracy_us,
            serial: self.statement.serial.iter().map(hex).collect(),
        }
    }

    /// Whether a trusted authority signed it.
    pub(super) fn signed(&self, trust: &StampTrust) -> Result<(), StampError> {
        let signer = &self.signer;
        let content_type = signer.attribute(CONTENT_TYPE)?;
        let content_type = content_type.ok_or(StampError::Malformed("no content type"))?;
        is(Der::new(content_type).one(OID)?, STATEMENT)?;
        let digest = signer.attribute(MESSAGE_DIGEST)?;
        let digest = digest.ok_or(StampError::Malformed("no message digest"))?;
        if Der::new(digest).one(OCTETS)? != hashed(signer.digest, self.content)? {
            return Err(StampError::Signature);
        }
        let certificate = self.certificate(trust)?;
        self.is_meant(&certificate)?;
        // What is signed is the set of attributes with its own tag (RFC 5652 section 5.4).
        let mut message = signer.attributes.to_vec();
        if let Some(tag) = message.first_mut() {
            *tag = SET;
        }
        certificate.signed(signer.algorithms()?, &message, signer.signature)?;
        let beside = self
            .certificates
            .iter()
            .map(|one| CertificateDer::from(*one));
        let beside: Vec<_> = beside.collect();
        certificate.trusted(trust, &beside, self.statement.time_us)
    }

    /// The signer's certificate: in the token, or one that is trusted.
    fn certificate<'t>(&self, trust: &'t StampTrust) -> Result<Certificate<'t>, StampError>
    where
        'a: 't,
    {
        let all = self
            .certificates
            .iter()
            .copied()
            .chain(trust.certificates());
        let mut read = all.filter_map(|one| Certificate::parse(one).ok());
        let found = read.find(|certificate| self.signer.is_of(certificate));
        found.ok_or(StampError::NoCertificate)
    }

    /// The signer names its certificate among what it signs: none of the same key stands in for it.
    fn is_meant(&self, certificate: &Certificate<'_>) -> Result<(), StampError> {
        let other = StampError::Malformed("it names another certificate than its signer's");
        let missing = StampError::Malformed("it does not name its certificate");
        let first = |value: &'a [u8]| -> Result<Der<'a>, StampError> {
            Der::new(value)
                .within(SEQUENCE)?
                .within(SEQUENCE)?
                .within(SEQUENCE)
        };
        let meant = if let Some(value) = self.signer.attribute(SIGNING_CERTIFICATE_V2)? {
            let mut id = first(value)?;
            let hash = id.maybe(SEQUENCE)?;
            let hash = hash.map(|hash| Der::new(hash.content).one(OID));
            let hash = hash.transpose()?.unwrap_or(SHA256);
            id.one(OCTETS)? == hashed(hash, certificate.whole)?
        } else {
            let value = self.signer.attribute(SIGNING_CERTIFICATE)?.ok_or(missing)?;
            first(value)?.one(OCTETS)? == Sha1::digest(certificate.whole).as_slice()
        };
        if meant { Ok(()) } else { Err(other) }
    }
}

fn is(found: &[u8], expected: &[u8]) -> Result<(), StampError> {
    if found == expected {
        Ok(())
    } else {
        Err(StampError::Malformed("not a signed time stamp"))
    }
}

fn hashed(algorithm: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StampError> {
    match algorithm {
        SHA256 => Ok(Sha256::digest(bytes).to_vec()),
        SHA384 => Ok(Sha384::digest(bytes).to_vec()),
        SHA512 => Ok(Sha512::digest(bytes).to_vec()),
        _ => Err(StampError::Algorithm),
    }
}

/// `Accuracy`: seconds, milliseconds, microseconds, each where it is not 0.
fn micros(content: &[u8]) -> Result<u64, StampError> {
    let mut accuracy = Der::new(content);
    let mut sum = 0_u64;
    for (tag, unit) in [(INTEGER, 1_000_000), (0x80, 1_000), (0x81, 1)] {
        if let Some(part) = accuracy.maybe(tag)? {
            sum = sum.saturating_add(unsigned(part.content)?.saturating_mul(unit));
        }
    }
    accuracy.end()?;
    Ok(sum)
}

/// `YYYYMMDDhhmmss[.f…]Z`. Microseconds since 1970; smaller parts are left out.
pub(super) fn moment_of(text: &str) -> Option<u64> {
    let (clock, fraction) = text
        .strip_suffix('Z')?
        .split_once('.')
        .unwrap_or((text.strip_suffix('Z')?, ""));
    if clock.len() != 14 || !text.is_ascii() {
        return None;
    }
    let part = |range: std::ops::Range<usize>| clock.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(8..10)?, part(10..12)?, part(12..14)?);
    let plain = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = fraction.get(..fraction.len().min(6)).filter(|_| plain)?;
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    moment(&format!(
        "{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction}Z"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::der::element;
    use super::*;

    fn attribute(id: &[u8], value: &[u8]) -> Vec<u8> {
        let value = element(SET, &element(OID, value));
        element(SEQUENCE, &[element(OID, id), value].concat())
    }

    fn token(attributes: &[u8]) -> Token<'_> {
        let statement = Statement {
            hash: SHA256,
            imprint: &[],
            serial: &[1],
            time_us: 0,
            accuracy_us: None,
            nonce: None,
        };
        let signer = SignerInfo {
            named: Named::Key(&[]),
            digest: SHA256,
            attributes,
            algorithm: ECDSA_SHA256,
            signature: &[],
        };
        Token {
            content: &[],
            statement,
            certificates: Vec::new(),
            signer,
        }
    }

    // What an authority's key signed for another purpose is no stamp.
    #[test]
    fn the_signed_content_type_is_that_of_a_stamp_and_stands_once() {
        let judged = |attributes: &[Vec<u8>]| {
            let attributes = element(context(0), &attributes.concat());
            token(&attributes).signed(&StampTrust::default())
        };
        let right = attribute(CONTENT_TYPE, STATEMENT);
        let wrong = attribute(CONTENT_TYPE, SIGNED_DATA);
        let no_digest = StampError::Malformed("no message digest");
        assert_eq!(judged(std::slice::from_ref(&right)), Err(no_digest));
        assert_eq!(
            judged(&[wrong]),
            Err(StampError::Malformed("not a signed time stamp"))
        );
        assert_eq!(
            judged(&[right.clone(), right]),
            Err(StampError::Malformed(
                "a signed attribute that stands twice"
            ))
        );
        assert_eq!(judged(&[]), Err(StampError::Malformed("no content type")));
    }
}
