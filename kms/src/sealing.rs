//! Sealing: XAES-256-GCM with a key commitment, under a head that names the key.
//!
//! ```text
//! sealed = head | nonce 24 | commitment 32 | ciphertext | tag 16      head: magic, suite 0x01, whose key, version
//! nonce  = prefix 12 | rest 12      prefix: derives the message's key; rest: GCM's own nonce
//! commitment = HMAC-SHA-256(commitment key, head | prefix)      AAD = context
//! ```
//! GCM does not commit to its key: the commitment is checked first, whole, so that no ciphertext opens under
//! two. It is a MAC over the head and the prefix at once; the rest and the context are GCM's to authenticate.
//! A key knows its head, byte for byte: there is one spelling, and every other is refused.
//!
//! Deriving, committing and preparing cost more than sealing a kibibyte. So a key draws one random prefix for
//! 2^16 messages, and `subkeys` keeps what it derives. The rest is drawn for each run of messages, a batch or
//! a single one, and counts up in it. No count is kept for later: a process that is cloned, by `fork` or by
//! a snapshot of its machine, would repeat it.
//!
//! How likely two of `n` messages of a key ever have one nonce: a prefix has at most 2^16 messages, and so as
//! many runs. Two runs of `a` and `b` messages overlap with (a + b) / 2^96; all pairs of a prefix's runs, with
//! less than 2^16 * 2^16 / 2^96 = 2^-64 (SP 800-38D section 8.3 asks a key of GCM for 2^-32). `n` messages
//! need n / 2^16 prefixes: n * 2^-80 in all, below 2^-32 up to n = 2^48. Two equal prefixes (2^-96 for each
//! pair) only join their messages. One derived key never encrypts more than 2^38 blocks. The price beside it:
//! that messages share a prefix is seen, and so that one process sealed them at about one time.

use std::mem;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::binding::Binding;
use crate::commitment::{self, COMMITMENT_BYTES, COMMITTED_BYTES_MAX};
use crate::constant_time_eq;
use crate::derive::{self, Sealing};
use crate::error::Error;
use crate::locked::{KEY_BYTES, LockState, Locked, Prepared, SLOT_BYTES};
use crate::primitives::{self, TAG_BYTES};
use crate::scrub::{FLAT, SHALLOW, scrubbed};
use crate::secret::SecretBytes;
use crate::subkeys::{MessageKey, Owner, Subkey};
use crate::xaes::{self, HALF_BYTES, Half, NONCE_BYTES};

/// Longest plaintext of one message, in bytes.
pub(crate) const PLAINTEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What [`Run::seal`] puts between head and ciphertext.
pub(crate) const DRAWN_BYTES: usize = NONCE_BYTES + COMMITMENT_BYTES;
/// Most messages of one prefix.
const PREFIX_MESSAGES: u32 = 1 << 16;
/// The slot's last byte: a child of `fork` finds it wiped, and the keys with it.
const HERE: u8 = 0xA7;

/// What the messages of a key begin with: who reads them, and which key and version it is.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    bytes: [u8; COMMITTED_BYTES_MAX - HALF_BYTES],
    length: usize,
}

