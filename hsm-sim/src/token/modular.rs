//! RSA (RFC 8017): key pairs, OAEP, PSS and PKCS #1 v1.5 signatures. Keys are PKCS #1 DER. Private operations are
//! blinded, but the crate is known to leak by timing (RUSTSEC-2023-0071): a development token's RSA.

use rsa::pkcs1::{self, DecodeRsaPrivateKey, DecodeRsaPublicKey, UintRef};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Oaep, Pkcs1v15Encrypt, Pkcs1v15Sign, PrivateKey, Pss, PublicKey};
use zeroize::Zeroizing;

use super::crypto;
use super::hash::{Hash, with_hash, with_sha2};
use crate::error::{Error, Result};

/// Bits of a modulus.
pub(crate) const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The parameter of OAEP: the hash over the label, the hash of the mask, the label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OaepParams {
    pub(crate) hash: Hash,
    pub(crate) mask: Hash,
    pub(crate) label: Vec<u8>,
}

/// The parameter of PSS; the hash is the mask's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PssParams {
    pub(crate) hash: Hash,
    pub(crate) salt_bytes: usize,
}

/// The numbers of a private key, big-endian, without leading zeros.
pub(crate) struct Numbers {
    pub(crate) modulus: Vec<u8>,
    pub(crate) public_exponent: Vec<u8>,
    pub(crate) private_exponent: Zeroizing<Vec<u8>>,
    pub(crate) primes: [Zeroizing<Vec<u8>>; 2],
    pub(crate) exponents: [Zeroizing<Vec<u8>>; 2],
    pub(crate) coefficient: Zeroizing<Vec<u8>>,
}

/// Draws a key pair. Slow: a second and more for 4096 bits.
pub(crate) fn generate(bits: usize, public_exponent: &[u8]) -> Result<Numbers> {
    if !MODULUS_BITS.contains(&bits) {
        return Err(Error::AttributeValueInvalid);
    }
    let exponent = exponent(public_exponent)?;
    let key = PrivateKey::new_with_exp(&mut crypto::random()?, bits, exponent)
        .map_err(|_| Error::NoRandom)?;
    numbers(&key)
}

/// Completes and checks an imported key: `d` and both primes must fit the modulus.
pub(crate) fn complete(modulus: &[u8], exponent: &[u8], primes: [&[u8]; 2]) -> Result<Numbers> {
    let [p, q] = primes.map(|prime| number(prime, width_bits(prime)));
    let e = number(exponent, width_bits(exponent));
    let key = PrivateKey::from_p_q(p?, q?, e?).map_err(|_| Error::AttributeValueInvalid)?;
    let numbers = numbers(&key)?;
    let is_same = numbers.modulus == trimmed(modulus);
    if is_same && MODULUS_BITS.contains(&bits(modulus)) {
        Ok(numbers)
    } else {
        Err(Error::AttributeValueInvalid)
    }
}

/// The private key of PKCS #8.
pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Numbers> {
    let key = PrivateKey::from_pkcs8_der(der).ok()?;
    let numbers = numbers(&key).ok()?;
    MODULUS_BITS
        .contains(&bits(&numbers.modulus))
        .then_some(numbers)
}

/// The private key as PKCS #8, from PKCS #1.
pub(crate) fn to_pkcs8(key: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let der = private(key)?
        .to_pkcs8_der()
        .map_err(|_| Error::KeySizeRange)?;
    Ok(Zeroizing::new(der.as_bytes().to_vec()))
}

