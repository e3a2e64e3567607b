//! Sealing: XAES-256-GCM with a key commitment, under a header that is authenticated whole.
//!
//! ```text
//! sealed = head | nonce 24 | commitment 32 | ciphertext | tag 16      head: magic, suite 0x01, whose key, version
//! AAD    = Binding("jinku/v1 sealed").field(header up to the commitment).field(context)
//! ```
//! GCM does not commit to its key: the commitment is checked first, so that no ciphertext opens under two.
//! A key knows its head, byte for byte: there is one spelling, and every other is refused.

use zeroize::Zeroizing;

use crate::binding::Binding;
use crate::commitment::{self, COMMITMENT_BYTES};
use crate::constant_time_eq;
use crate::derive::{self, Sealing};
use crate::error::Error;
use crate::locked::{KEY_BYTES, LockState, Locked, SLOT_BYTES};
use crate::primitives::{self, TAG_BYTES};
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;
use crate::xaes::{self, NONCE_BYTES};

/// Longest plaintext of one message, in bytes.
pub(crate) const PLAINTEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What [`SealingKey::seal`] puts between head and ciphertext.
const DRAWN_BYTES: usize = NONCE_BYTES + COMMITMENT_BYTES;

/// The keys of one version that seals and opens. One slot holds them:
/// `encryption key 32 | CMAC mask 16 | commitment states 32, 32`.
pub(crate) struct SealingKey(Locked);

impl SealingKey {
    pub(crate) fn new(key: &[u8; KEY_BYTES], purpose: Sealing) -> Result<Self, Error> {
        scrubbed::<SHALLOW, _>(|| {
            let [encryption, commitment] = derive::sealing(key, purpose)?;
            let mask = Zeroizing::new(xaes::mask(&encryption));
            let [inner, outer] = commitment::states(&commitment);
            let mut slot = Zeroizing::new([0; SLOT_BYTES]);
            slot[..32].copy_from_slice(&*encryption);
            slot[32..48].copy_from_slice(&*mask);
            slot[48..80].copy_from_slice(&*inner);
            slot[80..112].copy_from_slice(&*outer);
            Locked::new(&slot[..112]).map(Self)
        })
    }

    pub(crate) fn lock_state(&self) -> LockState {
        self.0.state()
    }

    /// Seals `plaintext` under `head`; it opens in the same `context` only.
    pub(crate) fn seal(
        &self,
        head: &[u8],
        context: &Binding,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(Error::TooLong {
                bytes_max: PLAINTEXT_BYTES_MAX,
            });
        }
        let mut nonce = [0; NONCE_BYTES];
        primitives::random(&mut nonce)?;
        let start = head.len() + DRAWN_BYTES;
        let mut sealed = Vec::with_capacity(start + plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(head);
        sealed.extend_from_slice(&nonce);
        scrubbed::<SHALLOW, _>(|| {
            sealed.extend_from_slice(&self.commitment_to(&nonce));
            let aad = aad(&sealed, context);
            sealed.extend_from_slice(plaintext);
            let (key, mask) = self.encryption();
            xaes::seal(key, mask, &nonce, aad.as_bytes(), &mut sealed, start)
        })?;
        Ok(sealed)
    }

    /// Opens what [`SealingKey::seal`] made with the same head and context. One error for every failure.
    pub(crate) fn open(
        &self,
        head: &[u8],
        context: &Binding,
        sealed: &[u8],
    ) -> Result<SecretBytes, Error> {
        let rest = sealed.strip_prefix(head).ok_or(Error::Unopened)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(Error::Unopened)?;
        let (commitment, message) = rest
            .split_first_chunk::<COMMITMENT_BYTES>()
            .ok_or(Error::Unopened)?;
        let (header, _) = sealed.split_at(head.len() + DRAWN_BYTES);
        scrubbed::<SHALLOW, _>(|| {
            if !constant_time_eq(commitment, &self.commitment_to(nonce)) {
                return Err(Error::Unopened);
            }
            let aad = aad(header, context);
            let mut message = message.to_vec();
            let (key, mask) = self.encryption();
            xaes::open(key, mask, nonce, aad.as_bytes(), &mut message)?;
            Ok(SecretBytes::new(message))
        })
    }

    fn encryption(&self) -> (&[u8; KEY_BYTES], &xaes::Block) {
        (self.0.part::<0, 32>(), self.0.part::<32, 16>())
    }

    fn commitment_to(&self, nonce: &[u8; NONCE_BYTES]) -> [u8; COMMITMENT_BYTES] {
        commitment::to(self.0.part::<48, 32>(), self.0.part::<80, 32>(), nonce)
    }
}

// INVARIANT 5: header (suite, key, version, nonce, commitment) and context are authenticated as one.
fn aad(header: &[u8], context: &Binding) -> Binding {
    const LABEL: &str = "jinku/v1 sealed";
    /// The label's length, and a mark and a length for each field.
    const FRAME_BYTES: usize = 4 + LABEL.len() + 2 * (1 + 4);
    let bytes = FRAME_BYTES + header.len() + context.as_bytes().len();
    Binding::sized(LABEL, bytes)
        .field(header)
        .field(context.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{DRAWN_BYTES, SealingKey};
    use crate::derive::Sealing;
    use crate::{Binding, xaes};

    #[test]
    fn a_wrong_commitment_is_refused_although_the_ciphertext_would_open() {
        // Sealed by hand over an altered commitment, so that GCM itself would accept it.
        let key = SealingKey::new(&[9; 32], Sealing::Values).unwrap();
        let context = Binding::new("test");
        let by_hand = |flip: u8| {
            let mut sealed = key.seal(b"head", &context, b"").unwrap()[..4 + DRAWN_BYTES].to_vec();
            sealed[4 + DRAWN_BYTES - 1] ^= flip;
            let aad = super::aad(&sealed, &context);
            let nonce: [u8; 24] = sealed[4..28].try_into().unwrap();
            sealed.extend_from_slice(b"value");
            let (bytes, mask) = key.encryption();
            let start = 4 + DRAWN_BYTES;
            xaes::seal(bytes, mask, &nonce, aad.as_bytes(), &mut sealed, start).unwrap();
            key.open(b"head", &context, &sealed)
        };
        assert_eq!(by_hand(0).unwrap().expose(), b"value");
        assert!(by_hand(1).is_err());
    }

    #[test]
    fn the_two_purposes_of_one_key_do_not_open_each_others_messages() {
        let context = Binding::new("test");
        let values = SealingKey::new(&[9; 32], Sealing::Values).unwrap();
        let ciphertexts = SealingKey::new(&[9; 32], Sealing::Ciphertexts).unwrap();
        let sealed = values.seal(b"head", &context, b"value").unwrap();
        assert!(ciphertexts.open(b"head", &context, &sealed).is_err());
    }
}
