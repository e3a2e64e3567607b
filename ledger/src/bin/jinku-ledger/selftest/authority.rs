//! A time stamping authority for the self-test: its keys, certificates for them (RFC 5280), and what it answers
//! (RFC 3161 section 2.4.2, RFC 5652 section 5). What it writes is what authorities write; only its keys are of a moment.

use anyhow::{Context as _, anyhow};
use ledger::{Checkpoint, StampTrust, Utc};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const TEXT: u8 = 0x0C;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xA0;
const CONTEXT_3: u8 = 0xA3;
/// `TRUE`, with its tag.
const TRUE: [u8; 3] = [0x01, 1, 0xFF];

const ECDSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
const EC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 2, 1];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 0x13];
const KEY_USAGES: &[u8] = &[0x55, 0x1D, 0x25];
const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2];
const STATEMENT: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 4];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 2, 47];
const POLICY: &[u8] = &[0x2A, 3, 4, 1];
/// What a certificate is for: time stamps, or servers.
pub(super) const TIME_STAMPING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 8];
pub(super) const SERVERS: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 1];

/// When certificates begin, and two times at which they end: long after the attacked log was written, and before.
const BEGINS: &str = "200101000000Z";
pub(super) const LATE: &str = "491231235959Z";
pub(super) const EARLY: &str = "261001000000Z";

/// An authority, and who issued its certificate.
pub(super) struct Authority {
    issuer: EcdsaKeyPair,
    own: EcdsaKeyPair,
    random: SystemRandom,
    /// What it stamps with, unless it is asked otherwise.
    certificate: Vec<u8>,
}

impl Authority {
    pub(super) fn open() -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let pair = || {
            let drawn = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
            let drawn = drawn.map_err(|_| anyhow!("the system's random numbers failed"))?;
            let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, drawn.as_ref(), &random);
            pair.map_err(|error| anyhow!("a key of the authority: {error}"))
        };
        let (issuer, own) = (pair()?, pair()?);
        let mut authority = Self {
            issuer,
            own,
            random,
            certificate: Vec::new(),
        };
        authority.certificate = authority.issued(TIME_STAMPING, LATE)?;
        Ok(authority)
    }

    /// The issuer, as the auditor trusts it.
    pub(super) fn trust(&self) -> anyhow::Result<StampTrust> {
        let value = der(SEQUENCE, &[&TRUE]);
        let extension = extension(BASIC_CONSTRAINTS, &value);
        let certificate = self.certified(("issuer", &self.issuer), LATE, &extension)?;
        Ok(StampTrust::parse(&certificate)?)
    }

    /// A certificate of the authority's key, for one purpose, until a day.
    pub(super) fn issued(&self, purpose: &[u8], until: &str) -> anyhow::Result<Vec<u8>> {
        let purposes = der(SEQUENCE, &[&der(OID, &[purpose])]);
        let extension = extension(KEY_USAGES, &purposes);
        self.certified(("authority", &self.own), until, &extension)
    }

    fn certified(
        &self,
        (subject, key): (&str, &EcdsaKeyPair),
        until: &str,
        extension: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let validity = [BEGINS, until].map(|time| der(UTC_TIME, &[time.as_bytes()]));
        let kind = [der(OID, &[EC_KEY]), der(OID, &[P256])].concat();
        let point = der(BITS, &[&[0], key.public_key().as_ref()]);
        let body = der(
            SEQUENCE,
            &[
                &der(CONTEXT_0, &[&der(INTEGER, &[&[2]])]),
                &serial(subject),
                &der(SEQUENCE, &[&der(OID, &[ECDSA_SHA256])]),
                &name("issuer"),
                &der(SEQUENCE, &[&validity.concat()]),
                &name(subject),
                &der(SEQUENCE, &[&der(SEQUENCE, &[&kind]), &point]),
                &der(CONTEXT_3, &[&der(SEQUENCE, &[extension])]),
            ],
        );
        let signature = self.signed(&self.issuer, &body)?;
        let signature = der(BITS, &[&[0], &signature]);
        let algorithm = der(SEQUENCE, &[&der(OID, &[ECDSA_SHA256])]);
        Ok(der(SEQUENCE, &[&body, &algorithm, &signature]))
    }

    /// A stamp over a checkpoint at a time, with the authority's certificate.
    pub(super) fn stamp(&self, checkpoint: &Checkpoint, time_us: u64) -> anyhow::Result<Vec<u8>> {
        let good = &self.certificate;
        self.answer(&statement(checkpoint, time_us), (good, good), &[])
    }

    /// An answer that states this. The signature is made for one certificate, and another may lie beside it; `unsigned`
    /// stands behind the signature.
    pub(super) fn answer(
        &self,
        statement: &[u8],
        (meant, beside): (&[u8], &[u8]),
        unsigned: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let meant = der(SEQUENCE, &[&der(OCTETS, &[&Sha256::digest(meant)])]);
        let meant = der(SEQUENCE, &[&der(SEQUENCE, &[&meant])]);
        let attributes = [
            attribute(CONTENT_TYPE, &der(OID, &[STATEMENT])),
            attribute(MESSAGE_DIGEST, &der(OCTETS, &[&Sha256::digest(statement)])),
            attribute(SIGNING_CERTIFICATE_V2, &meant),
        ]
        .concat();
        let signature = self.signed(&self.own, &der(SET, &[&attributes]))?;
        let hash = der(SEQUENCE, &[&der(OID, &[SHA256])]);
        let signer = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[1]]),
                &der(SEQUENCE, &[&name("issuer"), &serial("authority")]),
                &hash,
                &der(CONTEXT_0, &[&attributes]),
                &der(SEQUENCE, &[&der(OID, &[ECDSA_SHA256])]),
                &der(OCTETS, &[&signature]),
                unsigned,
            ],
        );
        let content = der(CONTEXT_0, &[&der(OCTETS, &[statement])]);
        let token = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[3]]),
                &der(SET, &[&hash]),
                &der(SEQUENCE, &[&der(OID, &[STATEMENT]), &content]),
                &der(CONTEXT_0, &[beside]),
                &der(SET, &[&signer]),
            ],
        );
        let token = der(CONTEXT_0, &[&token]);
        let token = der(SEQUENCE, &[&der(OID, &[SIGNED_DATA]), &token]);
        let granted = der(SEQUENCE, &[&der(INTEGER, &[&[0]])]);
        Ok(der(SEQUENCE, &[&granted, &token]))
    }

    /// What it stamps with, unless it is asked otherwise.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn signed(&self, key: &EcdsaKeyPair, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let signature = key.sign(&self.random, message).ok();
        let signature = signature.context("the system's random numbers failed")?;
        Ok(signature.as_ref().to_vec())
    }
}

