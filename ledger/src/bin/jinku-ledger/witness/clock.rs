//! The time that cosignatures state.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970. A clock that stands before it states 0, which no cosignature may carry.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the tool's one clock file"
)]
pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
