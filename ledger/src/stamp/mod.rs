//! Time stamps (RFC 3161): an authority's signed statement that something existed at a time. What is stamped is a
//! checkpoint's text, so a stamp says that the log had that root at the latest then. Nothing here asks an authority.

mod certificate;
mod der;
mod token;

use thiserror::Error;

pub use certificate::StampTrust;

use crate::checkpoint::Checkpoint;
use crate::hash::digest;
use der::{BOOLEAN, INTEGER, OCTETS, SEQUENCE, element};

/// The most bytes of a response: room for a chain of certificates.
pub const STAMP_BYTES_MAX: usize = 256 * 1024;

/// `id-sha256` (RFC 5754 section 2.2).
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// What a response says, and why it is not believed. Holds nothing of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StampError {
    /// Not a response of RFC 3161 with one signed token, in DER.
    #[error("not a time stamp response: {0}")]
    Malformed(&'static str),
    /// The authority gave no stamp.
    #[error("the authority refused (PKI status {0}): see its policy")]
    Refused(u64),
    /// It is over something else.
    #[error("it is over another checkpoint")]
    Other,
    /// It answers another request.
    #[error("it answers another request than ours")]
    Nonce,
    /// Signed or hashed with something that is not built in.
    #[error(
        "an algorithm that is not built in: RSA (PKCS #1 v1.5) or ECDSA (P-256, P-384), with SHA-256, -384 or -512"
    )]
    Algorithm,
    /// Its signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// The certificate that signed it is not in it, nor among the trusted ones.
    #[error("the certificate that signed it is not there")]
    NoCertificate,
    /// The certificate that signed it leads to no trusted one, or was not in force at that time.
    #[error("its certificate does not lead to a trusted one that was in force at that time")]
    Chain,
    /// The certificate is not one for time stamps alone (RFC 3161 section 2.3).
    #[error("its certificate is not one for time stamps alone")]
    Purpose,
    /// A file of trusted certificates cannot be used.
    #[error("not a certificate in PEM or DER")]
    Certificate,
}

/// What a stamp says, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The authority's time, in microseconds since 1970. It existed then at the latest, but for the accuracy.
    pub time_us: u64,
    /// How far the authority says that its time may be off, in microseconds, where it says so.
    pub accuracy_us: Option<u64>,
    /// Its number in the authority's books, in hex.
    pub serial: String,
}

/// A request for a stamp over a checkpoint's text, with the certificate (RFC 3161 section 2.4.1). The nonce tells
/// the answer from older ones.
#[must_use]
pub fn stamp_request(checkpoint: &Checkpoint, nonce: u64) -> Vec<u8> {
    let algorithm = element(
        SEQUENCE,
        &[element(der::OID, SHA256), element(der::NULL, &[])].concat(),
    );
    let imprint = digest(&[checkpoint.body().as_bytes()]);
    let imprint = element(SEQUENCE, &[algorithm, element(OCTETS, &imprint.0)].concat());
    let parts = [
        element(INTEGER, &[1]),
        imprint,
        element(INTEGER, &positive(nonce)),
        element(BOOLEAN, &[0xFF]),
    ];
    element(SEQUENCE, &parts.concat())
}

/// A number as DER has it: as short as can be, and not negative.
fn positive(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let digits = bytes.into_iter().skip_while(|digit| *digit == 0);
    let mut digits: Vec<u8> = digits.collect();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    digits
}

/// What a stamp says of itself, for whoever checked it when it was kept: nothing is checked here.
pub fn stated_in(response: &[u8]) -> Result<Stamped, StampError> {
    Ok(token::opened(response)?.stated())
}

/// Checks a response by itself: that it is over this checkpoint's text, signed by a certificate for time stamps
/// alone, which leads to a trusted one and was in force at that time. Whether it was revoked is not looked at.
///
/// What nobody signed has one form, and nothing may be added to it, but for what RFC 3161 leaves open: whether the
/// status is `granted` or `grantedWithMods`, the authority's words beside it (`statusString`), whether a null stands
/// behind a hash's name (RFC 5754 section 2), and certificates in the token that the chain does not need.
pub fn verify_stamp(
    response: &[u8],
    checkpoint: &Checkpoint,
    trust: &StampTrust,
) -> Result<Stamped, StampError> {
    let token = token::opened(response)?;
    token.is_over(checkpoint.body().as_bytes())?;
    token.signed(trust)?;
    Ok(token.stated())
}

/// The same, where it answers a request with this nonce.
pub fn verify_answer(
    response: &[u8],
    (checkpoint, nonce): (&Checkpoint, u64),
    trust: &StampTrust,
) -> Result<Stamped, StampError> {
    let stamped = verify_stamp(response, checkpoint, trust)?;
    if token::opened(response)?.answers(&positive(nonce)) {
        Ok(stamped)
    } else {
        Err(StampError::Nonce)
    }
}
