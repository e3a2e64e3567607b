//! Owns the time that signatures are held against.

/// Whole seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the filter's one clock; what depends on time takes it as an argument"
)]
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
