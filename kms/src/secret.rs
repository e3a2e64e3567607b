//! Secrets that can't be printed, copied or serialised, and are wiped when they are dropped.

use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::locked::{Locked, SLOT_BYTES};
use crate::primitives;

/// Secret bytes. No `Debug`, `Display`, `Clone` or `Serialize` (invariants 11 and 12).
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes. Whoever calls this answers for every copy.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        // INVARIANT 12: the whole capacity is wiped; `Vec`'s own `zeroize` goes byte by byte, this does not.
        self.0.resize(self.0.capacity(), 0);
        self.0.as_mut_slice().zeroize();
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
    use super::{KeptPin, Pin};

    #[test]
    fn a_kept_pin_is_the_one_that_was_given() {
        for pin in ["", "12345678", &"金庫".repeat(60)] {
            let kept = KeptPin::new(&Pin::new(pin.to_owned())).unwrap();
            assert_eq!(kept.reveal().expose(), pin);
        }
    }
}
