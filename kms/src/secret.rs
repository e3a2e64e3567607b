//! Secrets that can't be printed, copied or serialised, and are wiped when they are dropped.

use zeroize::Zeroizing;

/// Secret bytes. No `Debug`, `Display`, `Clone` or `Serialize` (invariants 11 and 12).
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        // INVARIANT 12: `Zeroizing` wipes the whole capacity on drop.
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Whoever calls this answers for every copy.
    pub fn expose(&self) -> &[u8] {
        &self.0
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
