//! What exists but may not leave yet. The only way out is [`Committer::record`](super::Committer::record).

use crate::store::Column;

/// A value or token that waits for its ledger entry (invariants 1 and 3).
///
/// There is no way to take `T` out, except `Committer::record`, which hands it back when the entry
/// is durable and drops (zeroizes) it when not. Forging one, or reading it early, does not compile:
///
/// ```compile_fail,E0616
/// fn early(value: vault::commit::Withheld<String>) -> String {
///     value.inner
/// }
/// ```
///
/// The twin that compiles:
///
/// ```
/// fn later(value: vault::commit::Withheld<String>) -> vault::commit::Withheld<usize> {
///     value.map(|text| text.len())
/// }
/// ```
pub struct Withheld<T> {
    inner: T,
}

impl<T> Withheld<T> {
    /// For `seal` and `token`: what they open or draw is withheld from the start.
    pub(crate) fn new(inner: T) -> Self {
        Self { inner }
    }

    /// Changes what is withheld. A plain `fn` captures nothing, so nothing can be carried out:
    ///
    /// ```compile_fail,E0308
    /// fn carry_out(value: vault::commit::Withheld<String>, out: &std::cell::RefCell<String>) {
    ///     value.map(|text| *out.borrow_mut() = text);
    /// }
    /// ```
    pub fn map<U>(self, change: fn(T) -> U) -> Withheld<U> {
        Withheld::new(change(self.inner))
    }

    /// Adds something known to what is withheld, for a later [`map`](Self::map).
    pub fn with<C>(self, context: C) -> Withheld<(T, C)> {
        Withheld::new((self.inner, context))
    }

    /// Computes a row's column (a keyed hash or a ciphertext) from what is withheld.
    pub(crate) fn column<C: Column, E>(
        &self,
        compute: impl FnOnce(&T) -> Result<C, E>,
    ) -> Result<C, E> {
        compute(&self.inner)
    }

    /// Many withheld things as one, for a batch.
    pub fn gather(items: Vec<Self>) -> Withheld<Vec<T>> {
        Withheld::new(items.into_iter().map(|item| item.inner).collect())
    }

    /// For `Committer::record` alone.
    pub(super) fn release(self) -> T {
        self.inner
    }
}

/// What is withheld could not be brought into its form. It says nothing of what it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spoiled;

impl<T> Withheld<Result<T, Spoiled>> {
    /// What a [`map`](Withheld::map) that can fail made. Where it failed, what was withheld is gone, and all
    /// that comes out is that it is.
    pub fn settled(self) -> Result<Withheld<T>, Spoiled> {
        self.inner.map(Withheld::new)
    }
}

impl Withheld<()> {
    /// For records that release nothing: a refusal, a key act, a start.
    pub fn nothing() -> Self {
        Self::new(())
    }
}