/// A public key as PKCS #1, if the modulus has a size that we take.
pub(crate) fn public_der(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>> {
    use pkcs1::der::Encode;
    let key = pkcs1::RsaPublicKey {
        modulus: UintRef::new(modulus).map_err(|_| Error::AttributeValueInvalid)?,
        public_exponent: UintRef::new(exponent).map_err(|_| Error::AttributeValueInvalid)?,
    };
    let der = key.to_der().map_err(|_| Error::AttributeValueInvalid)?;
    let is_sound = MODULUS_BITS.contains(&bits(modulus)) && public(&der).is_ok();
    if is_sound {
        Ok(der)
    } else {
        Err(Error::AttributeValueInvalid)
    }
}

/// A private key as PKCS #1.
pub(crate) fn private_der(numbers: &Numbers) -> Option<Zeroizing<Vec<u8>>> {
    use pkcs1::der::Encode;
    let key = pkcs1::RsaPrivateKey {
        modulus: UintRef::new(&numbers.modulus).ok()?,
        public_exponent: UintRef::new(&numbers.public_exponent).ok()?,
        private_exponent: UintRef::new(&numbers.private_exponent).ok()?,
        prime1: UintRef::new(&numbers.primes[0]).ok()?,
        prime2: UintRef::new(&numbers.primes[1]).ok()?,
        exponent1: UintRef::new(&numbers.exponents[0]).ok()?,
        exponent2: UintRef::new(&numbers.exponents[1]).ok()?,
        coefficient: UintRef::new(&numbers.coefficient).ok()?,
        other_prime_infos: None,
    };
    key.to_der().ok().map(Zeroizing::new)
}

/// Bytes of a private key's modulus, and so of its ciphertexts.
pub(crate) fn key_bytes(key: &[u8]) -> Option<usize> {
    use pkcs1::der::Decode;
    let parts = pkcs1::RsaPrivateKeyRef::from_der(key).ok()?;
    Some(parts.modulus.as_bytes().len())
}

/// Bits of a big-endian number.
pub(crate) fn bits(number: &[u8]) -> usize {
    let number = trimmed(number);
    let first = number.first().map_or(8, |byte| byte.leading_zeros());
    (number.len() * 8).saturating_sub(first as usize)
}

pub(crate) fn oaep_seal(key: &[u8], params: &OaepParams, plaintext: &[u8]) -> Result<Vec<u8>> {
    let key = public(key)?;
    let label = params.label.clone();
    with_sha2!(params.hash, D => with_sha2!(params.mask, M => {
        key.encrypt(&mut crypto::random()?, Oaep::<D, M>::new_with_mgf_hash_and_label(label), plaintext)
    }))
    .map_err(|_| Error::InputLength)
}

pub(crate) fn oaep_open(
    key: &[u8],
    params: &OaepParams,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let key = private(key)?;
    let label = params.label.clone();
    with_sha2!(params.hash, D => with_sha2!(params.mask, M => {
        key.decrypt(Oaep::<D, M>::new_with_mgf_hash_and_label(label), ciphertext)
    }))
    .map(Zeroizing::new)
    .map_err(|_| Error::CiphertextInvalid)
}

/// PKCS #1 v1.5 encryption: whoever learns which ciphertexts open learns the plaintext (Bleichenbacher).
pub(crate) fn pkcs1_seal(key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
    public(key)?
        .encrypt(&mut crypto::random()?, Pkcs1v15Encrypt, plaintext)
        .map_err(|_| Error::InputLength)
}

pub(crate) fn pkcs1_open(key: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    private(key)?
        .decrypt(Pkcs1v15Encrypt, ciphertext)
        .map(Zeroizing::new)
        .map_err(|_| Error::CiphertextInvalid)
}

/// Longest plaintext of OAEP under a modulus of so many bytes.
pub(crate) fn oaep_bytes_max(hash: Hash, modulus_bytes: usize) -> usize {
    modulus_bytes.saturating_sub(2 * hash.length_bytes() + 2)
}

/// Signs a digest.
pub(crate) fn pss_sign(key: &[u8], params: PssParams, digest: &[u8]) -> Result<Vec<u8>> {
    let key = private(key)?;
    with_hash!(params.hash, D => {
        key.sign_with_rng(&mut crypto::random()?, Pss::<D>::new_with_salt(params.salt_bytes), digest)
    })
    .map_err(|_| Error::InputLength)
}

pub(crate) fn pss_verify(
    key: &[u8],
    params: PssParams,
    digest: &[u8],
    signature: &[u8],
) -> Result<()> {
    let key = public(key)?;
    with_hash!(params.hash, D => {
        key.verify(Pss::<D>::new_with_salt(params.salt_bytes), digest, signature)
    })
    .map_err(|_| Error::SignatureInvalid)
}

/// Signs a digest of this hash, or with none what the caller made of it (a `DigestInfo`).
pub(crate) fn pkcs1_sign(key: &[u8], hash: Option<Hash>, digest: &[u8]) -> Result<Vec<u8>> {
    private(key)?
        .sign_with_rng(&mut crypto::random()?, pkcs1_scheme(hash), digest)
        .map_err(|_| Error::InputLength)
}

pub(crate) fn pkcs1_verify(
    key: &[u8],
    hash: Option<Hash>,
    digest: &[u8],
    signature: &[u8],
) -> Result<()> {
    public(key)?
        .verify(pkcs1_scheme(hash), digest, signature)
        .map_err(|_| Error::SignatureInvalid)
}

fn pkcs1_scheme(hash: Option<Hash>) -> Pkcs1v15Sign {
    match hash {
        None => Pkcs1v15Sign::new_unprefixed(),
        Some(hash) => with_hash!(hash, D => Pkcs1v15Sign::new::<D>()),
    }
}

fn private(der: &[u8]) -> Result<PrivateKey> {
    PrivateKey::from_pkcs1_der(der).map_err(|_| Error::KeySizeRange)
}

fn public(der: &[u8]) -> Result<PublicKey> {
    PublicKey::from_pkcs1_der(der).map_err(|_| Error::KeySizeRange)
}

/// Odd, from 3 to 2^32: what every implementation takes.
fn exponent(bytes: &[u8]) -> Result<BoxedUint> {
    let is_sound =
        (2..=32).contains(&bits(bytes)) && bytes.last().is_some_and(|byte| byte & 1 == 1);
    if is_sound {
        number(bytes, 64)
    } else {
        Err(Error::AttributeValueInvalid)
    }
}

fn number(bytes: &[u8], precision_bits: u32) -> Result<BoxedUint> {
    BoxedUint::from_be_slice(trimmed(bytes), precision_bits)
        .map_err(|_| Error::AttributeValueInvalid)
}

fn width_bits(number: &[u8]) -> u32 {
    u32::try_from(trimmed(number).len() * 8).unwrap_or(u32::MAX)
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn numbers(key: &PrivateKey) -> Result<Numbers> {
    use pkcs1::EncodeRsaPrivateKey;
    use pkcs1::der::Decode;
    let der = key.to_pkcs1_der().map_err(|_| Error::General)?;
    let parts = pkcs1::RsaPrivateKeyRef::from_der(der.as_bytes()).map_err(|_| Error::General)?;
    let secret = |number: UintRef<'_>| Zeroizing::new(number.as_bytes().to_vec());
    debug_assert_eq!(key.primes().len(), 2);
    Ok(Numbers {
        modulus: key.n_bytes().to_vec(),
        public_exponent: key.e_bytes().to_vec(),
        private_exponent: secret(parts.private_exponent),
        primes: [secret(parts.prime1), secret(parts.prime2)],
        exponents: [secret(parts.exponent1), secret(parts.exponent2)],
        coefficient: secret(parts.coefficient),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::hash::digest;

    #[test]
    fn a_pair_signs_seals_and_survives_its_encodings() {
        let numbers = generate(2048, &[1, 0, 1]).unwrap();
        assert_eq!(bits(&numbers.modulus), 2048);
        let key = private_der(&numbers).unwrap();
        let open = public_der(&numbers.modulus, &numbers.public_exponent).unwrap();
        let hashed = digest(Hash::Sha256, b"message");

        let params = PssParams {
            hash: Hash::Sha256,
            salt_bytes: 32,
        };
        let signature = pss_sign(&key, params, &hashed).unwrap();
        pss_verify(&open, params, &hashed, &signature).unwrap();
        let other = PssParams {
            salt_bytes: 20,
            ..params
        };
        let refused = pss_verify(&open, other, &hashed, &signature);
        assert_eq!(refused, Err(Error::SignatureInvalid));

        let signature = pkcs1_sign(&key, Some(Hash::Sha256), &hashed).unwrap();
        pkcs1_verify(&open, Some(Hash::Sha256), &hashed, &signature).unwrap();

        let params = OaepParams {
            hash: Hash::Sha256,
            mask: Hash::Sha1,
            label: b"label".to_vec(),
        };
        let sealed = oaep_seal(&open, &params, b"secret").unwrap();
        assert_eq!(*oaep_open(&key, &params, &sealed).unwrap(), b"secret");
        let longest = oaep_bytes_max(Hash::Sha256, 256);
        assert!(oaep_seal(&open, &params, &vec![1; longest]).is_ok());
        assert!(oaep_seal(&open, &params, &vec![1; longest + 1]).is_err());

        let back = from_pkcs8(&to_pkcs8(&key).unwrap()).unwrap();
        assert_eq!(back.modulus, numbers.modulus);
        let [p, q] = numbers.primes.each_ref().map(|prime| prime.as_slice());
        let whole = complete(&numbers.modulus, &numbers.public_exponent, [p, q]).unwrap();
        assert_eq!(whole.coefficient, numbers.coefficient);
        assert!(complete(&hashed, &numbers.public_exponent, [p, q]).is_err());
    }

    #[test]
    fn weak_sizes_and_exponents_are_refused() {
        assert!(generate(1024, &[1, 0, 1]).is_err());
        assert!(generate(2048, &[1]).is_err());
        assert!(generate(2048, &[1, 0, 0]).is_err());
        assert_eq!(bits(&[0, 1, 0]), 9);
    }
}
