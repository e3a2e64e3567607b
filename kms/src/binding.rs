//! Contexts as bytes: one injective encoding for every AAD and every MAC input.

use zeroize::Zeroize;

/// Says what a ciphertext or a tag belongs to: a label, then fields in order.
///
/// ```text
/// binding = field(label) || item*        item = 0x01 || field(bytes) | 0x02 || u64 big-endian
/// field   = u32 big-endian length || bytes
/// ```
///
/// Injective: no two different sequences have one encoding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Binding(Vec<u8>);

impl Binding {
    /// Begins with a label that no other purpose uses.
    pub fn new(label: &'static str) -> Self {
        Self::sized(label, 128)
    }

    /// The same, with room for `bytes` of encoding, so that it does not move while it grows.
    pub(crate) fn sized(label: &'static str, bytes: usize) -> Self {
        let mut binding = Self(Vec::with_capacity(bytes));
        binding.push(label.as_bytes());
        binding
    }

    /// Adds bytes.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.0.push(1);
        self.push(bytes);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.push(2);
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For one that held a secret.
    pub(crate) fn wipe(mut self) {
        self.0.resize(self.0.capacity(), 0);
        self.0.as_mut_slice().zeroize();
    }

    fn push(&mut self, bytes: &[u8]) {
        // Contexts are names and hashes; four gigabytes of one can't be held in memory here.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Binding;

    #[derive(Clone, Debug, PartialEq)]
    enum Item {
        Field(Vec<u8>),
        Number(u64),
    }

    fn encoded(items: &[Item]) -> Binding {
        items
            .iter()
            .fold(Binding::new("test"), |binding, item| match item {
                Item::Field(bytes) => binding.field(bytes),
                Item::Number(number) => binding.number(*number),
            })
    }

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let byte = prop_oneof![Just(0_u8), Just(1), Just(2), any::<u8>()];
        let field = proptest::collection::vec(byte, 0..12).prop_map(Item::Field);
        let number = prop_oneof![Just(0_u64), Just(1), any::<u64>()].prop_map(Item::Number);
        proptest::collection::vec(prop_oneof![field, number], 0..5)
    }

    proptest! {
        #[test]
        fn different_contexts_have_different_bytes(a in items(), b in items()) {
            prop_assert_eq!(a == b, encoded(&a) == encoded(&b));
        }

        #[test]
        fn moving_a_boundary_changes_the_bytes(bytes: Vec<u8>, cut in 0_usize..8) {
            let cut = cut.min(bytes.len());
            let one = Binding::new("test").field(&bytes);
            let two = Binding::new("test").field(&bytes[..cut]).field(&bytes[cut..]);
            prop_assert_ne!(one, two);
        }
    }
}