impl Head {
    /// That a commitment has room for it is seen by the compiler.
    pub(crate) fn new<const N: usize>(bytes: [u8; N]) -> Self {
        const {
            assert!(
                N + HALF_BYTES <= COMMITTED_BYTES_MAX,
                "the head is too long"
            );
        };
        let mut head = [0; COMMITTED_BYTES_MAX - HALF_BYTES];
        head[..N].copy_from_slice(&bytes);
        Self {
            bytes: head,
            length: N,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Where a message's ciphertext begins.
    fn front_bytes(&self) -> usize {
        self.length + DRAWN_BYTES
    }
}

/// The keys of one version that seals and opens. One slot holds them:
/// `encryption key 32 | CMAC mask 16 | commitment states 32, 32 | mark 1`.
pub(crate) struct SealingKey {
    head: Head,
    keys: Locked,
    subkeys: Owner,
    prefix: Mutex<Prefix>,
}

/// The prefix under which messages are sealed now, and for how many more.
struct Prefix {
    bytes: Half,
    left: u32,
}

impl SealingKey {
    pub(crate) fn new(key: &[u8; KEY_BYTES], purpose: Sealing, head: Head) -> Result<Self, Error> {
        let keys = scrubbed::<SHALLOW, _>(|| {
            let [encryption, commitment] = derive::sealing(key, purpose)?;
            let mask = Zeroizing::new(xaes::mask(&encryption));
            let [inner, outer] = commitment::states(&commitment);
            let mut slot = Zeroizing::new([0; SLOT_BYTES]);
            slot[..32].copy_from_slice(&*encryption);
            slot[32..48].copy_from_slice(&*mask);
            slot[48..80].copy_from_slice(&*inner);
            slot[80..112].copy_from_slice(&*outer);
            slot[112] = HERE;
            Locked::new(&slot[..113])
        })?;
        let (bytes, left) = ([0; HALF_BYTES], 0);
        Ok(Self {
            head,
            keys,
            subkeys: Owner::new(),
            prefix: Mutex::new(Prefix { bytes, left }),
        })
    }

    pub(crate) fn lock_state(&self) -> LockState {
        self.keys.state()
    }

    /// Seals `plaintext`; it opens in the same `context` only.
    pub(crate) fn seal(&self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        fits(plaintext.len())?;
        self.run(1)?.seal(context, plaintext)
    }

    /// To seal messages, as many as are wished or fewer, but at least one.
    pub(crate) fn run(&self, messages: u32) -> Result<Run<'_>, Error> {
        let mut drawn = [0; NONCE_BYTES];
        primitives::random(&mut drawn)?;
        let (new, rest) = halves(&drawn);
        let (prefix, left) = self.reserved(new, messages.max(1));
        let subkey = match self.subkeys.find(&prefix) {
            Some(subkey) => subkey,
            None => scrubbed::<SHALLOW, _>(|| {
                let commitment = self.commitment_to(&prefix)?;
                self.derived(&prefix, commitment)
            })?,
        };
        Ok(Run {
            head: &self.head,
            subkey,
            prefix,
            rest,
            left,
        })
    }

    /// Opens what [`SealingKey::seal`] made in the same context. One error for every failure.
    pub(crate) fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let (subkey, rest) = self.named(sealed)?;
        let (_, message) = sealed.split_at(self.head.front_bytes());
        opened(&subkey, rest, context, message.to_vec(), 0)
    }

    /// The same, in the message's own memory.
    pub(crate) fn open_in_place(
        &self,
        context: &Binding,
        sealed: Vec<u8>,
    ) -> Result<SecretBytes, Error> {
        let (subkey, rest) = self.named(&sealed)?;
        opened(&subkey, rest, context, sealed, self.head.front_bytes())
    }

    /// The key that a message names and commits to, and the rest of its nonce. The message is at least as
    /// long as all that stands before its ciphertext.
    fn named(&self, sealed: &[u8]) -> Result<(Subkey, Half), Error> {
        let parts = || {
            let rest = sealed.strip_prefix(self.head.bytes())?;
            let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
            Some((nonce, rest.first_chunk::<COMMITMENT_BYTES>()?))
        };
        let (nonce, claimed) = parts().ok_or(Error::Unopened)?;
        let (prefix, rest) = halves(nonce);
        let subkey = match self.subkeys.find(&prefix) {
            Some(subkey) if constant_time_eq(&subkey.value()?.commitment, claimed) => subkey,
            Some(_) => return Err(Error::Unopened),
            // The commitment comes first: a message that lies is not worth a derivation, nor a place.
            None => scrubbed::<SHALLOW, _>(|| {
                let commitment = self.commitment_to(&prefix)?;
                if !constant_time_eq(&commitment, claimed) {
                    return Err(Error::Unopened);
                }
                self.derived(&prefix, commitment)
            })?,
        };
        Ok((subkey, rest))
    }

    /// The prefix for up to so many messages, and how many of them it takes.
    fn reserved(&self, new: Half, messages: u32) -> (Half, u32) {
        let mut prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        if prefix.left == 0 {
            (prefix.bytes, prefix.left) = (new, PREFIX_MESSAGES);
        }
        let taken = prefix.left.min(messages);
        prefix.left -= taken;
        (prefix.bytes, taken)
    }

    fn derived(&self, prefix: &Half, commitment: [u8; COMMITMENT_BYTES]) -> Result<Subkey, Error> {
        let (key, mask) = (self.keys.part::<0, 32>(), self.keys.part::<32, 16>());
        let gcm = xaes::derived(key, mask, prefix)?;
        let subkey = Subkey::new(Prepared::new(MessageKey { gcm, commitment })?);
        // One that could be swapped out is used once.
        if subkey.state() == LockState::Locked {
            self.subkeys.keep(prefix, &subkey);
        }
        Ok(subkey)
    }

