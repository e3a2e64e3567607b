//! The stack below a call, wiped after it: `ring` leaves prepared keys there, and others copies.

/// What GCM reaches with a prepared key, in bytes: it is not copied, only counters and blocks are.
pub(crate) const FLAT: usize = if cfg!(debug_assertions) { 16 } else { 1 } * 1024;
/// What HMAC reaches with a prepared key, in bytes: `tests/memory.rs` finds something where it is 896.
pub(crate) const HASHED: usize = 2 * FLAT;
/// What preparing a key of GCM or HMAC reaches, and HKDF, in bytes: seen to be enough by `tests/memory.rs`.
/// Unoptimised code spreads more widely.
pub(crate) const SHALLOW: usize = if cfg!(debug_assertions) { 64 } else { 8 } * 1024;
/// What arithmetic on curves reaches, in bytes.
pub(crate) const DEEP: usize = 64 * 1024;

// INVARIANT 12: what a primitive leaves of a key on the stack is gone when its call is over.
/// Runs `act`, then overwrites `DEPTH` bytes of the stack that it used.
pub(crate) fn scrubbed<const DEPTH: usize, T>(act: impl FnOnce() -> T) -> T {
    let result = below(act);
    overwrite::<DEPTH>();
    result
}

/// A frame of its own, where [`overwrite`]'s will be.
#[inline(never)]
fn below<T>(act: impl FnOnce() -> T) -> T {
    act()
}

#[inline(never)]
fn overwrite<const DEPTH: usize>() {
    let mut frame = [0_u8; DEPTH];
    // Without it nobody reads the frame, and the compiler would leave the writing out.
    std::hint::black_box(&mut frame);
}
