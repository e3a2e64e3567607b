//! Secrets that can't be printed, copied or serialised, and are wiped when they are dropped.

use std::mem;

use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::locked::{Locked, SLOT_BYTES};
use crate::primitives;

/// The room before roomy bytes: as a cipher's message has before its ciphertext.
pub(crate) const ROOM_BEFORE: usize = 81;
/// The room behind them: for a tag.
pub(crate) const ROOM_BEHIND: usize = 16;

/// Secret bytes. No `Debug`, `Display`, `Clone` or `Serialize` (invariants 11 and 12).
pub struct SecretBytes {
    bytes: Vec<u8>,
    /// What stands before it is room, and is no secret.
    start: usize,
}

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }

    /// A copy of the bytes, with room around it for [`Sealer::seal_in_place`](crate::Sealer::seal_in_place).
    pub fn roomy(bytes: &[u8]) -> Self {
        let start = ROOM_BEFORE;
        let mut roomy = Vec::with_capacity(start + bytes.len() + ROOM_BEHIND);
        roomy.resize(start, 0);
        roomy.extend_from_slice(bytes);
        Self {
            bytes: roomy,
            start,
        }
    }

    /// The same room around what `fill` writes into a buffer of `bytes_max` zeros; it says how many it wrote.
    pub fn filled<E>(
        bytes_max: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Self, E> {
        let start = ROOM_BEFORE;
        let mut bytes = Vec::with_capacity(start + bytes_max + ROOM_BEHIND);
        bytes.resize(start + bytes_max, 0);
        let mut filled = Self { bytes, start };
        let length = fill(filled.expose_mut())?;
        filled.bytes.truncate(start.saturating_add(length));
        Ok(filled)
    }

    /// The bytes. Whoever calls this answers for every copy.
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    /// Its memory, if there is exactly that room before and at least that room behind.
    pub(crate) fn into_roomy(mut self, before: usize, behind: usize) -> Result<Vec<u8>, Self> {
        if self.start == before && self.bytes.capacity() - self.bytes.len() >= behind {
            Ok(mem::take(&mut self.bytes))
        } else {
            Err(self)
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        // INVARIANT 12: the whole capacity is wiped; `Vec`'s own `zeroize` goes byte by byte, this does not.
        self.bytes.resize(self.bytes.capacity(), 0);
        self.bytes.as_mut_slice().zeroize();
    }
}

/// Random bytes of the operating system.
pub fn random_bytes(length: usize) -> Result<SecretBytes, Error> {
    let mut bytes = SecretBytes::new(vec![0; length]);
    primitives::random(bytes.expose_mut())?;
    Ok(bytes)
}

/// A PIN of an HSM's token. No `Debug`, `Display` or `Clone`.
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Takes a PIN over.
    pub fn new(pin: String) -> Self {
        Self(Zeroizing::new(pin))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// A PIN that is kept while an HSM is open: in the memory for keys, slot after slot.
pub(crate) struct KeptPin(Vec<Locked>);

impl KeptPin {
    pub(crate) fn new(pin: &Pin) -> Result<Self, Error> {
        let slots = pin.expose().as_bytes().chunks(SLOT_BYTES);
        slots.map(Locked::new).collect::<Result<_, _>>().map(Self)
    }

    /// For one login.
    pub(crate) fn reveal(&self) -> Pin {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SLOT_BYTES * self.0.len()));
        for slot in &self.0 {
            bytes.extend_from_slice(slot.bytes());
        }
        // It was text before it was cut.
        Pin::new(str::from_utf8(&bytes).unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{KeptPin, Pin, SecretBytes};

    #[test]
    fn a_kept_pin_is_the_one_that_was_given() {
        for pin in ["", "12345678", &"金庫".repeat(60)] {
            let kept = KeptPin::new(&Pin::new(pin.to_owned())).unwrap();
            assert_eq!(kept.reveal().expose(), pin);
        }
    }

    #[test]
    fn room_is_no_part_of_the_bytes() {
        let bytes = SecretBytes::roomy(b"value");
        assert_eq!((bytes.expose(), bytes.len()), (b"value".as_slice(), 5));
        assert!(SecretBytes::roomy(b"").is_empty());
    }

    #[test]
    fn what_is_filled_is_as_long_as_the_filler_says() {
        let fill = |to: &mut [u8]| {
            to[..5].copy_from_slice(b"value");
            Ok::<_, ()>(5)
        };
        let bytes = SecretBytes::filled(8, fill).unwrap();
        assert_eq!(bytes.expose(), b"value");
        assert!(SecretBytes::filled(8, |_| Err::<usize, _>("no")).is_err());
        let beyond = SecretBytes::filled(8, |to| Ok::<_, ()>(to.len() + 9)).unwrap();
        assert_eq!(beyond.expose(), &[0; 8]);
    }
}
