//! What a unit's key does to a payload: each result is withheld from the start.

use std::sync::Arc;

use kms::jwe::OpenedShared;
use kms::{Binding, Error, OpenKey, PublicKey, Sealer, SecretBytes};

use crate::commit::Withheld;

/// What is signed.
pub enum Signable {
    /// A message, which is hashed here.
    Message(SecretBytes),
    /// A message's SHA-256 (`ecdsa-p256` only).
    Digest([u8; 32]),
}

/// How an ECDSA signature is written. Ed25519 has one form, whatever is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SignatureForm {
    /// `r` and `s`, 32 bytes each (RFC 7518 section 3.4).
    #[default]
    Raw,
    /// ASN.1 DER (RFC 3279 section 2.2.3).
    Der,
}

/// To encrypt a batch of payloads under a version: what is drawn is drawn once for all.
pub fn sealer(key: &OpenKey, payloads: usize) -> Result<Sealer<'_>, Error> {
    key.cipher().map(|cipher| cipher.sealer(payloads))
}

/// Encrypts into a context.
pub fn encrypt(
    sealer: &mut Sealer<'_>,
    context: &Binding,
    plaintext: SecretBytes,
) -> Result<Withheld<Vec<u8>>, Error> {
    sealer.seal_in_place(context, plaintext).map(Withheld::new)
}

/// Decrypts what the version encrypted into the same context. One error for every failure.
pub fn decrypt(
    key: &OpenKey,
    context: &Binding,
    ciphertext: Vec<u8>,
) -> Result<Withheld<SecretBytes>, Error> {
    let plaintext = key.cipher()?.open_in_place(context, ciphertext)?;
    Ok(Withheld::new(plaintext))
}

/// Opens under one version and seals under another, and shows the payload to nobody.
pub fn re_encrypt(
    (from, source): (&OpenKey, &Binding),
    (to, destination): (&mut Sealer<'_>, &Binding),
    ciphertext: Vec<u8>,
) -> Result<Withheld<Vec<u8>>, Error> {
    let plaintext = from.cipher()?.open_in_place(source, ciphertext)?;
    encrypt(to, destination, plaintext)
}

/// A new data key, plain and encrypted.
pub fn data_key(
    sealer: &mut Sealer<'_>,
    context: &Binding,
    bytes: usize,
) -> Result<Withheld<(SecretBytes, Vec<u8>)>, Error> {
    let plain = kms::random_bytes(bytes)?;
    let encrypted = sealer.seal(context, plain.expose())?;
    Ok(Withheld::new((plain, encrypted)))
}

/// Makes a JWE of a payload, for who has the same key.
pub fn encrypt_jwe(
    key: &OpenKey,
    plaintext: &SecretBytes,
    cty: Option<&str>,
) -> Result<Withheld<String>, Error> {
    key.jwe()?.seal(plaintext.expose(), cty).map(Withheld::new)
}

/// Opens a JWE that names this version. One error for every failure.
pub fn decrypt_jwe(key: &OpenKey, message: &str) -> Result<Withheld<OpenedShared>, Error> {
    key.jwe()?.open(message).map(Withheld::new)
}

/// The message authentication code of a message.
pub fn mac(key: &OpenKey, message: &SecretBytes) -> Result<Withheld<Vec<u8>>, Error> {
    key.mac()?.tag(message.expose()).map(Withheld::new)
}

/// Whether a code is the message's.
pub fn verify_mac(
    key: &OpenKey,
    message: &SecretBytes,
    tag: &[u8],
) -> Result<Withheld<bool>, Error> {
    verdict(key.mac()?.verify(message.expose(), tag))
}

/// A signature.
pub fn sign(
    key: &OpenKey,
    input: &Signable,
    form: SignatureForm,
) -> Result<Withheld<Vec<u8>>, Error> {
    let signer = key.signer()?;
    let raw = match input {
        Signable::Message(message) => signer.sign(message.expose()),
        Signable::Digest(digest) => signer.sign_digest(digest),
    }?;
    let written = match (form, key.kind()) {
        (SignatureForm::Der, kms::KeyKind::EcdsaP256) => kms::signature_to_der(&raw)?,
        _ => raw,
    };
    Ok(Withheld::new(written))
}

/// Whether a signature is the input's.
pub fn verify(
    key: &OpenKey,
    input: &Signable,
    form: SignatureForm,
    signature: &[u8],
) -> Result<Withheld<bool>, Error> {
    let signer = key.signer()?;
    let raw = match (form, key.kind()) {
        (SignatureForm::Der, kms::KeyKind::EcdsaP256) => kms::signature_from_der(signature),
        _ => Ok(signature.to_vec()),
    };
    let Ok(raw) = raw else {
        return Ok(Withheld::new(false));
    };
    verdict(match input {
        Signable::Message(message) => signer.verify(message.expose(), &raw),
        Signable::Digest(digest) => signer.verify_digest(digest, &raw),
    })
}

/// The half that everyone may know.
pub fn public(key: &Arc<OpenKey>) -> Result<Withheld<PublicKey>, Error> {
    Ok(Withheld::new(key.signer()?.public()))
}

/// Random bytes from the system.
pub fn random(bytes: usize) -> Result<Withheld<SecretBytes>, Error> {
    kms::random_bytes(bytes).map(Withheld::new)
}

/// A wrong tag is a verdict; anything else that went wrong is an error.
fn verdict(result: Result<(), Error>) -> Result<Withheld<bool>, Error> {
    match result {
        Ok(()) => Ok(Withheld::new(true)),
        Err(Error::Unopened) => Ok(Withheld::new(false)),
        Err(error) => Err(error),
    }
}