    // INVARIANT 5: suite, key and version are authenticated by the commitment, with the prefix; the context is
    // by GCM, with the rest of the nonce.
    fn commitment_to(&self, prefix: &Half) -> Result<[u8; COMMITMENT_BYTES], Error> {
        if *self.keys.part::<112, 1>() != [HERE] {
            return Err(Error::Memory);
        }
        let (inner, outer) = (self.keys.part::<48, 32>(), self.keys.part::<80, 32>());
        let mut committed = [0; COMMITTED_BYTES_MAX];
        let head = self.head.bytes();
        let length = head.len() + HALF_BYTES;
        committed[..head.len()].copy_from_slice(head);
        committed[head.len()..length].copy_from_slice(prefix);
        Ok(commitment::to(inner, outer, &committed, length))
    }
}

/// Messages that are sealed one after the other: their nonces count up from a random one.
pub(crate) struct Run<'key> {
    head: &'key Head,
    subkey: Subkey,
    prefix: Half,
    rest: Half,
    left: u32,
}

impl Run<'_> {
    /// How many messages it still seals.
    pub(crate) fn left(&self) -> u32 {
        self.left
    }

    /// As [`SealingKey::seal`].
    pub(crate) fn seal(&mut self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        fits(plaintext.len())?;
        let start = self.head.front_bytes();
        let mut message = Vec::with_capacity(start + plaintext.len() + TAG_BYTES);
        message.resize(start, 0);
        message.extend_from_slice(plaintext);
        self.sealed(context, message)
    }

    /// The same, in the plaintext's own memory, if that has the room (see [`SecretBytes::roomy`]).
    pub(crate) fn seal_in_place(
        &mut self,
        context: &Binding,
        plaintext: SecretBytes,
    ) -> Result<Vec<u8>, Error> {
        fits(plaintext.len())?;
        match plaintext.into_roomy(self.head.front_bytes(), TAG_BYTES) {
            Ok(message) => self.sealed(context, message),
            Err(plaintext) => self.seal(context, plaintext.expose()),
        }
    }

    /// Seals a plaintext that has room before and behind.
    fn sealed(&mut self, context: &Binding, mut message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut seal = || {
            let rest = self.next()?;
            let key = self.subkey.value()?;
            let mut front = message.as_mut_slice();
            for part in [self.head.bytes(), &self.prefix, &rest, &key.commitment] {
                // There is room for all parts.
                if let Some((to, behind)) = mem::take(&mut front).split_at_mut_checked(part.len()) {
                    to.copy_from_slice(part);
                    front = behind;
                }
            }
            let (start, aad) = (self.head.front_bytes(), context.as_bytes());
            scrubbed::<FLAT, _>(|| key.gcm.seal(rest, aad, &mut message, start))
        };
        match seal() {
            Ok(()) => Ok(message),
            Err(error) => {
                // It may still be the plaintext.
                drop(SecretBytes::new(message));
                Err(error)
            }
        }
    }

    /// Each is given once.
    fn next(&mut self) -> Result<Half, Error> {
        self.left = self.left.checked_sub(1).ok_or(Error::Random)?;
        let rest = self.rest;
        self.rest = after(rest);
        Ok(rest)
    }
}

fn opened(
    subkey: &Prepared<MessageKey>,
    rest: Half,
    context: &Binding,
    mut message: Vec<u8>,
    start: usize,
) -> Result<SecretBytes, Error> {
    let (gcm, aad) = (&subkey.value()?.gcm, context.as_bytes());
    scrubbed::<FLAT, _>(|| gcm.open(rest, aad, &mut message, start))?;
    Ok(SecretBytes::new(message))
}

fn fits(bytes: usize) -> Result<(), Error> {
    let bytes_max = PLAINTEXT_BYTES_MAX;
    if bytes > bytes_max {
        return Err(Error::TooLong { bytes_max });
    }
    Ok(())
}

fn halves(nonce: &[u8; NONCE_BYTES]) -> (Half, Half) {
    let (mut prefix, mut rest) = ([0; HALF_BYTES], [0; HALF_BYTES]);
    prefix.copy_from_slice(&nonce[..HALF_BYTES]);
    rest.copy_from_slice(&nonce[HALF_BYTES..]);
    (prefix, rest)
}

/// The next of 2^96 numbers; the first comes after the last.
fn after(rest: Half) -> Half {
    let mut wide = [0; 16];
    wide[4..].copy_from_slice(&rest);
    let next = (u128::from_be_bytes(wide) + 1).to_be_bytes();
    let mut rest = [0; HALF_BYTES];
    rest.copy_from_slice(&next[4..]);
    rest
}

#[cfg(test)]
mod tests;
