//! PINs: how long they are, and the envelope in which a PIN keeps the token's master key.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::crypto::{self, IV_BYTES, TAG_BYTES};
use super::hex;
use crate::error::{Error, Result};

/// Bytes of the shortest PIN.
pub(crate) const PIN_BYTES_MIN: usize = 4;
/// Bytes of the longest PIN.
pub(crate) const PIN_BYTES_MAX: usize = 255;

/// The AES-256 key over a token's private objects.
pub(crate) struct Master(Box<Zeroizing<[u8; 32]>>);

impl Master {
    /// Draws a new key.
    pub(crate) fn draw() -> Result<Self> {
        Ok(Self(Box::new(crypto::random_bytes()?)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// The cost of trying one PIN: Argon2id with 19 MiB, two passes, one lane (OWASP's minimum).
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kdf {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Kdf {
    pub(crate) const STANDARD: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
        lanes: 1,
    };

    /// Whether a file's parameters are neither weaker than ours nor made to exhaust us.
    pub(super) fn is_sane(self) -> bool {
        let standard = Self::STANDARD;
        (standard.memory_kib..=1 << 20).contains(&self.memory_kib)
            && (standard.passes..=16).contains(&self.passes)
            && (standard.lanes..=4).contains(&self.lanes)
    }

    fn derive(self, pin: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| Error::DeviceError)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(pin, salt, &mut *key)
            .map_err(|_| Error::DeviceError)?;
        Ok(key)
    }
}

/// Whose PIN it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one who gives PINs and makes tokens.
    SecurityOfficer,
    /// The one whose keys they are.
    User,
}

/// What an envelope is bound to: it opens for no other token, role or cost.
pub(super) struct Binding<'a> {
    pub(super) role: Role,
    pub(super) serial: &'a str,
    pub(super) kdf: Kdf,
}

impl Binding<'_> {
    fn aad(&self) -> String {
        let Kdf {
            memory_kib,
            passes,
            lanes,
        } = self.kdf;
        let (role, serial) = (self.role, self.serial);
        format!("jinku-hsm envelope 1 {role:?} {serial} {memory_kib} {passes} {lanes}")
    }
}

/// The master key under a key made of a PIN.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    #[serde(with = "hex")]
    salt: Zeroizing<Vec<u8>>,
    #[serde(with = "hex")]
    sealed: Zeroizing<Vec<u8>>,
}

impl Envelope {
    pub(super) fn close(pin: &[u8], master: &Master, binding: &Binding<'_>) -> Result<Self> {
        let salt = crypto::random_bytes::<16>()?;
        let key = binding.kdf.derive(pin, &*salt)?;
        let sealed = seal(&*key, binding.aad().as_bytes(), master.bytes())?;
        Ok(Self {
            salt: Zeroizing::new(salt.to_vec()),
            sealed: Zeroizing::new(sealed),
        })
    }

    /// What tells one closing of the envelope from another.
    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The master key, or [`Error::PinIncorrect`].
    pub(super) fn open(&self, pin: &[u8], binding: &Binding<'_>) -> Result<Master> {
        let key = binding.kdf.derive(pin, &self.salt)?;
        let master =
            open(&*key, binding.aad().as_bytes(), &self.sealed).map_err(|_| Error::PinIncorrect)?;
        let master: [u8; 32] = master
            .as_slice()
            .try_into()
            .map_err(|_| Error::DeviceError)?;
        Ok(Master(Box::new(Zeroizing::new(master))))
    }
}

/// A new PIN's length and spelling.
pub(crate) fn check_new(pin: &[u8]) -> Result<()> {
    if !(PIN_BYTES_MIN..=PIN_BYTES_MAX).contains(&pin.len()) {
        return Err(Error::PinLength);
    }
    std::str::from_utf8(pin)
        .map(drop)
        .map_err(|_| Error::PinInvalid)
}

/// AES-256-GCM under a fresh random IV, which comes first.
pub(super) fn seal(key: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
    let iv = crypto::random_bytes::<IV_BYTES>()?;
    let ciphertext = crypto::gcm_seal(key, &*iv, aad, plaintext, TAG_BYTES)?;
    Ok([iv.as_slice(), &ciphertext].concat())
}

/// Opens what [`seal`] closed.
pub(super) fn open(key: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let (iv, ciphertext) = sealed
        .split_at_checked(IV_BYTES)
        .ok_or(Error::CiphertextInvalid)?;
    crypto::gcm_open(key, iv, aad, ciphertext, TAG_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_opens_for_its_own_pin_role_and_token_only() {
        let user = Binding {
            role: Role::User,
            serial: "01",
            kdf: Kdf::STANDARD,
        };
        let officer = Binding {
            role: Role::SecurityOfficer,
            ..user
        };
        let other = Binding {
            serial: "02",
            ..user
        };
        let master = Master::draw().unwrap();
        let envelope = Envelope::close(b"1234", &master, &user).unwrap();
        assert_eq!(
            envelope.open(b"1234", &user).unwrap().bytes(),
            master.bytes()
        );
        assert_eq!(
            envelope.open(b"1235", &user).err(),
            Some(Error::PinIncorrect)
        );
        assert_eq!(
            envelope.open(b"1234", &officer).err(),
            Some(Error::PinIncorrect)
        );
        assert_eq!(
            envelope.open(b"1234", &other).err(),
            Some(Error::PinIncorrect)
        );
    }

    #[test]
    fn a_pin_has_bounds() {
        assert_eq!(check_new(b"123"), Err(Error::PinLength));
        assert_eq!(check_new(&[b'1'; 256]), Err(Error::PinLength));
        assert_eq!(check_new(b"1234"), Ok(()));
    }
}