/// What an authority states (`TSTInfo`): that a checkpoint's text was there at a time.
pub(super) fn statement(checkpoint: &Checkpoint, time_us: u64) -> Vec<u8> {
    let hash = [der(OID, &[SHA256]), der(NULL, &[])].concat();
    let imprint = Sha256::digest(checkpoint.body());
    // `2026-11-23T22:11:56.000123Z` without its marks, and to the second.
    let time = Utc::from_micros(time_us).to_string();
    let digits: String = time.chars().filter(char::is_ascii_digit).take(14).collect();
    der(
        SEQUENCE,
        &[
            &der(INTEGER, &[&[1]]),
            &der(OID, &[POLICY]),
            &der(
                SEQUENCE,
                &[&der(SEQUENCE, &[&hash]), &der(OCTETS, &[&imprint])],
            ),
            &der(INTEGER, &[&[7]]),
            &der(GENERALIZED_TIME, &[digits.as_bytes(), b"Z"]),
        ],
    )
}

/// An attribute that nobody signed, as it stands behind a signature.
pub(super) fn unsigned_attribute() -> Vec<u8> {
    der(0xA1, &[&attribute(CONTENT_TYPE, &der(OID, &[STATEMENT]))])
}

/// An attribute with one value.
fn attribute(id: &[u8], value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[id]), &der(SET, &[value])])
}

/// An extension that must be kept to.
fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[id]), &TRUE, &der(OCTETS, &[value])])
}

fn name(text: &str) -> Vec<u8> {
    let named = [der(OID, &[COMMON_NAME]), der(TEXT, &[text.as_bytes()])];
    der(
        SEQUENCE,
        &[&der(SET, &[&der(SEQUENCE, &[&named.concat()])])],
    )
}

fn serial(subject: &str) -> Vec<u8> {
    let number = if subject == "issuer" { 1 } else { 2 };
    der(INTEGER, &[&[number]])
}

/// An element in DER: its tag, its length, its parts.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
    let mut bytes = vec![tag];
    if let [] | [0..0x80] = digits.as_slice() {
        bytes.push(digits.first().copied().unwrap_or_default());
    } else {
        bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
        bytes.extend(digits);
    }
    bytes.extend(content);
    bytes
}
