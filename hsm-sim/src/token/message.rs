//! Messages under one begun operation (PKCS#11 v3.0 §5.9, §5.11): AES-GCM whose IV the token makes and
//! returns, if the caller wishes.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use zeroize::Zeroizing;

use super::block::{self, BLOCK_BYTES};
use super::crypto::{self, IV_BYTES, TAG_BYTES};
use super::module::Module;
use super::operation::Kind;
use crate::error::{Error, Result};

/// The key of messages, for use outside the module's lock.
pub(crate) type MessageKey = Zeroizing<Vec<u8>>;

/// Messages under one key, and the one that comes in parts.
pub(crate) struct Messages {
    key: MessageKey,
    open: Option<Part>,
}

/// A message that is not over.
struct Part {
    iv: Vec<u8>,
    aad: Vec<u8>,
    plaintext: Zeroizing<Vec<u8>>,
}

/// Bytes of a message in parts.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

impl Messages {
    pub(super) fn new(key: MessageKey) -> Self {
        Self { key, open: None }
    }

    pub(super) fn key(&self) -> MessageKey {
        self.key.clone()
    }

    fn begin(&mut self, iv: &[u8], aad: &[u8]) -> Result<()> {
        if self.open.is_some() {
            return Err(Error::OperationActive);
        }
        if iv.len() != IV_BYTES {
            return Err(Error::MechanismParamInvalid);
        }
        self.open = Some(Part {
            iv: iv.to_vec(),
            aad: aad.to_vec(),
            plaintext: Zeroizing::default(),
        });
        Ok(())
    }

    fn next(&mut self, more: &[u8]) -> Result<Vec<u8>> {
        let part = self.open.as_mut().ok_or(Error::OperationNotInitialized)?;
        let before = part.plaintext.len();
        if before.saturating_add(more.len()) > MESSAGE_BYTES_MAX {
            return Err(Error::InputLength);
        }
        part.plaintext.extend_from_slice(more);
        // GCM's own counter: the IV, then 32 bits from 2 on (SP 800-38D §7.1).
        let (whole, skipped) = (before / BLOCK_BYTES, before % BLOCK_BYTES);
        let round = u32::try_from(whole + 2).map_err(|_| Error::InputLength)?;
        let mut counter = [0; BLOCK_BYTES];
        counter[..IV_BYTES].copy_from_slice(&part.iv);
        counter[IV_BYTES..].copy_from_slice(&round.to_be_bytes());
        let input = Zeroizing::new([&vec![0; skipped], more].concat());
        let mut sealed = block::ctr(&self.key, &counter, 32, &input)?;
        Ok(sealed.split_off(skipped))
    }

    fn end(&mut self) -> Result<Vec<u8>> {
        let part = self.open.take().ok_or(Error::OperationNotInitialized)?;
        seal(&self.key, &part.iv, &part.aad, &part.plaintext).map(|(_, tag)| tag)
    }
}

/// Who makes the IV of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generator {
    Caller,
    /// The token, after so many bytes that the caller fixed.
    Random(usize),
}

impl Module {
    pub(crate) fn begin_messages(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        mechanism: CK_MECHANISM_TYPE,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        self.session(session)?;
        self.check_listed(mechanism)?;
        let key = self.key(session, key, Error::KeyHandleInvalid)?;
        if mechanism != ck::CKM_AES_GCM {
            return Err(Error::MechanismInvalid);
        }
        if (key.class(), key.key_type()) != (Some(ck::CKO_SECRET_KEY), Some(ck::CKK_AES)) {
            return Err(Error::KeyTypeInconsistent);
        }
        let permission = match kind {
            Kind::Encrypt => ck::CKA_ENCRYPT,
            _ => ck::CKA_DECRYPT,
        };
        if !key.is_set(permission) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        if !key.allows(mechanism) {
            return Err(Error::MechanismInvalid);
        }
        let value = super::material::of(key)?;
        self.session(session)?.begin_messages(kind, value)
    }

    /// Begins a message in parts. Only encryption has parts: a plaintext leaves when its tag is right.
    pub(crate) fn begin_message(
        &mut self,
        session: CK_SESSION_HANDLE,
        iv: &[u8],
        aad: &[u8],
    ) -> Result<()> {
        self.session(session)?
            .messages(Kind::Encrypt)?
            .begin(iv, aad)
    }

    /// The ciphertext of a part.
    pub(crate) fn next_part(&mut self, session: CK_SESSION_HANDLE, part: &[u8]) -> Result<Vec<u8>> {
        self.session(session)?.messages(Kind::Encrypt)?.next(part)
    }

    /// The tag of all parts.
    pub(crate) fn end_message(&mut self, session: CK_SESSION_HANDLE) -> Result<Vec<u8>> {
        self.session(session)?.messages(Kind::Encrypt)?.end()
    }

    pub(crate) fn message_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
    ) -> Result<MessageKey> {
        Ok(self.session(session)?.messages(kind)?.key())
    }

    pub(crate) fn end_messages(&mut self, session: CK_SESSION_HANDLE, kind: Kind) -> Result<()> {
        self.session(session)?.end_messages(kind)
    }
}

/// Completes an IV that the token is to make.
pub(crate) fn complete_iv(iv: &mut [u8], generator: Generator) -> Result<()> {
    let Generator::Random(fixed) = generator else {
        return Ok(());
    };
    // 96 random bits, or at least 64 behind what is fixed (SP 800-38D §8.2.2 wants 96 in all).
    if iv.len() != IV_BYTES || fixed > IV_BYTES - 8 {
        return Err(Error::MechanismParamInvalid);
    }
    crypto::fill_random(&mut iv[fixed..])
}

/// Ciphertext and tag.
pub(crate) fn seal(
    key: &MessageKey,
    iv: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut sealed = crypto::gcm_seal(key, iv, aad, plaintext, TAG_BYTES)?;
    let tag = sealed.split_off(plaintext.len());
    Ok((sealed, tag))
}

/// The plaintext, if the tag is right.
pub(crate) fn open(
    key: &MessageKey,
    iv: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let whole = [ciphertext, tag].concat();
    crypto::gcm_open(key, iv, aad, &whole, TAG_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_give_what_the_whole_gives() {
        let key = Zeroizing::new(vec![7; 32]);
        let (iv, aad, plaintext) = ([3; IV_BYTES], b"aad", [9; 100]);
        let (sealed, tag) = seal(&key, &iv, aad, &plaintext).unwrap();
        let mut messages = Messages::new(key);
        messages.begin(&iv, aad).unwrap();
        assert_eq!(messages.begin(&iv, aad), Err(Error::OperationActive));
        let mut parts = Vec::new();
        for part in [
            &plaintext[..5],
            &plaintext[5..5],
            &plaintext[5..37],
            &plaintext[37..],
        ] {
            parts.extend(messages.next(part).unwrap());
        }
        assert_eq!(parts, sealed);
        assert_eq!(messages.end().unwrap(), tag);
        assert!(messages.next(b"more").is_err());
    }
}
